package monitor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeServer is how an address behaves.
type fakeServer struct {
	offset float64
	rtt    time.Duration // 10 ms if 0
	what   Outcome       // OutcomeOK if empty
	panics bool
	hangs  bool // until the exchange's context ends
}

type request struct {
	at   time.Duration // since the start
	id   string
	addr netip.Addr
}

// fakeWorld is the network, the clock and the assignments of a monitor under
// test, in the virtual time of a synctest bubble.
type fakeWorld struct {
	t     *testing.T
	m     *Monitor
	start time.Time
	stop  func()

	mu       sync.Mutex
	byAddr   map[string]fakeServer // right if absent
	names    map[string][]netip.Addr
	lookups  int
	usable   bool
	dark     bool // true time is not known, the clock stands in the year 2000
	sent     []request
	flying   int
	mostUp   int
	finals   map[string]int
	history  []Result
	list     []Server
	changed  chan struct{}
	finality time.Duration
}

// inWorld runs f with a monitor that asks list, all inside a bubble.
func inWorld(t *testing.T, list []Server, setup func(w *fakeWorld, c *Config), f func(w *fakeWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWorld{
			t: t, start: time.Now(), usable: true, list: list, changed: make(chan struct{}), finality: 32 * time.Second,
			byAddr: map[string]fakeServer{}, names: map[string][]netip.Addr{}, finals: map[string]int{},
		}
		cfg := Config{Clock: w, Prober: w, Resolver: w, Assignments: w, Sink: w, Rand: rand.New(rand.NewPCG(7, 7))}
		if setup != nil {
			setup(w, &cfg)
		}
		m, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.m = m
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		w.stop = cancel
		f(w)
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// pass lets time pass until the monitor rests again.
func (w *fakeWorld) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *fakeWorld) set(addr string, s fakeServer) {
	w.mu.Lock()
	w.byAddr[addr] = s
	w.mu.Unlock()
}

func (w *fakeWorld) assign(list ...Server) {
	w.mu.Lock()
	old := w.changed
	w.list, w.changed = list, make(chan struct{})
	w.mu.Unlock()
	close(old)
}

func (w *fakeWorld) setUsable(yes bool) {
	w.mu.Lock()
	w.usable = yes
	w.mu.Unlock()
}

// requests are those to an address, or all for "".
func (w *fakeWorld) requests(addr string) (list []request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.sent {
		if addr == "" || r.addr.String() == addr {
			list = append(list, r)
		}
	}
	return list
}

// result is what the monitor says of a target.
func (w *fakeWorld) result(id string) Result {
	w.t.Helper()
	for _, r := range w.m.Results() {
		if r.Target.ID == id {
			return r
		}
	}
	w.t.Fatalf("no result for %q", id)
	return Result{}
}

func (w *fakeWorld) want(id string, v Verdict) Result {
	w.t.Helper()
	r := w.result(id)
	if r.Verdict != v {
		w.t.Errorf("after %s: %s is %s (%s), want %s", time.Since(w.start), id, r.Verdict, r.Reason, v)
	}
	return r
}

func (w *fakeWorld) mono() int64 { return int64(time.Since(w.start)) + 1e9 }

func (w *fakeWorld) At(mono int64, judged string) Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	if mono > w.mono() {
		w.t.Errorf("asked for an instant %s ahead", time.Duration(mono-w.mono()))
	}
	if w.dark {
		return Reading{Reason: "cold"}
	}
	return Reading{
		True: epoch + mono, Known: true, Usable: w.usable, Reason: "waiting for a fix",
		Bound: 1e-5, Uncertainty: 1e-6, Final: w.mono()-mono >= int64(w.finality),
	}
}

func (w *fakeWorld) Servers() ([]Server, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list, w.changed
}

func (w *fakeWorld) Put(x Exchange, r Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !r.Provisional {
		w.finals[x.Target]++
	}
	w.history = append(w.history, r)
}

func (w *fakeWorld) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups++
	if network != "ip" {
		return nil, fmt.Errorf("network %q", network)
	}
	if a := w.names[host]; a != nil {
		return append([]netip.Addr(nil), a...), nil
	}
	return nil, fmt.Errorf("lookup %s: no such host", host)
}

func (w *fakeWorld) Probe(ctx context.Context, t Target) Exchange {
	w.mu.Lock()
	s := w.byAddr[t.Addr.Addr().String()]
	w.sent = append(w.sent, request{time.Since(w.start), t.ID, t.Addr.Addr()})
	w.flying++
	w.mostUp = max(w.mostUp, w.flying)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()
	if s.panics {
		panic("negative shift amount")
	}
	if s.hangs {
		<-ctx.Done()
		s.what = OutcomeTimeout
	}
	if s.rtt == 0 {
		s.rtt = 10 * time.Millisecond
	}
	sent, diff := w.mono(), epoch
	w.mu.Lock()
	if w.dark {
		diff = year2000
	}
	w.mu.Unlock()
	wait := s.rtt
	if s.what == OutcomeTimeout {
		wait = 3 * time.Second
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		s.what = OutcomeTimeout
	}
	if s.what != "" && s.what != OutcomeOK {
		return Exchange{Outcome: s.what, Mono: w.mono(), Diff: diff}
	}
	return Exchange{
		Outcome: OutcomeOK, Stratum: 1, Kernel: true, StampError: 1e-6,
		T1: diff + sent, T4: diff + sent + int64(s.rtt), Mono: sent + int64(s.rtt)/2, Diff: diff,
		T2: epoch + sent + int64(s.rtt)/2 + ns(s.offset), T3: epoch + sent + int64(s.rtt)/2 + ns(s.offset),
	}
}
