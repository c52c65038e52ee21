package monitor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// had lets a judge have one exchange with a reading that is final.
func had(g *judge, p path) Result {
	x := p.exchange()
	r := locked(x, 0, 1e-6)
	r.Final = true
	return g.add(x, r, false)
}

// queueing is an honest path: a quiet round trip, and with a share of the
// exchanges a queue on one of the two ways, exponential around a mean.
type queueing struct {
	*rand.Rand
	rtt, share, mean float64
	oneWay           bool // always the way there
}

func (q queueing) path(mono, offset float64) path {
	p := path{mono: mono, offset: offset, out: q.rtt / 2, back: q.rtt / 2, stampError: 1e-6}
	p.out += q.ExpFloat64() * q.rtt * 0.01
	p.back += q.ExpFloat64() * q.rtt * 0.01
	if q.Float64() < q.share {
		if d := q.ExpFloat64() * q.mean; q.oneWay || q.IntN(2) == 0 {
			p.out += d
		} else {
			p.back += d
		}
	}
	return p
}

// On an honest path with a round trip of up to 50 ms, a queue of tens of
// milliseconds on one way in a fifth of the exchanges makes at most 1 % of the
// verdicts doubtful, where the exchanges by themselves would be some 5 %; and
// nothing is ever off.
func TestDoubtfulOnHonestPaths(t *testing.T) {
	for _, rtt := range []float64{5 * ms, 20 * ms, 50 * ms} {
		for _, mean := range []float64{10 * ms, 30 * ms, 80 * ms} {
			for _, every := range []float64{16, 64, 256} {
				q := queueing{rand.New(rand.NewPCG(uint64(rtt/ms), uint64(mean/ms)+uint64(every))), rtt, 0.2, mean, true}
				const servers, n = 40, 100
				doubtful, alone := 0, 0
				for range servers {
					g := newTestJudge()
					for i := range n {
						p := q.path(10+every*float64(i), 0)
						r := had(g, p)
						switch r.Verdict {
						case Doubtful:
							doubtful++
						case OK:
						default:
							t.Fatalf("%s: %s", r.Verdict, r.Reason)
						}
						if math.Abs(r.Latest.Offset) > DefaultLimit {
							alone++
						}
						if math.Abs(*r.Offset) > *r.Bound {
							t.Fatalf("offset %v ± %v is wrong", *r.Offset, *r.Bound)
						}
					}
				}
				share := float64(doubtful) / (servers * n)
				t.Logf("round trip %.0f ms, queue %.0f ms, every %.0f s: %.2f %% doubtful, %.2f %% without the window",
					rtt/ms, mean/ms, every, 100*share, 100*float64(alone)/(servers*n))
				if share > 0.01 {
					t.Errorf("round trip %.0f ms, queue %.0f ms, every %.0f s: %.2f %% doubtful", rtt/ms, mean/ms, every, 100*share)
				}
				if mean > 50*ms && alone < servers*n/50 {
					t.Errorf("only %d of %d estimates were outside by themselves: the test has no teeth", alone, servers*n)
				}
			}
		}
	}
}

// The error of what is shown, with a queue on one way in a fifth of the
// exchanges over 40 ms: the window leaves less than half of it.
func TestFilterError(t *testing.T) {
	q := queueing{rand.New(rand.NewPCG(3, 1)), 40 * ms, 0.2, 30 * ms, true}
	g := newTestJudge()
	var own, best float64
	within, n := 0, 4000
	for i := range n {
		r := had(g, q.path(10+16*float64(i), 1*ms))
		own += math.Pow(r.Latest.Offset-1*ms, 2)
		best += math.Pow(*r.Offset-1*ms, 2)
		if math.Abs(*r.Offset-1*ms) <= *r.Uncertainty {
			within++
		}
	}
	t.Logf("RMS %.3f ms alone, %.3f ms filtered", math.Sqrt(own/float64(n))/ms, math.Sqrt(best/float64(n))/ms)
	if best > own/4 {
		t.Errorf("RMS %g s alone, %g s filtered", math.Sqrt(own/float64(n)), math.Sqrt(best/float64(n)))
	}
	if within < n*95/100 {
		t.Errorf("%d of %d within their uncertainty", within, n)
	}
}

