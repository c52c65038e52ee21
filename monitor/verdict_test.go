package monitor

import (
	"math"
	"strings"
	"testing"
	"time"
)

const ms = 1e-3

// epoch is the UTC of mono 0 in these tests, ns.
const epoch = int64(1_800_000_000e9)

// year2000 is where a clock without battery starts, ns.
const year2000 = int64(946_684_800e9)

// path is one exchange as it really went.
type path struct {
	mono       float64 // seconds, when the request leaves
	offset     float64 // of the server, seconds
	out, back  float64 // one-way delays, seconds
	processing float64
	clock      float64 // station's clock minus true time, seconds
	err1, err4 float64 // of the station's stamps, seconds
	stampError float64
}

func ns(seconds float64) int64 { return int64(math.Round(seconds * 1e9)) }

// exchange is what the station sees of it.
func (p path) exchange() Exchange {
	send := epoch + ns(p.mono)
	x := Exchange{
		Target: "a", Outcome: OutcomeOK, Stratum: 1, StampError: p.stampError,
		T1: send + ns(p.clock+p.err1),
		T2: send + ns(p.out+p.offset),
		T3: send + ns(p.out+p.processing+p.offset),
		T4: send + ns(p.out+p.processing+p.back+p.clock+p.err4),
	}
	x.Diff = epoch + ns(p.clock)
	x.Mono = x.T1 + (x.T4-x.T1)/2 - x.Diff
	return x
}

// locked is a reading whose True is wrong by err seconds, less than bound.
func locked(x Exchange, err, bound float64) Reading {
	return Reading{True: epoch + x.Mono + ns(err), Known: true, Usable: true, Uncertainty: bound / 3, Bound: bound}
}

func newTestJudge() *judge {
	return newJudge(Target{ID: "a", Server: Server{Name: "a", Limit: 25 * ms}})
}

// step is one exchange of a scripted history and what must come of it.
type step struct {
	at     float64 // seconds
	offset float64 // of the server, seconds
	rtt    float64 // symmetric, seconds; 10 ms if 0
	what   Outcome // OutcomeOK if empty
	noRef  bool
	want   Verdict
	sure   bool   // assured
	reason string // part of it
}

func (s step) run(g *judge) Result {
	rtt := s.rtt
	if rtt == 0 {
		rtt = 10 * ms
	}
	x := path{mono: s.at, offset: s.offset, out: rtt / 2, back: rtt / 2, stampError: 1e-6}.exchange()
	if s.what != "" && s.what != OutcomeOK {
		x = Exchange{Target: "a", Outcome: s.what, Mono: x.Mono, Diff: x.Diff}
	}
	r := locked(x, 0, 1e-6)
	r.Final = true
	if s.noRef {
		r.Usable, r.Reason = false, "waiting for a fix"
	}
	return g.add(x, r, false)
}

