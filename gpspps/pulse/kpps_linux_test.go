package pulse

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ppsKernel is a PPS device and the clocks of its machine.
type ppsKernel struct {
	mu     sync.Mutex
	mode   int32
	data   ppsData
	now    int64 // CLOCK_MONOTONIC
	real   int64 // what CLOCK_REALTIME is ahead by
	read   int64 // how far a reading of that is off
	fail   error
	script []func(k *ppsKernel) error // what each wait comes to
	waits  []time.Duration
}

func (k *ppsKernel) mono() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *ppsKernel) ahead() (int64, int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.real + k.read, max(k.read, -k.read)
}

func (k *ppsKernel) ioctl(_ uintptr, request uintptr, arg unsafe.Pointer) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	switch request {
	case ioctlPPSParams:
		*(*ppsParams)(arg) = ppsParams{version: 1, mode: k.mode}
		return nil
	case ioctlPPSFetch:
	default:
		return unix.ENOTTY
	}
	d := (*ppsData)(arg)
	if wait := time.Duration(d.timeout.nano()); wait > 0 {
		k.waits = append(k.waits, wait)
		err := unix.ETIMEDOUT
		if len(k.script) == 0 {
			k.now += int64(wait)
			return err
		}
		next := k.script[0]
		k.script = k.script[1:]
		if err := next(k); err != nil {
			return err
		}
	}
	k.data.timeout = d.timeout
	*d = k.data
	return nil
}

// edge is one that comes at an instant of CLOCK_MONOTONIC.
func edge(mono int64, assert bool) func(*ppsKernel) error {
	return func(k *ppsKernel) error {
		k.now = mono + 30_000
		at := ppsTime{sec: (mono + k.real) / 1e9, nsec: int32((mono + k.real) % 1e9)}
		if assert {
			k.data.assert = at
			k.data.asserts++
		} else {
			k.data.clear = at
			k.data.clears++
		}
		return nil
	}
}

func step(ns int64) func(*ppsKernel) error {
	return func(k *ppsKernel) error { k.real += ns; return unix.EINTR }
}

// then does both, and the first wait ends with the last.
func then(a, b func(*ppsKernel) error) func(*ppsKernel) error {
	return func(k *ppsKernel) error { _ = a(k); return b(k) }
}

func (k *ppsKernel) open(t testing.TB) *kpps {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pps0")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newKPPS("/dev/pps0", f, k.ioctl, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func newPPSKernel(mode int32, script ...func(*ppsKernel) error) *ppsKernel {
	return &ppsKernel{mode: mode, now: 100e9, real: 1_790_000_000e9 + 123_456_789, script: script, data: ppsData{asserts: 40, clears: 40}}
}

func TestPPSLayout(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"pps_fdata", unsafe.Sizeof(ppsData{}), 64},
		{"pps_kparams", unsafe.Sizeof(ppsParams{}), 40},
		{"pps_ktime", unsafe.Sizeof(ppsTime{}), 16},
		{"offset of assert_tu", unsafe.Offsetof(ppsData{}.assert), 8},
		{"offset of clear_tu", unsafe.Offsetof(ppsData{}.clear), 24},
		{"offset of timeout", unsafe.Offsetof(ppsData{}.timeout), 48},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, the kernel says %d", c.name, c.got, c.want)
		}
	}
	if unsafe.Sizeof(uintptr(0)) == 8 && (ioctlPPSFetch != 0xc00870a4 || ioctlPPSParams != 0x800870a1) {
		t.Errorf("the calls are %#x and %#x", uint64(ioctlPPSFetch), uint64(ioctlPPSParams))
	}
}

func TestPPSEdges(t *testing.T) {
	k := newPPSKernel(captureAssert, edge(101e9+5, true), edge(102e9+6, true), then(edge(103e9, true), edge(104e9+7, true)))
	p := k.open(t)
	s := NewSource(p)
	for i, want := range []Event{{101e9 + 5, 41}, {102e9 + 6, 42}, {104e9 + 7, 44}} {
		got, err := s.Read(t.Context())
		if err != nil || got.Mono != want.Mono || got.Seq != want.Seq {
			t.Fatalf("%d: got %+v, %v, want %+v", i, got, err, want)
		}
	}
	if s.Lost() != 1 || s.PulseError() != interruptLate {
		t.Errorf("%d lost, error %g", s.Lost(), s.PulseError())
	}
	p.usb = true
	if s.PulseError() != usbLate {
		t.Errorf("error %g", s.PulseError())
	}
	if _, ok := p.WaitForEdgeAt(0); ok {
		t.Error("an edge from nowhere")
	}
	before := k.mono()
	if _, ok := p.WaitForEdgeAt(700 * time.Millisecond); ok || k.mono()-before != 700e6 {
		t.Errorf("a wait of 700 ms took %d ns", k.mono()-before)
	}
	for _, w := range k.waits {
		if w > ppsSlice {
			t.Errorf("%v in the kernel, where nothing ends it", w)
		}
	}
}

