package gpspps

import (
	"math"
	"testing"
)

// TestSmoother: what came after a state corrects it, and an oscillator whose
// frequency drifts evenly is followed to where it was, by the filter that knows
// of drifts.
func TestSmoother(t *testing.T) {
	const drift, jitter = 2e-9, 100e-9
	for _, m := range []model{{1e-9, 0}, {3e-10, 5e-12}} {
		first := state{x: 200e-9, pxx: 1e-12, pyy: 1e-14, pdd: m.drift * m.drift * driftLasts / 2}
		if m.drift != 0 {
			first.pdd = 1e-17
		}
		var knots []knot
		for n := range int64(40) {
			z := drift / 2 * float64(n*n)
			if m.drift == 0 {
				z = 3e-9 * float64(n)
			}
			if n%2 == 0 {
				z += jitter / 10
			} else {
				z -= jitter / 10
			}
			// Every run of knots has a base of its own, and one pulse was missed.
			k := knot{at: n * 1e9, base: n * 10, model: m, z: z - float64(n)*10e-9, r: jitter * jitter}
			if n == 20 {
				k.r = 0
			}
			if n == 0 {
				k.s = first
			}
			knots = append(knots, k)
		}
		var s smoother
		got := s.smooth(knots, &paper{})
		if math.Abs(got.x) > jitter || !(got.pxx > 0) || got.pxx > first.pxx/10 || !(got.pyy > 0) || got.pyy > first.pyy/10 {
			t.Errorf("%+v: %+v from %+v", m, got, first)
		}
		if m.drift != 0 && math.Abs(got.d/drift-1) > 0.2 {
			t.Errorf("a drift of %.3g, in truth %.3g", got.d, drift)
		}
		if again := s.smooth(knots, &paper{}); again != got {
			t.Errorf("%+v, and %+v the second time", got, again)
		}
		if alone := s.smooth(knots[:1], &paper{}); alone != first {
			t.Errorf("with nothing after it: %+v", alone)
		}
	}
}

// TestPredict: two steps are one of both lengths, and a long one stays finite.
func TestPredict(t *testing.T) {
	s := state{x: 1e-6, y: 2e-8, d: 1e-10, pxx: 1e-14, pxy: 1e-16, pxd: 1e-19, pyy: 1e-17, pyd: 1e-20, pdd: 1e-21}
	for _, m := range models {
		one, two := s.predict(2, m), s.predict(1, m).predict(1, m)
		for name, v := range map[string][2]float64{"x": {one.x, two.x}, "y": {one.y, two.y}, "pxx": {one.pxx, two.pxx}, "pyy": {one.pyy, two.pyy}} {
			if math.Abs(v[0]/v[1]-1) > 1e-3 {
				t.Errorf("%+v: %s is %g in one step and %g in two", m, name, v[0], v[1])
			}
		}
		long := s.predict(86400, m)
		if !(long.pxx > 0 && long.pxx < 1e6) || math.Abs(long.x) > 0.02 {
			t.Errorf("%+v: a day later %+v", m, long)
		}
	}
}
