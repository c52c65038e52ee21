package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/pifirmware"
)

// rpiCard is a card of which only the boot partition is written, with a kernel
// that is short, compressed in slot b, and everything else as it is shipped.
func rpiCard(t *testing.T, p *parts) (name string, slotB []bootfs.File) {
	t.Helper()
	s, err := bootSpec(p, []byte("#\n"))
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	io.WriteString(w, "kernel b")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	kernel := slices.IndexFunc(s.A, func(f bootfs.File) bool { return f.Path == "vmlinuz" })
	line := slices.IndexFunc(s.A, func(f bootfs.File) bool { return f.Path == "cmdline.txt" })
	if kernel < 0 || line < 0 {
		t.Fatal("slot a has no kernel or no command line")
	}
	slotB = slices.Clone(s.A)
	s.A[kernel] = textFile("vmlinuz", "kernel a")
	slotB[kernel] = textFile("vmlinuz", z.String())
	slotB[line] = textFile("cmdline.txt", cmdline(boards.RaspberryPi, "b")+"\n")

	name = filepath.Join(t.TempDir(), "card.img")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(disk.BootStart + disk.BootSize); err != nil {
		t.Fatal(err)
	}
	if err := bootfs.Write(io.NewOffsetWriter(f, disk.BootStart), s); err != nil {
		t.Fatal(err)
	}
	return name, slotB
}

func textFile(path, text string) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

// onCard opens the card's boot partition.
func onCard(t *testing.T, name string, use func(fat *bootfs.FS, w io.WriterAt)) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fat, err := bootfs.Open(io.NewSectionReader(f, disk.BootStart, disk.BootSize))
	if err != nil {
		t.Fatal(err)
	}
	use(fat, io.NewOffsetWriter(f, disk.BootStart))
}

// What the firmware of every supported model makes of the card: slot a, slot b
// in a trial, and what is left of a trial whose slot was not written.
func TestEveryRaspberryPiBootsItsSlots(t *testing.T) {
	card, slotB := rpiCard(t, boardParts(t, boards.RaspberryPi))
	onCard(t, card, func(fat *bootfs.FS, w io.WriterAt) {
		for _, m := range pifirmware.Models() {
			checkPlan(t, fat, m, false, "a")
			// Slot b is empty: the prefix is ignored, and nothing is in the root.
			// The board stays there until its power is cut; so a slot is armed
			// only when all of it has been read back.
			var flag pifirmware.Flag
			flag.Reboot("0 tryboot")
			if _, err := pifirmware.Boot(fat, m, flag.Start()); err == nil || !strings.Contains(err.Error(), "no kernel") {
				t.Errorf("%s, empty slot b: %v", m.Name, err)
			}
			flag.PowerCut()
			checkPlan(t, fat, m, flag.Start(), "a")
		}
		// Half of it: everything but the kernel.
		half := slices.DeleteFunc(slices.Clone(slotB), func(f bootfs.File) bool { return f.Path == "vmlinuz" })
		if err := bootfs.WriteSlot(w, bootfs.SlotB, half, buildDate); err != nil {
			t.Fatal(err)
		}
	})
	onCard(t, card, func(fat *bootfs.FS, w io.WriterAt) {
		for _, m := range pifirmware.Models() {
			if p, err := pifirmware.Boot(fat, m, true); err == nil {
				t.Errorf("%s, half a slot b: boots %s", m.Name, p.Kernel)
			}
			checkPlan(t, fat, m, false, "a")
		}
		if err := bootfs.WriteSlot(w, bootfs.SlotB, slotB, buildDate); err != nil {
			t.Fatal(err)
		}
	})
	onCard(t, card, func(fat *bootfs.FS, _ io.WriterAt) {
		for _, m := range pifirmware.Models() {
			checkPlan(t, fat, m, true, "b")
			checkPlan(t, fat, m, false, "a")
		}
	})
}

// A person's usercfg.txt cannot take the boot away, whatever is in it.
func TestNoUserConfigStopsTheBoot(t *testing.T) {
	p := boardParts(t, boards.RaspberryPi)
	for _, lines := range []string{
		"kernel=/mine\nos_prefix=\narm_64bit=0\ncmdline=mine.txt\n",
		"[none]\n[pi1]\n",
		"[broken",
		"include usercfg.txt\n",
		"include config.txt\n",
		strings.Repeat("\xff", 100_000),
		"dtoverlay=i2c-rtc,ds3231\ndtoverlay=none,\n",
		"boot_ramdisk=1\nstart_file=mine.elf\n",
	} {
		p.board.UserConfig = lines
		card, _ := rpiCard(t, p)
		onCard(t, card, func(fat *bootfs.FS, _ io.WriterAt) {
			for _, m := range pifirmware.Models() {
				if p, err := pifirmware.Boot(fat, m, false); err != nil || p.Kernel != "a/vmlinuz" || p.Cmdline != "a/cmdline.txt" || !p.ARM64 {
					t.Errorf("%.40q, %s: %q, %q, %v", lines, m.Name, p.Kernel, p.Cmdline, err)
				}
			}
		})
	}
}

