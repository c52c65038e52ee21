package pulse

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio/gpiotest"
)

// pin is the line of a simulated machine, in the virtual time of a bubble, whose
// clock the stamps are made by.
type pin struct {
	gpiotest.Pin
	begun  time.Time
	stamps chan Event

	mu      sync.Mutex
	m       *machine
	second  Second           // the next one
	made    map[uint32]int64 // the stamps by their numbers
	watched int
	busy    time.Duration
	absent  bool
}

func newPin(m *machine) *pin {
	return &pin{Pin: gpiotest.Pin{N: "GPIO18"}, begun: time.Now(), stamps: make(chan Event, 16), made: map[uint32]int64{}, m: m}
}

func (p *pin) Now() int64 { return int64(time.Since(p.begun)) }

// beat gives pulses for so many seconds.
func (p *pin) beat(seconds int) {
	for range seconds {
		p.mu.Lock()
		p.second, _ = p.m.next()
		at, absent := p.second.Stamp, p.absent
		p.made[uint32(p.m.n)] = at
		p.mu.Unlock()
		time.Sleep(time.Duration(at - p.Now()))
		if !absent {
			p.stamps <- Event{Mono: at, Seq: uint32(p.m.n)}
		}
	}
}

func (p *pin) WaitForEdgeAt(timeout time.Duration) (Event, bool) {
	select {
	case e := <-p.stamps:
		return e, true
	case <-time.After(timeout):
		return Event{}, false
	}
}

func (p *pin) stamp(seq uint32) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[seq]
}

func (p *pin) watches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.watched
}

func (p *pin) Err() error   { return nil }
func (p *pin) Close() error { return nil }

// Watch sees what the machine lets it see.
func (p *pin) Watch(from, until int64) (Crossing, bool) {
	if d := from - p.Now(); d > int64(2*nap) {
		panic("a watch that begins too early keeps a thread in the kernel")
	}
	time.Sleep(time.Duration(from - p.Now()))
	p.mu.Lock()
	s, absent := p.second, p.absent
	p.watched++
	p.mu.Unlock()
	end := until
	if s.Seen.At > from && s.Seen.At < until && !absent {
		end = s.Seen.At
	}
	p.mu.Lock()
	p.busy += time.Duration(end - p.Now())
	p.mu.Unlock()
	time.Sleep(time.Duration(end - p.Now()))
	return s.Seen, end < until
}

// calmSource leaves its thread as it is: in virtual time it would be busy all of
// the time.
func calmSource(e Edges) *Source {
	s := NewSource(e)
	s.prepare = func() {}
	return s
}

// TestCalibrate in virtual time: the stamps end up where the edges are, never
// jump, and are never worse than what is said of them.
func TestCalibrate(t *testing.T) {
	for name, change := range map[string]func(*machine){
		"as a Pi 5":   func(*machine) {},
		"warmed up":   func(m *machine) { m.warm = 5e3 },
		"no lateness": func(m *machine) { m.late, m.tail = 0, 300 },
		"very late":   func(m *machine) { m.late = 60e3 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(11)
				change(m)
				p := newPin(m)
				s := calmSource(p)
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				all.Go(func() {
					if err := s.Calibrate(ctx); err != nil {
						t.Error(err)
					}
				})
				if s.PulseError() != interruptLate {
					t.Errorf("at first %g", s.PulseError())
				}
				synctest.Wait()
				minutes := 25
				if name == "very late" {
					minutes = 60 // that is how long it takes to be taken out
				}
				all.Go(func() { p.beat(60 * minutes) })
				var before [2]float64 // by how much the last stamps were corrected, ns
				for n := 1; n < 60*minutes; n++ {
					got, err := s.Read(ctx)
					if err != nil {
						t.Fatal(err)
					}
					kind := n % 2
					taken := float64(p.stamp(got.Seq) - got.Mono)
					if math.Abs(taken-before[kind]) > 3*apace*1e9+1 {
						t.Fatalf("after %d s the correction jumps from %.0f to %.0f ns", n, before[kind], taken)
					}
					before[kind] = taken
					late := m.late + 0.693*m.tail
					if kind == 0 {
						late -= m.warm
					}
					left := math.Abs(late-taken) * 1e-9
					if e := s.PulseError(); left > e && late*1e-9 < interruptLate {
						t.Fatalf("after %d s stamps are %.2g s late and said to be at most %.2g", n, left, e)
					}
				}
				r := s.Lateness()
				if e := s.PulseError(); !r.Known || e > r.Error+1e-6 || e > 3.5e-6 {
					t.Errorf("at the end stamps are said to be %.2g s late; %+v", e, r)
				}
				cancel()
				all.Wait()
				if p.watched < 29*minutes || p.busy > time.Duration(p.watched)*1100*time.Microsecond {
					t.Errorf("watched %d times for %v in all", p.watched, p.busy)
				}
			})
		})
	}
}

