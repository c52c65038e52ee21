package monitor

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func four() []Server {
	return []Server{at("a", "192.0.2.1"), at("b", "192.0.2.2"), at("c", "192.0.2.3"), at("d", "192.0.2.4")}
}

func (w *fakeWorld) setAll(s fakeServer) {
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"} {
		w.set(a, s)
	}
}

// When everything falls silent at once it is the station: nobody is
// unreachable, and neither score nor loss suffers.
func TestEverythingSilent(t *testing.T) {
	for _, what := range []Outcome{OutcomeTimeout, OutcomeUnreachable} {
		inWorld(t, four(), nil, func(w *fakeWorld) {
			w.pass(20 * time.Minute)
			was := w.want("a", OK)
			w.setAll(fakeServer{what: what})
			w.pass(80 * time.Second)
			for range 10 {
				for _, id := range []string{"a", "b", "c", "d"} {
					r := w.want(id, NotJudged)
					if r.Reason != internet4.cutOff() || *r.Loss != 0 || *r.Score < *was.Score || r.Provisional {
						t.Errorf("%s: %q loss %v score %v (was %v)", id, r.Reason, *r.Loss, *r.Score, *was.Score)
					}
				}
				w.pass(5 * time.Minute)
			}
			// Nobody is asked more often for it.
			if n := len(w.requests("192.0.2.1")); n > (20+52)*60/57+2*burstPackets {
				t.Errorf("%d requests to one server in 71 minutes", n)
			}
			w.setAll(fakeServer{})
			w.pass(80 * time.Second)
			for _, id := range []string{"a", "b", "c", "d"} {
				w.want(id, OK)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range w.history {
				if r.Verdict == Unreachable {
					t.Fatalf("%s was called unreachable", r.Target.ID)
				}
			}
		})
	}
}

// One that still answers shows that the network works: the others are to blame.
func TestOneStillAnswers(t *testing.T) {
	inWorld(t, four(), nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.set("192.0.2.3", fakeServer{})
		w.pass(6 * time.Minute)
		w.want("c", OK)
		for _, id := range []string{"a", "b", "d"} {
			if r := w.want(id, Unreachable); *r.Loss == 0 {
				t.Errorf("%s: loss %v", id, *r.Loss)
			}
		}
		if n := w.m.side.tally[internet4].answering; n != 1 {
			t.Errorf("%d are expected to answer, want 1", n)
		}
		// When the last one falls silent as well nobody is left to tell whose
		// fault that is.
		was := w.want("c", OK)
		w.set("192.0.2.3", fakeServer{what: OutcomeTimeout})
		w.pass(10 * time.Minute)
		for _, id := range []string{"a", "b", "c", "d"} {
			if r := w.want(id, NotJudged); r.Reason != internet4.cutOff() {
				t.Errorf("%s: %q", id, r.Reason)
			}
		}
		if r := w.result("c"); *r.Loss != *was.Loss {
			t.Errorf("loss %v, was %v", *r.Loss, *was.Loss)
		}
		w.set("192.0.2.2", fakeServer{})
		w.pass(6 * time.Minute)
		for id, v := range map[string]Verdict{"a": Unreachable, "b": OK, "c": Unreachable, "d": Unreachable} {
			w.want(id, v)
		}
	})
}

// Single losses of the only server that answers are no blackout: they are its.
func TestLossesOfTheLastOne(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) {
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.set("192.0.2.3", fakeServer{})
	}
	inWorld(t, four(), setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		for i := range 20 {
			w.set("192.0.2.3", fakeServer{what: []Outcome{OutcomeTimeout, OutcomeOK}[i%2]})
			w.pass(75 * time.Second)
			w.want("c", OK)
		}
		if r := w.result("c"); *r.Loss < 0.2 {
			t.Errorf("loss %v", *r.Loss)
		}
	})
}

func TestTwoServersAreTooFewToSuspectTheStation(t *testing.T) {
	inWorld(t, four()[:2], nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.pass(5 * time.Minute)
		w.want("a", Unreachable)
		w.want("b", Unreachable)
	})
}

// Before anything has ever answered nobody is called unreachable, if there are
// enough servers to suspect the station.
func TestNothingHasEverAnswered(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.setAll(fakeServer{what: OutcomeTimeout}) }
	inWorld(t, four(), setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		for _, id := range []string{"a", "b", "c", "d"} {
			if r := w.want(id, NotJudged); r.Reason != internet4.cutOff() {
				t.Errorf("%s: %q", id, r.Reason)
			}
		}
		w.set("192.0.2.1", fakeServer{})
		w.pass(5 * time.Minute)
		w.want("a", OK)
		for _, id := range []string{"b", "c", "d"} {
			w.want(id, Unreachable)
		}
	})
}

