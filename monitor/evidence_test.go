package monitor

import "testing"

// TestEvidence goes with the final verdict on what lies outside, and with nothing
// else; packets are not kept of what proves nothing.
func TestEvidence(t *testing.T) {
	var got []*Evidence
	put := func(_ Exchange, r Result) { got = append(got, r.Evidence) }
	g := newJudge(Target{ID: "a", Server: Server{Limit: 25e-3}})
	had := func(at, offset, delay float64) Exchange {
		x := Exchange{
			Outcome: OutcomeOK, Stratum: 1, Wire: &Wire{}, Mono: 1e12 + ns(at), Diff: epoch,
			T1: epoch + 1e12 + ns(at-delay/2), T2: epoch + 1e12 + ns(at+offset),
		}
		x.T3, x.T4 = x.T2, x.T1+ns(delay)
		return x
	}
	read := func(mono int64, final bool) Reading {
		return Reading{True: epoch + mono, Known: true, Usable: true, Final: final, Bound: 1e-6, Uncertainty: 1e-7}
	}
	for i, c := range []struct {
		offset, delay float64
		kept, first   bool
	}{
		{80e-3, 10e-3, true, true},
		{80e-3, 10e-3, true, false},
		{80e-3, 200e-3, false, false}, // the path may explain it
		{-80e-3, 10e-3, true, true},
		{1e-3, 10e-3, false, false},
	} {
		x := had(float64(10*i), c.offset, c.delay)
		r := read(x.Mono, false)
		if x.Wire = x.incriminating(r, 25e-3); (x.Wire != nil) != c.kept {
			t.Errorf("exchange %d: packets kept: %v", i, x.Wire != nil)
		}
		if res := g.add(x, r, false); res.Evidence != nil {
			t.Errorf("exchange %d: evidence ahead of the final reading", i)
		}
		got = got[:0]
		g.refine(x.Mono+int64(40e9), func(mono int64) Reading { return read(mono, true) }, put)
		if len(got) != 1 || (got[0] != nil) != c.kept {
			t.Fatalf("exchange %d: evidence %v", i, got)
		}
		if e := got[0]; e != nil && (e.First != c.first || e.Exchange.T1 != x.T1 || !e.Reading.Final || e.Exchange.Wire == nil) {
			t.Errorf("exchange %d: %+v", i, e)
		}
	}
	// A reading that is final at once is as good.
	x := had(100, 80e-3, 10e-3)
	if res := g.add(x, read(x.Mono, true), false); res.Evidence == nil || !res.Evidence.First {
		t.Errorf("%+v", res.Evidence)
	}
	// Without a reference nothing is kept of anybody.
	for _, r := range []Reading{{}, {Known: true, Reason: "suspect"}} {
		if x := had(110, 80e-3, 10e-3); x.incriminating(r, 25e-3) != nil {
			t.Errorf("packets are kept with %+v", r)
		}
	}
}

// TestRejudge finds what the monitor found.
func TestRejudge(t *testing.T) {
	var list []Evidence
	for i := range 4 {
		at := int64(1e12) + int64(i)*10e9
		x := Exchange{Outcome: OutcomeOK, Stratum: 1, Mono: at, Diff: epoch, T1: epoch + at - 5e6, T4: epoch + at + 5e6, T2: epoch + at - 80e6, T3: epoch + at - 80e6}
		list = append(list, Evidence{Exchange: x, Reading: Reading{True: epoch + at, Known: true, Usable: true, Bound: 1e-6, Uncertainty: 1e-7, Final: true}})
	}
	list[3].Reading.Bound = 0.1
	got := Rejudge(25e-3, list)
	for i, want := range []Verdict{Doubtful, Doubtful, Off, Doubtful} {
		j := got[i]
		if j.Verdict != want || !j.Measured || j.Interval.Offset > -79e-3 || j.Interval.Offset < -81e-3 || (j.Interval.Side == -1) != (i < 3) {
			t.Errorf("exchange %d: %+v, want %s", i, j, want)
		}
	}
	list[1].Reading.Usable = false
	if j := Rejudge(25e-3, list[:3]); j[1].Verdict != NotJudged || j[2].Verdict != Doubtful {
		t.Errorf("%+v", j)
	}
}
