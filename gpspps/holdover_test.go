package gpspps_test

import (
	"math"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

func TestHoldover(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  string
		reason string
	}{
		{"no receiver", "gps off", "no fix"},
		{"no pulse", "pulse off", "no pulse"},
		{"too few satellites", "gps sats 2", "lost its fix"},
		{"garbage", "gps garbage", "no fix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := pi(7)
			sim.Faults = []gpstest.Fault{{From: 100, To: 400, Command: c.fault}}
			w := newWorld(t, sim, gpspps.Config{})
			w.each = func(_ int, now int64) { w.honest(w.ref.At(now, "")) }
			w.run(100)
			w.want(gpspps.StateLocked, "")
			before := w.now()
			if in := w.until(gpspps.StateHoldover, 6); in > 5 {
				t.Errorf("holdover after %d s", in)
			}
			w.run(1)
			w.want(gpspps.StateHoldover, c.reason)
			last := w.now()
			if last.Uncertainty < before.Uncertainty || last.Source != gpspps.SourceGPSPPS {
				t.Errorf("%+v after %+v", last, before)
			}
			for w.n < 390 {
				w.run(10)
				r := w.now()
				if r.Uncertainty < last.Uncertainty+1e-6 || r.Bound <= last.Bound {
					t.Fatalf("second %d: ± %g s after ± %g s: does not grow", w.n, r.Uncertainty, last.Uncertainty)
				}
				last = r
			}
			if h := w.ref.Info(w.at(390)).Holdover; h < 288*time.Second || h > 292*time.Second {
				t.Errorf("in holdover for %v, want 290 s", h)
			}
			// The past was held over from before the fault was seen.
			w.until(gpspps.StateLocked, 25)
			if h := w.ref.Info(0).Holdover; h != 0 {
				t.Errorf("locked and in holdover for %v", h)
			}
			w.run(20)
			if r := w.now(); r.Uncertainty > before.Uncertainty*1.5 {
				t.Errorf("± %g s after holdover, ± %g s before", r.Uncertainty, before.Uncertainty)
			}
		})
	}
}

func TestHoldoverBoundHoldsTheTruth(t *testing.T) {
	outside95, all := 0, 0
	for seed := range int64(24) {
		sim := []func(int64) *gpstest.Sim{quiet, pi, emulated}[seed%3](seed)
		lock := 20 + int(seed)*15
		sim.ThermalPPB = 100
		sim.ThermalPeriodS = 3000 + 100*float64(seed)
		sim.Faults = []gpstest.Fault{{From: lock, Command: "gps off"}}
		w := newWorld(t, sim, gpspps.Config{})
		w.run(lock + 10)
		w.want(gpspps.StateHoldover, "")
		w.each = func(_ int, now int64) {
			r := w.ref.At(now, "")
			w.honest(r)
			all++
			if math.Abs(w.off(r)) > r.Uncertainty {
				outside95++
			}
		}
		w.run(3600)
	}
	share := 1 - float64(outside95)/float64(all)
	t.Logf("95 %% covers %.3f", share)
	if share < 0.9 {
		t.Errorf("95 %% covers %.3f", share)
	}
}