// A server whose clock is stepped by 40 ms over 10 ms is doubtful at the first
// exchange and off at the third, whatever stood in the window, and right again
// at the first one after it was put right.
func TestStepIsSeenAtOnce(t *testing.T) {
	for _, before := range []int{0, 1, 8, 200} {
		g := newTestJudge()
		at := 10.0
		ask := func(offset float64) Result {
			at += 64
			return had(g, path{mono: at, offset: offset, out: 5 * ms, back: 5 * ms, stampError: 1e-6})
		}
		for range before {
			ask(0)
		}
		for i, want := range []Verdict{Doubtful, Doubtful, Off, Off} {
			r := ask(40 * ms)
			if r.Verdict != want || math.Abs(*r.Offset-40*ms) > 1e-6 {
				t.Errorf("%d right ones before, exchange %d: %s at %g s, %q", before, i+1, r.Verdict, *r.Offset, r.Reason)
			}
		}
		if r := ask(0); r.Verdict != OK || !r.Assured || math.Abs(*r.Offset) > 1e-6 || r.Jitter != nil {
			t.Errorf("put right: %s at %g s, jitter %v, %q", r.Verdict, *r.Offset, r.Jitter, r.Reason)
		}
	}
}

// A step that the limit allows is shown at once too; and the one of a server
// over a longer path, where no single exchange proves it.
func TestNothingStaleIsShown(t *testing.T) {
	g := newTestJudge()
	for i := range 100 {
		had(g, path{mono: 10 + 16*float64(i), out: 1 * ms, back: 1 * ms})
	}
	if r := had(g, path{mono: 1610, offset: 12 * ms, out: 5 * ms, back: 5 * ms}); r.Verdict != OK || math.Abs(*r.Offset-12*ms) > 1e-6 {
		t.Errorf("after a step of 12 ms: %s at %g s", r.Verdict, *r.Offset)
	}
	// What the best leaves outside is not made right by one that could be anything.
	g = newTestJudge()
	had(g, path{mono: 10, offset: 27 * ms, out: 1 * ms, back: 1 * ms})
	r := had(g, path{mono: 26, offset: 27 * ms, out: 5 * ms, back: 45 * ms})
	if r.Verdict != Doubtful || *r.Offset < 26*ms || !strings.Contains(r.Reason, "by the best of the last exchanges") {
		t.Errorf("%s at %g s: %q", r.Verdict, *r.Offset, r.Reason)
	}
}

// An estimate that is used later is as old as it is, and gives way in time.
func TestAging(t *testing.T) {
	g := newTestJudge()
	had(g, path{mono: 10, out: 1 * ms, back: 1 * ms})
	r := had(g, path{mono: 1010, out: 60 * ms, back: 1 * ms, stampError: 1e-6})
	if want := 1*ms + 1000*aging; math.Abs(*r.Bound-want) > 20e-6 || math.Abs(*r.Offset) > 1e-6 || *r.Uncertainty < 1000*aging {
		t.Errorf("offset %g s, bound %g s, want %g s", *r.Offset, *r.Bound, want)
	}
	if r.Jitter == nil || math.Abs(*r.Jitter-29.5*ms) > 1e-6 || math.Abs(r.Latest.Offset-29.5*ms) > 1e-6 {
		t.Errorf("jitter %v, latest %v", r.Jitter, r.Latest)
	}
	if r = had(g, path{mono: 4010, out: 60 * ms, back: 1 * ms}); math.Abs(*r.Offset-29.5*ms) > 1e-6 {
		t.Errorf("an estimate of 4,000 s ago is used: %g s", *r.Offset)
	}
}

// The slow parts keep what the ring has lost: of 64 exchanges the best.
func TestSlowWindow(t *testing.T) {
	g := newTestJudge()
	had(g, path{mono: 10, out: 1 * ms, back: 1 * ms})
	for i := 1; i < 60; i++ {
		r := had(g, path{mono: 10 + 16*float64(i), out: 40 * ms, back: 1 * ms})
		if math.Abs(*r.Offset) > 1e-6 {
			t.Fatalf("exchange %d: %g s", i, *r.Offset)
		}
	}
	// And it ends, with a server that is asked rarely too.
	g = newTestJudge()
	for i := range 1000 {
		had(g, path{mono: 10 + 1024*float64(i), out: 1 * ms, back: 1 * ms})
	}
	w := &g.now.past
	oldest := 0.0
	w.all(func(a *sample) bool { oldest = max(oldest, a.age(w.last().at)); return true })
	if oldest > 1024*partLeast*windowSlow {
		t.Errorf("the oldest is of %g s ago", oldest)
	}
}