// A single server that never answered may be dead, or the station may never
// have been on the network.
func TestNothingEverAnsweredOneServer(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.setAll(fakeServer{what: OutcomeTimeout}) }
	inWorld(t, four()[:1], setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		if r := w.want("a", NotJudged); r.Reason != internet4.cutOff() || r.Loss != nil || r.Score != nil {
			t.Errorf("%+v", r)
		}
		w.set("192.0.2.1", fakeServer{})
		w.pass(2 * time.Minute)
		w.want("a", OK)
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		w.pass(5 * time.Minute)
		w.want("a", Unreachable)
	})
}

// The station's own IPv6 never worked, or the uplink is gone while the local
// network goes on: neither is held against those behind it.
func TestOneWayCutOff(t *testing.T) {
	list := []Server{
		at("v4", "192.0.2.1"), at("v6", "2001:db8::1"),
		at("lan1", "10.0.0.1"), at("lan2", "10.0.0.2"), at("lan3", "10.0.0.3"),
		at("up1", "192.0.2.2"), at("up2", "192.0.2.3"),
	}
	setup := func(w *fakeWorld, _ *Config) { w.byAddr["2001:db8::1"] = fakeServer{what: OutcomeTimeout} }
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		w.want("v4", OK)
		if r := w.want("v6", NotJudged); r.Reason != internet6.cutOff() || r.Loss != nil {
			t.Errorf("%+v", r)
		}
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.pass(10 * time.Minute)
		for _, id := range []string{"v4", "up1", "up2"} {
			if r := w.want(id, NotJudged); r.Reason != internet4.cutOff() || *r.Loss != 0 {
				t.Errorf("%s: %q loss %v", id, r.Reason, *r.Loss)
			}
		}
		w.want("lan1", OK)
		// A local server's own fault is seen all the same.
		w.set("10.0.0.1", fakeServer{what: OutcomeTimeout})
		w.pass(6 * time.Minute)
		w.want("lan1", Unreachable)
		// Back, and IPv6 works for the first time.
		w.setAll(fakeServer{})
		w.set("2001:db8::1", fakeServer{})
		w.pass(2 * time.Minute)
		for _, id := range []string{"v4", "v6", "up1", "up2"} {
			w.want(id, OK)
		}
	})
}

// Servers that answer with a wrong origin every time are invalid, be they alone.
func TestOnlyStrays(t *testing.T) {
	for _, n := range []int{1, 4} {
		setup := func(w *fakeWorld, _ *Config) { w.setAll(fakeServer{what: OutcomeStray}) }
		inWorld(t, four()[:n], setup, func(w *fakeWorld) {
			w.pass(time.Minute)
			for _, s := range four()[:n] {
				if r := w.want(s.Name, Invalid); r.Provisional || *r.Loss != 1 {
					t.Errorf("%s: provisional %v loss %v", s.Name, r.Provisional, *r.Loss)
				}
			}
		})
	}
}

// Two over IPv4 and two over IPv6 are four that fall silent together.
func TestWidestWay(t *testing.T) {
	list := []Server{at("a", "192.0.2.1"), at("b", "192.0.2.2"), at("c", "2001:db8::1"), at("d", "10.0.0.1")}
	inWorld(t, list, nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		for _, s := range list {
			w.set(s.Host, fakeServer{what: OutcomeTimeout})
		}
		w.pass(10 * time.Minute)
		for id, way := range map[string]way{"a": internet, "b": internet, "c": internet, "d": everywhere} {
			if r := w.want(id, NotJudged); r.Reason != way.cutOff() || *r.Loss != 0 {
				t.Errorf("%s: %q loss %v", id, r.Reason, *r.Loss)
			}
		}
	})
}

// One packet that answers nothing does not show that the network works.
func TestStrayIsNoWitness(t *testing.T) {
	inWorld(t, four(), nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.set("192.0.2.1", fakeServer{what: OutcomeStray})
		w.pass(75 * time.Second)
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.pass(5 * time.Minute)
		for _, id := range []string{"a", "b", "c", "d"} {
			if r := w.want(id, NotJudged); *r.Loss != 0 {
				t.Errorf("%s: loss %v", id, *r.Loss)
			}
		}
	})
}

// Whoever takes servers away while nothing answers convicts nobody thereby.
func TestServersTakenAwayInBlackout(t *testing.T) {
	s := station{suspects: map[*target]int{}}
	var list []*target
	var said []string
	decide := func(u *target, void string) { said = append(said, fmt.Sprint(slices.Index(list, u), void)) }
	for range 3 {
		u := &target{judge: *newJudge(Target{}), ways: waysTo(netip.MustParseAddr("192.0.2.1"))}
		list = append(list, u)
		s.joined(u)
		s.heard(u, OutcomeOK, decide)
	}
	s.heard(list[0], OutcomeTimeout, decide)
	if said != nil {
		t.Fatalf("said %q of one loss", said)
	}
	s.left(list[2], decide)
	s.left(list[1], decide)
	if want := []string{"0" + undecided}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
