package gpspps_test

import (
	"math"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

func TestLocksAndIsHonest(t *testing.T) {
	for _, c := range []struct {
		name       string
		sim        func(int64) *gpstest.Sim
		rms        float64 // of the live estimate, seconds, systematic lateness included
		pulseError float64
	}{
		{"quiet", quiet, 5e-6, 20e-6},
		{"pi", pi, 10e-6, 20e-6},
		{"emulated", emulated, 1.5e-3, 20e-6},
	} {
		t.Run(c.name, func(t *testing.T) {
			inside, all, early, earlyAll, final, finalAll := 0, 0, 0, 0, 0, 0
			square := 0.0
			for seed := range int64(30) {
				w := newWorld(t, c.sim(seed), gpspps.Config{PulseError: c.pulseError})
				if s := w.until(gpspps.StateLocked, 20); s > 10 {
					t.Fatalf("seed %d: locked after %d s, want 10 at the most", seed, s)
				}
				locked := w.n
				w.each = func(n int, now int64) {
					r := w.ref.At(now, "")
					w.honest(r)
					if r.State != gpspps.StateLocked {
						return
					}
					e := w.off(r)
					all++
					square += e * e
					if math.Abs(e) <= r.Uncertainty {
						inside++
					}
					if n < locked+20 {
						earlyAll++
						if math.Abs(e) <= r.Uncertainty {
							early++
						}
					}
					if f := w.ref.At(now-33e9, ""); f.State == gpspps.StateLocked {
						if !f.Final {
							t.Fatalf("33 s back is not final")
						}
						w.honest(f)
						finalAll++
						if math.Abs(w.off(f)) <= f.Uncertainty {
							final++
						}
					}
				}
				w.run(200)
			}
			share := func(a, b int) float64 { return float64(a) / float64(b) }
			rms := math.Sqrt(square / float64(all))
			t.Logf("rms %.2g s, 95 %% covers %.3f, in the first 20 s %.3f, final %.3f, of %d", rms, share(inside, all), share(early, earlyAll), share(final, finalAll), all)
			if all < 30*180 || finalAll < 30*140 {
				t.Errorf("locked in %d, final in %d of 6000 seconds", all, finalAll)
			}
			if share(inside, all) < 0.95 || share(early, earlyAll) < 0.9 || share(final, finalAll) < 0.95 {
				t.Errorf("the uncertainty covers too little")
			}
			if rms > c.rms {
				t.Errorf("rms %g s, want %g at the most", rms, c.rms)
			}
		})
	}
}
