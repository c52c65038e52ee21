package monitor

import (
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"
)

const (
	// DefaultInterval is the time between two exchanges with a server of which
	// nothing else is said.
	DefaultInterval = 64 * time.Second
	// DefaultRate is how many requests a second a station sends at the most.
	DefaultRate = 12

	minGap          = 2 * time.Second  // between two packets to one address, whoever asked
	floorPublic     = 16 * time.Second // average between packets to a public address
	floorPrivate    = minGap           // to private, link-local and loopback addresses
	creditPackets   = 8                // sent ahead of the average: two bursts
	burstPackets    = 4
	burstPause      = 15 * time.Minute
	globalBurst     = 10
	jitterShare     = 0.1
	rateCap         = 1024 * time.Second // the longest interval a RATE kiss leads to
	rateSkip        = 4                  // polls left out after a RATE kiss
	cleanToRecover  = 8                  // proper replies until the interval is halved again
	deniedPause     = 24 * time.Hour
	sendRetry       = 5 * time.Second // after an exchange that this station could not send
	maxIntervalAsks = 24 * time.Hour
)

// bucket is a token bucket in time: the instant at which it would be full.
type bucket struct {
	every time.Duration // between two tokens
	size  int
	full  time.Time
}

// ready is when the next token can be had.
func (b *bucket) ready() time.Time {
	return b.full.Add(-time.Duration(b.size-1) * b.every)
}

func (b *bucket) take(now time.Time) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(b.every)
}

// giveBack returns a token whose packet was never sent.
func (b *bucket) giveBack() { b.full = b.full.Add(-b.every) }

// pace keeps one address from being asked too often, through whatever names
// and assignments it is reached.
type pace struct {
	bucket
	last  time.Time // end of the last exchange
	until time.Time // a RATE kiss holds for every name of the address
	busy  bool
	users int // targets at this address
}

// paceKey is what a pace is for: a public address whatever the port; on the
// local network, where many may share an address behind a forwarding host,
// each port by itself.
func paceKey(a netip.AddrPort) netip.AddrPort {
	if public(a.Addr()) {
		return netip.AddrPortFrom(a.Addr(), 0)
	}
	return a
}

func newPace(addr netip.Addr) *pace {
	p := &pace{bucket: bucket{every: floorPublic, size: creditPackets}}
	if !public(addr) {
		p.every = floorPrivate
	}
	return p
}

// next is the first instant from now on at which the address may be asked.
func (p *pace) next(now time.Time) time.Time {
	at := now
	if r := p.ready(); r.After(at) {
		at = r
	}
	if g := p.last.Add(minGap); !p.last.IsZero() && g.After(at) {
		at = g
	}
	if p.until.After(at) {
		at = p.until
	}
	if p.busy && !at.After(now) {
		at = now.Add(minGap / 8)
	}
	return at
}

// idle says that forgetting the pace allows nothing that it forbids.
func (p *pace) idle(now time.Time) bool {
	return !p.busy && p.full.Before(now) && p.until.Before(now) && now.Sub(p.last) > minGap
}

func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	return !(addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast())
}

// floor is the shortest interval for an address.
func floor(addr netip.Addr) time.Duration {
	if public(addr) {
		return floorPublic
	}
	return floorPrivate
}

// plan is when a target is asked.
type plan struct {
	asked    time.Duration // the interval wanted, not below the address's floor
	interval time.Duration // the present one: longer after RATE kisses
	phase    float64       // 0..1, from the target's ID: spreads targets over the interval
	due      time.Time
	burst    int       // packets left of the present burst
	burstAt  time.Time // start of the last burst
	clean    int       // proper replies in a row while backed off
	denied   bool
}

func newPlan(id string, addr netip.Addr, asked time.Duration, now time.Time) plan {
	p := plan{phase: phaseOf(id), burst: burstPackets, burstAt: now}
	p.setInterval(addr, asked)
	p.due = now.Add(time.Duration(p.phase * float64(minGap)))
	return p
}

