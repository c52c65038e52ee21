package pulse

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uart answers what a serial port's driver is asked about its modem lines.
type uart struct {
	rises  int64 // CLOCK_MONOTONIC from which on there is a carrier
	counts int32
	refuse error
	clock  clock
}

func (u *uart) ioctl(_ uintptr, request uintptr, arg unsafe.Pointer) error {
	switch {
	case u.refuse != nil:
		return u.refuse
	case request == unix.TIOCMGET:
		bits := (*int32)(arg)
		*bits = unix.TIOCM_DTR | unix.TIOCM_DSR
		if u.clock.mono() >= u.rises {
			*bits |= unix.TIOCM_CAR
		}
	case request == unix.TIOCGICOUNT:
		*(*icounter)(arg) = icounter{cts: 7, dcd: u.counts}
	default:
		return unix.ENOTTY
	}
	return nil
}

func (u *uart) port(t testing.TB) (*port, *os.File) {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return newPort(raw, u.ioctl, u.ioctl), f
}

func TestPort(t *testing.T) {
	if n := unsafe.Sizeof(icounter{}); n != 80 {
		t.Errorf("serial_icounter_struct is %d bytes, the kernel says 80", n)
	}
	u := &uart{rises: 1<<63 - 1, counts: 12}
	p, f := u.port(t)
	if high, err := p.Level(); high || err != nil {
		t.Errorf("no carrier: %v, %v", high, err)
	}
	if n, ok := p.Changes(); n != 12 || !ok {
		t.Errorf("changes %d, %v", n, ok)
	}
	for seen := 0; seen < 3; {
		now := p.Now()
		u.rises = now + int64(2*time.Millisecond)
		c, ok, err := p.Watch(now+int64(time.Millisecond), now+int64(8*time.Millisecond), true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue // the machine was busy
		}
		seen++
		if d := c.At - u.rises; max(d, -d) > c.Gap/2+1 {
			t.Errorf("seen %d ns from where it was, in readings that took %d ns", d, c.Gap)
		}
	}
	if high, err := p.Level(); !high || err != nil {
		t.Errorf("carrier: %v, %v", high, err)
	}
	if n := testing.AllocsPerRun(20, func() { _, _, _ = p.Watch(p.Now(), p.Now()+50_000, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	u.refuse = unix.EIO
	if _, _, err := p.Watch(p.Now(), p.Now()+50_000, true); !errors.Is(err, unix.EIO) {
		t.Errorf("a port that is gone: %v", err)
	}
	if _, ok := p.Changes(); ok {
		t.Error("a driver that does not count counts")
	}
	f.Close()
	if _, err := p.Level(); err == nil {
		t.Error("a closed port has a level")
	}
	if _, _, err := p.Watch(p.Now(), p.Now()+50_000, true); err == nil {
		t.Error("a closed port has edges")
	}
}

func TestOpenCarrierErrors(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/ttyS0", "/dev/ttyUSB0"} {
		if _, err := OpenCarrier(path, raw); !errors.Is(err, unix.ENOTTY) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func BenchmarkCarrier(b *testing.B) {
	b.ReportAllocs()
	u := &uart{}
	p, _ := u.port(b)
	c, err := newCarrier("/dev/ttyS0", p, 0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		// An edge that is due 20 µs from now, after which the next one is.
		now := p.Now()
		u.rises, u.counts = now+20_000, u.counts+2
		c.expect, c.margin, c.rising = u.rises, 15*time.Microsecond, true
		if _, ok := c.watch(now); !ok {
			c.missed = 0 // the machine was busy
		}
	}
}
