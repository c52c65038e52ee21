package monitor

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// member is a server of a campaign: how it is, the way to it, and what became of it.
type member struct {
	name         string
	addr         netip.Addr
	rtt          time.Duration // of the way alone
	lopsided     float64       // -1..1: how much of it is on one way
	offset       float64       // seconds, less than the limit while it is right
	stratum      uint8
	refID        uint32
	failed       time.Duration // since the start: when it begins to be wrong; 0 never
	far, drift   float64       // offset from then on, and its growth, s and s/s
	dead, unsure bool          // what else is wrong with it then

	heard  int64 // Mono of the last exchange that was judged
	rounds int   // exchanges since it failed
	found  int   // rounds until it was convicted; 0 not yet
	as     Verdict
	pool   poolView
}

// poolView is the member in the eyes of the NTP Pool: of three samples the one
// with the shortest round trip, the score from that alone.
type poolView struct {
	n      int
	best   Exchange
	offset float64
	score  float64
	checks int // since it failed
	found  int // checks until it left the pool
	blamed bool
}

const poolLeaves = 10 // a server with a lower score is not handed out

func (p *poolView) add(x Exchange, offset float64, ok bool) (checked bool) {
	if ok && (p.best.Outcome != OutcomeOK || x.Delay() < p.best.Delay()) || p.n == 0 {
		p.best, p.offset = x, offset
	}
	if p.n++; p.n < 3 {
		return false
	}
	p.n = 0
	step, limit := poolStep(p.best, p.offset, true)
	p.score = poolScore(p.score, step, limit)
	return true
}

// tallied is what a campaign counted under one trouble.
type tallied struct {
	exchanges, judged, doubtful, unjudged int
	wrong, poolWrong                      int // right servers convicted; left out by the pool's rule
	checks                                int
	near, nearDoubtful, nearUnjudged      int // RTT <= 50 ms
}

func (c *tallied) plus(d tallied) {
	c.exchanges, c.judged, c.doubtful, c.unjudged = c.exchanges+d.exchanges, c.judged+d.judged, c.doubtful+d.doubtful, c.unjudged+d.unjudged
	c.wrong, c.poolWrong, c.checks = c.wrong+d.wrong, c.poolWrong+d.poolWrong, c.checks+d.checks
	c.near, c.nearDoubtful, c.nearUnjudged = c.near+d.near, c.nearDoubtful+d.nearDoubtful, c.nearUnjudged+d.nearUnjudged
}

// campaign is a network with servers, a station's troubles and a reference, in
// virtual time.
type campaign struct {
	start   time.Time
	members []*member

	mu    sync.Mutex
	rnd   *rand.Rand
	by    map[netip.Addr]*member
	names map[string]netip.Addr
	trouble
	spoofs  []spoof
	diff    int64 // CLOCK_REALTIME less CLOCK_MONOTONIC
	stepped int64 // mono of its last change
	stalled bool  // the station has no CPU
	counts  map[string]*tallied
	wrongs  []string // the first of them
}

// newCampaign has n right servers in as many networks, near and far.
func newCampaign(seed uint64, n int) *campaign {
	c := &campaign{
		rnd: rand.New(rand.NewPCG(seed, 99)), by: map[netip.Addr]*member{}, names: map[string]netip.Addr{},
		counts: map[string]*tallied{}, diff: epoch,
	}
	c.trouble.name = honest
	rtts := []time.Duration{5, 20, 50, 150, 300}
	for i := range n {
		s := c.join(fmt.Sprintf("right %d", i), rtts[i%len(rtts)]*time.Millisecond, i%3 == 2)
		s.offset = (2*c.rnd.Float64() - 1) * 5 * ms
		if i%5 == 4 {
			s.offset *= 4.8 // 24 ms, near the limit
		}
		s.lopsided = 0.6 * (c.rnd.Float64() - 0.5)
		if s.stratum = uint8(1 + c.rnd.IntN(2)); s.stratum == 2 {
			s.refID = 1 + c.rnd.Uint32N(uint32(n)/2+1)
		}
	}
	return c
}

