package gpspps_test

import (
	"math"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
)

// TestSawtooth: what the receiver says of its pulses is used where it helps.
// Said with the wrong sign, or by half, it changes nothing.
func TestSawtooth(t *testing.T) {
	for _, c := range []struct{ white, half, period, rms float64 }{
		{20e-9, 21e-9, 0, 10e-9},
		{20e-9, 100e-9, 90, 10e-9},
		{100e-9, 500e-9, 90, 33e-9},
	} {
		measure := func(announced float64) (rms float64, last gpspps.Reading) {
			sim := quiet(12)
			sim.WhiteS, sim.LatencyS, sim.RWFM = c.white, 0, 3e-10
			sim.SawtoothS, sim.SawtoothPeriodS, sim.Announced = c.half, c.period, announced
			w := newWorld(t, sim, gpspps.Config{})
			w.run(4000)
			n := 0
			w.each = func(_ int, now int64) {
				r := w.ref.At(now, "")
				w.honest(r)
				rms += w.off(r) * w.off(r)
				n++
			}
			w.run(2000)
			return math.Sqrt(rms / float64(n)), w.now()
		}
		without, last := measure(0)
		right, _ := measure(1)
		if right > c.rms || right > 0.8*without {
			t.Errorf("%+v: rms %.3g s with what the receiver says, %.3g s without", c, right, without)
		}
		for _, share := range []float64{-1, -0.5, math.NaN()} {
			if wrong, r := measure(share); wrong != without || r != last {
				t.Errorf("%+v, announced %g times: rms %.3g s, %.3g s without", c, share, wrong, without)
			}
		}
	}
}

// TestSlowSawtooth: a coarse receiver's pulse steps every few minutes. It is
// followed, the lock goes on, and the random part says that the truth is in
// between.
func TestSlowSawtooth(t *testing.T) {
	for _, white := range []float64{20e-9, 100e-9} {
		for _, period := range []float64{90, 700} {
			sim := quiet(12)
			sim.WhiteS, sim.LatencyS, sim.RWFM = white, 0, 3e-10
			sim.SawtoothS, sim.SawtoothPeriodS = 500e-9, period
			w := newWorld(t, sim, gpspps.Config{})
			w.run(1000)
			inside := 0
			w.each = func(_ int, now int64) {
				r := w.ref.At(now, "")
				w.honest(r)
				if r.State != gpspps.StateLocked {
					t.Fatalf("%g s, period %g s, second %d: %s (%s)", white, period, w.n, r.State, r.Reason)
				}
				if math.Abs(w.off(r)) <= r.Random {
					inside++
				}
			}
			w.run(3000)
			if inside < 3000*90/100 {
				t.Errorf("%g s, period %g s: inside of the random part for %d of 3000 s", white, period, inside)
			}
		}
	}
}

// TestStepsOfOthers: pulses that move by more than a receiver's granularity end
// the lock as before.
func TestStepsOfOthers(t *testing.T) {
	sim := quiet(12)
	w := newWorld(t, sim, gpspps.Config{})
	shift := int64(0)
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		for i := range p {
			p[i].Mono += shift
		}
		return p, f
	}
	w.run(300)
	shift = 6000 // ns
	w.run(4)
	w.want(gpspps.StateHoldover, "")
	w.until(gpspps.StateLocked, 20)
	w.honest(w.now())
}
