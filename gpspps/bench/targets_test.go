package bench_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/truechimer/truechimer/gpspps/bench"
)

// What the estimator reached with these scenarios when it was designed, ns: a
// simulation in Python, 100,000 s of each. The best-tuned chrony had 131, 168,
// 131 and 15.5 on the same noise.
var designed = map[string]struct{ live, lagged float64 }{
	"A": {106, 54}, "B": {88, 45}, "C": {108, 50}, "D": {11, 6},
}

// reported are the figures of the field report: RMS of the clock's error, ns,
// by poll, of chronyd 4.3 and 4.8 over 100,000 s.
var reported = map[string]map[int]float64{
	"A": {4: 244, 2: 192, 0: 131},
	"B": {4: 223, 2: 168, 0: 1035},
	"C": {4: 272, 2: 197, 0: 131},
	"D": {4: 52, 2: 21, 0: 15.5},
}

const (
	// defaultPoll is chrony's, of a reference clock.
	defaultPoll = 4

	// reproduced is how far from what is reported a figure may be, beside what
	// chance does in two standard errors.
	reproduced = 0.15

	// Ours over that of the best-tuned chrony with the same noise, at most.
	liveMost     = 0.85 // in each scenario
	liveMeanMost = 0.75 // in the geometric mean of all
	laggedMost   = 0.45 // in each scenario
)

// missed says which targets that chrony sets are missed, and which figures of
// the report. Ratios may be more by so many standard errors.
func missed(all []compared, allowed float64) (list []string) {
	check := func(what string, r figure, most float64) {
		if !(r.value <= most+allowed*r.sigma) {
			list = append(list, fmt.Sprintf("%s: %.3f ± %.3f of the best-tuned chrony, more than %g", what, r.value, r.sigma, most))
		}
	}
	var each []ratios
	for _, c := range all {
		for _, r := range c.chrony {
			want, ok := reported[c.name][r.Poll]
			if got := r.Clock * 1e9; ok && !(math.Abs(got-want) <= reproduced*want+2*r.ClockSigma*1e9) {
				list = append(list, fmt.Sprintf("%s, chrony poll %d: %.1f ± %.1f ns, reported are %g", c.name, r.Poll, got, r.ClockSigma*1e9, want))
			}
		}
		r := c.ratios()
		each = append(each, r)
		check(c.name+", live", r.live, liveMost)
		check(c.name+", lagged", r.lagged, laggedMost)
	}
	check("geometric mean, live", mean(each).live, liveMeanMost)
	return list
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