func TestVerdicts(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
	}{
		{"right", []step{{want: OK, sure: true}, {at: 64, offset: -3 * ms, want: OK, sure: true}}},
		{"right but not assured", []step{{offset: 21 * ms, want: OK}, {at: 64, offset: 24 * ms, want: OK}}},
		{"the path could explain it", []step{
			{offset: 80 * ms, rtt: 200 * ms, want: Doubtful, reason: "leave 100 ms open"},
			{at: 64, offset: 80 * ms, rtt: 200 * ms, want: Doubtful},
			{at: 128, offset: 80 * ms, rtt: 200 * ms, want: Doubtful},
			{at: 192, offset: 80 * ms, rtt: 200 * ms, want: Doubtful},
		}},
		{"off after three", []step{
			{offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
			{at: 2, offset: 80 * ms, want: Doubtful, reason: "2 of the 3"},
			{at: 4, offset: 80 * ms, want: Off, reason: "80 ms ahead"},
			{at: 6, offset: 80 * ms, want: Off},
		}},
		{"off behind", []step{
			{offset: -80 * ms, want: Doubtful}, {at: 2, offset: -80 * ms, want: Doubtful},
			{at: 4, offset: -80 * ms, want: Off, reason: "80 ms behind"},
		}},
		{"two sides prove nothing", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: -80 * ms, want: Doubtful, reason: "1 of the 3"},
			{at: 4, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"}, {at: 6, offset: 80 * ms, want: Doubtful},
			{at: 8, offset: 80 * ms, want: Off},
		}},
		{"closer than 2 s does not count", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 1.9, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
			{at: 2, offset: 80 * ms, want: Doubtful, reason: "2 of the 3"},
			{at: 3.999, offset: 80 * ms, want: Doubtful, reason: "2 of the 3"},
			{at: 4, offset: 80 * ms, want: Off},
		}},
		{"one that touches starts anew", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: 80 * ms, want: Doubtful},
			{at: 4, offset: 80 * ms, rtt: 120 * ms, want: Doubtful, reason: "open"},
			{at: 6, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
			{at: 8, offset: 80 * ms, want: Doubtful}, {at: 10, offset: 80 * ms, want: Off},
			{at: 12, offset: 80 * ms, rtt: 120 * ms, want: Doubtful},
			{at: 14, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
		}},
		{"corrected", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: 80 * ms, want: Doubtful},
			{at: 4, offset: 80 * ms, want: Off}, {at: 64, want: OK, sure: true},
		}},
		{"a lost packet neither counts nor ends a streak", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, what: OutcomeTimeout, want: Doubtful, reason: "no reply to the last request"},
			{at: 4, offset: 80 * ms, want: Doubtful, reason: "2 of the 3"},
			{at: 6, what: OutcomeTimeout, want: Doubtful}, {at: 8, offset: 80 * ms, want: Off},
			{at: 10, what: OutcomeTimeout, want: Off, reason: "no reply to the last request"},
			{at: 12, what: OutcomeTimeout, want: Off, reason: "no reply to the last 2 requests"},
			{at: 14, what: OutcomeTimeout, want: Unreachable, reason: "no reply to the last 3 requests"},
			{at: 16, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
		}},
		{"no reference within a streak", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: 80 * ms, want: Doubtful},
			{at: 4, offset: 80 * ms, noRef: true, want: NotJudged, reason: "waiting for a fix"},
			{at: 6, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
		}},
		{"a step of the clock within a streak", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: 80 * ms, want: Doubtful},
			{at: 4, what: OutcomeClockStepped, want: NotJudged, reason: "stepped"},
			{at: 6, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
		}},
		{"one loss keeps the verdict", []step{
			{want: OK, sure: true}, {at: 64, what: OutcomeTimeout, want: OK, sure: true, reason: "no reply"},
			{at: 128, what: OutcomeUnreachable, want: OK, sure: true, reason: "last 2 requests"},
			{at: 192, want: OK, sure: true}, {at: 256, what: OutcomeRefused, want: OK, sure: true},
			{at: 320, what: OutcomeTimeout, want: OK, sure: true}, {at: 384, what: OutcomeTimeout, want: Unreachable},
			{at: 448, want: OK, sure: true},
		}},
		{"a loss without reference keeps no verdict", []step{
			{want: OK, sure: true}, {at: 64, what: OutcomeTimeout, noRef: true, want: NotJudged, reason: "waiting for a fix"},
		}},
		{"never answered", []step{
			{what: OutcomeTimeout, want: NotJudged, reason: "1 of the 3"}, {at: 2, what: OutcomeUnreachable, want: NotJudged},
			{at: 4, what: OutcomeTimeout, want: Unreachable}, {at: 6, what: OutcomeTimeout, want: Unreachable, reason: "last 4"},
		}},
		{"never answered, no reference", []step{
			{what: OutcomeTimeout, noRef: true, want: NotJudged}, {at: 2, what: OutcomeTimeout, noRef: true, want: NotJudged},
			{at: 4, what: OutcomeTimeout, noRef: true, want: Unreachable},
		}},
		{"nothing listens", []step{
			{what: OutcomeRefused, want: NotJudged, reason: "1 of the 3"}, {at: 2, what: OutcomeRefused, want: NotJudged},
			{at: 4, what: OutcomeRefused, want: Refused, reason: "port is closed"},
			{at: 6, what: OutcomeTimeout, want: Refused, reason: "last 4"}, {at: 8, what: OutcomeTimeout, want: Refused},
			{at: 10, what: OutcomeTimeout, want: Unreachable}, {at: 12, what: OutcomeRefused, want: Unreachable},
			{at: 14, what: OutcomeRefused, want: Unreachable}, {at: 16, what: OutcomeRefused, want: Refused},
		}},
		{"one stray with one loss proves nothing", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeTimeout, want: OK, sure: true},
			{at: 4, what: OutcomeStray, want: OK, sure: true, reason: "last 2 requests"}, {at: 6, want: OK, sure: true},
			{at: 8, what: OutcomeStray, want: OK, sure: true}, {at: 10, what: OutcomeStray, want: OK, sure: true},
			{at: 12, want: OK, sure: true}, {at: 14, what: OutcomeStray, want: OK, sure: true},
		}},
		{"only strays, three in a row", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeStray, want: OK, sure: true}, {at: 4, what: OutcomeStray, want: OK, sure: true},
			{at: 6, what: OutcomeStray, want: Invalid, reason: "answers no request"}, {at: 8, what: OutcomeStray, want: Invalid},
			{at: 10, what: OutcomeTimeout, want: Invalid}, {at: 12, what: OutcomeTimeout, want: Invalid},
			{at: 14, what: OutcomeTimeout, want: Unreachable}, {at: 16, what: OutcomeStray, want: Unreachable},
			{at: 18, want: OK, sure: true}, {at: 20, what: OutcomeStray, want: OK, sure: true},
		}},
		{"only strays from the start", []step{
			{what: OutcomeStray, want: NotJudged}, {at: 2, what: OutcomeStray, want: NotJudged, reason: "2 of the 3"},
			{at: 4, what: OutcomeStray, want: Invalid},
		}},
		{"losses, strays and refusals mixed", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeTimeout, want: OK, sure: true}, {at: 4, what: OutcomeStray, want: OK, sure: true},
			{at: 6, what: OutcomeTimeout, want: Unreachable}, {at: 8, what: OutcomeRefused, want: Unreachable},
			{at: 10, what: OutcomeStray, want: Unreachable}, {at: 12, what: OutcomeStray, want: Unreachable},
			{at: 14, what: OutcomeRefused, want: Unreachable}, {at: 16, what: OutcomeRefused, want: Unreachable},
			{at: 18, what: OutcomeRefused, want: Refused},
		}},
		{"a refusal between strays", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeStray, want: OK, sure: true}, {at: 4, what: OutcomeStray, want: OK, sure: true},
			{at: 6, what: OutcomeRefused, want: Unreachable}, {at: 8, what: OutcomeStray, want: Unreachable},
		}},
		{"a stray between losses", []step{
			{what: OutcomeStray, want: NotJudged}, {at: 2, what: OutcomeStray, want: NotJudged}, {at: 4, what: OutcomeStray, want: Invalid},
			{at: 6, what: OutcomeTimeout, want: Invalid}, {at: 8, what: OutcomeTimeout, want: Invalid},
			{at: 10, what: OutcomeStray, want: Invalid}, {at: 12, what: OutcomeTimeout, want: Invalid},
			{at: 14, what: OutcomeRefused, want: Invalid}, {at: 16, what: OutcomeTimeout, want: Invalid},
			{at: 18, what: OutcomeTimeout, want: Invalid}, {at: 20, what: OutcomeTimeout, want: Unreachable},
		}},
		{"a stray neither counts nor ends a streak", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, what: OutcomeStray, want: Doubtful},
			{at: 4, offset: 80 * ms, want: Doubtful, reason: "2 of the 3"}, {at: 6, offset: 80 * ms, want: Off},
		}},
		{"stopped listening", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeRefused, want: OK, sure: true},
			{at: 4, what: OutcomeRefused, want: OK, sure: true}, {at: 6, what: OutcomeRefused, want: Refused},
		}},
		{"plain faults need no reference", []step{
			{what: OutcomeUnsynchronized, noRef: true, want: Unsynchronized},
			{at: 2, what: OutcomeDenied, noRef: true, want: Denied},
			{at: 4, what: OutcomeRateLimited, noRef: true, want: RateLimited},
			{at: 6, what: OutcomeInvalid, noRef: true, want: Invalid},
		}},
		{"a loss after a kiss", []step{{what: OutcomeRateLimited, want: RateLimited},
			{at: 600, what: OutcomeTimeout, want: RateLimited, reason: "no reply"}}},
		{"the station's own faults", []step{
			{want: OK, sure: true}, {at: 2, what: OutcomeSendError, want: NotJudged, reason: "could not send"},
			{at: 4, what: OutcomeResolveError, want: NotJudged, reason: "resolve"},
			{at: 6, what: OutcomeInternal, want: NotJudged, reason: "internal"},
			{at: 8, what: "nonsense", want: NotJudged, reason: "internal"},
			{at: 10, what: OutcomeTimeout, want: NotJudged, reason: "no reply"},
			{at: 12, want: OK, sure: true},
		}},
		{"an unsynchronized reply ends a streak", []step{
			{offset: 80 * ms, want: Doubtful}, {at: 2, offset: 80 * ms, want: Doubtful},
			{at: 4, what: OutcomeUnsynchronized, want: Unsynchronized},
			{at: 6, offset: 80 * ms, want: Doubtful, reason: "1 of the 3"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newTestJudge()
			for i, s := range tt.steps {
				got := s.run(g)
				if got.Verdict != s.want || got.Assured != s.sure || !strings.Contains(got.Reason, s.reason) || got.Provisional {
					t.Fatalf("step %d: %s assured %v provisional %v %q, want %s assured %v %q",
						i, got.Verdict, got.Assured, got.Provisional, got.Reason, s.want, s.sure, s.reason)
				}
			}
			if len(g.recs) != 0 {
				t.Errorf("%d records kept although all are final", len(g.recs))
			}
		})
	}
}

