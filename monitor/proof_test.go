package monitor

import (
	"math"
	"math/rand/v2"
	"testing"
)

// world draws exchanges with a server, with everything that may go wrong on
// the way and in the station, but within what the station says of itself.
type world struct {
	*rand.Rand
	limit float64
	mono  float64
}

// share is 0..1 with much weight on both ends, where proofs break.
func (w *world) share() float64 {
	switch w.IntN(4) {
	case 0:
		return 0
	case 1:
		return 1
	}
	return w.Float64()
}

// within is -v..v, often an end.
func (w *world) within(v float64) float64 { return (2*w.share() - 1) * v }

// magnitude is spread evenly over the orders of magnitude from lo to hi.
func (w *world) magnitude(lo, hi float64) float64 {
	return lo * math.Pow(hi/lo, w.Float64())
}

// exchange draws one with a server whose offset is o2 when the request comes
// and o3 when the reply leaves.
func (w *world) exchange(o2, o3 float64) Exchange {
	var out, back, processing float64
	if w.IntN(8) > 0 {
		total := w.magnitude(1e-6, 1)
		out = total * w.share()
		back = total - out
	}
	if w.IntN(2) == 0 {
		processing = w.magnitude(1e-6, 0.5)
	}
	stamp := 0.0
	if w.IntN(4) > 0 {
		stamp = w.magnitude(1e-8, 1e-2)
	}
	// The station's clock runs at 1+rate while the exchange lasts; its offset
	// is arbitrary, as the reading is about CLOCK_MONOTONIC.
	rate := w.within(rateTolerance) / (1 + rateTolerance)
	clock := w.within(5)
	send, whole := w.mono, out+processing+back
	err1, err4 := w.within(stamp), w.within(stamp)
	x := Exchange{
		Outcome: OutcomeOK, Stratum: 2, StampError: stamp,
		T1: epoch + ns(clock) + ns(send) + ns(err1),
		T2: epoch + ns(send+out+o2),
		T3: epoch + ns(send+out+processing+o3),
		T4: epoch + ns(clock) + ns(send) + ns(whole*(1+rate)) + ns(err4),
		// True time, less epoch, when the clock read the middle of T1 and T4.
		Mono: ns(send + whole/2 + (err1+err4)/2/(1+rate)),
	}
	x.Diff = x.T1 + (x.T4-x.T1)/2 - x.Mono
	return x
}

// reading is one whose error is within its bound, often at its very end, and
// which is not always good enough to judge with.
func reading(w *world, x Exchange, final bool) Reading {
	bound := w.magnitude(1e-9, 0.1)
	return Reading{
		True: epoch + x.Mono + ns(w.within(bound)), Known: true, Usable: w.IntN(12) > 0, Final: final,
		Bound: bound, Uncertainty: bound / 3, Reason: "no",
	}
}

// What pathWidth proves: at the limits of everything the interval still holds
// the server's offset when the request came from above, and when the reply left
// from below; and it is no wider than it must be.
func TestPathWidth(t *testing.T) {
	w := &world{Rand: rand.New(rand.NewPCG(5, 6))}
	closest := math.Inf(1)
	for range 300_000 {
		w.mono = 10 * w.Float64()
		o2 := w.within(1)
		o3 := o2
		if w.IntN(4) == 0 { // set while the server worked
			o3 = w.within(1)
		}
		x := w.exchange(o2, o3)
		// Of exchange's own rounding: seven numbers of half a ns, halved.
		estimate, width := between(x.ServerTime(), epoch+x.Mono), pathWidth(x)
		above, below := estimate+width-o2, o3-(estimate-width)
		if above < 0 || below < 0 {
			t.Fatalf("above by %g, below by %g: %+v", above, below, x)
		}
		closest = min(closest, above-x.StampError*2e-3, below-x.StampError*2e-3)
	}
	if closest > 5e-9 {
		t.Errorf("never closer than %g s: too wide, or a test without teeth", closest)
	}
}

// A server that is never outside the limit is never off: whatever the path,
// the losses, the pace and the server's clock inside the limit do, and for any
// reading whose bound is true, provisional and final alike.
func TestNeverConvictsATruechimer(t *testing.T) {
	const cases = 300_000
	w := &world{Rand: rand.New(rand.NewPCG(1, 2)), limit: 25 * ms}
	g := newTestJudge()
	outside, judged := 0, 0
	check := func(x Exchange, r Result) {
		if r.Verdict == Off {
			t.Fatalf("convicted: %q by %+v", r.Reason, x)
		}
	}
	for i := range cases {
		if i%50 == 0 {
			g, w.mono = newTestJudge(), 10
		}
		w.mono += 0.5 + w.magnitude(0.1, 100)
		// Near the limit on the side of the last one, to tempt a streak.
		o2, o3 := w.within(w.limit), w.within(w.limit)
		if i%3 > 0 {
			o2 = w.limit
			o3 = w.limit
			if i/50%2 == 0 {
				o2, o3 = -w.limit, -w.limit
			}
		}
		x := w.exchange(o2, o3)
		switch w.IntN(12) {
		case 0:
			x = Exchange{Outcome: OutcomeTimeout, Mono: x.Mono, Diff: x.Diff}
		case 1:
			x.Outcome = []Outcome{OutcomeClockStepped, OutcomeSendError, OutcomeUnsynchronized, OutcomeRateLimited, OutcomeStray}[w.IntN(5)]
		}
		r := g.add(x, reading(w, x, w.IntN(2) == 0), x.Outcome == OutcomeTimeout && w.IntN(2) == 0)
		check(x, r)
		if r.Bound != nil && x.Outcome == OutcomeOK {
			judged++
			if math.Abs(*r.Offset) > w.limit {
				outside++
			}
		}
		if w.IntN(4) == 0 {
			g.refine(ns(w.mono), func(mono int64) Reading {
				return reading(w, Exchange{Mono: mono}, w.IntN(2) == 0)
			}, check)
			check(x, g.result())
		}
		if w.IntN(8) == 0 {
			g.decide([]string{"", "our fault"}[w.IntN(2)], check)
		}
	}
	// The cases must be hard ones: a judge that went by the estimate would
	// have had plenty to convict.
	if outside < cases/10 || judged < cases/2 {
		t.Errorf("only %d of %d estimates outside the limit: the test has no teeth", outside, judged)
	}
}

