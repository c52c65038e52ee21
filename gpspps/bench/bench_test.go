package bench_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/bench"
)

// TestScenarios is make bench-reference in small.
func TestScenarios(t *testing.T) {
	for _, s := range bench.Scenarios() {
		live, lagged := s.Locked(20000, 2000, gpspps.Config{})
		t.Logf("%s: live %.1f ns (95 %% covers %.3f), lagged %.1f ns (%.3f)", s.Name, live.RMS*1e9, live.Random, lagged.RMS*1e9, lagged.Random)
		locked(t, s.Name, live, lagged, 0.12)
		after := []time.Duration{time.Minute, 10 * time.Minute}
		for i, a := range s.Holdover(20000, 5000, 500, after, gpspps.Config{}) {
			alone(t, fmt.Sprintf("%s, %v", s.Name, after[i]), a, 4)
		}
	}
}

func TestTrace(t *testing.T) {
	s := bench.Scenarios()[1]
	s.Sim.MissP = 0.1
	noise, again := s.Trace(2000), s.Trace(2000)
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
