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
	for _, shift := range []float64{0.002, 0.2, 0.4} {
		sim := quiet(10)
		sim.Faults = []gpstest.Fault{{From: 200, PulseShiftS: shift}}
		if shift > 0.05 {
			sim.FixDelayS = shift + 0.1
		}
		w := newWorld(t, sim, gpspps.Config{})
		w.run(200)
		w.want(gpspps.StateLocked, "")
		w.run(6)
		w.want(gpspps.StateHoldover, "")
		w.run(22)
		w.want(gpspps.StateHoldover, "")
		if e := math.Abs(w.off(w.now())); e > 20e-6 {
			t.Errorf("shift %g: %g s off in holdover", shift, e)
		}
		in := w.until(gpspps.StateLocked, 40)
		t.Logf("a train %g s late was followed after %d s", shift, 28+in)
		if d := w.off(w.now()); math.Abs(d+shift) > 30e-6 {
			t.Errorf("shift %g: reading %g s off", shift, d)
		}
	}
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