// TestPPSOverSteps: an edge that the realtime clock was stepped around is left
// out, and those after it are right.
func TestPPSOverSteps(t *testing.T) {
	for _, by := range []int64{1e9, -1e9, 50_000, -4000, 37e9} {
		k := newPPSKernel(captureAssert,
			edge(101e9, true), then(edge(102e9, true), step(by)), edge(103e9, true), step(by), edge(104e9, true),
			then(step(by), edge(105e9, true)), edge(106e9, true))
		p := k.open(t)
		var got []int64
		for len(got) < 4 {
			e, ok := p.WaitForEdgeAt(time.Minute)
			if !ok {
				t.Fatalf("by %d ns: only %v", by, got)
			}
			got = append(got, e.Mono)
		}
		if want := []int64{101e9, 103e9, 104e9, 106e9}; !slices.Equal(got, want) {
			t.Errorf("by %d ns: edges at %v, want %v", by, got, want)
		}
	}
	// What reading the clocks is wrong by is no step.
	k := newPPSKernel(captureAssert)
	p := k.open(t)
	for n := range int64(50) {
		k.read = n * 37 % 9000
		k.script = append(k.script, edge((101+n)*1e9, true))
		e, ok := p.WaitForEdgeAt(time.Second)
		if d := e.Mono - (101+n)*1e9; !ok || d > 10 || d < -10 {
			t.Fatalf("after %d s an edge is %d ns off, %v", n, d, ok)
		}
	}
}

// TestPPSOfTwoEdges: a serial port's device tells both edges, of which the one
// that begins the pulse marks the second.
func TestPPSOfTwoEdges(t *testing.T) {
	for _, rising := range []bool{true, false} {
		k := newPPSKernel(captureAssert | captureClear)
		for n := range int64(8) {
			k.script = append(k.script, edge((101+n)*1e9, rising), edge((101+n)*1e9+200e6, !rising))
		}
		p := k.open(t)
		for n := range int64(3) {
			e, ok := p.WaitForEdgeAt(10 * time.Second)
			if !ok || (e.Mono-100e9)%1e9 != 0 || n == 0 && e.Mono < 103e9 {
				t.Errorf("rising %v: %+v, %v", rising, e, ok)
			}
		}
	}
	k := newPPSKernel(captureClear, edge(101e9, true), edge(101e9+1e8, false))
	if e, ok := k.open(t).WaitForEdgeAt(time.Minute); !ok || e != (Event{101e9 + 1e8, 41}) {
		t.Errorf("got %+v, %v", e, ok)
	}
}

func TestPPSEnds(t *testing.T) {
	k := newPPSKernel(captureAssert, step(0), step(0))
	p := k.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	k.script = append(k.script, func(*ppsKernel) error { cancel(); return unix.EINTR })
	if _, err := NewSource(p).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	k.script = append(k.script, func(*ppsKernel) error { _ = p.Halt(); return unix.ETIMEDOUT })
	if _, ok := p.WaitForEdgeAt(-1); ok || p.Err() != nil {
		t.Errorf("halted: %v, %v", ok, p.Err())
	}
	k.fail = unix.ENODEV
	if _, err := NewSource(p).Read(t.Context()); !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), "/dev/pps0") {
		t.Errorf("got %v", err)
	}
	p = newPPSKernel(captureAssert).open(t)
	p.Close()
	if _, ok := p.WaitForEdgeAt(-1); ok || !errors.Is(p.Err(), errClosed) {
		t.Errorf("closed: %v", p.Err())
	}
}

func TestPPSOpenErrors(t *testing.T) {
	if _, err := Open("/dev/pps-that-is-not-there"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "pps-gpio") {
		t.Errorf("got %v", err)
	}
	if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "no PPS device") {
		t.Errorf("got %v", err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k := newPPSKernel(0)
	if _, err := newKPPS("/dev/pps0", f, k.ioctl, k); err == nil || !strings.Contains(err.Error(), "captures no edges") {
		t.Errorf("got %v", err)
	}
}

func TestDevices(t *testing.T) {
	class := t.TempDir()
	for name, d := range map[string]device{
		"pps0": {"ptp0", ""},
		"pps1": {"serial1", "/dev/ttyS1"},
		"pps2": {"serial0", "/dev/ttyS0"},
		"pps3": {"pps@12.-1", ""},
		"pps4": {"ktimer", ""},
		"pps5": {"usbserial0", "/dev/ttyUSB0"},
	} {
		dir := filepath.Join(class, name)
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "name"), []byte(d.name+"\n"), 0o600),
			os.WriteFile(filepath.Join(dir, "path"), []byte(d.serial+"\n"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := devices(class, "/dev", "/dev/ttyS0"); !slices.Equal(got, []string{"/dev/pps3", "/dev/pps2", "/dev/pps1", "/dev/pps5"}) {
		t.Errorf("got %q", got)
	}
	if got := devices(class, "/dev", ""); !slices.Equal(got, []string{"/dev/pps3", "/dev/pps1", "/dev/pps2", "/dev/pps5"}) {
		t.Errorf("no receiver: %q", got)
	}
	if got := devices(filepath.Join(class, "none"), "/dev", ""); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if !onUSB("/dev/ttyUSB3") || !onUSB("/dev/ttyACM0") || onUSB("/dev/ttyS0") || onUSB("") {
		t.Error("USB is not told from what is not")
	}
}

func TestClocks(t *testing.T) {
	var c clock
	a := c.mono()
	ahead, width := c.ahead()
	want := time.Now().UnixNano() - c.mono()
	if d := ahead - want; width <= 0 || max(d, -d) > int64(time.Minute) || c.mono() < a {
		t.Errorf("realtime is %d ahead, give or take %d; want %d", ahead, width, want)
	}
	until := c.mono() + int64(time.Millisecond)
	if c.sleep(until); c.mono() < until {
		t.Error("woken too early")
	}
	if n := testing.AllocsPerRun(100, func() { c.ahead() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPPS(b *testing.B) {
	b.ReportAllocs()
	k := newPPSKernel(captureAssert)
	p := k.open(b)
	p.clock = &clock{}
	p.before, p.width = p.clock.ahead()
	s := NewSource(p)
	for b.Loop() {
		k.data.asserts++
		if _, err := s.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
