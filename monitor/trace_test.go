package monitor

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeTracer looks at paths in virtual time.
type fakeTracer struct {
	w      *fakeWorld
	takes  time.Duration
	path   Path
	panics bool
	hangs  bool // until its context ends

	mu     sync.Mutex
	begun  []request
	flying int
	mostUp int
}

func (f *fakeTracer) Trace(ctx context.Context, t Target) Path {
	f.mu.Lock()
	f.begun = append(f.begun, request{time.Since(f.w.start), t.ID, t.Addr.Addr()})
	f.flying++
	f.mostUp = max(f.mostUp, f.flying)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.flying--
		f.mu.Unlock()
	}()
	if f.panics {
		panic("no hops")
	}
	wait := time.After(f.takes)
	if f.hangs {
		wait = nil
	}
	select {
	case <-wait:
	case <-ctx.Done():
		return Path{End: PathUnavailable, Detail: ctx.Err().Error()}
	}
	return f.path
}

func (f *fakeTracer) traces() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.begun...)
}

// tracedWorld is inWorld with a tracer that finds a cut behind two hops in 3 s.
func tracedWorld(t *testing.T, list []Server, f func(w *fakeWorld, tr *fakeTracer)) {
	t.Helper()
	tr := &fakeTracer{takes: 3 * time.Second, path: Path{End: PathSilent, Hops: hopsOf("192.168.1.1", "192.0.2.254", "", ""), Packets: 9, Passed: 7}}
	inWorld(t, list, func(w *fakeWorld, c *Config) { tr.w, c.Tracer = w, tr }, func(w *fakeWorld) { f(w, tr) })
}

// losses lets an address be silent for n requests and then be as it was.
func (w *fakeWorld) losses(addr string, n int, o Outcome) {
	w.t.Helper()
	w.set(addr, fakeServer{what: o})
	for have := len(w.requests(addr)); len(w.requests(addr)) < have+n; {
		w.pass(time.Second)
	}
	w.pass(4 * time.Second) // that the last one is waited for
}

func TestTraceAfterTwoLosses(t *testing.T) {
	for _, tt := range []struct {
		first  Outcome // at the start
		lost   Outcome
		n      int
		traces int
	}{
		{OutcomeOK, OutcomeTimeout, 1, 0},
		{OutcomeOK, OutcomeTimeout, 2, 1},
		{OutcomeOK, OutcomeUnreachable, 2, 1},
		{OutcomeOK, OutcomeTimeout, 30, 1},
		{OutcomeUnsynchronized, OutcomeTimeout, 2, 1},
		{OutcomeTimeout, OutcomeTimeout, 9, 0}, // never answered
		{OutcomeOK, OutcomeRefused, 9, 0},
		{OutcomeOK, OutcomeStray, 9, 0},
		{OutcomeOK, OutcomeInvalid, 9, 0},
		{OutcomeOK, OutcomeSendError, 9, 0},
		{OutcomeOK, OutcomeInternal, 9, 0},
		{OutcomeOK, OutcomeClockStepped, 9, 0},
		{OutcomeOK, OutcomeDenied, 1, 0},
		{OutcomeOK, OutcomeRateLimited, 3, 0},
	} {
		tracedWorld(t, []Server{at("a", "203.0.113.1")}, func(w *fakeWorld, tr *fakeTracer) {
			w.set("203.0.113.1", fakeServer{what: tt.first})
			w.pass(20 * time.Second)
			if w.result("a").Path != nil {
				t.Error("a path before there was one")
			}
			w.losses("203.0.113.1", tt.n, tt.lost)
			list := tr.traces()
			if len(list) != tt.traces {
				t.Fatalf("%+v: %d traces", tt, len(list))
			}
			if tt.traces == 0 {
				return
			}
			sent := w.requests("203.0.113.1")
			if got, want := list[0].at, sent[len(sent)-tt.n+1].at; got < want || got > want+3100*time.Millisecond {
				t.Errorf("%+v: the trace began at %v, the second loss at %v", tt, got, want)
			}
		})
	}
}