func TestValues(t *testing.T) {
	g := newTestJudge()
	x := path{mono: 100, offset: 7 * ms, out: 4 * ms, back: 6 * ms, processing: 1 * ms, clock: 3, stampError: 2e-6}.exchange()
	r := locked(x, 0, 9e-6)
	got := g.add(x, r, false)
	near := func(name string, p *float64, want, tolerance float64) {
		t.Helper()
		if p == nil {
			t.Errorf("%s not known, want %v", name, want)
		} else if math.Abs(*p-want) > tolerance {
			t.Errorf("%s %v, want %v", name, *p, want)
		}
	}
	near("offset", got.Offset, 6*ms, 2e-9) // the path's asymmetry hides 1 ms
	near("rtt", got.RTT, 10*ms, 2e-9)
	// Half the delay, the stamps, the reference, 601 ppm of half of 11 ms and of
	// the stamps, rounding.
	near("bound", got.Bound, 5*ms+2e-6+9e-6+601e-6*(5.5*ms+2e-6)+4e-9, 1e-11)
	near("uncertainty", got.Uncertainty, math.Sqrt(1.5*1.5*1e-6+9e-12+4e-12), 1e-9)
	near("score", got.Score, 1, 0)
	near("loss", got.Loss, 0, 0)
	if got.Stratum == nil || *got.Stratum != 1 {
		t.Errorf("stratum %v", got.Stratum)
	}
	if want := time.Unix(0, r.True).UTC(); !got.Last.Equal(want) {
		t.Errorf("last %v, want the true time %v", got.Last, want)
	}
	if !got.Provisional {
		t.Error("not provisional although the reading is not final")
	}

	// A lost packet shows the last reply's values and its instant.
	lost := Exchange{Outcome: OutcomeTimeout, Mono: x.Mono + 64e9, Diff: x.Diff}
	after := g.add(lost, locked(lost, 0, 9e-6), false)
	if after.Offset == nil || *after.Offset != *got.Offset || !after.Last.Equal(got.Last) {
		t.Errorf("after a loss: offset %v last %v", after.Offset, after.Last)
	}
	near("loss", after.Loss, 0.5, 0)
	near("score", after.Score, 0.95-5, 1e-12)

	// Unknown true time: the offset is unknown, the instant is the station's clock.
	x = path{mono: 300, out: 1 * ms, back: 1 * ms, clock: 3}.exchange()
	dark := g.add(x, Reading{Reason: "cold", Bound: math.Inf(1)}, false)
	if dark.Verdict != NotJudged || dark.Offset != nil || dark.Bound != nil || dark.Uncertainty != nil {
		t.Errorf("without reference: %+v", dark)
	}
	if want := time.Unix(0, x.Mono+x.Diff).UTC(); !dark.Last.Equal(want) {
		t.Errorf("last %v, want the station's clock %v", dark.Last, want)
	}
	near("rtt", dark.RTT, 2*ms, 2e-9)
	near("loss", dark.Loss, 1./3, 1e-12) // it did answer
	near("score", dark.Score, 0.95-5, 1e-12)

	// Known but no longer good enough: shown with its bound, not judged.
	r = locked(x, 0, 0.4)
	r.Usable, r.Reason = false, "holdover too long"
	loose := g.add(x, r, false)
	if loose.Verdict != NotJudged || loose.Offset == nil || *loose.Bound < 0.4 {
		t.Errorf("with a loose reference: %+v", loose)
	}
}