// TestCalibrateGivesUp on an emulator, and tries again an hour later.
func TestCalibrateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(12)
		m.wander = 400e3
		p := newPin(m)
		s := calmSource(p)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = s.Calibrate(ctx) })
		synctest.Wait()
		all.Go(func() { p.beat(4900) })
		for range 2900 {
			got, err := s.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got.Mono != p.stamp(got.Seq) {
				t.Fatal("a stamp was corrected")
			}
		}
		if r := s.Lateness(); !strings.Contains(r.Declined, "vary") || s.PulseError() != interruptLate || p.watches() > 600 {
			t.Errorf("got %+v after %d watches; error %g", r, p.watches(), s.PulseError())
		}
		before := p.watches()
		for range 2000 {
			if _, err := s.Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if p.watches() == before {
			t.Error("not tried again after an hour")
		}
		cancel()
		all.Wait()
	})
}

// TestCalibrateWithoutPulses must not keep a processor busy.
func TestCalibrateWithoutPulses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPin(newMachine(13))
		s := calmSource(p)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { _ = s.Calibrate(ctx) })
		synctest.Wait()
		go p.beat(10)
		for range 10 {
			if _, err := s.Read(ctx); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if n := p.watches(); n > 6 {
			t.Errorf("watched %d times for ten pulses", n)
		}
		cancel()
		all.Wait()
	})
}

func TestCalibrateNeedsALine(t *testing.T) {
	s := NewSource(&scripted{Pin: gpiotest.Pin{N: "SCRIPT"}})
	if err := s.Calibrate(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "SCRIPT") {
		t.Errorf("got %v", err)
	}
}

func TestCrossing(t *testing.T) {
	for _, c := range []struct {
		name     string
		readings [][3]int64 // from, to, after
		want     Crossing
		ok       bool
	}{
		{"between two", [][3]int64{{0, 10, 0}, {10, 20, 0}, {20, 40, 1}}, Crossing{25, 30}, true},
		{"too late", [][3]int64{{0, 10, 1}}, Crossing{}, false},
		{"never", [][3]int64{{0, 10, 0}, {10, 20, 0}}, Crossing{}, false},
		{"held up", [][3]int64{{0, 10, 0}, {1000, 1010, 1}}, Crossing{505, 1010}, true},
	} {
		var x crossing
		var got Crossing
		var done, ok bool
		for _, r := range c.readings {
			got, done, ok = x.read(r[0], r[1], r[2] != 0)
		}
		if got != c.want || ok != c.ok || done != (c.name != "never") {
			t.Errorf("%s: %+v, %v, %v", c.name, got, done, ok)
		}
	}
}

func BenchmarkSourceCalibrated(b *testing.B) {
	b.ReportAllocs()
	f := fine{stamps: make(chan int64, 1), running: true, result: Result{Known: true, Late: 12e-6, Watched: 11e-6, Error: 1e-6}}
	var sum int64
	for b.Loop() {
		sum += f.correct(sum)
		sum += int64(f.error() * 1e9)
	}
}