func (p *plan) setInterval(addr netip.Addr, asked time.Duration) {
	backedOff := p.interval > p.asked
	p.asked = min(max(asked, floor(addr)), maxIntervalAsks)
	if !backedOff || p.interval < p.asked {
		p.interval = p.asked
	}
}

// happened is what the schedule must know of an exchange.
type happened struct {
	outcome Outcome
	changed bool // the verdict is another one than before
	lossy   bool // requests are lost on this way
	confirm bool // one more exchange soon would complete a verdict
}

// after plans the next exchange once one has ended.
func (p *plan) after(now time.Time, h happened, rnd *rand.Rand) {
	p.denied = h.outcome == OutcomeDenied
	switch h.outcome {
	case OutcomeDenied:
		p.burst = 0
		p.due = now.Add(jitter(deniedPause, rnd))
		return
	case OutcomeRateLimited:
		p.burst, p.clean = 0, 0
		p.interval = max(min(2*p.interval, rateCap), p.asked)
		p.due = now.Add(jitter((rateSkip+1)*p.interval, rnd))
		return
	case OutcomeSendError:
		// Nothing was sent, so nobody is bothered by an early retry.
		p.due = now.Add(jitter(min(p.interval, sendRetry), rnd))
		return
	case OutcomeOK:
		p.clean++
		if p.clean >= cleanToRecover && p.interval > p.asked {
			p.interval, p.clean = max(p.interval/2, p.asked), 0
		}
	default:
		p.clean = 0
	}
	wasBurst := p.burst > 0
	if wasBurst {
		p.burst--
	}
	backedOff := p.interval > p.asked
	if h.changed && !wasBurst && !backedOff {
		p.startBurst(now)
	}
	switch {
	case !backedOff && (p.burst > 0 || h.confirm):
		p.due = now.Add(minGap)
	case wasBurst:
		// Leaving the start behind: from here on targets are spread out.
		p.due = now.Add(max(minGap, time.Duration(p.phase*float64(p.interval))))
	case silent(h.outcome) || h.lossy:
		// At any phase of what may be a disturbance of the station's own that
		// comes as regularly as the requests do: nobody may be struck again
		// and again, and nobody spared, who both tell how frequent it is.
		p.due = now.Add(p.interval/2 + time.Duration(rnd.Float64()*float64(p.interval)))
	default:
		p.due = now.Add(jitter(p.interval, rnd))
	}
}

// startBurst begins a burst unless the last one is too recent.
func (p *plan) startBurst(now time.Time) bool {
	if now.Sub(p.burstAt) < burstPause {
		return false
	}
	p.burst, p.burstAt = burstPackets, now
	return true
}

// referenceBack asks soon, because the reference has become good enough to
// judge with; first says that it had never been. It reports whether due moved.
func (p *plan) referenceBack(now time.Time, first bool) bool {
	if p.denied || p.interval > p.asked {
		return false
	}
	if first {
		p.burst, p.burstAt = burstPackets, now
	} else {
		p.startBurst(now)
	}
	soon := now.Add(time.Duration(p.phase * float64(minGap)))
	if !soon.Before(p.due) {
		return false
	}
	p.due = soon
	return true
}

// jitter is d +- 10 %.
func jitter(d time.Duration, rnd *rand.Rand) time.Duration {
	return d + time.Duration((2*rnd.Float64()-1)*jitterShare*float64(d))
}

func phaseOf(id string) float64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	// FNV's high bits barely move for short strings; a multiplication by a
	// large odd constant (2^64 over the golden ratio) spreads them.
	return float64((h.Sum64()*0x9e3779b97f4a7c15)>>11) / (1 << 53)
}

// queue is the heap of targets by the instant they are due.
type queue []*target

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].plan.due.Before(q[j].plan.due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	t := x.(*target)
	t.index = len(*q)
	*q = append(*q, t)
}
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.index = -1
	return t
}

var _ heap.Interface = (*queue)(nil)
