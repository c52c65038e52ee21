package discipline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// kernel is a clock that does as it is told, in virtual time.
type kernel struct {
	sim  *gpstest.Sim
	time float64 // seconds since the start

	// The steered clock: it showed mono when the free one showed free, and
	// gains rate since.
	free, mono int64
	rate       float64

	diff   int64
	denied bool
	asked  int // how often it was to be set
	steps  []int64
	ppm    []float64
	est    float64
	most   float64
	synced bool

	order int   // the leap second to make: 1, -1 or 0
	leap  int64 // CLOCK_REALTIME at which it will be made, 0 never
	tai   int
	other bool // its own loop is on
	set   bool // since it was last asked
}

func (k *kernel) at(time float64) int64 {
	free := k.sim.MonoAt(k.sim.Start.Add(toDuration(time)))
	return k.mono + (free - k.free) + int64(math.Round(float64(free-k.free)*k.rate))
}

func toDuration(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// offset is CLOCK_REALTIME less true time, seconds.
func (k *kernel) offset() float64 {
	return float64(k.at(k.time)+k.diff-k.sim.Start.UnixNano()-int64(toDuration(k.time))) * 1e-9
}

func (k *kernel) Now() (int64, int64, error) {
	mono := k.at(k.time)
	if k.leap != 0 && mono+k.diff >= k.leap {
		k.diff -= int64(k.order) * 1e9
		k.tai += k.order
		k.leap, k.set = 0, true
	}
	return mono, k.diff, nil
}

func (k *kernel) Read() (discipline.Settings, error) {
	return discipline.Settings{PPM: k.rate * 1e6, Synced: k.synced, Leap: k.order, TAI: k.tai, Other: k.other}, nil
}

func (k *kernel) SetTAI(s int) error {
	if err := k.refused(); err != nil {
		return err
	}
	k.tai = s
	return nil
}

func (k *kernel) WasSet() (was bool) {
	was, k.set = k.set, false
	return was
}

// shove is somebody else setting the clock.
func (k *kernel) shove(ns int64) {
	k.diff += ns
	// The kernel forgets when its leap second was to be (ntp_clear).
	k.set, k.synced, k.leap = true, false, 0
}

// turn is somebody else setting its rate.
func (k *kernel) turn(ppm float64) {
	k.mono = k.at(k.time)
	k.free = k.sim.MonoAt(k.sim.Start.Add(toDuration(k.time)))
	k.rate = ppm * 1e-6
}

func (k *kernel) refused() error {
	k.asked++
	if k.denied {
		return fmt.Errorf("adjtimex: %w", fs.ErrPermission)
	}
	return nil
}

func (k *kernel) SetFrequency(ppm float64) error {
	if err := k.refused(); err != nil {
		return err
	}
	if !(math.Abs(ppm) <= 500) {
		return errors.New("out of range")
	}
	k.turn(ppm)
	k.ppm = append(k.ppm, ppm)
	return nil
}

func (k *kernel) Step(ns int64) error {
	if err := k.refused(); err != nil {
		return err
	}
	k.shove(ns)
	k.steps = append(k.steps, ns)
	return nil
}

func (k *kernel) Report(c discipline.Condition) error {
	if err := k.refused(); err != nil {
		return err
	}
	k.est, k.most, k.synced, k.other = c.EstError, c.MaxError, c.Synced, false
	if c.Leap != k.order {
		const day = 86400e9
		now := k.at(k.time) + k.diff
		k.order, k.leap = c.Leap, 0
		if c.Leap != 0 {
			k.leap = (now/day+1)*day + int64(min(c.Leap, 0))*1e9
		}
	}
	return nil
}

// loop closes the loop: receiver, reference, owner, kernel.
type loop struct {
	t       *testing.T
	k       *kernel
	ref     *gpspps.Reference
	owner   *discipline.Owner
	log     bytes.Buffer
	n       int
	servers int
	width   float64 // half-width of their votes, seconds
	each    func(n int)
	fix     func(n int, f *gpspps.Fix)  // may change what the receiver says
	vote    func(n int, v *gpspps.Vote) // and the servers
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// newLoop boots with CLOCK_REALTIME wrong by offset seconds.
func newLoop(t *testing.T, sim *gpstest.Sim, offset float64) *loop {
	if sim.Start.IsZero() {
		sim.Start = start
	}
	sim.Mono = 5e9
	k := &kernel{sim: sim, free: 5e9, mono: 5e9}
	k.diff = sim.Start.UnixNano() - 5e9 + int64(offset*1e9)
	l := &loop{t: t, k: k, ref: gpspps.New(gpspps.Config{})}
	l.owner = discipline.New(k, l.ref, slog.New(slog.NewTextHandler(&l.log, nil)))
	return l
}

func (l *loop) run(seconds int) {
	for range seconds {
		n := l.n
		l.n++
		pulses, fix := l.k.sim.Second(n)
		// Stamps are made by the steered clock, at the free clock's instants.
		stamp := func(free int64) int64 {
			return l.k.mono + (free - l.k.free) + int64(math.Round(float64(free-l.k.free)*l.k.rate))
		}
		for _, p := range pulses {
			p.Mono = stamp(p.Mono)
			l.ref.AddPulse(p)
		}
		if fix != nil {
			f := *fix
			f.Mono = stamp(f.Mono)
			if l.fix != nil {
				l.fix(n, &f)
			}
			l.ref.AddFix(f)
		}
		for i := range l.servers {
			if (n+i)%8 == 0 {
				at := float64(n) + 0.5
				v := gpspps.Vote{
					Server: fmt.Sprint(i), Mono: l.k.at(at), HalfWidth: max(l.width, 0.01),
					// All are 5 ms ahead, as behind one lopsided path.
					Time: l.k.sim.Start.UnixNano() + int64(at*1e9) + 5e6,
				}
				if l.vote != nil {
					l.vote(n, &v)
				}
				l.ref.AddVote(v)
			}
		}
		l.k.time = float64(n) + 0.7
		mono, _, _ := l.k.Now()
		l.ref.Tick(mono)
		l.owner.Tick(mono)
		if l.each != nil {
			l.each(n)
		}
	}
}

func quiet() *gpstest.Sim {
	return &gpstest.Sim{Seed: 1, FreqPPM: 42, RWFM: 1e-9, WFM: 1e-10, WhiteS: 300e-9, LeapUTC: true}
}

func TestConverges(t *testing.T) {
	for _, c := range []struct {
		name    string
		offset  float64
		freq    float64
		steps   int
		settled int // seconds until it is within 5 µs
	}{
		{"right", 0, 42, 0, 120},
		{"5 ms off is slewed", 0.005, 42, 0, 300},
		{"5 ms off the other way", -0.005, -80, 0, 300},
		{"20 ms off is stepped", 0.020, 42, 1, 120},
		{"a second behind", -1, -300, 1, 240},
		{"from the year 2000", -825e6, 42, 1, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := quiet()
			sim.FreqPPM = c.freq
			l := newLoop(t, sim, c.offset)
			l.run(c.settled)
			worst := 0.0
			l.each = func(int) { worst = max(worst, math.Abs(l.k.offset())) }
			l.run(600)
			t.Logf("within %.2g s after %d s", worst, c.settled)
			if worst > 5e-6 {
				t.Errorf("%g s off after %d s", worst, c.settled)
			}
			if len(l.k.steps) != c.steps || l.owner.Steps() != c.steps {
				t.Errorf("steps %v, want %d", l.k.steps, c.steps)
			}
			if c := strings.Count(l.log.String(), "clock stepped"); c != len(l.k.steps) {
				t.Errorf("%d steps in the log: %s", c, &l.log)
			}
			if last := l.k.ppm[len(l.k.ppm)-1]; math.Abs(last+c.freq) > 0.5 {
				t.Errorf("steered by %g ppm, oscillator %g", last, c.freq)
			}
			if off, known := l.owner.Offset(); !known || math.Abs(off-l.k.offset()) > 2e-6 {
				t.Errorf("offset %g s (%v), is %g", off, known, l.k.offset())
			}
			if !l.k.synced || l.k.most < math.Abs(l.k.offset()) || l.k.est > l.k.most {
				t.Errorf("reported ± %g s, at the most %g, synced %v", l.k.est, l.k.most, l.k.synced)
			}
			if n := len(l.k.ppm); n > (600+c.settled)/4+2 {
				t.Errorf("steered %d times in %d s", n, 600+c.settled)
			}
		})
	}
}

func TestNoisyPulsesDoNotShakeTheClock(t *testing.T) {
	sim := quiet()
	sim.JitterS, sim.TailP, sim.TailS = 500e-6, 0.03, 5e-3
	l := newLoop(t, sim, 3)
	l.run(600)
	square, n := 0.0, 0
	last, jumps := l.k.ppm[len(l.k.ppm)-1], 0.0
	l.each = func(int) {
		// All pulses are late, by 0.5 ms or so: that much no estimator can know.
		d := l.k.offset() + 0.5e-3
		square += d * d
		n++
		now := l.k.ppm[len(l.k.ppm)-1]
		jumps = max(jumps, math.Abs(now-last))
		last = now
	}
	l.run(1200)
	if rms := math.Sqrt(square / float64(n)); rms > 0.2e-3 {
		t.Errorf("rms %g s", rms)
	}
	if jumps > 20 {
		t.Errorf("the rate jumped by %g ppm", jumps)
	}
	if l.owner.Steps() != 1 {
		t.Errorf("%d steps", l.owner.Steps())
	}
}

func TestOneStepWhicheverComesFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		servers int
		gps     int // second from which there is GPS
		source  string
	}{
		{"GPS alone", 0, 0, "gps+pps"},
		{"GPS before the servers agree", 4, 0, "gps+pps"},
		{"servers first", 4, 300, "quorum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := quiet()
			if c.gps > 0 {
				sim.Faults = []gpstest.Fault{{To: c.gps, Command: "gps off"}}
			}
			l := newLoop(t, sim, -825e6)
			l.servers = c.servers
			if c.gps > 0 {
				l.run(100)
				// The servers' own error stays: 5 ms, and what the clock drifts.
				if off := l.k.offset(); math.Abs(off) > 0.02 {
					t.Errorf("%g s off after the quorum's step", off)
				}
				if len(l.k.ppm) != 1 || l.k.ppm[0] != 0 {
					t.Errorf("a quorum steered: %v", l.k.ppm)
				}
			}
			l.run(1200)
			if l.owner.Steps() != 1 || !strings.Contains(l.log.String(), "source="+c.source) {
				t.Errorf("%d steps: %s", l.owner.Steps(), &l.log)
			}
			if off := l.k.offset(); math.Abs(off) > 5e-6 {
				t.Errorf("%g s off in the end", off)
			}
		})
	}
}

