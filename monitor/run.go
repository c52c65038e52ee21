package monitor

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWorkers    = 32
	maxLookups    = 4
	tick          = time.Second
	probeDeadline = 2 * replyTimeout
	stuckAfter    = time.Minute
	maxDetail     = 200 // bytes of Exchange.Detail kept
)

// Resolver turns a name into addresses; *net.Resolver is one. network is "ip".
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a Monitor works with. Clock, Prober and Assignments are
// required, Resolver where servers may be given by name.
type Config struct {
	Clock       Clock
	Prober      Prober
	Resolver    Resolver
	Assignments Assignments
	Sink        Sink // nil: only Results
	// Tracer says how far requests get to a target that has fallen silent; nil:
	// nobody does.
	Tracer Tracer
	// Own are the addresses under which the internet reaches this station, its
	// router's included, as far as they are known; nil: none are. It is called
	// once a minute and must not block.
	Own func() []netip.Addr
	// Local are all addresses of this station, also those that the internet does
	// not reach, and Leap is the leap second that is announced for the end of the
	// present month: 1 one more, -1 one less, 0 none; known is false where the
	// station cannot tell. Both as Own; nil: nothing is known.
	Local func() []netip.Addr
	Leap  func() (change int, known bool)
	// Manners keeps what servers asked for over restarts; nil: nothing does.
	Manners Manners
	Rate    int          // requests a second at the most, DefaultRate if 0
	Rand    *rand.Rand   // for jitter; used by Run alone; nil: seeded by the runtime
	Log     *slog.Logger // nil: silent
}

// Monitor asks the assigned servers and keeps a verdict on each of their
// addresses. One goroutine owns all of its state; exchanges and look-ups run
// in a bounded number of others.
type Monitor struct {
	cfg      Config
	progress atomic.Uint64

	mu    sync.Mutex
	shown map[string]Result // by Target.ID

	// The rest belongs to Run.
	servers  map[string]*server // by name
	lookNext time.Time          // no name is due for a look-up before
	own      []netip.Addr       // see Config.Own
	ownAt    time.Time          // when that was asked
	ids      map[string]bool    // Target.IDs in use
	due      queue
	paces    map[netip.AddrPort]*pace
	denials  map[netip.AddrPort]denial
	global   bucket
	flying   int
	lookups  int
	done     chan arrival
	resolved chan resolution
	lastDone time.Time
	anchor   struct { // one instant on both clocks
		mono int64
		at   time.Time
	}
	side    station
	nearby  surroundings
	memory  memory
	tracing tracing
}

// target is one address being asked.
type target struct {
	judge
	plan      plan
	pace      *pace
	from      *server
	index     int // in the queue; -1 while in flight
	gone      bool
	ways      [3]way // see station
	answering bool   // see station
	asked     bool   // there was an exchange
	usable    bool   // the reference was good enough for the last one
	wasUsable bool   // ever
	trail     trail
}

type arrival struct {
	t    *target
	x    Exchange
	path *Path // if not nil, it is this that arrives, and no exchange
}

// New checks the configuration; nothing runs before Run.
func New(cfg Config) (*Monitor, error) {
	switch {
	case cfg.Clock == nil:
		return nil, errors.New("monitor: no clock to judge with")
	case cfg.Prober == nil:
		return nil, errors.New("monitor: no prober")
	case cfg.Assignments == nil:
		return nil, errors.New("monitor: no assignments")
	case cfg.Rate < 0:
		return nil, fmt.Errorf("monitor: a rate of %d requests a second", cfg.Rate)
	}
	if cfg.Rate == 0 {
		cfg.Rate = DefaultRate
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Monitor{
		cfg:      cfg,
		shown:    map[string]Result{},
		servers:  map[string]*server{},
		ids:      map[string]bool{},
		paces:    map[netip.AddrPort]*pace{},
		denials:  map[netip.AddrPort]denial{},
		global:   bucket{every: time.Second / time.Duration(cfg.Rate), size: globalBurst},
		done:     make(chan arrival, maxWorkers),
		resolved: make(chan resolution, maxLookups),
		nearby:   surroundings{targets: map[uint32]*target{}},
		memory:   memory{kept: cfg.Manners, slow: map[netip.AddrPort]slowed{}, saved: make(chan error, 1)},
		side:     station{suspects: map[*target]int{}},
	}, nil
}

// Results is what is known of every target, by name, IPv4 first. A server
// that could not be resolved or may not be asked is there too, without an
// address and with the reason.
func (m *Monitor) Results() []Result {
	m.mu.Lock()
	list := make([]Result, 0, len(m.shown))
	for _, r := range m.shown {
		list = append(list, r)
	}
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b Result) int {
		if c := strings.Compare(a.Target.Server.Name, b.Target.Server.Name); c != 0 {
			return c
		}
		if c := a.Target.Addr.Addr().BitLen() - b.Target.Addr.Addr().BitLen(); c != 0 {
			return c
		}
		return strings.Compare(a.Target.ID, b.Target.ID)
	})
	return list
}

