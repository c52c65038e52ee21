package pulse

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// labelled is a kernel whose lines have names.
func labelled(k *kernel) ioctlFunc {
	return func(fd, request uintptr, arg unsafe.Pointer) error {
		if err := k.ioctl(fd, request, arg); err != nil {
			return err
		}
		if request == ioctlLineInfo {
			info := (*lineInfo)(arg)
			copy(info.name[:], []string{"ID_SD", "", "GPIO18", "GPIO18"}[info.offset%4])
		}
		return nil
	}
}

func TestOneChipOfTwoNames(t *testing.T) {
	k := newKernel(t)
	if aliased(k.dir) {
		t.Fatal("one device file is taken for two")
	}
	if err := os.Symlink("gpiochip0", k.dir+"/gpiochip4"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone", k.dir+"/gpiochip5"); err != nil {
		t.Fatal(err)
	}
	if !aliased(k.dir) {
		t.Fatal("two names of one chip are not seen")
	}
	s := system{dev: k.dir, names: chipNames{k.dir, labelled(k)}, ioctl: k.ioctl}
	l, err := open("GPIO18", s)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Number() != 2 || !strings.HasSuffix(l.chip, "gpiochip0") {
		t.Errorf("found %s", l)
	}
	if got := s.names.all(); !slices.Equal(got, []string{"ID_SD", "GPIO18", "GPIO18", "ID_SD", "GPIO18", "GPIO18"}) {
		t.Errorf("names %q", got)
	}
	if _, err := open("GPIO99", s); err == nil || !strings.Contains(err.Error(), "there are ID_SD, GPIO18") {
		t.Errorf("got %v", err)
	}
	s.names = chipNames{k.dir, func(uintptr, uintptr, unsafe.Pointer) error { return unix.ENOTTY }}
	if _, err := open("GPIO18", s); err == nil || !strings.Contains(err.Error(), "gpiochip0 cannot be listed") {
		t.Errorf("got %v", err)
	}
}

// TestOpenInALoop: a line that is not there is looked for every few seconds,
// for years. Nothing may be left open, nor anything closed that is not ours.
func TestOpenInALoop(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	k := newKernel(t)
	s := system{dev: k.dir, names: chipNames{k.dir, labelled(k)}, ioctl: k.ioctl}
	if _, err := Open("no such line"); err == nil { // loads periph's driver
		t.Fatal("opened")
	}
	before := open()
	for range 200 {
		if _, err := Open("no such line"); err == nil {
			t.Fatal("opened")
		}
		if _, err := Open("gpiochip99:1"); err == nil {
			t.Fatal("opened")
		}
		s.names.all()
		if _, err := k.open("gpiochip0:99"); err == nil {
			t.Fatal("opened")
		}
		k.refuse = unix.EBUSY
		if _, err := k.open("GPIO18"); err == nil {
			t.Fatal("opened")
		}
	}
	if after := open(); after != before {
		t.Errorf("%d files are open, %d were", after, before)
	}
}
