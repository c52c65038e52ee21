package gpspps_test

import (
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestLastGood: a receiver's date from before the last good time is not
// believed, whatever the receiver vouches for, unless servers confirm it or it
// stands for a day: the last good time may have been wrong.
func TestLastGood(t *testing.T) {
	good := gpspps.Config{LastGood: start.Add(-time.Minute)}
	w := newWorld(t, quiet(1), good)
	w.until(gpspps.StateLocked, 20)

	sim := quiet(1)
	sim.Faults = []gpstest.Fault{{ShiftS: -30 * 86400}}
	w = newWorld(t, sim, good)
	w.run(1200)
	w.want(gpspps.StateNumbering, "the station has already seen a later one")
	w.right(3)
	w.run(60)
	w.want(gpspps.StateLocked, "servers agree") // the quorum, not the receiver

	w = newWorld(t, quiet(1), gpspps.Config{LastGood: start.AddDate(3, 0, 0)})
	w.right(3)
	w.until(gpspps.StateLocked, 60)
	w.run(30)
	if r := w.now(); r.State != gpspps.StateLocked || r.Source != gpspps.SourceGPSPPS {
		t.Errorf("servers confirm the receiver against the last good time: %+v", r)
	}
}

// TestLastGoodWasWrong: without servers it takes a day.
func TestLastGoodWasWrong(t *testing.T) {
	w := newWorld(t, quiet(1), gpspps.Config{LastGood: start.AddDate(3, 0, 0)})
	w.run(86000)
	w.want(gpspps.StateNumbering, "date unconfirmed")
	w.until(gpspps.StateLocked, 600)
}

// TestFrequencyUncertainty: the frequency is where it is said to be.
func TestFrequencyUncertainty(t *testing.T) {
	out, all := 0, 0
	for seed := range int64(5) {
		w := newWorld(t, pi(seed), gpspps.Config{})
		w.each = func(n int, now int64) {
			info := w.ref.Info(now)
			if n < 60 {
				return
			}
			if !(info.FrequencyUncertaintyPPM > 0) {
				t.Fatalf("second %d: ± %g ppm", n, info.FrequencyUncertaintyPPM)
			}
			all++
			if d := info.FrequencyPPM - w.sim.FrequencyPPM(n); d > info.FrequencyUncertaintyPPM || d < -info.FrequencyUncertaintyPPM {
				out++
			}
		}
		w.run(2000)
	}
	if share := float64(out) / float64(all); share > 0.1 {
		t.Errorf("outside %.2g of the time", share)
	}
	t.Logf("outside %d of %d times", out, all)
}