// Progress grows at least once a second while the monitor is alive: while its
// loop turns and its workers are not all stuck.
func (m *Monitor) Progress() uint64 { return m.progress.Load() }

// Run asks and judges until ctx ends, and returns its error once everything
// that was started has ended. It may be called once.
func (m *Monitor) Run(ctx context.Context) error {
	var (
		list, changed = m.cfg.Assignments.Servers()
		now           = time.Now()
		ticks         = time.NewTicker(tick)
		wake          = time.NewTimer(0)
		stale         bool
	)
	defer ticks.Stop()
	defer wake.Stop()
	m.lastDone = now
	m.learnOwn(now)
	m.nearby.learn(m.cfg, now)
	m.recall(now)
	m.assign(list, now)
	for {
		select {
		case <-ctx.Done():
			m.drain()
			m.rememberAtEnd(time.Now())
			return ctx.Err()
		case err := <-m.memory.saved:
			m.wasSaved(err)
		case a := <-m.done:
			m.flying--
			m.lastDone = time.Now()
			if ctx.Err() == nil {
				m.arrived(a, m.lastDone)
			}
		case r := <-m.resolved:
			m.lookups--
			if ctx.Err() == nil {
				m.learned(r, time.Now())
			}
		case <-changed:
			// Read at the next tick: a list that changes all the time must not
			// keep the loop from its work.
			changed, stale = nil, true
		case now := <-ticks.C:
			if stale {
				list, changed = m.cfg.Assignments.Servers()
				stale = false
				m.assign(list, now)
			}
			m.ticked(now)
		case <-wake.C:
		}
		now = time.Now()
		m.resolve(ctx, now)
		m.trace(ctx, now)
		wake.Reset(m.send(ctx, now))
	}
}

// drain waits for what is in flight, which ends by itself: a prober has its
// own timeout and the context has ended.
func (m *Monitor) drain() {
	for m.flying > 0 || m.lookups > 0 {
		select {
		case <-m.done:
			m.flying--
		case <-m.resolved:
			m.lookups--
		}
	}
}

// send starts the exchanges that are due and says how long to wait for the next.
func (m *Monitor) send(ctx context.Context, now time.Time) time.Duration {
	for len(m.due) > 0 && m.flying < maxWorkers {
		t := m.due[0]
		if t.plan.due.After(now) {
			return t.plan.due.Sub(now)
		}
		if at := t.pace.next(now); at.After(now) {
			t.plan.due = at
			heap.Fix(&m.due, 0)
			continue
		}
		if at := m.global.ready(); at.After(now) {
			return at.Sub(now)
		}
		m.global.take(now)
		t.pace.take(now)
		t.pace.busy = true
		heap.Pop(&m.due)
		m.flying++
		go m.exchange(ctx, t, t.target())
	}
	return tick
}

// exchange runs in a goroutine of its own and touches nothing of the monitor's.
func (m *Monitor) exchange(ctx context.Context, t *target, what Target) {
	a := arrival{t: t}
	defer func() {
		if p := recover(); p != nil {
			a.x = Exchange{Outcome: OutcomeInternal, Finding: FindingInternal, Detail: fmt.Sprint(p)}
		}
		m.done <- a
	}()
	ctx, cancel := context.WithTimeout(ctx, probeDeadline)
	defer cancel()
	a.x = m.cfg.Prober.Probe(ctx, what)
}

