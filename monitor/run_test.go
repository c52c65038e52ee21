package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func at(name, host string) Server { return Server{Name: name, Host: host} }

func TestStart(t *testing.T) {
	inWorld(t, []Server{at("a", "192.0.2.1")}, nil, func(w *fakeWorld) {
		if r := w.result0("a"); r.Verdict != NotJudged || r.Reason == "" {
			t.Errorf("before the first exchange: %+v", r)
		}
		w.pass(2100 * time.Millisecond)
		if r := w.want("a", OK); !r.Assured || !r.Provisional || *r.Offset != 0 {
			t.Errorf("%+v", r)
		}
		w.pass(8 * time.Second)
		sent := w.requests("")
		if len(sent) != 4 {
			t.Fatalf("%d requests in the first 10 s, want a burst of 4: %v", len(sent), sent)
		}
		for _, g := range gaps(sent) {
			if g < 2*time.Second || g > 2100*time.Millisecond {
				t.Errorf("%s between packets of the burst", g)
			}
		}
		w.pass(time.Hour)
		sent = w.requests("")[5:]
		if n := len(sent); n < 51 || n > 60 {
			t.Errorf("%d requests in an hour at 64 s", n)
		}
		spread := map[time.Duration]bool{}
		for _, g := range gaps(sent) {
			if g < 57*time.Second || g > 71*time.Second {
				t.Errorf("%s between two requests, want 64 s +-10 %%", g)
			}
			spread[g.Round(time.Second)] = true
		}
		if len(spread) < 5 {
			t.Errorf("only %d different intervals: no jitter", len(spread))
		}
		r := w.want("a", OK)
		if *r.Loss != 0 || *r.Score < 18 {
			t.Errorf("loss %v score %v", *r.Loss, *r.Score)
		}
		w.pass(time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if f, all := w.finals["a"], len(w.sent); f < all-2 || f > all {
			t.Errorf("%d final verdicts on %d exchanges", f, all)
		}
	})
}

// result0 is a result before time has passed.
func (w *fakeWorld) result0(id string) Result {
	w.t.Helper()
	w.pass(0)
	return w.result(id)
}

func TestVerdictsOfARound(t *testing.T) {
	list := []Server{
		at("ahead", "192.0.2.1"), at("right", "192.0.2.2"), at("dead", "192.0.2.3"),
		at("closed", "192.0.2.4"), at("unsync", "192.0.2.5"), at("denied", "192.0.2.6"),
		at("rate", "192.0.2.7"), at("rubbish", "192.0.2.8"), at("panics", "192.0.2.9"),
		at("stepped", "192.0.2.10"), at("right6", "2001:db8::1"),
	}
	setup := func(w *fakeWorld, _ *Config) {
		w.byAddr = map[string]fakeServer{
			"192.0.2.1": {offset: 80 * ms}, "192.0.2.3": {what: OutcomeTimeout}, "192.0.2.4": {what: OutcomeRefused},
			"192.0.2.5": {what: OutcomeUnsynchronized}, "192.0.2.6": {what: OutcomeDenied},
			"192.0.2.7": {what: OutcomeRateLimited}, "192.0.2.8": {what: OutcomeInvalid},
			"192.0.2.9": {panics: true}, "192.0.2.10": {what: OutcomeClockStepped},
		}
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(20 * time.Second)
		for id, v := range map[string]Verdict{
			"ahead": Off, "right": OK, "dead": Unreachable, "closed": Refused, "unsync": Unsynchronized, "denied": Denied,
			"rate": RateLimited, "rubbish": Invalid, "panics": NotJudged, "stepped": NotJudged, "right6": OK,
		} {
			w.want(id, v)
		}
		if r := w.result("ahead"); *r.Offset < 79*ms || *r.Offset > 81*ms || *r.Stratum != 1 {
			t.Errorf("%+v", r)
		}
		if r := w.result("panics"); !strings.Contains(r.Reason, "negative shift") || r.Loss != nil {
			t.Errorf("%+v", r)
		}
		if n := len(w.requests("192.0.2.6")); n != 1 {
			t.Errorf("%d requests to who denies", n)
		}
		var names []string
		for _, r := range w.m.Results() {
			names = append(names, r.Target.Server.Name)
		}
		if !slices.IsSorted(names) || len(names) != len(list) {
			t.Errorf("results: %v", names)
		}
		w.set("192.0.2.1", fakeServer{})
		w.set("192.0.2.3", fakeServer{})
		w.pass(80 * time.Second)
		w.want("ahead", OK)
		w.want("dead", OK)
		w.want("rate", RateLimited)
		w.pass(25*time.Hour - 100*time.Second)
		if n := len(w.requests("192.0.2.6")); n != 2 {
			t.Errorf("%d requests in 25 h to who denies, want one more after a day", n)
		}
	})
}

func TestExactlyThreeExchangesToOff(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.byAddr["192.0.2.1"] = fakeServer{offset: -80 * ms} }
	inWorld(t, []Server{at("a", "192.0.2.1")}, setup, func(w *fakeWorld) {
		for w.result0("a").Verdict != Off {
			w.pass(100 * time.Millisecond)
			if time.Since(w.start) > 10*time.Second {
				t.Fatal("not off within 10 s")
			}
		}
		if n := len(w.requests("")); n != 3 {
			t.Errorf("off after %d exchanges", n)
		}
	})
}

