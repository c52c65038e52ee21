package gpspps

import (
	"math"
	"testing"
)

// ageing feeds tests with a clock whose frequency rises evenly: a holdover of T
// seconds is off by T*T/2 times the drift (1/s), exactly.
func ageing(b *backtests, from, to int64, drift float64) {
	for n := from; n < to; n++ {
		t := float64(n)
		// Half of the second is steering that the oscillator knows nothing of.
		b.take(start{second: 2e9 + n, mono: n * 15e8, added: t / 2, base: n * 1000, s: state{x: drift*t*t/2 - t*1e-6, y: drift * t}})
	}
}

func TestExperience(t *testing.T) {
	const drift, lasts = 1e-11, 9000
	var b backtests
	if e := b.experience(); e.reach() != 0 {
		t.Fatalf("%g s are known of nothing", e.reach())
	}
	ageing(&b, 0, lasts, drift)
	e := b.experience()
	// Tests of 2,048 s were made for 6,952 s, which is not four times as long.
	if e.reach() != 1024 {
		t.Fatalf("%g s are known", e.reach())
	}
	for _, dt := range []float64{16, 64, 100, 300, 1000, 1024} {
		truth := drift * dt * dt / 2
		if off := e.at(dt); off < truth*testMargin*0.99 || off > truth*2.2 {
			t.Errorf("after %g s: %.3g s, in truth %.3g", dt, off, truth)
		}
	}
	last := 0.0
	for dt := 0.0; dt < 1024; dt += 0.25 {
		if off := e.at(dt); off < last {
			t.Fatalf("after %g s %.3g s, before it %.3g", dt, off, last)
		} else {
			last = off
		}
	}
}

// TestExperienceForgets what was long ago, and begins anew when it is told to.
func TestExperienceForgets(t *testing.T) {
	var b backtests
	ageing(&b, 0, 20000, 1e-9)
	was := b.experience().at(64)
	ageing(&b, 20000, 500000, 1e-11)
	if is := b.experience().at(64); is > was/50 {
		t.Errorf("%.3g s after 64 s, long ago %.3g s", is, was)
	}
	for k := range b {
		if int64(b[k].total) > max(testMemory, int64(testMost)<<k) {
			t.Errorf("%d tests of %d s are kept", b[k].total, 1<<k)
		}
	}

	var c backtests
	ageing(&c, 0, 10000, 1e-11)
	known := c[0].total
	c.interrupt()
	ageing(&c, 10000, 10001, 1)
	if c[0].total != known || c.experience().at(64) > 1e-6 {
		t.Error("a jump that was told of counts as the oscillator's")
	}
}

// TestExperienceOfNonsense: no index out of range, nothing that is no number.
func TestExperienceOfNonsense(t *testing.T) {
	var b backtests
	for _, second := range []int64{math.MinInt64, -1, 0, 1, 65536, 1 << 17, 1<<17 + 1, math.MaxInt64} {
		for _, x := range []float64{0, 1, -1, 1e300, math.SmallestNonzeroFloat64} {
			b.take(start{second: second, mono: second, s: state{x: x, y: x, d: x}})
		}
	}
	var p span
	for _, off := range []float64{0, 1e-300, 1e-9, 1, 1e9, math.MaxFloat64, math.Inf(1)} {
		p.note(off, 1000)
	}
	if w := p.within(); !(w > 0 && w < 10) {
		t.Errorf("within %g s", w)
	}
}

func TestTails(t *testing.T) {
	const deviation = 300e-9
	var x tails
	next := uint64(1)
	// A generator of our own keeps the test the same for ever.
	uniform := func() float64 {
		next = next*6364136223846793005 + 1442695040888963407
		return float64(next>>11) / (1 << 53)
	}
	normal := func() float64 { return math.Sqrt(-2*math.Log(1-uniform())) * math.Cos(2*math.Pi*uniform()) }
	var lost, kept float64
	for range 20000 {
		late := deviation * normal()
		if uniform() < 0.05 {
			late -= 4e-6 * math.Log(1-uniform())
			kept += x.clean(late, deviation*deviation)
		} else {
			lost += 1 - x.clean(late, deviation*deviation)
		}
	}
	if mean := x.late / x.share; x.share < 0.03 || x.share > 0.07 || mean < 3e-6 || mean > 6e-6 {
		t.Errorf("%.3f of the pulses are late by %.3g s, want 0.05 by 4e-6", x.share, mean)
	}
	if kept > 0.35*1000 || lost > 0.01*19000 {
		t.Errorf("weighed as if %.0f of 1000 late pulses were right, and %.0f of 19000 right ones late", kept, lost)
	}
	if p := x.clean(-1e-6, deviation*deviation); p != 1 {
		t.Errorf("an early pulse is late with probability %g", 1-p)
	}
	for _, late := range []float64{0, 1e-300, 1, 1e300} {
		for _, v := range []float64{1e-16, 1e-4, 1e-300} {
			if p := x.clean(late, v); !(p >= 0 && p <= 1) || !(x.share > 0) || !(x.late > 0) {
				t.Errorf("%g s late with a variance of %g: %g, %+v", late, v, p, x)
			}
		}
	}
}
