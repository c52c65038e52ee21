package monitor

import "testing"

// TestRescore: what is counted anew is what was counted, from where that is known.
func TestRescore(t *testing.T) {
	right := Exchange{Outcome: OutcomeOK, Stratum: 1}
	silent := Exchange{Outcome: OutcomeTimeout}
	var s Rescore
	for i := range rescoreSure {
		x, measured := right, true
		if i%10 == 9 {
			x, measured = silent, false
		}
		if _, ok := s.Add(1, x, 1e-3, measured, true); ok != (i == rescoreSure-1) {
			t.Fatalf("after %d exchanges it is known: %v", i+1, ok)
		}
	}
	// From another score in the beginning it is the same within a point.
	want := -100.0
	for i := range rescoreSure {
		step, limit := poolStep(right, 1e-3, true)
		if i%10 == 9 {
			step, limit = poolStep(silent, 0, false)
		}
		want = poolScore(want, step, limit)
	}
	if s.score-want > 1 || want-s.score > 1 {
		t.Errorf("%g, want %g", s.score, want)
	}
	before := s.score
	// Nobody's fault but the station's.
	for _, x := range []Exchange{{Outcome: OutcomeSendError}, {Outcome: OutcomeResolveError}, {Outcome: OutcomeClockStepped}, {Outcome: OutcomeInternal}} {
		s.Add(1, x, 0, false, true)
	}
	s.Add(1, right, 1, true, false)
	s.Add(1, right, 0, false, true)
	if s.score != before {
		t.Errorf("the station's own faults moved the score from %g to %g", before, s.score)
	}
	// The station has started anew.
	if score, ok := s.Add(2, right, 1e-3, true, true); score != 1 || !ok {
		t.Errorf("the first exchange of a run: %g, %v", score, ok)
	}
}
