package monitor

import (
	"strings"
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
					if r.Reason != nothingAnswers || *r.Loss != 0 || *r.Score < *was.Score || r.Provisional {
						t.Errorf("%s: %q loss %v score %v (was %v)", id, r.Reason, *r.Loss, *r.Score, *was.Score)
					}
				}
				w.pass(5 * time.Minute)
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
		w.pass(5 * time.Minute)
		w.want("c", OK)
		for _, id := range []string{"a", "b", "d"} {
			if r := w.want(id, Unreachable); *r.Loss == 0 || r.Provisional {
				t.Errorf("%s: loss %v provisional %v", id, *r.Loss, r.Provisional)
			}
		}
		// The three dead ones are no longer expected to answer; the last one
		// falling silent is then judged for itself.
		w.set("192.0.2.3", fakeServer{what: OutcomeTimeout})
		w.pass(5 * time.Minute)
		w.want("c", Unreachable)
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
			if r := w.want(id, NotJudged); r.Reason != nothingAnswers {
				t.Errorf("%s: %q", id, r.Reason)
			}
		}
		w.set("192.0.2.1", fakeServer{})
		w.pass(5 * time.Minute)
		w.want("a", OK)
		w.want("b", Unreachable)
	})
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
			if r := w.want(id, NotJudged); r.Reason != nothingAnswers || *r.Loss != 0 {
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
