package probe

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Interleaved mode, RFC 9769 section 2, in which a server tells in one reply
// when the one before it left, by its kernel's or its hardware's stamp. In basic
// mode it has to write the time into the packet before that leaves, and the
// error of that is most of what an exchange between two good clocks has.
//
// The request names the reply before by its receive time stamp, in the origin
// field, and has a second random number in its own receive field; who returns
// that as origin answers interleaved, who returns the transmit field does not.
// All that is measured so, of the exchange before, are that exchange's own T1,
// T2 and T4, and the new T3. The exchange under way is known without its T3.
//
// What is in doubt is left out: then there is just the exchange under way.
const (
	// freshFor is how long after an exchange its reply is asked about: a
	// station's reference tells nothing of instants much further back.
	freshFor = 10 * time.Minute
	// partnersMost is how many servers are remembered at the most.
	partnersMost = 16384
	// fullSweep is how often room is looked for when there is none.
	fullSweep = 10 * time.Second
	// refusals in a row are taken for a server's not offering it, which is
	// believed for refusedFor.
	refusals   = 4
	refusedFor = time.Hour
	// earlier is by how much a kernel's stamp may precede what the process had
	// written: some add to theirs what the way to the wire may take.
	earlier = int64(time.Millisecond)
	// unevenRate is how fast server and station may run against each other
	// between two exchanges, unless one of them was set: each 500 ppm.
	unevenRate = 1e-3
)

// past is what is kept of an exchange until the next.
type past struct {
	t1, t2, t3, t4 int64  // t3 is 0 where it is not known
	receive        uint64 // t2 as the server wrote it
	mono, diff     int64
	stampError     float64
	card           uint8
}

// partner is one server.
type partner struct {
	past
	fresh   bool // past is an exchange's that may be asked about
	refused uint8
	used    int64 // CLOCK_MONOTONIC, ns
}

// partners is every server that interleaved mode may be had with. Nil is none.
type partners struct {
	mu    sync.Mutex
	known map[netip.AddrPort]*partner
	swept int64
}

func newPartners() *partners { return &partners{known: map[netip.AddrPort]*partner{}} }

// ask returns what to ask a server about at mono, nil for nothing.
func (p *partners) ask(a netip.AddrPort, mono int64) *past {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.known[a]
	if q == nil || !q.fresh || mono-q.mono > int64(freshFor) || q.refused >= refusals {
		return nil
	}
	was := q.past
	return &was
}

// learn takes an exchange that is over and adds to it what it tells of the one
// before.
func (p *partners) learn(x *monitor.Exchange, c *conn) {
	if p == nil {
		return
	}
	mono := x.Mono
	ok := x.Outcome == monitor.OutcomeOK && x.Kernel
	if ok && x.Interleaved {
		x.Before = c.was.anew(binary.BigEndian.Uint64(c.raw[offTransmit:]), x)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(mono)
	q := p.known[x.Addr]
	if q == nil {
		if !ok || len(p.known) >= partnersMost {
			return
		}
		q = &partner{}
		p.known[x.Addr] = q
	}
	q.fresh = ok
	switch {
	case x.Before != nil:
		q.refused = 0
	case c.was != nil && ok:
		q.refused++
		q.used = mono
	}
	if !ok {
		return
	}
	if q.refused < refusals {
		q.used = mono
	}
	q.past = past{
		t1: x.T1, t2: x.T2, t3: x.T3, t4: x.T4, receive: binary.BigEndian.Uint64(c.raw[offReceive:]),
		mono: x.Mono, diff: x.Diff, stampError: x.StampError, card: x.Card,
	}
	if x.Interleaved {
		q.t3 = 0
	}
}

// sweep forgets servers that have not been asked for long, now and then.
func (p *partners) sweep(mono int64) {
	every := freshFor
	if len(p.known) >= partnersMost {
		every = fullSweep
	}
	if mono-p.swept < int64(every) {
		return
	}
	p.swept = mono
	for a, q := range p.known {
		keep := int64(freshFor)
		if q.refused >= refusals {
			keep = int64(refusedFor)
		}
		if mono-q.used > keep {
			delete(p.known, a)
		}
	}
}

// anew is the exchange before x with the transmit time stamp that x's reply
// tells of it; nil if that cannot be its, or if a clock was set in between.
func (was *past) anew(transmit uint64, x *monitor.Exchange) *monitor.Exchange {
	t3 := unixNano(transmit, was.t2)
	switch {
	case transmit == 0, t3 < was.t2, t3-was.t2 > was.t4-was.t1:
		return nil
	case was.t3 != 0 && t3 < was.t3-earlier:
		return nil
	}
	// Both requests took at most a round trip to arrive; beyond that the
	// server's clock and the station's oscillator went on alike.
	own := (x.T1 - x.Diff) - (was.t1 - was.diff)
	uneven := (x.T2 - was.t2) - own
	if room := (x.T4 - x.T1) + (was.t4 - was.t1) + int64(unevenRate*float64(own)); own < 0 || abs(uneven) > room {
		return nil
	}
	return &monitor.Exchange{
		Target: x.Target, Addr: x.Addr, Outcome: monitor.OutcomeOK,
		T1: was.t1, T2: was.t2, T3: t3, T4: was.t4, Mono: was.mono, Diff: was.diff,
		StampError: was.stampError, Kernel: true, Card: was.card, Interleaved: true,
	}
}

// basic is an interleaved reply as one of basic mode that says no more than it
// knows: that it left after the request came. One without a transmit time stamp
// stays without.
func basic(b [packetSize]byte) [packetSize]byte {
	if binary.BigEndian.Uint64(b[offTransmit:]) != 0 {
		copy(b[offTransmit:], b[offReceive:offReceive+8])
	}
	return b
}