// The station's own faults leave score and loss alone, whatever they are.
func TestOwnFaultsCostNothing(t *testing.T) {
	g := newTestJudge()
	before := step{want: OK}.run(g)
	for i, o := range []Outcome{OutcomeSendError, OutcomeResolveError, OutcomeClockStepped, OutcomeInternal} {
		got := step{at: float64(2 * (i + 1)), what: o}.run(g)
		if *got.Score != *before.Score || *got.Loss != *before.Loss {
			t.Errorf("%s: score %v loss %v, want %v %v", o, *got.Score, *got.Loss, *before.Score, *before.Loss)
		}
	}
	broken := path{mono: 20, out: 1 * ms, back: 1 * ms}.exchange()
	broken.T4 = broken.T1 - 1
	if got := g.add(broken, locked(broken, 0, 0), false); got.Verdict != NotJudged || *got.Score != *before.Score || *got.Loss != *before.Loss {
		t.Errorf("backward stamps: %+v", got)
	}
	// The pool's agent takes no receive time stamp for one of 1900.
	unset := path{mono: 20, out: 1 * ms, back: 1 * ms}.exchange()
	unset.T2 = 0
	if got := newTestJudge().add(unset, locked(unset, 0, 0), false); got.Verdict != Invalid || *got.Score != -20 {
		t.Errorf("no receive time: %s score %v", got.Verdict, *got.Score)
	}
	kiss := newTestJudge()
	if got := (step{what: OutcomeRateLimited, noRef: true}).run(kiss); got.Score != nil || *got.Loss != 1 {
		t.Errorf("kiss without reference: score %v loss %v", got.Score, *got.Loss)
	}
	if got := (step{at: 600, what: OutcomeDenied}).run(kiss); *got.Score != -50 {
		t.Errorf("DENY: score %v", *got.Score)
	}
	// Without reference even a loss leaves the score alone, but is counted.
	got := step{at: 30, what: OutcomeTimeout, noRef: true}.run(g)
	if *got.Score != *before.Score || *got.Loss != 0.5 {
		t.Errorf("loss without reference: score %v loss %v", *got.Score, *got.Loss)
	}
}