func (c *campaign) join(name string, rtt time.Duration, six bool) *member {
	i := len(c.members)
	s := &member{name: name, rtt: rtt, stratum: 1, pool: poolView{score: 20}}
	s.addr = netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1})
	if six {
		s.addr = netip.AddrFrom16([16]byte{0x26, 0, 0, 1, byte(i >> 8), byte(i), 15: 1})
	}
	c.members = append(c.members, s)
	c.by[s.addr] = s
	return s
}

// run lets a monitor watch the members while f runs, each asked every interval.
func (c *campaign) run(t *testing.T, interval time.Duration, f func()) {
	synctest.Test(t, func(t *testing.T) {
		c.start = time.Now()
		m, err := New(Config{Clock: c, Prober: c, Resolver: c, Assignments: campaignList{c, interval}, Sink: c, Host: c.host,
			Rate: 1000, Rand: rand.New(rand.NewPCG(c.rnd.Uint64(), 1))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		f()
		cancel()
		<-ended
	})
}

type campaignList struct {
	c        *campaign
	interval time.Duration
}

func (l campaignList) Servers() (list []Server, changed <-chan struct{}) {
	for i, s := range l.c.members {
		v := Server{Name: s.name, Host: s.addr.String(), Interval: l.interval}
		if i%10 == 9 && s.failed == 0 {
			v.Host = fmt.Sprintf("ntp%d.example.net", i)
			l.c.names[v.Host] = s.addr
		}
		list = append(list, v)
	}
	return list, nil
}

func (c *campaign) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.noResolver {
		return nil, fmt.Errorf("lookup %s: i/o timeout", host)
	}
	return []netip.Addr{c.names[host]}, nil
}

func (c *campaign) mono() int64 { return int64(time.Since(c.start)) + 1e9 }

// At implements Clock: a reference that is right but for the spoofs, and that
// is called within the monitor's loop, which starves by it.
func (c *campaign) At(mono int64, _ string) Reading {
	c.mu.Lock()
	now := c.mono()
	if gap := c.starve(now); gap > 0 {
		c.stalled = true
		c.mu.Unlock()
		time.Sleep(gap)
		c.mu.Lock()
		c.stalled = false
		now = c.mono()
	}
	r := Reading{True: epoch + mono, Known: true, Usable: true, Bound: 2e-5, Uncertainty: 5e-6, Final: now-mono >= int64(32e9)}
	for i := len(c.spoofs) - 1; i >= 0 && i >= len(c.spoofs)-2; i-- {
		s := &c.spoofs[i]
		r.True += s.error(mono)
		if s.vetoed(mono) {
			r.Usable, r.Reason = false, "reference disputed"
		}
	}
	c.mu.Unlock()
	return r
}

// exponential is a queue's wait of a mean.
func (c *campaign) exponential(mean time.Duration) time.Duration {
	return time.Duration(c.rnd.ExpFloat64() * float64(mean))
}

// honestQueue is what one way of an honest path waits: a little in a fifth of
// the exchanges, long in 1 of 200.
func (c *campaign) honestQueue() time.Duration {
	switch p := c.rnd.IntN(200); {
	case p == 0:
		return c.exponential(60 * time.Millisecond)
	case p < 40:
		return c.exponential(4 * time.Millisecond)
	}
	return 0
}

// Probe implements Prober, as package probe does it.
func (c *campaign) Probe(_ context.Context, t Target) Exchange {
	c.mu.Lock()
	s := c.by[t.Addr.Addr()]
	sent, diff := c.mono(), c.diff
	half := float64(s.rtt) / 2
	out := time.Duration(half*(1+s.lopsided)) + c.honestQueue()
	back := time.Duration(half*(1-s.lopsided)) + c.honestQueue()
	fate := c.meets(s, sent, &out, &back)
	broken := s.failed != 0 && sent-1e9 >= int64(s.failed)
	offset := s.offset
	if broken {
		s.rounds++
		offset += s.far + s.drift*(float64(sent-1e9-int64(s.failed))/1e9)
		if s.dead {
			fate = OutcomeTimeout
		}
	}
	if c.rnd.IntN(500) == 0 || out+back > 3*time.Second {
		fate = OutcomeTimeout // honest loss, and what comes too late
	}
	c.mu.Unlock()
	wait := out + back
	switch fate {
	case OutcomeTimeout:
		wait = 3 * time.Second
	case OutcomeSendError:
		wait = time.Millisecond
	}
	time.Sleep(wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled && fate == OutcomeOK && c.rnd.IntN(2) == 0 {
		fate = OutcomeTimeout // its buffer was full
		c.mu.Unlock()
		time.Sleep(3*time.Second - min(wait, 3*time.Second))
		c.mu.Lock()
	}
	if fate != OutcomeOK {
		return Exchange{Outcome: fate, Mono: c.mono(), Diff: c.diff}
	}
	if c.stepped > sent {
		return Exchange{Outcome: OutcomeClockStepped, Mono: c.mono(), Diff: c.diff}
	}
	x := Exchange{
		Outcome: OutcomeOK, Stratum: s.stratum, RefID: s.refID, Kernel: true, StampError: 1e-6,
		T1: diff + sent, T4: diff + sent + int64(wait), Mono: sent + int64(wait)/2, Diff: diff,
		T2: epoch + sent + int64(out) + ns(offset),
	}
	x.T3 = x.T2 + 20_000
	x.T4 += 20_000
	x.Mono += 10_000
	if broken && s.unsure {
		x.Outcome, x.Leap = OutcomeUnsynchronized, 3
	}
	return x
}

func convicts(v Verdict) bool { return v != OK && v != Doubtful && v != NotJudged }

// Put implements Sink: it counts.
func (c *campaign) Put(x Exchange, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.by[r.Target.Addr.Addr()]
	if s == nil {
		return // not resolved yet
	}
	n := c.counts[c.name]
	if n == nil {
		n = &tallied{}
		c.counts[c.name] = n
	}
	right := s.failed == 0 || x.Mono-1e9 < int64(s.failed)
	if convicts(r.Verdict) {
		switch {
		case right:
			n.wrong++
			if len(c.wrongs) < 5 {
				c.wrongs = append(c.wrongs, fmt.Sprintf("%s: %s is %s: %s", c.name, s.name, r.Verdict, r.Reason))
			}
		case s.found == 0:
			s.found, s.as = s.rounds, r.Verdict
		}
	}
	if x.Mono <= s.heard {
		return // known before, and judged for good now
	}
	s.heard = x.Mono
	n.exchanges++
	near := right && s.rtt <= 50*time.Millisecond
	if near {
		n.near++
	}
	switch r.Verdict {
	case NotJudged:
		n.unjudged++
		if near {
			n.nearUnjudged++
		}
	case Doubtful:
		n.doubtful++
		if near {
			n.nearDoubtful++
		}
		fallthrough
	default:
		n.judged++
	}
	if x.Outcome == OutcomeSendError || x.Outcome == OutcomeClockStepped {
		return // the pool's monitor would notice these, too
	}
	offset := 0.0
	if r.Latest != nil { // the pool's rule has its own filter
		offset = r.Latest.Offset
	}
	if !s.pool.add(x, offset, x.Outcome == OutcomeOK) {
		return
	}
	n.checks++
	if !right {
		s.pool.checks++
	}
	switch out := s.pool.score < poolLeaves; {
	case !out:
		s.pool.blamed = false
	case right && !s.pool.blamed:
		s.pool.blamed = true
		n.poolWrong++
	case !right && s.pool.found == 0:
		s.pool.found = s.pool.checks
	}
}

func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/math.Max(1, float64(whole)))
}