// arrived judges an exchange and plans the next.
func (m *Monitor) arrived(a arrival, now time.Time) {
	t, x := a.t, a.x
	if a.path != nil {
		m.traced(t, a.path, now)
		return
	}
	t.pace.busy, t.pace.last = false, now
	if x.Outcome == OutcomeSendError {
		t.pace.giveBack()
	}
	if t.gone {
		return
	}
	what := t.target()
	x.Target, x.Addr = what.ID, what.Addr
	if len(x.Detail) > maxDetail {
		x.Detail = strings.ToValidUTF8(x.Detail[:maxDetail], "")
	}
	if x.Mono == 0 {
		x.Mono = m.mono(now)
		x.Diff = now.UnixNano() - x.Mono
	} else {
		m.anchor.mono, m.anchor.at = x.Mono, now
	}
	r := m.cfg.Clock.At(x.Mono, x.Target)
	t.asked, t.usable = true, checkReading(r) == ""
	t.wasUsable = t.wasUsable || t.usable
	x.Wire = x.incriminating(r, what.Server.Limit)

	before := t.last.verdict
	var earlier Reading
	if x.Before != nil {
		earlier = m.cfg.Clock.At(x.Before.Mono, x.Target)
	}
	t.around = m.nearby.around(t, &x)
	m.put(x, t.addBoth(x, r, earlier, m.side.mayBeOurs(t, x.Outcome)))
	m.compareFamilies(t, x.Mono)
	m.side.heard(t, x.Outcome, m.judged)
	m.show(t.result())

	after := t.last.verdict
	t.plan.after(now, happened{
		outcome: x.Outcome,
		changed: before != after && after != NotJudged,
		confirm: t.incomplete(),
	}, m.cfg.Rand)
	heap.Push(&m.due, t)
	switch x.Outcome {
	case OutcomeRateLimited:
		t.pace.until = t.plan.due
		m.noteRate(t)
	case OutcomeDenied:
		m.denied(t, x, r)
	}
	m.callWitness(t, now)
	m.lookAgain(t, now)
	m.logChange(t, before)
	if t.trail.heard(x.Outcome) && m.cfg.Tracer != nil {
		m.tracing.wanted = append(m.tracing.wanted, t)
	}
}

// ticked does once a second what does not depend on an exchange.
func (m *Monitor) ticked(now time.Time) {
	if m.flying < maxWorkers || now.Sub(m.lastDone) < stuckAfter {
		m.progress.Add(1)
	}
	m.forgetDenials(now)
	m.forgetPaths(now)
	m.remember(now)
	m.learnOwn(now)
	m.nearby.learn(m.cfg, now)
	for key, p := range m.paces {
		if p.users == 0 && p.idle(now) {
			delete(m.paces, key)
		}
	}
	if m.anchor.mono == 0 {
		return
	}
	mono := m.mono(now)
	for _, s := range m.servers {
		for _, t := range s.targets {
			if t == nil || !t.asked {
				continue
			}
			id := t.target().ID
			if t.refine(mono, func(mono int64) Reading { return m.cfg.Clock.At(mono, id) }, m.put) {
				m.show(t.result())
			}
			m.dateResult(t, mono)
			if t.usable || t.index < 0 || checkReading(m.cfg.Clock.At(mono, id)) != "" {
				continue
			}
			moved := t.plan.referenceBack(now, !t.wasUsable)
			t.usable, t.wasUsable = true, true
			if moved {
				heap.Fix(&m.due, t.index)
			}
		}
	}
}

// mono is the station's monotonic clock now, as far as exchanges have told; 0
// before the first one.
func (m *Monitor) mono(now time.Time) int64 {
	if m.anchor.mono == 0 {
		return 0
	}
	return m.anchor.mono + int64(now.Sub(m.anchor.at))
}

// dateResult corrects the instant shown for t, if that was told by a clock that
// did not know the time, once the time is known.
func (m *Monitor) dateResult(t *target, mono int64) {
	if t.last.at == 0 || t.last.dated {
		return
	}
	if r := m.cfg.Clock.At(mono, t.target().ID); r.Known {
		t.date(mono, r.True)
		m.show(t.result())
	}
}

// judged passes on what became of earlier exchanges of t, see judge.decide.
func (m *Monitor) judged(t *target, void string) {
	before := t.last.verdict
	if t.decide(void, m.put) {
		m.show(t.result())
		m.logChange(t, before)
	}
}

func (m *Monitor) logChange(t *target, before Verdict) {
	what := t.target()
	before = what.shown(before)
	if is := what.shown(t.last.verdict); is != before {
		m.cfg.Log.Info("verdict", "server", what.ID, "address", what.Addr, "was", before, "is", is, "reason", t.last.reason)
	}
}

func (m *Monitor) put(x Exchange, r Result) {
	if m.cfg.Sink != nil {
		m.cfg.Sink.Put(x, r)
	}
}

func (m *Monitor) show(r Result) {
	m.mu.Lock()
	m.shown[r.Target.ID] = r
	m.mu.Unlock()
}

func (m *Monitor) hide(id string) {
	m.mu.Lock()
	delete(m.shown, id)
	m.mu.Unlock()
}

func (t *target) target() Target { return t.judge.target }