func TestQuorumLeavesAFairClockAlone(t *testing.T) {
	sim := quiet()
	sim.Faults = []gpstest.Fault{{Command: "gps off"}}
	l := newLoop(t, sim, 0.4)
	l.servers = 4
	l.run(200)
	if l.owner.Steps() != 0 || math.Abs(l.k.offset()) < 0.39 {
		t.Errorf("%d steps, %g s off", l.owner.Steps(), l.k.offset())
	}
	// A quorum that is less sure than the clock is wrong does not set it.
	l = newLoop(t, sim, 0.7)
	l.servers, l.width = 4, 0.9
	l.run(100)
	if r := l.ref.At(l.k.at(l.k.time), ""); r.Bound < 0.9 || l.owner.Steps() != 0 {
		t.Errorf("%d steps by a quorum that knows the time to %g s", l.owner.Steps(), r.Bound)
	}
	// Nor does a quorum set the clock twice.
	l = newLoop(t, sim, 100)
	l.servers = 4
	l.run(100)
	l.k.diff += 60e9
	l.run(100)
	if l.owner.Steps() != 1 || math.Abs(l.k.offset()-60) > 0.1 {
		t.Errorf("%d steps, %g s off", l.owner.Steps(), l.k.offset())
	}
}

func TestForeignStep(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.run(200)
	l.k.diff += 2e9
	l.run(2)
	if l.owner.Steps() != 1 || math.Abs(l.k.offset()) > 1e-3 {
		t.Errorf("%d steps, %g s off", l.owner.Steps(), l.k.offset())
	}
	if !strings.Contains(l.log.String(), "something else has stepped the clock") {
		t.Errorf("not logged: %s", &l.log)
	}
	l.k.diff -= 3e8
	l.run(60)
	if l.owner.Steps() != 1 {
		t.Error("0.3 s was stepped, not slewed")
	}
	if off := l.k.offset(); off > -0.25 || off < -0.3 {
		t.Errorf("%g s off after a minute of slewing at 500 ppm", off)
	}
}

