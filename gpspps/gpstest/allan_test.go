package gpstest_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// phases of a free clock, one a second.
func phases(o *gpstest.Oscillator, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = o.Error(float64(i))
	}
	return x
}

// TestNoiseHasTheAllanDeviationOfTheory: NIST Special Publication 1065, table 3
// and equation 12 for a swing of frequency.
func TestNoiseHasTheAllanDeviationOfTheory(t *testing.T) {
	const size = 1e-9
	thermal := func(tau float64) float64 {
		x := math.Pi * tau / 3600
		return 100e-9 * math.Sin(x) * math.Sin(x) / x
	}
	for _, c := range []struct {
		name   string
		osc    gpstest.Oscillator
		want   func(tau float64) float64
		within float64
	}{
		{"white frequency", gpstest.Oscillator{WFM: size}, func(tau float64) float64 { return size / math.Sqrt(tau) }, 0.1},
		{"flicker frequency", gpstest.Oscillator{FlickerFM: size}, func(float64) float64 { return size }, 0.15},
		{"random walk of the frequency", gpstest.Oscillator{RWFM: size}, func(tau float64) float64 { return size * math.Sqrt(tau/3) }, 0.12},
		{"thermal swing", gpstest.Oscillator{ThermalPPB: 100}, thermal, 0.02},
		{"drift", gpstest.Oscillator{DriftPPBDay: 86.4}, func(tau float64) float64 { return 1e-12 * tau / math.Sqrt2 }, 0.02},
	} {
		c.osc.Seed = 11
		x := phases(&c.osc, 200000)
		for _, m := range []int{4, 16, 64, 256, 1024} {
			if got, want := gpstest.AllanDeviation(x, 1, m), c.want(float64(m)); math.Abs(got/want-1) > c.within {
				t.Errorf("%s over %d s: %.3g, theory says %.3g", c.name, m, got, want)
			}
		}
	}
}

func TestWhitePhase(t *testing.T) {
	const size, half = 400e-9, 0.5
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 200000)
	for i := range x {
		x[i] = size * rng.NormFloat64()
	}
	for _, m := range []int{1, 8, 64, 512} {
		n := float64(m)
		if got, want := gpstest.AllanDeviation(x, half, m), math.Sqrt(3)*size/(n*half); math.Abs(got/want-1) > 0.05 {
			t.Errorf("Allan deviation over %d: %.3g, theory says %.3g", m, got, want)
		}
		if got, want := gpstest.TimeDeviation(x, m), size/math.Sqrt(n); math.Abs(got/want-1) > 0.1 {
			t.Errorf("time deviation over %d: %.3g, theory says %.3g", m, got, want)
		}
	}
}

// TestTimeDeviationOfARandomWalk: the modified Allan deviation of a walking
// frequency is the square root of 0.825 of the Allan deviation's for long means.
func TestTimeDeviationOfARandomWalk(t *testing.T) {
	x := phases(&gpstest.Oscillator{RWFM: 1e-9, Seed: 5}, 200000)
	const m = 256
	got, want := gpstest.TimeDeviation(x, m), m/math.Sqrt(3)*math.Sqrt(33.0/40)*1e-9*math.Sqrt(m/3.0)
	if math.Abs(got/want-1) > 0.1 {
		t.Errorf("%.3g, theory says %.3g", got, want)
	}
}

func TestTooFewPhases(t *testing.T) {
	for _, n := range []int{0, 1, 2} {
		if a, d := gpstest.AllanDeviation(make([]float64, n), 1, 1), gpstest.TimeDeviation(make([]float64, n), 1); !math.IsNaN(a) || !math.IsNaN(d) {
			t.Errorf("of %d phases: %g, %g", n, a, d)
		}
	}
	if a, d := gpstest.AllanDeviation(make([]float64, 9), 1, 0), gpstest.TimeDeviation(make([]float64, 9), -1); !math.IsNaN(a) || !math.IsNaN(d) {
		t.Errorf("over no interval: %g, %g", a, d)
	}
}

// TestSawtoothIsAnnounced: the fix of a second says how late the next pulse
// comes; with it taken out, what is left is the rest of the noise.
func TestSawtoothIsAnnounced(t *testing.T) {
	for _, period := range []float64{0, 700} {
		s := &gpstest.Sim{Start: start, Seed: 4, SawtoothS: 21e-9, SawtoothPeriodS: period, Announced: 1}
		var raw, left float64
		const n = 5000
		announced := math.NaN()
		for k := range n {
			p, f := s.Second(k)
			late := float64(p[0].Mono-s.MonoAt(start.Add(time.Duration(k)*time.Second))) * 1e-9
			raw += late * late
			if k > 0 {
				left += (late - announced) * (late - announced)
			}
			announced = f.Sawtooth
		}
		if raw, left = math.Sqrt(raw/n), math.Sqrt(left/n); math.Abs(raw/(21e-9/math.Sqrt(3))-1) > 0.1 || left > 1e-9 {
			t.Errorf("period %g s: %.3g s without and %.3g s with what the receiver says", period, raw, left)
		}
	}
}
