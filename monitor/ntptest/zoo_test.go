package ntptest

import (
	"math"
	"slices"
	"testing"
	"time"
)

// How a chronyd 4.3 with the same settings was seen to answer: the first four
// always, then with a loss that depends on the spacing.
func TestLimit(t *testing.T) {
	for spacing, loss := range map[time.Duration]float64{time.Second: 0.67, 2 * time.Second: 0.52, 4 * time.Second: 0.35} {
		l, lost, now := newLimit(), 0, int64(1e18)
		const n = 10000
		for i := range n {
			if !l.answers(now) {
				lost++
				if i < limitBurst {
					t.Errorf("every %v: request %d left unanswered", spacing, i)
				}
			}
			now += int64(spacing)
		}
		if got := float64(lost) / n; math.Abs(got-loss) > 0.05 {
			t.Errorf("every %v: lost %.3f, a chronyd lost %.2f", spacing, got, loss)
		}
	}
}

// The zoo and the mutants are the same every time, and each has its own name.
func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for _, k := range append(Kinds(), Mutants(100)...) {
		if names[k.Name] {
			t.Errorf("two are called %q", k.Name)
		}
		names[k.Name] = true
		if n := k.Answer != nil; n == (k.Behaviour != nil) && n {
			t.Errorf("%s: two ways to answer", k.Name)
		}
	}
	again := Mutants(100)
	if !slices.EqualFunc(Mutants(100), again, func(a, b Kind) bool { return a.Name == b.Name && a.Silent == b.Silent }) {
		t.Error("mutants differ from time to time")
	}
}
