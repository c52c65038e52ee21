package discipline_test

import (
	"math"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

func suspectFrom(n int) gpstest.Fault { return gpstest.Fault{From: n, Command: "gps leap -1"} }

// TestSmallForeignStep: the kernel tells of a step that the clocks alone do not
// show for sure.
func TestSmallForeignStep(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.run(200)
	l.k.diff += 100e3 // a kernel that does not tell, a step that it should
	l.run(5)
	if s := l.owner.Status(); s.ForeignSteps != 0 {
		t.Errorf("100 µs noticed without being told: %+v", s)
	}
	l.k.shove(-50e3)
	l.run(5)
	if s := l.owner.Status(); s.ForeignSteps != 1 || s.ForeignAt == 0 || !strings.Contains(s.Foreign, "-5e-05 seconds") {
		t.Errorf("%+v", s)
	}
	l.run(300)
	if off := l.k.offset(); math.Abs(off) > 5e-6 {
		t.Errorf("%g s off", off)
	}
}

// TestForeignRate: somebody sets the rate, the loop or what the clock says of
// itself. It is noticed within a second, put right, and the estimate does not
// suffer.
func TestForeignRate(t *testing.T) {
	for name, do := range map[string]func(k *kernel){
		"rate":      func(k *kernel) { k.turn(k.rate*1e6 + 5) },
		"loop":      func(k *kernel) { k.other = true },
		"leap":      func(k *kernel) { k.order = 1 },
		"disbelief": func(k *kernel) { k.synced = false },
	} {
		l := newLoop(t, quiet(), 0)
		l.run(400)
		do(l.k)
		l.run(1)
		if rate := l.k.rate * 1e6; math.Abs(rate+42) > 1 || l.k.other || l.k.order != 0 || !l.k.synced {
			t.Errorf("%s: not put right: %+v", name, l.k)
		}
		s := l.owner.Status()
		// What only says less of the clock than is true does no harm, and a kernel
		// does it by itself.
		if want := map[bool]int{true: 0, false: 1}[name == "disbelief"]; s.ForeignAdjustments != want || s.Yielded {
			t.Errorf("%s: %+v", name, s)
		}
		worst := 0.0
		l.each = func(int) { worst = max(worst, math.Abs(l.k.offset())) }
		l.run(300)
		if worst > 60e-6 || math.Abs(l.k.offset()) > 5e-6 {
			t.Errorf("%s: up to %g s off, in the end %g s", name, worst, l.k.offset())
		}
		if f := l.ref.Info(0).FrequencyPPM; math.Abs(f-42) > 0.5 {
			t.Errorf("%s: the oscillator is taken for %g ppm fast", name, f)
		}
	}
	// A claim that nobody made good is taken back.
	l := newLoop(t, quiet(), 0)
	l.k.sim.Faults = []gpstest.Fault{suspectFrom(100)}
	l.run(200)
	l.k.synced = true
	l.run(2)
	if l.k.synced || l.owner.Status().ForeignAdjustments != 1 {
		t.Errorf("synchronised %v, %+v", l.k.synced, l.owner.Status())
	}
}

// TestTwoOwners: somebody who sets the clock again and again gets it, and
// leaves it an hour before it is steered again.
func TestTwoOwners(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.run(200)
	fight := true
	l.each = func(n int) {
		if fight && n%16 == 0 {
			l.k.turn(float64(n % 5))
		}
	}
	l.run(400)
	s := l.owner.Status()
	if !s.Yielded || !l.owner.Observing() || s.ForeignAdjustments != 10 {
		t.Fatalf("%+v", s)
	}
	asked := l.k.asked
	l.run(1000)
	if l.k.asked != asked {
		t.Errorf("set %d times while somebody else steers", l.k.asked-asked)
	}
	if off, known := l.owner.Offset(); !known || math.Abs(off-l.k.offset()) > 50e-6 {
		t.Errorf("offset %g s, is %g", off, l.k.offset())
	}
	fight = false
	l.run(3500)
	if !l.owner.Observing() || l.k.asked != asked {
		t.Error("taken back within an hour")
	}
	l.run(2000)
	if s := l.owner.Status(); s.Yielded || math.Abs(l.k.offset()) > 10e-6 || !l.k.synced {
		t.Errorf("%+v, %g s off, synchronised %v", s, l.k.offset(), l.k.synced)
	}
	if c := strings.Count(l.log.String(), "keeps setting the clock"); c != 1 {
		t.Errorf("said %d times", c)
	}
}

// TestSetOnAndOn: somebody sets the clock every minute.
func TestSetOnAndOn(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.each = func(n int) {
		if n%60 == 59 {
			l.k.shove(2e9)
		}
	}
	l.run(3600)
	if s := l.owner.Status(); s.Steps > 11 || !s.Yielded || s.ForeignSteps < 50 {
		t.Errorf("%+v", s)
	}
}

// TestExpected: a rate that is known from before makes the clock run right
// before there is a lock, and a process that begins anew changes nothing.
func TestExpected(t *testing.T) {
	sim := quiet()
	sim.Faults = []gpstest.Fault{{To: 300, Command: "gps off"}}
	l := newLoop(t, sim, 0)
	l.owner.Expect(42.3)
	l.run(300)
	if rate := l.k.rate * 1e6; math.Abs(rate+42.3) > 1e-4 {
		t.Errorf("runs by %g ppm", rate)
	}
	if off := l.k.offset(); math.Abs(off) > 100e-6 {
		t.Errorf("%g s off after 300 s alone", off)
	}
	l.run(60)
	if l.owner.Steps() != 0 || math.Abs(l.k.offset()) > 60e-6 {
		t.Errorf("%d steps, %g s off", l.owner.Steps(), l.k.offset())
	}
	l.owner = discipline.New(l.k, l.ref, nil)
	l.owner.Expect(-100)
	l.run(1)
	if rate := l.k.rate * 1e6; math.Abs(rate+42) > 2 {
		t.Errorf("begun anew at %g ppm", rate)
	}
	for _, wrong := range []float64{math.NaN(), math.Inf(1), 501, -1e9} {
		l := newLoop(t, quiet(), 0)
		l.owner.Expect(wrong)
		l.run(1)
		if l.k.rate != 0 {
			t.Errorf("%g ppm are believed", wrong)
		}
	}
}

// TestErrorsReported: over hours of a crystal in a room, with antenna and pulse
// lost and late pulses, the clock is never further off than it says.
func TestErrorsReported(t *testing.T) {
	for seed := range int64(4) {
		sim := &gpstest.Sim{
			Seed: seed, FreqPPM: -35, RWFM: 2e-9, WFM: 1e-10, ThermalPPB: 60, ThermalPeriodS: 1800,
			WhiteS: 300e-9, JitterS: 2e-6, TailP: 0.03, TailS: 20e-6, LatencyS: 4e-6, SawtoothS: 20e-9, MissP: 0.01, LeapUTC: true,
			Faults: []gpstest.Fault{{From: 1000, To: 1700, Command: "gps off"}, {From: 2500, To: 2560, Command: "pulse off"}, {From: 3000, To: 3600, Command: "gps sats 2"}},
		}
		l := newLoop(t, sim, []float64{0, 0.004, -0.4, 3600}[seed%4])
		n, beyond, all := 0, 0, 0
		l.each = func(int) {
			all++
			// Until shortly before the next tick, in which the kernel adds 500 µs.
			for _, later := range []float64{0, 0.9} {
				at := l.k.time
				l.k.time += later
				off := math.Abs(l.k.offset())
				l.k.time = at
				if !l.k.synced {
					continue
				}
				n++
				if off > l.k.most+later*500e-6 {
					t.Fatalf("seed %d, %g s: %g s off, at the most %g s reported", seed, at, off, l.k.most)
				}
				if off > l.k.est {
					beyond++
				}
			}
		}
		l.run(4500)
		if synced := float64(n) / 2 / float64(all); synced < 0.97 {
			t.Errorf("seed %d: synchronised %.0f %% of the time", seed, 100*synced)
		}
		if share := float64(beyond) / float64(n); share > 0.05 {
			t.Errorf("seed %d: beyond the estimated error %.2g of the time", seed, share)
		}
		t.Logf("seed %d: beyond the estimated error %d of %d times", seed, beyond, n)
	}
}
