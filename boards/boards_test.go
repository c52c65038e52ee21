package boards

import (
	"slices"
	"strings"
	"testing"
)

func TestByName(t *testing.T) {
	for _, b := range All {
		got, err := ByName(b.Name)
		if err != nil || got.Name != b.Name {
			t.Errorf("%s: %q, %v", b.Name, got.Name, err)
		}
	}
	_, err := ByName("rpi9")
	if err == nil {
		t.Fatal("rpi9 is known")
	}
	for _, want := range []string{`"rpi9"`, "vm-arm64", "rpi"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not name %s", err, want)
		}
	}
}

func TestBoardsAreWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, b := range All {
		if seen[b.Name] {
			t.Errorf("%s: twice", b.Name)
		}
		seen[b.Name] = true
		if b.Title == "" || b.GOARCH == "" || len(b.Serial) == 0 {
			t.Errorf("%s: something is missing: %+v", b.Name, b)
		}
		if (b.Kernel.Module == "") == (b.Kernel.Package.Name == "") {
			t.Errorf("%s: a kernel comes from a module or from a package: %+v", b.Name, b.Kernel)
		}
		if len(b.Kernel.Early) > 0 && !b.Kernel.Initrd {
			t.Errorf("%s: nothing loads its early modules", b.Name)
		}
		for _, m := range b.Kernel.Load {
			if !slices.Contains(b.Kernel.Modules, m) {
				t.Errorf("%s: module %s is to be loaded, but is not in the root", b.Name, m)
			}
		}
		switch b.Loader {
		case LoaderPi, LoaderUEFI:
			if b.Config == "" {
				t.Errorf("%s: its loader reads no file", b.Name)
			}
		case LoaderUBoot:
			if b.Config != "" {
				t.Errorf("%s: its loader reads no file, but there is one", b.Name)
			}
		default:
			t.Errorf("%s: loader %q", b.Name, b.Loader)
		}
	}
}

// What boot ROMs and U-Boot read outside of all partitions must neither lie on
// the partition table nor on each other.
func TestBlobsLieApart(t *testing.T) {
	const table, bootStart = 34 * 512, 16 << 20
	for _, b := range All {
		end := int64(table)
		for _, x := range b.Blobs {
			if x.Offset < end || x.Most <= 0 || x.Offset+x.Most > bootStart {
				t.Errorf("%s: %s from %d, %d bytes at the most, what is before ends at %d", b.Name, x.File, x.Offset, x.Most, end)
			}
			end = x.Offset + x.Most
		}
	}
}

// The header's UART of a Raspberry Pi belongs to the receiver: a console on it
// would talk into the receiver and be talked into by it.
func TestRaspberryPiHasNoSerialConsole(t *testing.T) {
	if len(RaspberryPi.Consoles) > 0 || strings.Contains(strings.Join(RaspberryPi.Cmdline, " "), "console=") {
		t.Errorf("consoles %q, %q", RaspberryPi.Consoles, RaspberryPi.Cmdline)
	}
	for _, want := range []string{"enable_uart=1\n", "dtoverlay=disable-bt\n", "dtoverlay=uart0-pi5\n", "include usercfg.txt\n"} {
		if !strings.Contains(RaspberryPi.Config, want) {
			t.Errorf("config.txt lacks %q", want)
		}
	}
}

// config.txt is switched between the slots by writing one sector, and the
// firmware cuts longer lines.
func TestRaspberryPiConfigFitsASector(t *testing.T) {
	const sector, line = 512, 98
	if n := len("os_prefix=a/\n" + RaspberryPi.Config); n > sector {
		t.Errorf("config.txt has %d bytes", n)
	}
	for l := range strings.Lines(RaspberryPi.Config + RaspberryPi.UserConfig) {
		if len(strings.TrimSuffix(l, "\n")) > line {
			t.Errorf("%d characters: %q", len(l), l)
		}
	}
	// A person's lines apply to every model and change nothing of what boots.
	if !strings.Contains(RaspberryPi.Config, "[all]\ninclude usercfg.txt\n[all]\narm_64bit=1\nkernel=vmlinuz\n") {
		t.Errorf("config.txt ends differently:\n%s", RaspberryPi.Config)
	}
}
