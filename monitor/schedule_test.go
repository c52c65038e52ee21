package monitor

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// gaps are the times between requests.
func gaps(list []request) (d []time.Duration) {
	for i := 1; i < len(list); i++ {
		d = append(d, list[i].at-list[i-1].at)
	}
	return d
}

func TestFloors(t *testing.T) {
	fast := func(name, host string) Server { return Server{Name: name, Host: host, Interval: time.Second} }
	list := []Server{fast("pub", "192.0.2.1"), fast("twice", "192.0.2.1"), fast("lan", "10.0.0.1"), fast("lo", "::1")}
	inWorld(t, list, nil, func(w *fakeWorld) {
		w.pass(time.Hour)
		pub, lan := w.requests("192.0.2.1"), w.requests("10.0.0.1")
		if n := len(pub); n > 3600/16+creditPackets+1 || n < 3600/18 {
			t.Errorf("%d requests in an hour to a public address with two names", n)
		}
		if n := len(lan); n < 1500 || n > 1800 {
			t.Errorf("%d requests in an hour to a private address", n)
		}
		ids := map[string]int{}
		for _, r := range pub {
			ids[r.id]++
		}
		if ids["pub"] < 60 || ids["twice"] < 60 {
			t.Errorf("one name starves the other: %v", ids)
		}
		for _, list := range [][]request{pub, lan, w.requests("::1")} {
			for _, g := range gaps(list) {
				if g < minGap {
					t.Fatalf("%s between packets to %s", g, list[0].addr)
				}
			}
		}
	})
}

// Assigning and taking away a server again and again gains nothing.
func TestFloorSurvivesReassignment(t *testing.T) {
	inWorld(t, nil, nil, func(w *fakeWorld) {
		for i := range 300 {
			w.assign(at(fmt.Sprint("n", i), "192.0.2.1"))
			w.pass(2 * time.Second)
		}
		if n := len(w.requests("")); n > 600/16+creditPackets+1 || n < 20 {
			t.Errorf("%d requests in ten minutes", n)
		}
	})
}

func TestGlobalRateAndWorkers(t *testing.T) {
	var list []Server
	for i := range 300 {
		list = append(list, Server{Name: fmt.Sprint(i), Host: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Interval: 5 * time.Second})
	}
	inWorld(t, list, func(w *fakeWorld, _ *Config) {
		for i := range 300 {
			w.byAddr[list[i].Host] = fakeServer{what: OutcomeTimeout}
		}
	}, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		sent := w.requests("")
		if n := len(sent); n > 600*DefaultRate+globalBurst || n < 550*maxWorkers/3 && n < 550*DefaultRate {
			t.Errorf("%d requests in ten minutes", n)
		}
		for i := range sent {
			if j := i + DefaultRate + globalBurst; j < len(sent) && sent[j].at-sent[i].at < time.Second {
				t.Fatalf("%d requests within a second", DefaultRate+globalBurst+1)
			}
		}
		counts := map[string]int{}
		for _, r := range sent {
			counts[r.id]++
		}
		for id, n := range counts {
			if n < 10 {
				t.Errorf("server %s was asked %d times only", id, n)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(counts) != 300 || w.mostUp > maxWorkers {
			t.Errorf("%d servers asked, %d at once", len(counts), w.mostUp)
		}
	})
}

func TestRateKissIsObeyed(t *testing.T) {
	inWorld(t, []Server{at("a", "192.0.2.1")}, nil, func(w *fakeWorld) {
		w.pass(30 * time.Second)
		w.set("192.0.2.1", fakeServer{what: OutcomeRateLimited})
		w.pass(100 * time.Second)
		w.want("a", RateLimited)
		before := w.requests("")
		w.set("192.0.2.1", fakeServer{})
		w.pass(500 * time.Second)
		if n := len(w.requests("")) - len(before); n != 0 {
			t.Errorf("%d requests while four polls of 128 s should be skipped", n)
		}
		w.pass(250 * time.Second)
		w.want("a", OK)
		w.pass(2 * time.Hour)
		sent := w.requests("")[len(before):]
		var g []time.Duration
		for _, d := range gaps(sent) {
			g = append(g, d.Round(64*time.Second))
		}
		for i, d := range g[:min(len(g), 20)] {
			want := 128 * time.Second
			if i >= cleanToRecover-1 {
				want = 64 * time.Second
			}
			if d != want {
				t.Errorf("gap %d after the kiss: %s, want %s", i, d, want)
			}
		}
		w.set("192.0.2.1", fakeServer{what: OutcomeRateLimited})
		w.pass(24 * time.Hour)
		before = w.requests("")
		w.pass(24 * time.Hour)
		if n := len(w.requests("")) - len(before); n < 14 || n > 19 {
			t.Errorf("%d requests a day to a server that always says RATE, want one in 5 x 1024 s", n)
		}
	})
}

// A RATE kiss holds for the address, through whatever name it is asked; DENY
// and RATE are not forgotten because the reference comes back.
func TestKissesOutweighEverything(t *testing.T) {
	list := []Server{at("a", "192.0.2.1"), at("b", "192.0.2.1"), at("denied", "192.0.2.2"), at("right", "192.0.2.3")}
	setup := func(w *fakeWorld, _ *Config) {
		w.usable = false
		w.byAddr["192.0.2.1"] = fakeServer{what: OutcomeRateLimited}
		w.byAddr["192.0.2.2"] = fakeServer{what: OutcomeDenied}
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(30 * time.Second)
		w.setUsable(true)
		w.pass(500 * time.Second)
		if n := len(w.requests("192.0.2.1")); n != 1 {
			t.Errorf("%d requests to an address that said RATE, want 1 for both names", n)
		}
		if n := len(w.requests("192.0.2.2")); n != 1 {
			t.Errorf("%d requests to a server that said DENY", n)
		}
		w.want("right", OK)
		w.want("denied", Denied)
	})
}

