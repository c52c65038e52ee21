package bench_test

import (
	"testing"

	"github.com/truechimer/truechimer/gpspps/bench"
)

// What the estimator reached with these scenarios when it was designed, ns: a
// simulation in Python, 100,000 s of each. The best-tuned chrony had 131, 168,
// 131 and 15.5 on the same noise.
var designed = map[string]struct{ live, lagged float64 }{
	"A": {106, 54}, "B": {88, 45}, "C": {108, 50}, "D": {11, 6},
}

// locked fails where readings are worse than designed by more than a share, or
// where their uncertainty is not what it says.
func locked(t *testing.T, name string, live, lagged bench.Accuracy, share float64) {
	t.Helper()
	want := designed[name]
	if live.RMS > want.live*1e-9*(1+share) || lagged.RMS > want.lagged*1e-9*(1+share) {
		t.Errorf("%s: live %.1f ns, lagged %.1f ns; designed for %g and %g", name, live.RMS*1e9, lagged.RMS*1e9, want.live, want.lagged)
	}
	for what, a := range map[string]bench.Accuracy{"live": live, "lagged": lagged} {
		if a.Random < 0.93 || a.Random > 0.98 {
			t.Errorf("%s, %s: 95 %% covers %.3f", name, what, a.Random)
		}
		if a.Uncertainty < 0.95 || a.Bound < 1 {
			t.Errorf("%s, %s: the uncertainty covers %.3f, the bound %.6f", name, what, a.Uncertainty, a.Bound)
		}
	}
}

// alone fails where the uncertainty of a holdover is too small, or more than
// so many times the error.
func alone(t *testing.T, name string, a bench.Accuracy, times float64) {
	t.Helper()
	if a.Count == 0 || a.Random < 0.95 || a.Bound < 1 || a.MeanRandom > times*a.RMS {
		t.Errorf("%s: of %d holdovers 95 %% covers %.3f, the bound %.3f; ± %.3g s for %.3g s", name, a.Count, a.Random, a.Bound, a.MeanRandom, a.RMS)
	}
}
