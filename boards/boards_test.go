package boards

import (
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
		if b.Title == "" || b.GOARCH == "" || b.Kernel == "" || len(b.Serial) == 0 || len(b.Pulse) == 0 {
			t.Errorf("%s: something is missing: %+v", b.Name, b)
		}
	}
}

// The header's UART of a Raspberry Pi belongs to the receiver: a console on it
// would talk into the receiver and be talked into by it.
func TestRaspberryPiHasNoSerialConsole(t *testing.T) {
	if RaspberryPi.Console != "" || strings.Contains(strings.Join(RaspberryPi.Cmdline, " "), "console=") {
		t.Errorf("console %q, %q", RaspberryPi.Console, RaspberryPi.Cmdline)
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