// DENY and RSTR hold for the address, whatever the name, the one assigned later
// included, and are shown for each; another port is another server.
func TestDenialHoldsForEveryName(t *testing.T) {
	other := at("other", "192.0.2.2")
	other.Port = 1123
	list := []Server{at("a", "192.0.2.2"), at("b", "192.0.2.2"), at("c", "c.example"), at("right", "192.0.2.3")}
	setup := func(w *fakeWorld, _ *Config) { w.names["c.example"] = addrs("192.0.2.2") }
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(time.Hour)
		w.want("c", OK)
		was := *w.result("a").Score + *w.result("b").Score + *w.result("c").Score
		w.set("192.0.2.2", fakeServer{what: OutcomeDenied})
		w.pass(2 * time.Minute)
		before := len(w.requests("192.0.2.2"))
		told, score := 0, 0.
		for _, id := range []string{"a", "b", "c"} {
			r := w.want(id, Denied)
			if r.Provisional {
				t.Errorf("%s: provisional", id)
			}
			score += *r.Score
			if strings.Contains(r.Reason, "was told at the same address") {
				told++
				if *r.Loss != 0 {
					t.Errorf("%s: loss %v for an exchange it did not have", id, *r.Loss)
				}
			}
		}
		if n := w.m.side.tally[everywhere].answering; n != 1 {
			t.Errorf("%d are expected to answer, want 1", n)
		}
		if told != 2 || score > was-50 || score < was-71 {
			t.Errorf("%d were told of it, scores %v, were %v", told, score, was)
		}
		w.assign(append(list, at("d", "192.0.2.2"))...)
		w.pass(time.Hour)
		w.want("d", Denied)
		// Taken away and assigned again it is not asked either.
		w.assign(list[1:]...)
		w.pass(2 * time.Second)
		w.assign(list...)
		w.setUsable(false)
		w.pass(time.Minute)
		w.setUsable(true)
		w.pass(20 * time.Hour)
		if n := len(w.requests("192.0.2.2")) - before; n != 0 {
			t.Errorf("%d requests to an address that said DENY", n)
		}
		w.want("a", Denied)
		w.set("192.0.2.2", fakeServer{})
		w.pass(8 * time.Hour)
		for _, id := range []string{"a", "b", "c"} {
			w.want(id, OK)
		}
		if len(w.m.denials) != 0 {
			t.Errorf("denials kept: %v", w.m.denials)
		}
		w.set("192.0.2.2", fakeServer{what: OutcomeDenied})
		w.pass(2 * time.Minute)
		w.assign(append(list, other)...)
		w.pass(2 * time.Second)
		if r := w.result("other"); r.Verdict == Denied {
			t.Errorf("another port: %s %q", r.Verdict, r.Reason)
		}
	})
}

// Servers behind one forwarding host do not wait for each other.
func TestPortsOfALocalAddress(t *testing.T) {
	var list []Server
	for port := range uint16(8) {
		s := at(fmt.Sprint("p", port), "10.0.2.2")
		s.Port = 1123 + port
		list = append(list, s)
	}
	setup := func(w *fakeWorld, _ *Config) { w.byAddr["10.0.2.2"] = fakeServer{offset: 80 * ms} }
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(10 * time.Second)
		for _, s := range list {
			w.want(s.Name, Off)
		}
	})
}

func TestPhasesSpread(t *testing.T) {
	var bins [10]int
	for i := range 1000 {
		bins[int(phaseOf(fmt.Sprint("ntp", i))*10)]++
	}
	for i, n := range bins {
		if n < 60 || n > 140 {
			t.Errorf("bin %d holds %d of 1000 phases", i, n)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		if d := jitter(100*time.Second, rnd); d < 90*time.Second || d > 110*time.Second {
			t.Fatal(d)
		}
	}
}
