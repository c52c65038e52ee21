package ptp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a PTP clock 5 s ahead of the monotonic one. Reading either takes time,
// the nth as much more as late says.
type fake struct {
	at    int64
	n     int
	late  func(n int) int64
	fails int // reading of either kind that fails
}

func (f *fake) step() error {
	if f.n++; f.n == f.fails {
		return errors.New("gone")
	}
	f.at += 100 + f.late(f.n)
	return nil
}

func (f *fake) monotonic() (int64, error) { err := f.step(); return f.at, err }
func (f *fake) hardware() (int64, error)  { err := f.step(); return f.at + 5e9, err }

func TestRead(t *testing.T) {
	for name, late := range map[string]func(int) int64{
		"quiet":           func(int) int64 { return 0 },
		"one is held up":  func(n int) int64 { return map[bool]int64{true: 1e6}[n == 5] },
		"one is not":      func(n int) int64 { return map[bool]int64{true: 1e6}[n%3 == 2 && n != 14] },
		"the late second": func(n int) int64 { return map[bool]int64{true: 40}[n%3 == 0] },
	} {
		f := &fake{at: 1e9, late: late}
		mono, at, half, err := read(f)
		if err != nil || half > 121e-9 || half < 99e-9 {
			t.Errorf("%s: ± %g s, %v", name, half, err)
		}
		if d := float64(at-mono-5e9) * 1e-9; d > half || d < -half {
			t.Errorf("%s: %g s off, ± %g s", name, d, half)
		}
	}
	for n := 1; n <= 27; n++ {
		if _, _, _, err := read(&fake{late: func(int) int64 { return 0 }, fails: n}); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("reading %d fails: %v", n, err)
		}
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "ptp0")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "/dev/null is no PTP clock: ") {
		t.Errorf("%v", err)
	}
}

func TestNameOf(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "ptp7"), 0o700), os.WriteFile(filepath.Join(dir, "ptp7", "clock_name"), []byte("KVM virtual PTP\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/dev/ptp7": "KVM virtual PTP", "/dev/ptp8": ""} {
		if got := nameOf(dir, path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
