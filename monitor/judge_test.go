package monitor

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// add is addRecord for an exchange of which no more than its reading is known, and
// whether it is open.
func (g *judge) add(x Exchange, r Reading, open bool) Result {
	return g.addRecord(record{x: x, r: r, open: open})
}

func TestFinalReplacesProvisional(t *testing.T) {
	g := newTestJudge()
	var xs []Exchange
	// The final readings contradict what the provisional ones had promised.
	for i := range 4 {
		x := path{mono: float64(2 * i), out: 1 * ms, back: 1 * ms, offset: 40 * ms}.exchange()
		xs = append(xs, x)
		got := g.add(x, locked(x, -60*ms, 60*ms), false)
		want := Doubtful
		if i >= 2 {
			want = Off
		}
		if got.Verdict != want || !got.Provisional {
			t.Fatalf("exchange %d: %s provisional %v", i, got.Verdict, got.Provisional)
		}
	}
	var puts []string
	put := func(x Exchange, r Result) {
		puts = append(puts, fmt.Sprintf("%d %s %v %.0f", x.Mono/2e9, r.Verdict, r.Provisional, *r.Score*1000))
	}
	later := func(mono int64) Reading {
		r := locked(Exchange{Mono: mono}, 20*ms, 1e-6)
		r.Final = true
		return r
	}
	if g.refine(xs[3].Mono+1e9, later, put) {
		t.Error("refined what is too young to be final")
	}
	// The first two become final: no longer outside, so the streak is withdrawn.
	if !g.refine(xs[1].Mono+smoothing, later, put) {
		t.Fatal("nothing refined")
	}
	if got := g.result(); got.Verdict != Doubtful || !got.Provisional || !strings.Contains(got.Reason, "2 of the 3") {
		t.Errorf("after two final readings: %s %q", got.Verdict, got.Reason)
	}
	g.refine(xs[3].Mono+smoothing, later, put)
	if got := g.result(); got.Verdict != OK || got.Provisional || !got.Assured {
		t.Errorf("at last: %+v", got)
	}
	want := "[0 ok false 1000 1 ok false 1950 2 ok false 2852 3 ok false 3710]"
	if got := fmt.Sprint(puts); got != want {
		t.Errorf("put %s\nwant %s", got, want)
	}
	if len(g.recs) != 0 || g.base.score != g.now.score {
		t.Errorf("%d records left, score %v and %v", len(g.recs), g.base.score, g.now.score)
	}
}

// Failures stay open until it is known whose they were; then each is put for
// good, and what was not the server's is taken back.
func TestOpenFailures(t *testing.T) {
	for _, tt := range []struct {
		void    string
		puts    string
		loss    float64
		verdict Verdict
		reason  string
	}{
		{"our fault", "[not_judged not_judged not_judged]", 0, NotJudged, "our fault"},
		// Nobody answered in between: they are one piece of evidence.
		{"", "[ok ok not_judged]", 0.75, NotJudged, "no reply to the last 3 requests; 1 of the 3 it takes"},
	} {
		g := newTestJudge()
		before := step{want: OK}.run(g)
		lose := func(i int) Exchange { return Exchange{Outcome: OutcomeTimeout, Mono: int64(i+2) * 64e9, Diff: epoch} }
		for i := range 3 {
			x := lose(i)
			if got := g.add(x, locked(x, 0, 1e-6), true); !got.Provisional || *got.Loss == 0 {
				t.Errorf("open failure %d: provisional %v loss %v", i, got.Provisional, *got.Loss)
			} else if want := []Verdict{OK, OK, NotJudged}[i]; got.Verdict != want {
				t.Errorf("open failure %d: %s, want %s", i, got.Verdict, want)
			}
		}
		var puts []Verdict
		put := func(x Exchange, r Result) {
			puts = append(puts, r.Verdict)
			if r.Provisional {
				t.Errorf("%s still provisional", r.Verdict)
			}
		}
		g.decide(tt.void, put)
		if g.decide("again", put) {
			t.Error("something was still open")
		}
		got := g.result()
		if !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("reason %q, want %q", got.Reason, tt.reason)
		}
		if fmt.Sprint(puts) != tt.puts || got.Verdict != tt.verdict || got.Provisional || *got.Loss != tt.loss {
			t.Errorf("void %q: put %v, then %s loss %v; want %s, %s %v", tt.void, puts, got.Verdict, *got.Loss, tt.puts, tt.verdict, tt.loss)
		}
		if (tt.void != "") != (*got.Score == *before.Score) {
			t.Errorf("void %q: score %v, was %v", tt.void, *got.Score, *before.Score)
		}
		if tt.void != "" {
			continue
		}
		for i, want := range []Verdict{NotJudged, Unreachable} {
			x := lose(3 + i)
			g.add(x, locked(x, 0, 1e-6), true)
			g.decide("", put)
			if got := g.result(); got.Verdict != want {
				t.Errorf("failure %d with an answer in between: %s, want %s", 2+i, got.Verdict, want)
			}
		}
		// What has been proven stands while the next failure is open.
		x := lose(5)
		if got := g.add(x, locked(x, 0, 1e-6), true); got.Verdict != Unreachable || !got.Provisional {
			t.Errorf("then %s provisional %v", got.Verdict, got.Provisional)
		}
	}
}

