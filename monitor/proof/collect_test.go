package proof

import (
	"fmt"
	"testing"

	"github.com/truechimer/truechimer/monitor"
)

// collecting takes all there is, from a reference that is locked.
func collecting() Collector {
	return Collector{
		Wanted:    func(monitor.Target, int64) bool { return true },
		Reference: func(int64, string) (source, state string) { return "gps+pps", "locked" },
	}
}

// put gives a collector an exchange as the monitor would.
func put(t *testing.T, c *Collector, what monitor.Target, h had, verdict monitor.Verdict, first bool) []Evidence {
	t.Helper()
	e := evidence(t, what.ID, h)
	e.First = first
	return c.Put(e.Exchange, monitor.Result{Target: what, Verdict: verdict, Evidence: &e.Evidence})
}

func TestCollector(t *testing.T) {
	c := collecting()
	list := row(30)
	none := func(got []Evidence) {
		t.Helper()
		if got != nil {
			t.Errorf("a proof of %d exchanges", len(got))
		}
	}
	none(put(t, &c, target, list[0], monitor.Doubtful, true))
	none(put(t, &c, target, list[1], monitor.Doubtful, false))
	// A provisional one and a lost packet change nothing.
	none(c.Put(monitor.Exchange{Outcome: monitor.OutcomeOK}, monitor.Result{Target: target, Provisional: true}))
	none(c.Put(monitor.Exchange{Outcome: monitor.OutcomeTimeout}, monitor.Result{Target: target}))
	if got := put(t, &c, target, list[2], monitor.Off, false); len(got) != 3 || got[0].Exchange.T1 != evidence(t, "", list[0]).Exchange.T1 {
		t.Errorf("a proof of %d exchanges", len(got))
	}
	// From then on it begins anew.
	none(put(t, &c, target, list[3], monitor.Off, false))
	none(put(t, &c, target, list[4], monitor.Off, false))
	if got := put(t, &c, target, list[5], monitor.Off, false); len(got) != 3 {
		t.Errorf("a second proof of %d exchanges", len(got))
	}

	for what, between := range map[string]func(){
		"a right exchange": func() { c.Put(monitor.Exchange{Outcome: monitor.OutcomeOK}, monitor.Result{Target: target}) },
		"one that is wrong": func() {
			c.Put(monitor.Exchange{Outcome: monitor.OutcomeDenied}, monitor.Result{Target: target})
		},
		"a new row":    func() { put(t, &c, target, list[12], monitor.Doubtful, true) },
		"an older one": func() { put(t, &c, target, list[9], monitor.Doubtful, false) },
		"another limit": func() {
			other := target
			other.Server.Limit = 30 * ms
			put(t, &c, other, list[12], monitor.Doubtful, false)
		},
		"nobody wants one": func() {
			wanted := c.Wanted
			c.Wanted = func(monitor.Target, int64) bool { return false }
			put(t, &c, target, list[12], monitor.Off, false)
			c.Wanted = wanted
		},
	} {
		put(t, &c, target, list[10], monitor.Doubtful, true)
		put(t, &c, target, list[11], monitor.Doubtful, false)
		between()
		if got := put(t, &c, target, list[13], monitor.Off, false); got != nil {
			t.Errorf("%s in between: a proof of %d exchanges", what, len(got))
		}
		delete(c.trails, target.ID)
	}

	// What others may not meet is not convicted.
	cautious := target
	cautious.Caution = "behind the router"
	for i := range 5 {
		none(put(t, &c, cautious, list[i], monitor.NotJudged, i == 0))
	}
	if len(c.trails) != 0 {
		t.Error("evidence is kept of whom nobody convicts")
	}
	// A long row that is not off for long keeps what a file has room for.
	for i := range list[:20] {
		none(put(t, &c, target, list[i], monitor.Doubtful, i == 0))
	}
	if got := put(t, &c, target, list[20], monitor.Off, false); len(got) != MaxExchanges || got[MaxExchanges-1].Exchange.T1 != evidence(t, "", list[20]).Exchange.T1 {
		t.Errorf("a proof of %d exchanges", len(got))
	}
}

// TestCollectorIsBounded however many servers are off.
func TestCollectorIsBounded(t *testing.T) {
	c := collecting()
	proofs := 0
	for i := range 9 {
		for n := range 10 * maxTrails {
			each := target
			each.ID = fmt.Sprint(n)
			h := had{at: float64(60*i) + float64(n)/100, offset: .08, delay: .02, bound: 1e-5}
			verdict := monitor.Off
			if i < 2 {
				verdict = monitor.Doubtful
			}
			if put(t, &c, each, h, verdict, false) != nil {
				proofs++
			}
		}
		if len(c.trails) > maxTrails {
			t.Fatalf("%d rows", len(c.trails))
		}
	}
	if proofs < 3*maxTrails {
		t.Errorf("%d proofs", proofs)
	}
	// Rows of servers that are asked no more make room in time.
	each := target
	each.ID = "later"
	put(t, &c, each, had{at: 7200, offset: .08, delay: .02, bound: 1e-5}, monitor.Doubtful, true)
	if c.trails["later"] == nil {
		t.Errorf("%d rows of servers that are gone leave no room", len(c.trails))
	}
}