// checkPlan says that everything is taken from one slot, and nothing is amiss.
func checkPlan(t *testing.T, fat *bootfs.FS, m pifirmware.Model, tryboot bool, slot string) {
	t.Helper()
	p, err := pifirmware.Boot(fat, m, tryboot)
	if err != nil {
		t.Errorf("%s: %v", m.Name, err)
		return
	}
	if len(p.Warnings) > 0 {
		t.Errorf("%s: %q", m.Name, p.Warnings)
	}
	prefix := slot + "/"
	if p.Prefix != prefix || p.Kernel != prefix+"vmlinuz" || p.DTB != prefix+m.DTB || p.Cmdline != prefix+"cmdline.txt" || len(p.Initramfs) > 0 {
		t.Errorf("%s: %+v", m.Name, p)
	}
	for _, o := range p.Overlays {
		if !strings.HasPrefix(o.Path, prefix+"overlays/") {
			t.Errorf("%s: overlay %s", m.Name, o.Path)
		}
	}
	want := map[string][]string{"3B": {"disable-bt"}, "3B+": {"disable-bt"}, "Zero 2 W": {"disable-bt"}, "4B": {"disable-bt"},
		"400": {"disable-bt"}, "CM4": {"disable-bt"}, "5": {"uart0-pi5"}, "500": {"uart0-pi5"},
		"CM5": {"dwc2", "uart0-pi5"}, "CM5 Lite": {"dwc2", "uart0-pi5"}}[m.Name]
	if !slices.Equal(p.OverlayNames(), want) {
		t.Errorf("%s: overlays %q, want %q", m.Name, p.OverlayNames(), want)
	}
	if !p.ARM64 || !p.UART || p.WatchdogTimeout != 15 {
		t.Errorf("%s: 64 bits %v, UART %v, watchdog %d s", m.Name, p.ARM64, p.UART, p.WatchdogTimeout)
	}
	if got, want := p.Settings["otg_mode"] == "1", m.Name == "CM4"; got != want {
		t.Errorf("%s: otg_mode %v", m.Name, got)
	}
}

func TestRPiBoot(t *testing.T) {
	p := boardParts(t, boards.RaspberryPi)
	card, slotB := rpiCard(t, p)
	if _, _, _, _, err := rpiBoot(card, t.TempDir(), true); err == nil || !strings.Contains(err.Error(), "card.img: a Raspberry Pi 3B would not boot: no kernel") {
		t.Errorf("an empty slot: %v", err)
	}
	onCard(t, card, func(_ *bootfs.FS, w io.WriterAt) {
		if err := bootfs.WriteSlot(w, bootfs.SlotB, slotB, buildDate); err != nil {
			t.Fatal(err)
		}
	})
	tree, err := os.ReadFile(filepath.Join(p.kernel.trees, "bcm2710-rpi-3-b.dtb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		slot    string
		tryboot bool
	}{{"a", false}, {"b", true}} {
		dir := t.TempDir()
		kernel, dtb, initrd, line, err := rpiBoot(card, dir, tt.tryboot)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{kernel: "kernel " + tt.slot, dtb: string(tree)} {
			if b, err := os.ReadFile(name); err != nil || string(b) != want || filepath.Dir(name) != dir {
				t.Errorf("slot %s: %s: %d bytes, %v", tt.slot, name, len(b), err)
			}
		}
		if want := cmdline(boards.RaspberryPi, tt.slot) + " watchdog.open_timeout=15"; line != want || initrd != "" {
			t.Errorf("slot %s: %q, want %q; initrd %q", tt.slot, line, want, initrd)
		}
	}
	if _, _, _, _, err := rpiBoot(os.DevNull, t.TempDir(), false); err == nil {
		t.Error("nothing is an image")
	}
	if _, _, _, _, err := rpiBoot(filepath.Join(t.TempDir(), "none.img"), t.TempDir(), false); err == nil {
		t.Error("a file that is not there is an image")
	}
}

func TestPlainKernel(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(make([]byte, 1000))
	w.Close()
	for _, tt := range []struct {
		name  string
		in    []byte
		limit int64
		size  int // -1: an error
	}{
		{"plain", []byte("MZ kernel"), 5, 9},
		{"compressed", z.Bytes(), 1000, 1000},
		{"a bomb", z.Bytes(), 999, -1},
		{"torn", z.Bytes()[:z.Len()-9], 1000, -1},
		{"no more than a beginning", []byte{0x1f, 0x8b}, 1000, -1},
		{"empty", nil, 10, 0},
	} {
		b, err := plainKernel(tt.in, tt.limit)
		if (err != nil) != (tt.size < 0) || err == nil && len(b) != tt.size {
			t.Errorf("%s: %d bytes, %v", tt.name, len(b), err)
		}
	}
}