func TestNeverFinal(t *testing.T) {
	g := newTestJudge()
	x := path{mono: 1, out: 1 * ms, back: 1 * ms}.exchange()
	g.add(x, locked(x, 0, 1e-6), false)
	again := func(mono int64) Reading { return locked(Exchange{Mono: mono}, 0, 1e-6) }
	put := func(Exchange, Result) { t.Error("something final was said") }
	g.refine(x.Mono+patience, again, put)
	if len(g.recs) != 1 {
		t.Fatal("given up too early")
	}
	g.refine(x.Mono+patience+1, again, put)
	if len(g.recs) != 0 {
		t.Error("still waiting")
	}
	if got := g.result(); got.Verdict != OK || !got.Provisional {
		t.Errorf("%s provisional %v", got.Verdict, got.Provisional)
	}
	for i := range 3 * maxRecords {
		x := path{mono: 200 + 2*float64(i), out: 1 * ms, back: 1 * ms}.exchange()
		g.add(x, locked(x, 0, 1e-6), false)
	}
	if len(g.recs) > maxRecords || g.now.loss.n != 97 {
		t.Errorf("%d records, %d exchanges counted", len(g.recs), g.now.loss.n)
	}
}

func TestNewLimitStartsAnew(t *testing.T) {
	g := newTestJudge()
	for i := range 3 {
		step{at: float64(2 * i), offset: 80 * ms}.run(g)
	}
	if g.last.verdict != Off {
		t.Fatal(g.last.verdict)
	}
	g.setServer(Server{Name: "a", Limit: 10 * ms})
	if got := (step{at: 6, offset: 80 * ms}).run(g); got.Verdict != Doubtful || *got.Score < 2 {
		t.Errorf("%s score %v: the streak should begin anew, the score go on", got.Verdict, *got.Score)
	}
}

func TestNewLimitDecidesNothing(t *testing.T) {
	g := newTestJudge()
	step{want: OK}.run(g)
	x := Exchange{Outcome: OutcomeTimeout, Mono: 5e9, Diff: epoch}
	g.add(x, locked(x, 0, 1e-6), true)
	g.setServer(Server{Name: "a", Limit: 10 * ms})
	if !g.recs[0].open {
		t.Error("a new limit has decided whose fault a failure is")
	}
	g.decide("our fault", func(Exchange, Result) {})
	if got := g.result(); *got.Loss != 0 {
		t.Errorf("loss %v", *got.Loss)
	}
}

// Strays are three in a row even where the station suspects itself, but a
// timeout in between ends the row.
func TestVoidStrays(t *testing.T) {
	for _, tt := range []struct {
		what []Outcome
		want Verdict
	}{
		{[]Outcome{OutcomeStray, OutcomeStray, OutcomeStray}, Invalid},
		{[]Outcome{OutcomeStray, OutcomeStray, OutcomeTimeout, OutcomeStray}, NotJudged},
	} {
		g := newTestJudge()
		step{want: OK}.run(g)
		var got Result
		for i, o := range tt.what {
			x := Exchange{Outcome: o, Mono: int64(i+1) * 8e9, Diff: epoch}
			got = g.add(x, locked(x, 0, 1e-6), true)
			if i < len(tt.what)-1 {
				g.decide("our fault", func(Exchange, Result) {})
			}
		}
		if got.Verdict != tt.want {
			t.Errorf("%v: %s %q, want %s", tt.what, got.Verdict, got.Reason, tt.want)
		}
	}
}