// A path is shown with its time, through the server's answering again, for a
// day, and changes no verdict.
func TestPathIsKept(t *testing.T) {
	tracedWorld(t, []Server{at("a", "203.0.113.1"), at("b", "203.0.113.2")}, func(w *fakeWorld, tr *fakeTracer) {
		w.pass(20 * time.Second)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		w.pass(4 * time.Second)
		r := w.want("a", OK) // until the third loss
		if r.Path == nil || r.Path.To != netip.MustParseAddrPort("203.0.113.1:123") || r.Path.String() != "answers up to 192.0.2.254, the 2nd hop; silent after it" {
			t.Fatalf("%+v", r.Path)
		}
		ended := tr.traces()[0].at + tr.takes
		if want := time.Unix(0, epoch+1e9+int64(ended)).UTC(); !r.Path.At.Equal(want) {
			t.Errorf("at %v, want %v", r.Path.At, want)
		}
		for len(w.requests("203.0.113.1")) < 14 {
			w.pass(time.Second)
		}
		w.pass(4 * time.Second)
		w.want("a", Unreachable)
		w.set("203.0.113.1", fakeServer{})
		w.pass(2 * time.Minute)
		if r := w.want("a", OK); r.Path == nil {
			t.Error("the path was forgotten when the server answered")
		}
		if r := w.want("b", OK); r.Path != nil {
			t.Error("another server's path")
		}
		w.pass(24*time.Hour - time.Since(w.start))
		if w.result("a").Path == nil {
			t.Error("forgotten within a day")
		}
		w.pass(10 * time.Minute)
		if w.want("a", OK).Path != nil || len(w.m.tracing.kept) != 0 {
			t.Error("not forgotten after a day")
		}
	})
}

// Whatever a server does, its path is looked at once in ten minutes at the most.
func TestTraceLimitOfATarget(t *testing.T) {
	s := at("a", "10.0.0.9")
	s.Interval = 2 * time.Second
	tracedWorld(t, []Server{s}, func(w *fakeWorld, tr *fakeTracer) {
		w.pass(10 * time.Second)
		for time.Since(w.start) < time.Hour {
			w.losses("10.0.0.9", 3, OutcomeTimeout)
			w.set("10.0.0.9", fakeServer{})
			w.pass(8 * time.Second)
		}
		list := tr.traces()
		if len(list) != 6 {
			t.Errorf("%d traces in an hour", len(list))
		}
		for _, b := range list {
			for _, r := range w.requests("10.0.0.9") {
				if r.at > b.at && r.at < b.at+tr.takes+minGap {
					t.Errorf("asked %v after its trace began", r.at-b.at)
				}
			}
		}
		for _, g := range gaps(list) {
			if g < 10*time.Minute || g > 11*time.Minute {
				t.Errorf("%v between two traces", g)
			}
		}
	})
}

// Many that fall silent at once are looked at two at a time, six within any
// minute, and the others at their next losses.
func TestTraceLimitOverAll(t *testing.T) {
	var list []Server
	for i := range 40 {
		list = append(list, at(fmt.Sprint("s", i), fmt.Sprintf("203.0.113.%d", i+1)))
	}
	tracedWorld(t, list, func(w *fakeWorld, tr *fakeTracer) {
		w.pass(5 * time.Minute)
		for _, s := range list {
			w.set(s.Host, fakeServer{what: OutcomeTimeout})
		}
		w.pass(30 * time.Minute)
		begun := tr.traces()
		if len(begun) != len(list) || tr.mostUp > 2 {
			t.Errorf("%d traces of %d, %d at once", len(begun), len(list), tr.mostUp)
		}
		for i := range begun[:len(begun)-6] {
			if d := begun[i+6].at - begun[i].at; d < time.Minute {
				t.Errorf("7 traces within %v", d)
			}
		}
		who := map[string]bool{}
		for _, b := range begun {
			who[b.id] = true
		}
		if len(who) != len(begun) {
			t.Errorf("%d targets, %d traces", len(who), len(begun))
		}
	})
}

// Nobody is asked beside its trace, and its packets count: those that may have
// arrived against the address's average, all against the station's.
func TestTraceIsPolite(t *testing.T) {
	s := at("a", "203.0.113.1")
	s.Interval = 16 * time.Second
	tracedWorld(t, []Server{s, at("b", "203.0.113.2")}, func(w *fakeWorld, tr *fakeTracer) {
		tr.path.Packets, tr.path.Passed = 40, 12
		w.pass(10 * time.Minute)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		begun := tr.traces()[0].at
		w.pass(16 * time.Minute)
		n, first := 0, time.Duration(0)
		for _, r := range w.requests("203.0.113.1") {
			if r.at < begun {
				continue
			}
			if n++; n == 1 {
				first = r.at
			}
			if r.at < begun+tr.takes+minGap {
				t.Errorf("asked %v after its trace began", r.at-begun)
			}
			// The bucket holds eight, and none of them is left by now.
			if most := int((r.at-begun)/floorPublic) + creditPackets; n+tr.path.Passed > most {
				t.Fatalf("%d requests %v after a trace with %d", n, r.at-begun, tr.path.Passed)
			}
		}
		if n < 40 || first-begun > 16*time.Second*12 {
			t.Errorf("%d requests in 16 minutes after the trace, the first after %v", n, first-begun)
		}
	})
	// At the usual pace nothing is put off.
	tracedWorld(t, []Server{at("a", "203.0.113.1")}, func(w *fakeWorld, tr *fakeTracer) {
		w.pass(10 * time.Minute)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		w.pass(4 * time.Minute)
		for _, g := range gaps(w.requests("203.0.113.1")[5:]) {
			if g > 75*time.Second {
				t.Errorf("%v between two requests", g)
			}
		}
	})
	// The station's own budget.
	m := newThousands(t, nil)
	now := time.Now()
	m.assign([]Server{at("a", "203.0.113.1")}, now)
	m.traced(m.servers["a"].targets[0], &Path{Packets: 40}, now)
	if wait := m.global.ready().Sub(now); wait < 2*time.Second || wait > 3*time.Second {
		t.Errorf("40 packets keep 12 a second back for %v", wait)
	}
}