// A server that is further away than the limit and what the interval leaves
// open is off after exactly three exchanges, whatever the path.
func TestConvictsWhatCanBeProven(t *testing.T) {
	w := &world{Rand: rand.New(rand.NewPCG(3, 4)), limit: 25 * ms}
	for i := range 20_000 {
		g := newTestJudge()
		sign := float64(1 - 2*(i%2))
		for n := range 4 {
			w.mono = 10 + 3.1*float64(n) + float64(i) // 2 s apart whatever the round trips
			rtt, ref := w.magnitude(1e-6, 1), w.magnitude(1e-9, 0.1)
			out := rtt * w.share()
			// The path may hide half the round trip; the interval then needs as
			// much again to leave the limit. Margin: 600 ppm of it and rounding.
			p := path{mono: w.mono, out: out, back: rtt - out, stampError: 1e-6, err1: w.within(1e-6), err4: w.within(1e-6)}
			hidden := (p.out - p.back) / 2
			p.offset = sign*(w.limit+rtt/2+2*ref+2*2e-6+rateTolerance*rtt+1e-8) - hidden
			x := p.exchange()
			x.Mono = ns(w.mono + rtt/2)
			x.Diff = x.T1 + (x.T4-x.T1)/2 - x.Mono
			want := Off
			if n < 2 {
				want = Doubtful
			}
			if got := g.add(x, locked(x, w.within(ref), ref), false); got.Verdict != want {
				t.Fatalf("exchange %d: %s %q, want %s: %+v", n+1, got.Verdict, got.Reason, want, x)
			}
		}
	}
}

// Nothing that comes in makes the judge panic, show a value that is not a
// number, or convict with a reading it may not judge with.
func FuzzJudge(f *testing.F) {
	f.Add(int64(1e18), int64(1e18), int64(1e18), int64(1e18), int64(1), int64(1e18), 1e-6, 1e-6, 1e-6, true, uint8(0))
	f.Add(int64(0), int64(math.MinInt64), int64(math.MaxInt64), int64(-1), int64(0), int64(0), -1., math.Inf(1), math.NaN(), true, uint8(1))
	f.Add(int64(1), int64(math.MaxInt64), int64(math.MaxInt64), int64(2), int64(math.MaxInt64), int64(math.MinInt64), 0., 0., 0., false, uint8(7))
	outcomes := []Outcome{OutcomeOK, OutcomeTimeout, OutcomeRefused, OutcomeUnreachable, OutcomeUnsynchronized,
		OutcomeDenied, OutcomeRateLimited, OutcomeInvalid, OutcomeClockStepped, "?"}
	f.Fuzz(func(t *testing.T, t1, t2, t3, t4, mono, diff int64, stamp, bound, uncertainty float64, usable bool, kind uint8) {
		g := newTestJudge()
		x := Exchange{Outcome: outcomes[int(kind)%len(outcomes)], T1: t1, T2: t2, T3: t3, T4: t4,
			Mono: mono, Diff: diff, StampError: stamp, Stratum: kind}
		for range 4 {
			r := Reading{True: t1, Known: true, Usable: usable, Bound: bound, Uncertainty: uncertainty}
			got := g.add(x, r, false)
			if got.Latest != nil && (math.IsNaN(got.Latest.Offset) || math.IsInf(got.Latest.Bound, 0)) {
				t.Fatalf("%+v shown by %+v", *got.Latest, x)
			}
			for _, v := range []*float64{got.Offset, got.Uncertainty, got.Bound, got.RTT, got.Score, got.Loss, got.Jitter} {
				if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
					t.Fatalf("%v shown by %+v", *v, x)
				}
			}
			if got.Verdict == "" || got.Verdict == Off && !usable {
				t.Fatalf("verdict %q", got.Verdict)
			}
			x.Mono += 2e9
			x.Diff -= 2e9
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct {
		name   string
		offset float64
	}{{"ok", 0}, {"off", 80 * ms}} {
		b.Run(c.name, func(b *testing.B) {
			g := newTestJudge()
			x := path{mono: 10, offset: c.offset, out: 5 * ms, back: 5 * ms, stampError: 1e-6}.exchange()
			r := locked(x, 0, 1e-6)
			r.Final = true
			b.ReportAllocs()
			for b.Loop() {
				x.Mono += 3e9
				x.Diff -= 3e9
				g.add(x, r, false)
			}
		})
	}
}

// Thirty-two seconds of provisional exchanges, all judged again at once.
func BenchmarkReplay(b *testing.B) {
	g := newTestJudge()
	var last int64
	for i := range maxRecords / 2 {
		x := path{mono: float64(10 + 2*i), out: 5 * ms, back: 5 * ms}.exchange()
		g.add(x, locked(x, 0, 1e-6), true)
		last = x.Mono
	}
	again := func(mono int64) Reading { return locked(Exchange{Mono: mono}, 0, 1e-6) }
	b.ReportAllocs()
	for b.Loop() {
		g.refine(last+smoothing, again, func(Exchange, Result) {})
		g.replay(&[maxRecords]bool{}, nil)
	}
}
