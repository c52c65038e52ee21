package monitor

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// While its own side is down, and for a while after, silence is the station's,
// be there nobody else to tell; and it is told why.
func TestOwnSideDown(t *testing.T) {
	down := ""
	setup := func(w *fakeWorld, c *Config) {
		c.Host = func() Host { w.mu.Lock(); defer w.mu.Unlock(); return Host{Internet4: down} }
	}
	tell := func(w *fakeWorld, why string) { w.mu.Lock(); down = why; w.mu.Unlock() }
	list := []Server{at("far", "192.0.2.1"), at("near", "10.0.0.1")}
	list[0].Interval = floorPublic
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		tell(w, "the router does not answer")
		w.pass(30 * time.Minute)
		if r := w.want("far", NotJudged); !strings.Contains(r.Reason, "own side was down: the router does not answer") || *r.Loss != 0 {
			t.Errorf("%q, loss %v", r.Reason, *r.Loss)
		}
		w.want("near", OK)
		tell(w, "")
		w.pass(settling - 2*time.Second) // a request that began by then
		if r := w.want("far", NotJudged); *r.Loss != 0 {
			t.Errorf("%q, loss %v", r.Reason, *r.Loss)
		}
		w.pass(6 * time.Minute)
		w.want("far", Unreachable)
		// Whoever answers shows that all is well again, so the rest counts at once.
		w.set("192.0.2.1", fakeServer{})
		w.pass(5 * time.Minute)
		w.want("far", OK)
		tell(w, "the router does not answer")
		w.pass(5 * time.Minute)
		tell(w, "")
		w.pass(10 * time.Second)
		was := *w.want("far", OK).Loss
		w.pass(17 * time.Second)
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		w.pass(settling - 10*time.Second)
		if r := w.want("far", OK); *r.Loss <= was {
			t.Errorf("loss %v, was %v", *r.Loss, was)
		}
		w.pass(6 * time.Minute)
		w.want("far", Unreachable)
		// What was proven is not forgotten by the next time.
		tell(w, "the router does not answer")
		w.pass(5 * time.Minute)
		w.want("far", NotJudged)
		tell(w, "")
		w.pass(5 * time.Minute)
		w.want("far", Unreachable)
		w.set("192.0.2.1", fakeServer{})
		w.pass(5 * time.Minute)
		w.want("far", OK)
	})
}

// A timeout during which the station itself did not get to run is void.
func TestStarved(t *testing.T) {
	gap := time.Duration(0)
	setup := func(w *fakeWorld, c *Config) {
		c.Host = func() Host { // within the loop, which does not come to its turn meanwhile
			w.mu.Lock()
			d := gap
			w.mu.Unlock()
			time.Sleep(d)
			return Host{}
		}
	}
	starve := func(w *fakeWorld, d time.Duration) { w.mu.Lock(); gap = d; w.mu.Unlock() }
	inWorld(t, []Server{at("a", "192.0.2.1")}, setup, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		starve(w, 2*time.Second)
		w.pass(5 * time.Minute)
		w.want("a", OK) // what came is none the worse
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		w.pass(20 * time.Minute)
		if r := w.want("a", NotJudged); !strings.Contains(r.Reason, "starved of CPU for 2 s") || *r.Loss != 0 {
			t.Errorf("%q, loss %v", r.Reason, *r.Loss)
		}
		starve(w, 200*time.Millisecond)
		w.pass(6 * time.Minute)
		w.want("a", Unreachable)
	})
}

// The more the station's own link loses, the more failures in a row it takes,
// and by a young loss as by a rare one.
func TestFailuresNeeded(t *testing.T) {
	after := func(before int, share float64, n int) int {
		rnd := rand.New(rand.NewPCG(1, 2))
		l, run := losses{}, 0
		for range before {
			l.reply(0)
		}
		for range n {
			if rnd.Float64() < share {
				run++
				continue
			}
			l.reply(run)
			run = 0
		}
		return l.needed()
	}
	for _, c := range []struct {
		before      int
		share       float64
		n           int
		least, most int
	}{
		{0, 0, 0, 3, 3},
		{5000, 0, 0, 3, 3},
		{0, 0.01, 10_000, 5, 10},
		{0, 0.1, 10_000, 9, 14},
		{0, 0.5, 10_000, 30, 45},
		{0, 0.9, 10_000, 190, failuresMost},
		{5000, 0.5, 100, 15, 50}, // young
		{5000, 0.5, 10, 6, 50},
		{0, 0.0005, 100_000, 3, 5},
	} {
		if got := after(c.before, c.share, c.n); got < c.least || got > c.most {
			t.Errorf("%d without loss, then %d with %v: %d failures in a row, want %d to %d", c.before, c.n, c.share, got, c.least, c.most)
		}
	}
	var l losses
	l.reply(1 << 30)
	if l.needed() > failuresMost {
		t.Error("no bound")
	}
}

// Whoever was not heard is asked at another phase, as far as an interval goes.
func TestPhaseAfterLoss(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var bins [10]int
	for _, h := range []happened{{outcome: OutcomeTimeout}, {outcome: OutcomeOK, lossy: true}} {
		for range 1000 {
			now := time.Now()
			p := plan{asked: DefaultInterval, interval: DefaultInterval, burstAt: now}
			p.after(now, h, rnd)
			share := float64(p.due.Sub(now))/float64(DefaultInterval) - 0.5
			if share < 0 || share >= 1 {
				t.Fatalf("%v after a loss", p.due.Sub(now))
			}
			bins[int(share*10)]++
		}
	}
	for i, n := range bins {
		if n < 140 || n > 260 {
			t.Errorf("bin %d holds %d of 2000", i, n)
		}
	}
}
