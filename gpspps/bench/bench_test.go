package bench_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/bench"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestScenarios is make bench-reference in small.
func TestScenarios(t *testing.T) {
	for _, s := range bench.Scenarios() {
		live, lagged := s.Locked(20000, 2000, gpspps.Config{})
		t.Logf("%s: live %.1f ns (95 %% covers %.3f), lagged %.1f ns (%.3f)", s.Name, live.RMS*1e9, live.Random, lagged.RMS*1e9, lagged.Random)
		locked(t, s.Name, live, lagged, 0.12)
		for _, a := range []bench.Accuracy{live, lagged} {
			if !(a.Sigma > a.RMS/200 && a.Sigma < a.RMS/10) {
				t.Errorf("%s: %.3g ± %.3g s", s.Name, a.RMS, a.Sigma)
			}
		}
		if after := s.Settle(60, gpspps.Config{}); after < 0 || after > 15 {
			t.Errorf("%s: within %g s after %g s", s.Name, bench.Settled, after)
		}
		after := []time.Duration{time.Minute, 10 * time.Minute}
		for i, a := range s.Holdover(20000, 5000, 500, after, gpspps.Config{}) {
			alone(t, fmt.Sprintf("%s, %v", s.Name, after[i]), a, 4)
		}
	}
}

func TestTrace(t *testing.T) {
	s := bench.Scenarios()[1]
	s.Sim.MissP = 0.1
	noise, again := s.Trace(2000, 100), s.Trace(2000, 100)
	if len(noise.Clock) != 2100 || len(noise.Late) != 2000 {
		t.Fatalf("%d seconds of clock, %d of pulses", len(noise.Clock), len(noise.Late))
	}
	missing, sum := 0, 0.0
	for i, late := range noise.Late {
		if noise.Clock[i] != again.Clock[i] || late != again.Late[i] && !math.IsNaN(late) {
			t.Fatalf("second %d: the noise is not the same again", i)
		}
		if math.IsNaN(late) {
			missing++
			continue
		}
		sum += late
	}
	if missing < 150 || missing > 250 {
		t.Errorf("%d of 2000 pulses missing", missing)
	}
	// One in twenty is late by 4 µs in the mean.
	if mean := sum / float64(2000-missing); mean < 100e-9 || mean > 300e-9 {
		t.Errorf("late by %.3g s in the mean", mean)
	}
}

// Both sides get the same pulses, in whole nanoseconds.
func TestSame(t *testing.T) {
	for _, s := range bench.Scenarios() {
		s.Sim.MissP = 0.01
		noise := s.Trace(5000, 0)
		if err := s.Same(noise); err != nil {
			t.Error(err)
		}
		late := noise.Late[4000]
		for _, other := range []float64{late + 1e-9, math.NaN()} {
			if noise.Late[4000] = other; s.Same(noise) == nil {
				t.Errorf("%s: late by %g s instead of %g is the same", s.Name, other, late)
			}
		}
		s.Sim.Faults = []gpstest.Fault{{From: 4000, To: 4001, Command: "pulse off"}}
		if noise.Late[4000] = late; s.Same(noise) == nil {
			t.Errorf("%s: no pulse is the same as one", s.Name)
		}
	}
}
