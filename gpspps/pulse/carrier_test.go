package pulse

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pinOfPort is a carrier detect pin in the virtual time of a bubble: a pulse at
// phase ns into each second that lasts for length.
type pinOfPort struct {
	begun time.Time

	mu      sync.Mutex
	phase   int64
	length  int64
	down    bool   // upside down
	off     bool   // no pulses
	reading int64  // how long one takes, ns
	changes uint32 // beside the pulses'
	counts  bool
	err     error
	glances int
	busy    time.Duration
}

func (p *pinOfPort) Now() int64 { return int64(time.Since(p.begun)) }

func (p *pinOfPort) high(at int64) bool {
	in := (at - p.phase) % 1e9
	return (!p.off && in >= 0 && in < p.length) != p.down
}

func (p *pinOfPort) Level() (bool, error) {
	time.Sleep(time.Duration(p.reading) / 2)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.glances++
	return p.high(p.Now()), p.err
}

func (p *pinOfPort) Changes() (uint32, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes + uint32(2*(p.Now()-p.phase)/1e9), p.counts
}

func (p *pinOfPort) Watch(from, until int64, to bool) (Crossing, bool, error) {
	if d := from - p.Now(); d > int64(2*nap) {
		panic("a watch that begins too early keeps a thread in the kernel")
	}
	time.Sleep(time.Duration(from - p.Now()))
	var c crossing
	for a := p.Now(); a < until; a = p.Now() {
		time.Sleep(time.Duration(p.reading))
		p.mu.Lock()
		level, err := p.high(a+p.reading/2), p.err
		p.busy += time.Duration(p.reading)
		p.mu.Unlock()
		if err != nil {
			return Crossing{}, false, err
		}
		if found, done, ok := c.read(a, p.Now(), level == to); done {
			return found, ok, nil
		}
	}
	return Crossing{}, false, nil
}

func (p *pinOfPort) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// onPort tries the pulse of a pin.
func onPort(t *testing.T, p *pinOfPort, try func(t *testing.T, c *carrier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.begun = time.Now()
		c, err := newCarrier("/dev/ttyS0", p, 0)
		if err != nil {
			t.Fatal(err)
		}
		try(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCarrier finds which edge marks the second, whichever way round the pin is
// wired, and where it is to a reading's time.
func TestCarrier(t *testing.T) {
	for name, p := range map[string]*pinOfPort{
		"100 ms":       {length: 100e6, reading: 2000},
		"upside down":  {length: 100e6, reading: 2000, down: true},
		"20 ms":        {length: 20e6, reading: 1000},
		"slow to read": {length: 200e6, reading: 700e3},
		"counted":      {length: 100e6, reading: 2000, counts: true},
	} {
		t.Run(name, func(t *testing.T) {
			p.phase = 123_456_789
			onPort(t, p, func(t *testing.T, c *carrier) {
				s := NewSource(c)
				for n := range 30 {
					got, err := s.Read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					d := (got.Mono-p.phase+500e6)%1e9 - 500e6
					if max(d, -d) > p.reading {
						t.Fatalf("an edge %d ns off", d)
					}
					if n == 0 && p.Now() > 7e9 {
						t.Errorf("found after %v", time.Duration(p.Now()))
					}
					if want := uint32(n + 1); p.counts && got.Seq != want || !p.counts && got.Seq != 0 {
						t.Errorf("number %d, want %d", got.Seq, want)
					}
				}
				if late := s.PulseError() - interruptLate; late <= 0 || late > 1.1*float64(p.reading)*1e-9 {
					t.Errorf("late by %g s beside the interrupt", late)
				}
				if p.counts {
					p.set(func() { p.changes += 6 })
					if _, err := s.Read(t.Context()); err != nil || s.Lost() != 3 {
						t.Errorf("%v, %d lost", err, s.Lost())
					}
				}
				p.set(func() { p.busy, p.glances = 0, 0 })
				for range 100 {
					if _, err := s.Read(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if p.busy > 250*time.Millisecond || p.glances > 0 {
					t.Errorf("100 pulses took %v and %d glances", p.busy, p.glances)
				}
			})
		})
	}
}

// TestCarrierComesBack after the pulse was away, or has moved.
func TestCarrierComesBack(t *testing.T) {
	p := &pinOfPort{length: 100e6, reading: 2000, phase: 1e6}
	onPort(t, p, func(t *testing.T, c *carrier) {
		next := func() (int64, time.Duration) {
			begun := time.Now()
			got, err := NewSource(c).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			d := (got.Mono-p.phase+500e6)%1e9 - 500e6
			if max(d, -d) > p.reading {
				t.Fatalf("an edge %d ns off", d)
			}
			return got.Mono, time.Since(begun)
		}
		next()
		p.set(func() { p.off = true })
		time.Sleep(2*time.Second - 20*time.Millisecond)
		p.set(func() { p.off = false })
		if _, took := next(); took > 1100*time.Millisecond {
			t.Errorf("a pulse after two that stayed away took %v", took)
		}
		p.set(func() { p.phase += 300e6 })
		if _, took := next(); took > 12*time.Second {
			t.Errorf("a pulse that has moved took %v", took)
		}
		p.set(func() { p.down = true })
		if _, took := next(); took > 12*time.Second {
			t.Errorf("a pulse that was turned around took %v", took)
		}
	})
}

// TestCarrierOfNothing: most ports have no pulse, and then it costs little.
func TestCarrierOfNothing(t *testing.T) {
	for name, p := range map[string]*pinOfPort{
		"still":         {off: true, reading: 2000},
		"half a second": {length: 500e6, reading: 2000},
	} {
		t.Run(name, func(t *testing.T) {
			onPort(t, p, func(t *testing.T, c *carrier) {
				begun := time.Now()
				if e, ok := c.WaitForEdgeAt(10 * time.Minute); ok || time.Since(begun) != 10*time.Minute {
					t.Errorf("an edge from nowhere: %+v after %v", e, time.Since(begun))
				}
				if most := map[string]int{"still": 25_000}[name]; most != 0 && p.glances > most {
					t.Errorf("%d glances in ten minutes", p.glances)
				}
			})
		})
	}
}

func TestCarrierEnds(t *testing.T) {
	p := &pinOfPort{length: 100e6, reading: 2000}
	onPort(t, p, func(t *testing.T, c *carrier) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		begun := time.Now()
		if _, err := NewSource(c).Read(ctx); !errors.Is(err, context.Canceled) || time.Since(begun) > 1510*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		if _, err := NewSource(c).Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.set(func() { p.err = os.ErrClosed })
		begun = time.Now()
		_, err := NewSource(c).Read(t.Context())
		if !errors.Is(err, errPortClosed) || !strings.Contains(err.Error(), "/dev/ttyS0") || time.Since(begun) > 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
	p = &pinOfPort{err: errors.New("no such request")}
	if _, err := newCarrier("/dev/ttyS0", p, 0); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
}