func TestHoldoverEnds(t *testing.T) {
	sim := quiet(8)
	sim.Faults = []gpstest.Fault{{From: 600, Command: "gps off"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.right(4)
	w.run(630)
	w.want(gpspps.StateHoldover, "")
	w.run(24*3600 - 60)
	w.want(gpspps.StateHoldover, "")
	w.run(100)
	w.want(gpspps.StateCold, "holdover was given up after 24h")
	if r := w.now(); r.Known || r.Source != gpspps.SourceNone || !w.ref.Confirmed() {
		t.Errorf("the network became the source after GPS: %+v", r)
	}

	sim = quiet(8)
	sim.Faults = []gpstest.Fault{{From: 60, Command: "gps off"}}
	w = newWorld(t, sim, gpspps.Config{HoldoverPPM: 100})
	w.each = func(_ int, now int64) {
		if r := w.ref.At(now, ""); r.State == gpspps.StateHoldover && r.Bound > 1.001 {
			t.Fatalf("holdover with a bound of %g s", r.Bound)
		}
	}
	w.run(4000)
	w.want(gpspps.StateCold, "its bound passed 1 s")
}

// TestHoldoverInADraught: after half an hour in still air the receiver goes
// away, and a bare crystal is heated or cooled: it drifts by 0.1 ppm a minute.
func TestHoldoverInADraught(t *testing.T) {
	for _, minutes := range []int{5, 10, 20} {
		for _, sign := range []float64{1, -1} {
			sim := pi(int64(minutes))
			sim.Faults = []gpstest.Fault{{From: 1800, Command: "gps off"}}
			w := newWorld(t, sim, gpspps.Config{})
			w.run(1800)
			out := 0
			w.each = func(n int, now int64) {
				if n < 1800+60*minutes && n%6 == 0 {
					w.bend(now, sign*float64(n-1800)/600)
				}
				if r := w.ref.At(now, ""); math.Abs(w.off(r)) > r.Bound {
					out++
				}
			}
			w.run(2 * 3600)
			w.want(gpspps.StateHoldover, "")
			if out > 0 {
				t.Errorf("%d minutes of %g ppm/min: the truth left the bound for %d s; %g s off, bound %g s", minutes, 0.1*sign, out, w.off(w.now()), w.now().Bound)
			}
		}
	}
}

// TestHoldoverAfterAShortLock: next to nothing is known of the frequency.
func TestHoldoverAfterAShortLock(t *testing.T) {
	const each = 250
	broken, all := 0, 0
	for _, c := range []struct {
		name string
		sim  gpstest.Sim
	}{
		{"late by 2 ms or so", gpstest.Sim{JitterS: 2e-3}},
		{"some by much more", gpstest.Sim{JitterS: 2e-3, TailP: 0.1, TailS: 10e-3}},
		{"most of them exact", gpstest.Sim{WhiteS: 1e-6, TailP: 0.4, TailS: 2e-3}},
		{"a virtual machine", *emulated(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range int64(each) {
				sim := c.sim
				sim.Seed, sim.FreqPPM, sim.RWFM, sim.LeapUTC = seed, 40*math.Sin(float64(seed)), 3e-9, true
				w := newWorld(t, &sim, gpspps.Config{})
				w.until(gpspps.StateLocked, 150)
				w.run(12)
				sim.Faults = []gpstest.Fault{{From: w.n, Command: "gps off"}}
				out := false
				for range 30 {
					w.run(60)
					if r := w.now(); r.Known && math.Abs(w.off(r)) > r.Bound {
						out = true
					}
				}
				all++
				if out {
					broken++
				}
			}
		})
	}
	if broken*1000 > all {
		t.Errorf("the truth left the bound in %d of %d holdovers", broken, all)
	}
}

// TestHoldoverIsBackDated: pulses go wrong by little and then stay away.
func TestHoldoverIsBackDated(t *testing.T) {
	sim := quiet(9)
	sim.Faults = []gpstest.Fault{{From: 300, To: 305, PulseRamp: 300e-9}, {From: 305, Command: "gps off"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.run(365)
	r := w.now()
	if r.State != gpspps.StateHoldover || math.Abs(w.off(r)) > 10e-6 {
		t.Errorf("%s, %g s off after a minute", r.State, w.off(r))
	}
	for back := int64(60); back < 70; back++ {
		if r := w.ref.At(w.at(365)-back*1e9, ""); r.State != gpspps.StateHoldover {
			t.Errorf("%d s back: %s", back, r.State)
		}
	}
}

func TestDisplacedPulses(t *testing.T) {
	for _, c := range []struct {
		shift   float64
		servers int
		state   gpspps.State // until they are believed
		reason  string
		follows bool // after a quarter of an hour
	}{
		{0.002, 0, gpspps.StateSuspect, "2.0 ms late by the station's own clock", true},
		{-0.002, 0, gpspps.StateSuspect, "2.0 ms early by the station's own clock", true},
		{0.2, 0, gpspps.StateSuspect, "200.0 ms late", true},
		{0.7, 0, gpspps.StateSuspect, "300.0 ms early", true},
		{0.002, 4, gpspps.StateSuspect, "2.0 ms late", true}, // the servers cannot tell
		{0.2, 4, gpspps.StateHoldover, "200.0 ms late, and 4 servers agree with the station's own clock", false},
		{0.7, 4, gpspps.StateHoldover, "servers agree with the station's own clock", false},
	} {
		sim := quiet(10)
		sim.Faults = []gpstest.Fault{{From: 200, To: 1300, PulseShiftS: c.shift}}
		if c.shift > 0.05 && c.shift < 0.5 {
			sim.FixDelayS = c.shift + 0.1
		}
		w := newWorld(t, sim, gpspps.Config{})
		w.right(c.servers)
		w.run(200)
		w.want(gpspps.StateLocked, "")
		w.run(20)
		w.want(c.state, c.reason)
		for w.n < 1090 {
			w.run(1)
			w.want(c.state, "")
			if e := math.Abs(w.off(w.now())); e > 200e-6 {
				t.Fatalf("shift %g: %g s off after %d s", c.shift, e, w.n-200)
			}
		}
		w.run(40)
		r := w.now()
		if follows := r.State == gpspps.StateLocked; follows != c.follows || follows && math.Abs(w.off(r)+c.shift-math.Round(c.shift)) > 30e-6 {
			t.Errorf("shift %g: %s, %g s off after a quarter of an hour", c.shift, r.State, w.off(r))
		}
		if c.follows {
			continue
		}
		w.run(170)
		w.until(gpspps.StateLocked, 30)
		if e := math.Abs(w.off(w.now())); e > 30e-6 {
			t.Errorf("shift %g: %g s off after it", c.shift, e)
		}
	}
}

// TestDisplacedPulsesComeBack: nothing is held against them then.
func TestDisplacedPulsesComeBack(t *testing.T) {
	sim := quiet(10)
	sim.Faults = []gpstest.Fault{{From: 200, To: 260, PulseShiftS: 0.01}}
	w := newWorld(t, sim, gpspps.Config{})
	w.run(250)
	w.want(gpspps.StateSuspect, "10.0 ms late")
	w.run(10)
	w.until(gpspps.StateLocked, 15)
	w.honest(w.now())
}

// TestServersSideWithMovedPulses: the lock before was the wrong one, made
// before there were servers.
func TestServersSideWithMovedPulses(t *testing.T) {
	sim := quiet(10)
	sim.FixDelayS = 0.4
	sim.Faults = []gpstest.Fault{{To: 200, PulseShiftS: 0.1}}
	w := newWorld(t, sim, gpspps.Config{})
	w.run(150)
	w.want(gpspps.StateLocked, "")
	w.right(4)
	w.run(50)
	w.until(gpspps.StateLocked, 100)
	w.run(60)
	w.want(gpspps.StateLocked, "")
	w.honest(w.now())
}

// TestFixThatSaysNothing: a burst that a busy computer tore apart may name the
// time without saying whether there is a fix. That ends no lock.
func TestFixThatSaysNothing(t *testing.T) {
	w := newWorld(t, quiet(8), gpspps.Config{})
	w.run(30)
	w.want(gpspps.StateLocked, "")
	mono := w.at(float64(w.n) - 0.2)
	silent := gpspps.Fix{Mono: mono, Time: start.Add(time.Duration(w.n-1) * time.Second), Used: -1, Seen: -1}
	w.ref.AddFix(silent)
	w.want(gpspps.StateLocked, "")
	if c := w.ref.Info(mono).Counters; c.FixesInvalid != 1 {
		t.Errorf("counters %+v, want one fix that is not valid", c)
	}
	w.run(10)
	w.want(gpspps.StateLocked, "")
	denied := silent
	denied.Mono, denied.NoFix = w.at(float64(w.n)-0.2), true
	w.ref.AddFix(denied)
	if r := w.ref.At(denied.Mono, ""); r.State != gpspps.StateHoldover || r.Reason != "the receiver has lost its fix" {
		t.Errorf("%s (%s) after the receiver said that it has no fix", r.State, r.Reason)
	}
}
