package monitor

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func addrs(list ...string) (a []netip.Addr) {
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

func (w *fakeWorld) setName(host string, list ...string) {
	w.mu.Lock()
	w.names[host] = addrs(list...)
	w.mu.Unlock()
}

func (w *fakeWorld) ids() (ids []string) {
	for _, r := range w.m.Results() {
		ids = append(ids, r.Target.ID+"="+r.Target.Addr.Addr().String())
	}
	return ids
}

func (w *fakeWorld) wantIDs(want string) {
	w.t.Helper()
	if got := strings.Join(w.ids(), " "); got != want {
		w.t.Errorf("targets %q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	list := []Server{at("both", "both.example"), at("four", "four.example"), at("none", "none.example"), at("z", "203.0.113.9")}
	setup := func(w *fakeWorld, _ *Config) {
		w.names["both.example"] = addrs("2001:db8::1", "::ffff:192.0.2.1", "2001:db8::2", "192.0.2.2")
		w.names["four.example"] = addrs("192.0.2.4")
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(5 * time.Second)
		w.wantIDs("both/ipv4=192.0.2.1 both/ipv6=2001:db8::1 four=192.0.2.4 none=invalid IP z=203.0.113.9")
		w.want("both/ipv4", OK)
		w.want("both/ipv6", OK)
		if r := w.want("none", NotJudged); !strings.Contains(r.Reason, "none.example: lookup") || r.Score != nil || r.Loss != nil {
			t.Errorf("%+v", r)
		}
		if r := w.result("four"); r.Target.Addr.Port() != DefaultPort || r.Target.Server.Limit != DefaultLimit {
			t.Errorf("no defaults: %+v", r.Target)
		}
		// The name that could not be resolved appears, is found, and asked.
		w.setName("none.example", "192.0.2.5")
		w.pass(60 * time.Second)
		w.want("none", OK)
		// Another first address does not matter while ours is still there; a
		// new family is added, and what we have keeps its ID.
		w.setName("four.example", "192.0.2.44", "192.0.2.4", "2001:db8::4")
		w.setName("both.example", "192.0.2.2", "2001:db8::1")
		w.pass(70 * time.Minute)
		w.wantIDs("both/ipv4=192.0.2.2 both/ipv6=2001:db8::1 four=192.0.2.4 four/ipv6=2001:db8::4 none=192.0.2.5 z=203.0.113.9")
		if n := len(w.requests("192.0.2.44")); n != 0 {
			t.Errorf("%d requests to an address that was not needed", n)
		}
		// A look-up that fails later changes nothing.
		w.setName("both.example")
		w.mu.Lock()
		delete(w.names, "both.example")
		w.mu.Unlock()
		w.pass(2 * time.Hour)
		w.want("both/ipv4", OK)
	})
}

func TestNameIsLookedUpWhenItsAddressDies(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.names["a.example"] = addrs("192.0.2.1", "2001:db8::1") }
	inWorld(t, []Server{at("a", "a.example")}, setup, func(w *fakeWorld) {
		w.pass(6 * time.Minute)
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		w.setName("a.example", "192.0.2.2", "2001:db8::1")
		w.pass(6 * time.Minute)
		w.wantIDs("a/ipv4=192.0.2.2 a/ipv6=2001:db8::1")
		w.want("a/ipv4", OK)
		// A family that is no longer found goes once it does not answer.
		w.setName("a.example", "192.0.2.2")
		w.pass(2 * time.Hour)
		w.wantIDs("a/ipv4=192.0.2.2 a/ipv6=2001:db8::1")
		w.set("2001:db8::1", fakeServer{what: OutcomeTimeout})
		w.pass(15 * time.Minute)
		w.wantIDs("a/ipv4=192.0.2.2")
	})
}

func TestFailedLookupsBackOff(t *testing.T) {
	inWorld(t, []Server{at("a", "a.example")}, nil, func(w *fakeWorld) {
		w.pass(time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lookups < 8 || w.lookups > 16 {
			t.Errorf("%d look-ups in an hour of a name that does not exist", w.lookups)
		}
		if w.finals["a"] != w.lookups {
			t.Errorf("%d results put for %d look-ups", w.finals["a"], w.lookups)
		}
	})
}

func TestRefusedAddresses(t *testing.T) {
	tests := []struct{ host, reason string }{
		{"224.0.1.1", "multicast"}, {"ff02::101", "multicast"}, {"0.0.0.0", "not an address"}, {"::", "not an address"},
		{"255.255.255.255", "broadcast"}, {"::ffff:255.255.255.255", "broadcast"}, {"0.1.2.3", "reserved"},
		{"240.0.0.1", "reserved"}, {"", "0 characters"}, {strings.Repeat("a", 254), "254 characters"},
		{"multi.example", "multicast"}, {"empty.example", "no address"},
	}
	var list []Server
	for i, tt := range tests {
		list = append(list, at(string(rune('a'+i)), tt.host))
	}
	setup := func(w *fakeWorld, _ *Config) {
		w.names["multi.example"] = addrs("224.0.1.1", "0.0.0.0", "ff02::101", "239.1.1.1", "224.0.0.1")
		w.names["empty.example"] = []netip.Addr{}
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(time.Minute)
		for i, tt := range tests {
			if r := w.want(list[i].Name, NotJudged); !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%s: %q, want %q", tt.host, r.Reason, tt.reason)
			}
		}
		if n := len(w.requests("")); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
	for _, good := range []string{"127.0.0.1", "::1", "10.1.2.3", "fe80::1%eth0", "192.0.2.1", "2001:db8::1"} {
		if why := (Server{}).refuses(netip.MustParseAddr(good)); why != "" {
			t.Errorf("%s refused: %s", good, why)
		}
	}
}

func TestAssignmentsChange(t *testing.T) {
	inWorld(t, []Server{at("a", "192.0.2.1"), at("b", "192.0.2.2")}, nil, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		score := *w.result("a").Score
		before := len(w.requests("192.0.2.1"))
		wide := at("a", "192.0.2.1")
		wide.Limit, wide.Interval = 0.5, 32*time.Second
		w.assign(wide, at("c", "192.0.2.3"), at("c", "192.0.2.4"))
		w.pass(20 * time.Second)
		w.wantIDs("a=192.0.2.1 c=192.0.2.3")
		w.want("c", OK)
		if r := w.result("a"); *r.Score < score || r.Target.Server.Limit != 0.5 {
			t.Errorf("a was restarted: score %v, was %v, limit %v", *r.Score, score, r.Target.Server.Limit)
		}
		if n := len(w.requests("192.0.2.1")) - before; n > 1 {
			t.Errorf("%d requests to a server that did not change", n)
		}
		b := len(w.requests("192.0.2.2"))
		w.pass(10 * time.Minute)
		if n := len(w.requests("192.0.2.2")) - b; n != 0 {
			t.Errorf("%d requests to a server that was taken away", n)
		}
		if n := len(w.requests("192.0.2.1")) - before; n < 17 || n > 24 {
			t.Errorf("%d requests in ten minutes at the new interval of 32 s", n)
		}
		w.assign()
		w.pass(time.Hour)
		w.wantIDs("")
		w.stop()
		w.pass(time.Second)
		if len(w.m.paces) != 0 || len(w.m.ids) != 0 || len(w.m.due) != 0 || left(w.m.side) || len(w.m.denials) != 0 {
			t.Errorf("left behind: %d paces, %d ids, %d due, %+v", len(w.m.paces), len(w.m.ids), len(w.m.due), w.m.side)
		}
	})
}

// left says whether a target is still counted somewhere.
func left(s station) bool {
	for _, t := range s.tally {
		if t.targets != 0 || t.answering != 0 {
			return true
		}
	}
	return len(s.suspects) != 0
}

func TestUnresolvedServerChanges(t *testing.T) {
	inWorld(t, []Server{at("a", "a.example"), at("m", "224.0.1.1")}, nil, func(w *fakeWorld) {
		w.pass(time.Minute)
		a := at("a", "a.example")
		a.Limit = 0.1
		w.assign(a, at("m", "224.0.1.1"))
		w.pass(2 * time.Second)
		if r := w.result("a"); r.Target.Server.Limit != 0.1 || !strings.Contains(r.Reason, "no such host") {
			t.Errorf("%+v", r)
		}
		w.want("m", NotJudged)
		w.assign(at("a", "b.example"))
		w.setName("b.example", "192.0.2.7")
		w.pass(4 * time.Second)
		w.wantIDs("a=192.0.2.7")
		w.want("a", OK)
	})
}

// A list that changes without end neither stops the exchanges nor the loop.
func TestRestlessAssignments(t *testing.T) {
	inWorld(t, []Server{at("a", "192.0.2.1")}, nil, func(w *fakeWorld) {
		for range 1000 {
			w.assign(at("a", "192.0.2.1"))
			w.pass(10 * time.Millisecond)
		}
		w.want("a", OK)
		if n := len(w.requests("")); n != 4 {
			t.Errorf("%d requests, want the burst of 4", n)
		}
		if w.m.Progress() < 9 {
			t.Errorf("progress %d", w.m.Progress())
		}
	})
}

func TestTakenAwayInFlight(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.byAddr["192.0.2.1"] = fakeServer{hangs: true} }
	inWorld(t, []Server{at("a", "192.0.2.1")}, setup, func(w *fakeWorld) {
		w.pass(4 * time.Second)
		w.assign()
		w.pass(time.Minute)
		w.wantIDs("")
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.sent) != 1 || len(w.history) != 0 {
			t.Errorf("%d requests, %d results", len(w.sent), len(w.history))
		}
	})
}