func TestLaterStepsWait(t *testing.T) {
	sim := quiet()
	sim.Faults = []gpstest.Fault{{From: 100, To: 200, Command: "gps off"}}
	l := newLoop(t, sim, 0)
	l.run(150)
	l.k.diff += 5e9
	for l.ref.At(l.k.at(l.k.time), "").State != gpspps.StateLocked {
		l.run(1)
		if l.owner.Steps() != 0 {
			t.Fatal("stepped in holdover")
		}
	}
	l.run(57)
	if l.owner.Steps() != 0 {
		t.Fatal("stepped before the numbering was proven for a minute")
	}
	l.run(5)
	if l.owner.Steps() != 1 {
		t.Fatalf("%d steps", l.owner.Steps())
	}
}

func TestHoldoverAndSuspect(t *testing.T) {
	sim := quiet()
	sim.Faults = []gpstest.Fault{{From: 600, To: 900, Command: "gps off"}, {From: 1000, To: 1200, Command: "gps leap -1"}}
	l := newLoop(t, sim, 0)
	l.run(900)
	if off := math.Abs(l.k.offset()); off > 50e-6 {
		t.Errorf("%g s off after five minutes of holdover", off)
	}
	if !l.k.synced {
		t.Error("not synchronised in holdover")
	}
	l.run(110)
	steered := len(l.k.ppm)
	l.run(150)
	if len(l.k.ppm) != steered || l.k.synced {
		t.Errorf("suspect: steered %d times, synced %v", len(l.k.ppm)-steered, l.k.synced)
	}
	l.run(100)
	if l.owner.Steps() != 0 || math.Abs(l.k.offset()) > 20e-6 || !l.k.synced {
		t.Errorf("afterwards: %d steps, %g s off, synced %v", l.owner.Steps(), l.k.offset(), l.k.synced)
	}
}
