package gpspps_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// TestSteeringDoesNotShow: the same pulses on a clock that is steered wildly
// give the same true times.
func TestSteeringDoesNotShow(t *testing.T) {
	a := newWorld(t, pi(1), gpspps.Config{})
	b := newWorld(t, pi(1), gpspps.Config{})
	b.each = func(n int, now int64) {
		if n%4 == 0 {
			b.steer(now, 500*math.Sin(float64(n)))
		}
	}
	a.run(12)
	b.run(12)
	same, all := 0, 0
	for range 300 {
		a.run(1)
		b.run(1)
		for _, back := range []float64{0.3, 10.3, 40.3} {
			s := float64(a.n) - back
			x, y := a.ref.At(a.at(s), ""), b.ref.At(b.at(s), "")
			if x.State != y.State || x.Final != y.Final {
				t.Fatalf("second %g: %s without and %s with steering", s, x.State, y.State)
			}
			// Rounding to a nanosecond may tip a decision about a pulse that
			// came late; steering that is seen at all would be 500 µs a second.
			d := math.Abs(float64(x.True - y.True))
			if d > 1000 || math.Abs(x.Uncertainty-y.Uncertainty) > 1e-6 {
				t.Fatalf("second %g: %g ns between them, ± %g s and ± %g s", s, d, x.Uncertainty, y.Uncertainty)
			}
			all++
			if d <= 10 {
				same++
			}
		}
	}
	if same < all*95/100 {
		t.Errorf("within 10 ns in %d of %d readings", same, all)
	}
	if f, g := a.ref.Info(0).FrequencyPPM, b.ref.Info(0).FrequencyPPM; math.Abs(f-g) > 0.01 || math.Abs(f+8) > 1 {
		t.Errorf("frequency %g without and %g ppm with steering, truth -8", f, g)
	}
}

// TestPrecisionFarFromTheEpoch: true time less CLOCK_MONOTONIC is decades, and
// the uptime years; nanoseconds must not drown in it.
func TestPrecisionFarFromTheEpoch(t *testing.T) {
	for _, sim := range []struct {
		start time.Time
		mono  int64
	}{
		{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 1e9},
		{time.Date(2055, 1, 1, 0, 0, 0, 0, time.UTC), 3e17},
	} {
		s := quiet(2)
		s.LatencyS, s.WhiteS, s.RWFM, s.WFM = 0, 1e-9, 1e-12, 0
		s.Start, s.Mono = sim.start, sim.mono
		w := newWorld(t, s, gpspps.Config{})
		w.run(200)
		if r := w.now(); r.State != gpspps.StateLocked || math.Abs(w.off(r)) > 20e-9 {
			t.Errorf("from %s: %s %s, %g s off", sim.start, r.State, r.Reason, w.off(r))
		}
	}
}

func TestSamplesAndInfo(t *testing.T) {
	sim := quiet(3)
	sim.LatencyS = 0
	w := newWorld(t, sim, gpspps.Config{})
	if s := w.ref.Samples(5); len(s) != 0 {
		t.Errorf("%d samples of nothing", len(s))
	}
	info := w.ref.Info(0)
	if !math.IsNaN(info.FrequencyPPM) || info.SatellitesUsed != -1 || info.SatellitesSeen != -1 || info.LastPulse != 0 {
		t.Errorf("info of nothing: %+v", info)
	}
	w.run(30)
	if s := w.ref.Samples(1)[0]; !math.IsNaN(s.Offset) {
		t.Errorf("an offset without knowing the clock: %g", s.Offset)
	}
	// The station's clock is a quarter of a second ahead.
	now := w.at(30)
	w.ref.SetRealtime(w.truth(now) - now + 250e6)
	w.run(800)
	s := w.ref.Samples(1000)
	if len(s) != 600 {
		t.Fatalf("%d samples kept", len(s))
	}
	for i, x := range s {
		if math.Abs(x.Residual) > 3e-6 || x.State != gpspps.StateLocked || !(x.Uncertainty > 0) {
			t.Fatalf("sample %+v", x)
		}
		if i > 0 && x.Mono <= s[i-1].Mono {
			t.Fatal("samples out of order")
		}
	}
	// It has run 17.3 ppm fast for 800 s since.
	if d := s[599].Offset - 0.25 - 800*17.3e-6; math.Abs(d) > 200e-6 {
		t.Errorf("offset %g s", s[599].Offset)
	}
	info = w.ref.Info(w.at(830))
	if math.Abs(info.FrequencyPPM-17.3) > 0.3 || info.SatellitesUsed != 9 || info.LastPulse != s[599].Mono {
		t.Errorf("info %+v", info)
	}
	if c := info.Counters; c.Pulses != 830 || c.PulsesUsed < 820 || c.PulsesMissing != 0 || c.PulsesDoubled != 0 {
		t.Errorf("counters %+v", c)
	}
}

// TestManyAtOnce is for the race detector: everybody asks while the world goes on.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, pi(5), gpspps.Config{})
	w.right(4)
	w.run(1)
	from := w.at(0)
	done := make(chan struct{})
	var askers sync.WaitGroup
	for i := range int64(3) {
		askers.Go(func() {
			for n := int64(0); ; n++ {
				select {
				case <-done:
					return
				default:
				}
				w.ref.At(from+(n%100)*1e9, "s1")
				w.ref.Info(from + i)
				w.ref.Samples(10)
				w.ref.Confirmed()
				w.ref.SetRealtime(n)
			}
		})
	}
	w.run(100)
	close(done)
	askers.Wait()
	w.want(gpspps.StateLocked, "")
}