// A reading that cannot be judged with takes the memory of those before it.
func TestWindowForgetsWithTheReference(t *testing.T) {
	g := newTestJudge()
	had(g, path{mono: 10, offset: 3 * ms, out: 1 * ms, back: 1 * ms})
	x := path{mono: 26, out: 1 * ms, back: 1 * ms}.exchange()
	r := locked(x, 0, 1e-6)
	r.Usable = false
	g.add(x, r, false)
	if g.now.past.n != 0 {
		t.Error("still remembered")
	}
}

func TestTraffic(t *testing.T) {
	g := newTestJudge()
	var got Result
	for i, o := range []Outcome{OutcomeOK, OutcomeTimeout, OutcomeSendError, OutcomeRateLimited, OutcomeInvalid, OutcomeStray, OutcomeResolveError, OutcomeInternal, OutcomeClockStepped, OutcomeOK} {
		got = step{at: float64(10 + 64*i), what: o}.run(g)
	}
	g.told(Exchange{Outcome: OutcomeDenied}, Reading{})
	if got.Sent != 7 || got.Received != 5 || got.Reach != 0b1011011 {
		t.Errorf("sent %d, received %d, reach %b", got.Sent, got.Received, got.Reach)
	}
	if r := g.result(); r.Sent != 7 {
		t.Errorf("what another name was told counts: %d", r.Sent)
	}
}

// What is replayed with final readings is what would have been had at once.
func TestReplayKeepsTheWindow(t *testing.T) {
	q := queueing{rand.New(rand.NewPCG(8, 8)), 20 * ms, 0.3, 30 * ms, false}
	at, later := newTestJudge(), newTestJudge()
	final := func(mono int64) Reading {
		r := locked(Exchange{Mono: mono}, 0, 1e-6)
		r.Final = true
		return r
	}
	for i := range 200 {
		x := q.path(10+7*float64(i), 0).exchange()
		at.add(x, final(x.Mono), false)
		later.add(x, locked(x, 2*ms, 3*ms), false)
		later.refine(x.Mono, final, func(Exchange, Result) {})
		later.refine(x.Mono+smoothing, final, func(Exchange, Result) {})
		a, b := at.result(), later.result()
		if fmt.Sprint(*a.Offset, *a.Bound, a.Verdict, a.Sent) != fmt.Sprint(*b.Offset, *b.Bound, b.Verdict, b.Sent) || at.now.past != later.now.past {
			t.Fatalf("exchange %d: %v ± %v, then %v ± %v", i, *a.Offset, *a.Bound, *b.Offset, *b.Bound)
		}
	}
}

func TestWindowIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(window{}); n > 400 {
		t.Errorf("%d bytes", n)
	}
	t.Logf("window %d, state %d, judge %d bytes", unsafe.Sizeof(window{}), unsafe.Sizeof(state{}), unsafe.Sizeof(judge{}))
}

// What is shown holds the server's offset whatever the paths and the readings
// did within what they say of themselves, for a clock that drifts no faster than
// RFC 5905 grants.
func TestShownIntervalHolds(t *testing.T) {
	w := &world{Rand: rand.New(rand.NewPCG(11, 12)), limit: 25 * ms}
	filtered := 0
	var g *judge
	var start, drift float64
	for i := range 60_000 {
		if i%100 == 0 {
			g, w.mono = newTestJudge(), 10
			start, drift = w.within(50*ms), w.within(aging)
		}
		w.mono += 2 + w.magnitude(0.1, 300)
		offset := start + drift*w.mono
		x := w.exchange(offset, offset)
		r := reading(w, x, true)
		r.Usable = true
		got := g.add(x, r, false)
		if got.Offset == nil {
			continue
		}
		// While an exchange lasts, 2 s at the most, the clock drifts on.
		if slack := 2*aging + 1e-8; math.Abs(*got.Offset-offset) > *got.Bound+slack {
			t.Fatalf("shown %g ± %g, true %g: %+v", *got.Offset, *got.Bound, offset, x)
		}
		if *got.Offset != got.Latest.Offset {
			filtered++
		}
	}
	if filtered < 10_000 {
		t.Errorf("only %d were filtered: the test has no teeth", filtered)
	}
}
