package monitor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever the dead servers, the intervals and the way an outage of the
// station's own takes: nobody alive is convicted, and who is dead is so for
// good once others answer.
func TestOwnOutageConvictsNobody(t *testing.T) {
	const hosts = 12
	for seed := range uint64(16) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var list []Server
		dead := map[string]bool{}
		for i := range hosts {
			host := []string{"192.0.2.%d", "2001:db8::%d", "10.0.0.%d"}[i%3]
			s := at(fmt.Sprint("s", i), fmt.Sprintf(host, i+1))
			s.Interval = time.Duration(4<<rnd.IntN(8)) * time.Second
			list = append(list, s)
			// One of each kind stays alive, so that there is somebody to tell.
			dead[s.Name] = i >= 3 && rnd.IntN(3) == 0
		}
		setup := func(w *fakeWorld, _ *Config) {
			for _, s := range list {
				if dead[s.Name] {
					w.byAddr[s.Host] = fakeServer{what: OutcomeTimeout}
				}
			}
		}
		inWorld(t, list, setup, func(w *fakeWorld) {
			if rnd.IntN(4) > 0 {
				w.pass(time.Duration(rnd.IntN(1800)) * time.Second)
			} // else the station starts without a network
			way := way(rnd.IntN(int(numWays)))
			cut := func(o Outcome) {
				for _, s := range list {
					ways := waysTo(netip.MustParseAddr(s.Host))
					if !dead[s.Name] && slices.Contains(ways[:], way) {
						w.set(s.Host, fakeServer{what: o})
					}
				}
			}
			cut([]Outcome{OutcomeTimeout, OutcomeUnreachable}[rnd.IntN(2)])
			w.pass(time.Duration(math.Exp(rnd.Float64()*9)) * time.Second)
			cut(OutcomeOK)
			w.pass(90 * time.Minute)
			for _, s := range list {
				want := OK
				if dead[s.Name] {
					want = Unreachable
				}
				w.want(s.Name, want)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range w.history {
				if r.Verdict == Unreachable && !dead[r.Target.ID] {
					t.Fatalf("seed %d: %s was convicted: %q", seed, r.Target.ID, r.Reason)
				}
			}
		})
	}
}

// A station that cannot send retries soon, bothers nobody, and judges nobody.
func TestCannotSend(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.setAll(fakeServer{what: OutcomeSendError}) }
	inWorld(t, four(), setup, func(w *fakeWorld) {
		w.pass(2 * time.Minute)
		for _, id := range []string{"a", "b", "c", "d"} {
			if r := w.want(id, NotJudged); !strings.Contains(r.Reason, "could not send") || r.Loss != nil {
				t.Errorf("%s: %+v", id, r)
			}
		}
		w.setAll(fakeServer{offset: 80 * ms})
		w.pass(12 * time.Second)
		for _, id := range []string{"a", "b", "c", "d"} {
			w.want(id, Off)
		}
	})
}

// Some requests cannot be sent, the others are not answered: one dead link.
func TestSilentAndCannotSend(t *testing.T) {
	inWorld(t, four(), nil, func(w *fakeWorld) {
		w.pass(20 * time.Minute)
		w.setAll(fakeServer{what: OutcomeTimeout})
		w.set("192.0.2.2", fakeServer{what: OutcomeSendError})
		w.pass(5 * time.Minute)
		for _, id := range []string{"a", "c", "d"} {
			if r := w.want(id, NotJudged); r.Reason != internet4.cutOff() || *r.Loss != 0 {
				t.Errorf("%s: %q loss %v", id, r.Reason, *r.Loss)
			}
		}
		w.want("b", NotJudged)
	})
}

// Losses of single servers stay theirs although others answer in between.
func TestLossIsCountedOnce(t *testing.T) {
	inWorld(t, four(), nil, func(w *fakeWorld) {
		w.pass(2 * time.Hour)
		w.set("192.0.2.1", fakeServer{what: OutcomeTimeout})
		before := len(w.requests("192.0.2.1"))
		w.pass(128 * time.Second)
		lost := len(w.requests("192.0.2.1")) - before
		w.set("192.0.2.1", fakeServer{})
		w.pass(3 * time.Minute)
		r := w.want("a", OK)
		if want := float64(lost) / 100; *r.Loss != want || lost == 0 {
			t.Errorf("loss %v, want %v", *r.Loss, want)
		}
	})
}

// Where others are asked rarely they are called to tell whose fault a silence
// is, neither oftener than it takes nor who has asked to be left in peace.
func TestWitnesses(t *testing.T) {
	list := []Server{at("dies", "10.0.0.1"), at("w1", "10.0.0.2"), at("w2", "10.0.0.3"), at("rate", "10.0.0.4")}
	for i, d := range []time.Duration{8 * time.Second, time.Hour, time.Hour, 8 * time.Minute} {
		list[i].Interval = d
	}
	inWorld(t, list, func(w *fakeWorld, _ *Config) { w.byAddr["10.0.0.4"] = fakeServer{what: OutcomeRateLimited} }, func(w *fakeWorld) {
		w.pass(time.Minute)
		w.set("10.0.0.4", fakeServer{})
		w.pass(100 * time.Minute)
		w.want("rate", OK)
		count := func() (n [4]int) {
			for i, s := range list {
				n[i] = len(w.requests(s.Host))
			}
			return n
		}
		before := count()
		w.set("10.0.0.1", fakeServer{what: OutcomeTimeout})
		for w.result0("dies").Verdict != Unreachable {
			w.pass(100 * time.Millisecond)
			if time.Since(w.start) > 10*time.Hour {
				t.Fatal("never unreachable")
			}
		}
		after := count()
		called := after[1] + after[2] - before[1] - before[2]
		if after[0]-before[0] != 3 || called != 3 || after[3] != before[3] {
			t.Errorf("requests %v, before %v: want 3 to who dies, 3 to the witnesses, none to who said RATE", after, before)
		}
		w.pass(30 * time.Minute)
		if last := count(); last[1]+last[2]-after[1]-after[2] > 2 {
			t.Errorf("requests %v, were %v: witnesses are called for what is known", last, after)
		}
	})
}