// A server that goes wrong long after the start is off within one interval and
// a burst, and the burst is not repeated all the time.
func TestConfirmation(t *testing.T) {
	inWorld(t, []Server{at("a", "192.0.2.1")}, nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.set("192.0.2.1", fakeServer{offset: 80 * ms})
		w.pass(71*time.Second + 5*time.Second)
		w.want("a", Off)
		// Flapping: right and wrong by turns, every two minutes.
		before := len(w.requests(""))
		for i := range 30 {
			w.set("192.0.2.1", fakeServer{offset: float64(i%2) * 80 * ms, rtt: 150 * time.Millisecond})
			w.pass(2 * time.Minute)
		}
		if n := len(w.requests("")) - before; n > 3600/57+5*4 {
			t.Errorf("%d requests in an hour to a server that flaps", n)
		}
	})
}

func TestReferenceComesLate(t *testing.T) {
	list := []Server{at("right", "192.0.2.1"), at("ahead", "192.0.2.2"), at("dead", "192.0.2.3")}
	setup := func(w *fakeWorld, _ *Config) {
		w.usable = false
		w.byAddr["192.0.2.2"] = fakeServer{offset: 80 * ms}
		w.byAddr["192.0.2.3"] = fakeServer{what: OutcomeTimeout}
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(40 * time.Second)
		if r := w.want("right", NotJudged); r.Reason != "waiting for a fix" {
			t.Errorf("reason %q", r.Reason)
		}
		w.want("ahead", NotJudged)
		w.want("dead", Unreachable)
		asked := len(w.requests("192.0.2.1"))
		w.setUsable(true)
		w.pass(10 * time.Second)
		w.want("right", OK)
		w.want("ahead", Off)
		// One more at the most, to tell whether the dead one's silence is its own.
		if n := len(w.requests("192.0.2.1")) - asked; n < burstPackets || n > burstPackets+1 {
			t.Errorf("%d requests once the reference is there, want a burst of %d", n, burstPackets)
		}
		w.pass(time.Minute)
		w.setUsable(false)
		w.pass(80 * time.Second)
		w.want("right", NotJudged)
		w.want("ahead", NotJudged)
		w.setUsable(true)
		w.pass(10 * time.Second)
		w.want("right", OK)
		w.want("ahead", Off)
		// A reference that comes and goes must not become a flood.
		before := len(w.requests("192.0.2.1"))
		for i := range 300 {
			w.setUsable(i%2 == 1)
			w.pass(2 * time.Second)
		}
		if n := len(w.requests("192.0.2.1")) - before; n > 600/16+creditPackets+1 {
			t.Errorf("%d requests in ten minutes with a flapping reference", n)
		}
	})
}

// What was seen while the clock stood in the year 2000 is not shown as of then
// once the time is known, be it long until the next exchange.
func TestYear2000IsNotShown(t *testing.T) {
	list := []Server{at("right", "192.0.2.1"), at("denied", "192.0.2.2"), at("unsync", "192.0.2.3")}
	setup := func(w *fakeWorld, _ *Config) {
		w.dark = true
		w.byAddr["192.0.2.2"] = fakeServer{what: OutcomeDenied}
		w.byAddr["192.0.2.3"] = fakeServer{what: OutcomeUnsynchronized}
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(20 * time.Second)
		var asked []time.Time
		for _, s := range list {
			r := w.result(s.Name)
			if r.Last.Year() != 2000 {
				t.Errorf("%s: %v", s.Name, r.Last)
			}
			asked = append(asked, r.Last)
		}
		w.mu.Lock()
		w.dark, w.usable = false, false
		w.mu.Unlock()
		w.pass(1100 * time.Millisecond)
		for i, s := range list {
			if got, want := w.result(s.Name).Last, asked[i].Add(time.Duration(epoch-year2000)); !got.Equal(want) {
				t.Errorf("%s: %v, want %v", s.Name, got, want)
			}
		}
	})
}

func TestProgress(t *testing.T) {
	inWorld(t, nil, nil, func(w *fakeWorld) {
		last := w.m.Progress()
		for range 10 {
			w.pass(1100 * time.Millisecond)
			if now := w.m.Progress(); now <= last {
				t.Fatal("no progress without servers")
			} else {
				last = now
			}
		}
	})
}

// stuckProber breaks the contract: it returns only when the test is over.
type stuckProber struct{ end chan struct{} }

func (p stuckProber) Probe(context.Context, Target) Exchange { <-p.end; return Exchange{} }

func TestNoProgressWhenAllWorkersAreStuck(t *testing.T) {
	end := make(chan struct{})
	var list []Server
	for i := range 2 * maxWorkers {
		list = append(list, at(fmt.Sprint(i), fmt.Sprintf("10.0.0.%d", i+1)))
	}
	inWorld(t, list, func(w *fakeWorld, c *Config) { end = make(chan struct{}); c.Prober = stuckProber{end} }, func(w *fakeWorld) {
		w.pass(30 * time.Second)
		before := w.m.Progress()
		w.pass(2 * time.Minute)
		stuck := w.m.Progress()
		w.pass(time.Minute)
		if before == 0 || w.m.Progress() != stuck {
			t.Errorf("progress %d, %d, %d", before, stuck, w.m.Progress())
		}
		close(end)
	})
}

func TestNew(t *testing.T) {
	w := &fakeWorld{}
	for _, c := range []Config{
		{Prober: w, Assignments: w}, {Clock: w, Assignments: w}, {Clock: w, Prober: w},
		{Clock: w, Prober: w, Assignments: w, Rate: -1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
	if m, err := New(Config{Clock: w, Prober: w, Assignments: w}); err != nil || len(m.Results()) != 0 {
		t.Errorf("%v", err)
	}
}