// An open failure that nobody ever decides about is held against nobody, and
// what follows it is judged as if it had not been.
func TestUndecidedIsVoid(t *testing.T) {
	g := newTestJudge()
	step{want: OK}.run(g)
	for i := range 3 * maxRecords {
		x := Exchange{Outcome: OutcomeTimeout, Mono: int64(i+1) * 8e9, Diff: epoch}
		if got := g.add(x, locked(x, 0, 1e-6), true); got.Verdict == Unreachable {
			t.Fatalf("failure %d: %s %q", i, got.Verdict, got.Reason)
		}
	}
	if g.base.loss.n != 1 || g.base.fail.lost != 0 || len(g.recs) != maxRecords {
		t.Errorf("%d exchanges and %d failures counted, %d records", g.base.loss.n, g.base.fail.lost, len(g.recs))
	}
	g.decide("", func(Exchange, Result) {})
	if got := g.result(); got.Verdict != NotJudged || g.now.fail.counted != 1 {
		t.Errorf("%s, %d counted: all of them had no answer in between", got.Verdict, g.now.fail.counted)
	}
}

// Once true time is known nothing is shown as of the year 2000 any more.
func TestDates(t *testing.T) {
	const wrong = year2000
	for _, final := range []bool{false, true} {
		g := newTestJudge()
		x := path{mono: 10, out: 5 * ms, back: 5 * ms}.exchange()
		x.T1, x.T4, x.Diff = x.T1-epoch+wrong, x.T4-epoch+wrong, wrong
		dark := Reading{Reason: "cold", Final: final}
		if got := g.add(x, dark, false); got.Last.Year() != 2000 {
			t.Errorf("before: %v", got.Last)
		}
		lost := Exchange{Outcome: OutcomeTimeout, Mono: 20e9, Diff: wrong}
		g.add(lost, dark, false)
		g.date(100e9, epoch+100e9)
		if got, want := g.result().Last.UnixNano(), epoch+x.Mono; got != want {
			t.Errorf("dated %d, want %d", got, want)
		}
		// A second time changes nothing.
		g.date(200e9, epoch)
		if got, want := g.result().Last.UnixNano(), epoch+x.Mono; got != want {
			t.Errorf("dated again %d, want %d", got, want)
		}
		// Nor do later failures that show the same, judged again or not.
		lost.Mono = 110e9
		if got, want := g.add(lost, dark, true).Last.UnixNano(), epoch+x.Mono; got != want {
			t.Errorf("after a failure %d, want %d", got, want)
		}
		g.decide("", func(Exchange, Result) {})
		if got, want := g.result().Last.UnixNano(), epoch+x.Mono; got != want {
			t.Errorf("after it was decided %d, want %d", got, want)
		}
	}
	// No instant is known of an exchange before the first that succeeded.
	g := newTestJudge()
	if got := g.add(Exchange{Outcome: OutcomeInternal, Diff: wrong}, Reading{}, false); !got.Last.IsZero() {
		t.Errorf("of no instant: %v", got.Last)
	}
}

// What an interleaved reply tells of the exchange before is shown where it is
// the better measurement, and never decides.
func TestExchangeBefore(t *testing.T) {
	for _, tt := range []struct {
		name    string
		now     path
		before  *path
		usable  bool
		verdict Verdict
		want    float64 // offset shown
		bound   float64 // at the most
	}{
		{"none", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, nil, true, OK, 3 * ms, 5.2 * ms},
		{"better", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, &path{out: ms, back: ms, offset: 4 * ms}, true, OK, 4 * ms, 1.2 * ms},
		{"worse", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, &path{out: 8 * ms, back: 8 * ms, offset: 4 * ms}, true, OK, 3 * ms, 5.2 * ms},
		{"without a reference", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, &path{out: ms, back: ms, offset: 4 * ms}, false, OK, 3 * ms, 5.2 * ms},
		{"contradicts", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, &path{out: ms, back: ms, offset: 13 * ms}, true, OK, 3 * ms, 5.2 * ms},
		{"good before it was off", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 40 * ms}, &path{out: ms, back: ms, offset: 4 * ms}, true, Doubtful, 40 * ms, 5.2 * ms},
		{"off before it was good", path{mono: 64, out: 5 * ms, back: 5 * ms, offset: 3 * ms}, &path{out: ms, back: ms, offset: 40 * ms}, true, OK, 3 * ms, 5.2 * ms},
	} {
		g := newTestJudge()
		x := tt.now.exchange()
		r := Reading{}
		if tt.before != nil {
			b := tt.before.exchange()
			x.Interleaved, x.Before = true, &b
			r = locked(b, 0, 1e-6)
			r.Usable = tt.usable
		}
		got := g.addRecord(record{x: x, r: locked(x, 0, 1e-6), before: r})
		if got.Verdict != tt.verdict || math.Abs(*got.Offset-tt.want) > 1e-6 || *got.Bound > tt.bound {
			t.Errorf("%s: %s, offset %g +-%g; want %s, %g +-%g", tt.name, got.Verdict, *got.Offset, *got.Bound, tt.verdict, tt.want, tt.bound)
		}
	}
}
