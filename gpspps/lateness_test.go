package gpspps_test

import (
	"math"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
)

// TestLatenessTakenOut: a pulse that has been 15.7 µs late is corrected, bit by
// bit, once that has been measured. Nobody takes that for the oscillator, and
// what is said of the readings holds throughout.
func TestLatenessTakenOut(t *testing.T) {
	sim := quiet(5)
	sim.LatencyS = 15.7e-6
	w := newWorld(t, sim, gpspps.Config{})
	const known, rate, left = 300, 20e-9, 1.5e-6
	taken := 0.0
	w.edit = func(n int, pulses []gpspps.Pulse, fix *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		if n > known {
			taken = min(taken+rate, sim.LatencyS)
			w.ref.SetPulseError(sim.LatencyS - taken + left)
		}
		for i := range pulses {
			pulses[i].Mono -= int64(math.Round(taken * 1e9))
		}
		return pulses, fix
	}
	w.until(gpspps.StateLocked, 20)
	inside, all := 0, 0
	w.each = func(n int, now int64) {
		for _, back := range []int64{0, 40e9, 300e9, 600e9} {
			if r := w.ref.At(now-back, ""); n > 700 {
				w.honest(r)
				if r.State != gpspps.StateLocked {
					t.Fatalf("second %d, %d s back: %s (%s)", n, back/1e9, r.State, r.Reason)
				}
				if all++; math.Abs(w.off(r)) <= r.Uncertainty {
					inside++
				}
			}
		}
	}
	before := w.now().Uncertainty
	w.run(3000)
	after := w.now()
	t.Logf("uncertainty %.2g s before, %.2g s after; it covers %d of %d", before, after.Uncertainty, inside, all)
	if before < 20e-6 || after.Uncertainty > 5e-6 || math.Abs(w.off(after)) > 2e-6 || inside < all*95/100 {
		t.Errorf("%.2g s off in the end", w.off(after))
	}
	if c := w.ref.Info(after.Mono).Counters; c.PulsesUsed < 2900 {
		t.Errorf("only %d pulses were used", c.PulsesUsed)
	}
}