// While a server wants fewer requests, its path is not looked at.
func TestNoTraceWhileRateHolds(t *testing.T) {
	tracedWorld(t, []Server{at("a", "203.0.113.1")}, func(w *fakeWorld, tr *fakeTracer) {
		w.pass(20 * time.Second)
		w.losses("203.0.113.1", 1, OutcomeRateLimited)
		w.losses("203.0.113.1", 3, OutcomeTimeout)
		if n := len(tr.traces()); n != 0 {
			t.Errorf("%d traces", n)
		}
	})
}

// A tracer that panics or hangs costs a path and nothing else; one that ends
// after its server was taken from the list, nothing at all.
func TestTracerFails(t *testing.T) {
	tracedWorld(t, []Server{at("a", "203.0.113.1"), at("b", "203.0.113.2")}, func(w *fakeWorld, tr *fakeTracer) {
		tr.panics = true
		w.pass(20 * time.Second)
		w.losses("203.0.113.1", 3, OutcomeTimeout)
		if p := w.result("a").Path; p == nil || p.End != PathUnavailable || !strings.Contains(p.String(), "no hops") {
			t.Errorf("%+v", p)
		}
		w.want("a", Unreachable)
		tr.panics, tr.hangs = false, true
		w.set("203.0.113.1", fakeServer{})
		w.pass(15 * time.Minute)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		w.pass(10 * time.Second)
		if p := w.result("a").Path; p == nil || p.End != PathUnavailable || !strings.Contains(p.String(), "deadline") || len(tr.traces()) != 2 {
			t.Errorf("%+v", p)
		}
		w.pass(3 * time.Minute)
		w.want("a", Unreachable)
		tr.hangs = false
		w.set("203.0.113.1", fakeServer{})
		w.pass(15 * time.Minute)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		if len(tr.traces()) != 3 {
			t.Fatal("no third trace")
		}
		w.assign(at("b", "203.0.113.2"))
		w.pass(time.Minute)
		if list := w.m.Results(); len(list) != 1 || len(w.m.tracing.kept) != 0 || w.m.tracing.flying != 0 {
			t.Errorf("%d results, %d paths kept, %d traces under way", len(list), len(w.m.tracing.kept), w.m.tracing.flying)
		}
	})
	// The monitor ends while one is under way.
	tracedWorld(t, []Server{at("a", "203.0.113.1")}, func(w *fakeWorld, tr *fakeTracer) {
		tr.hangs = true
		w.pass(20 * time.Second)
		w.losses("203.0.113.1", 2, OutcomeTimeout)
		if tr.flying != 1 {
			t.Error("no trace is under way")
		}
	})
}

// However many paths there are, so many are kept.
func TestPathsAreBounded(t *testing.T) {
	m := newThousands(t, nil)
	now := time.Now()
	var list []Server
	for i := range pathsKept + 100 {
		list = append(list, at(fmt.Sprintf("s%03d", i), netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)}).String()))
	}
	m.assign(list, now)
	for i, s := range list {
		tg := m.servers[s.Name].targets[0]
		tg.trail.traced = now.Add(time.Duration(i) * time.Second)
		m.traced(tg, &Path{End: PathSilent}, now)
		m.traced(tg, &Path{End: PathSilent}, now)
	}
	shown := 0
	for _, r := range m.Results() {
		if r.Path != nil {
			shown++
		}
	}
	if shown != pathsKept || len(m.tracing.kept) != pathsKept || m.servers["s099"].targets[0].trail.path != nil || m.servers["s100"].targets[0].trail.path == nil {
		t.Errorf("%d paths are shown, %d kept", shown, len(m.tracing.kept))
	}
	m.assign(nil, now)
	if len(m.tracing.kept) != 0 {
		t.Errorf("%d paths of no servers", len(m.tracing.kept))
	}
}
