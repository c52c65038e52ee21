package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// A trace sends requests that may go one hop, two hops and so on, from the port
// and to the port of the ordinary ones, so that whatever lies between treats
// them alike. The router at which one has gone its hops says so in an ICMP
// message, which the socket's error queue hands to whoever may send at all.
const (
	// hopsMost is how many hops are asked at the most, as traceroute's.
	hopsMost = 30
	// tracePackets is how many packets that takes at the most: the hops, those
	// that have to be asked again, and portPackets.
	tracePackets = 38
	portPackets  = 4
	// hopsAtOnce is how many are under way at a time, hopGap how far apart they
	// leave: no router has to answer more than one, no server more than these.
	hopsAtOnce = 3
	hopGap     = 20 * time.Millisecond
	// silentRun is how many silent hops in a row end it.
	silentRun = 5
	// hopWait is how long a hop is waited for; where one is asked at a time it is
	// three times what the slowest took, aloneWait at the least.
	hopWait   = 800 * time.Millisecond
	aloneWait = 250 * time.Millisecond
	// rampMost is when the last hop is given up, portsWait how long the test of
	// ports takes at the most thereafter: less than monitor.TraceTimeout in all.
	rampMost  = 3500 * time.Millisecond
	portsWait = time.Second
)

// Trace implements monitor.Tracer.
func (p *Prober) Trace(ctx context.Context, to monitor.Target) (path monitor.Path) {
	began := time.Now()
	r := &ramp{began: began, stop: hopsMost, ended: make(chan *step, tracePackets)}
	r.path = monitor.Path{To: to.Addr, End: monitor.PathSilent}
	defer func() {
		if v := recover(); v != nil {
			p.count.panics.Add(1)
			r.fail(monitor.PathUnavailable, &panicError{v})
		}
		path = r.path
		path.Took = time.Since(began)
	}()
	t, ok := p.shared.(*transport)
	if !ok {
		r.fail(monitor.PathUnavailable, errors.New("it takes the sockets that exchanges share"))
		return
	}
	if !unicast(to.Addr) {
		r.fail(monitor.PathUnavailable, fmt.Errorf("%s is no address of a server", to.Addr))
		return
	}
	w, err := t.dial(ctx, to, p.clock, p.timeout)
	if err != nil {
		r.fail(monitor.PathUnsent, err)
		return
	}
	r.t, r.to = t, w.(*seat).f.to
	defer r.land()
	r.climb(ctx)
	if r.path.End == monitor.PathSilent && ctx.Err() == nil {
		beside := p.beside
		if beside == nil {
			beside = dialPlain
		}
		r.ports(ctx, func(ctx context.Context) (wire, error) { return beside(ctx, to, p.clock, portsWait) })
	}
	if ctx.Err() != nil && r.path.End == monitor.PathSilent {
		r.fail(monitor.PathUnavailable, fmt.Errorf("given up: %w", context.Cause(ctx)))
	}
	return
}

// ramp is a trace under way. All but the waiting for flights is one goroutine's.
type ramp struct {
	t     *transport
	to    endpoint
	began time.Time
	path  monitor.Path

	ended   chan *step
	flying  []*step
	again   []int         // hops that have to be asked again
	alone   bool          // one at a time, see transport.ofTrace
	next    time.Time     // no packet before
	slowest time.Duration // of the hops' answers
	top     int           // the last hop that answered
	stop    int           // no hop beyond it is asked
}

// step is a packet to a hop; hop 0 is one that may go all the way.
type step struct {
	hop   int
	f     *flight
	sent  time.Time
	over  time.Time
	doubt bool // what answers it may be meant for another one
}

// climb asks the hops.
func (r *ramp) climb(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, more := r.move(time.Now())
		if !more {
			return
		}
		timer.Reset(wait)
		select {
		case s := <-r.ended:
			r.take(s)
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// move gives up the hops that have been waited for, asks those that are to be,
// and says when to come back, or that there is no more to do.
func (r *ramp) move(now time.Time) (wait time.Duration, more bool) {
	last := r.began.Add(rampMost)
	due := last
	for _, s := range r.flying {
		switch at := s.sent.Add(r.patience()); {
		case !at.After(now) || !last.After(now):
			r.t.cancel(s.f) // and its end comes at once
			due = now.Add(hopGap)
		case at.Before(due):
			due = at
		}
	}
	for last.After(now) {
		hop := len(r.path.Hops) + 1
		if len(r.again) > 0 {
			hop = r.again[0]
		}
		most := hopsAtOnce
		if r.alone {
			most = 1
		}
		if hop > min(r.stop, r.top+silentRun) || len(r.flying) >= most || r.path.Packets >= tracePackets-portPackets {
			break
		}
		if r.next.After(now) {
			if r.next.Before(due) {
				due = r.next
			}
			return due.Sub(now), true
		}
		if len(r.again) > 0 {
			r.again = r.again[1:]
		} else {
			r.path.Hops = append(r.path.Hops, monitor.Hop{})
		}
		if !r.ask(hop) {
			return 0, false
		}
		r.next = now.Add(hopGap)
		if at := now.Add(r.patience()); at.Before(due) {
			due = at
		}
	}
	return due.Sub(now), len(r.flying) > 0
}

func (r *ramp) patience() time.Duration {
	if !r.alone {
		return hopWait
	}
	return min(max(3*r.slowest, aloneWait), hopWait)
}

// ask sends one packet.
func (r *ramp) ask(hop int) bool {
	s := &step{hop: hop, sent: time.Now(), f: &flight{to: r.to, hops: uint8(hop), done: make(chan struct{})}}
	s.f.request, s.f.cookie = newRequest()
	if err := r.t.submit(s.f); err != nil {
		r.fail(monitor.PathUnavailable, err)
		return false
	}
	r.path.Packets++
	r.path.Passed++
	r.flying = append(r.flying, s)
	go func() {
		<-s.f.done
		s.over = time.Now()
		r.ended <- s // which has room for all
	}()
	return true
}

// take takes what became of a packet.
func (r *ramp) take(s *step) {
	r.flying = slices.DeleteFunc(r.flying, func(o *step) bool { return o == s })
	var (
		ie *icmpError
		se *sendError
	)
	switch err := s.f.err; {
	case s.f.got:
		r.answered(s, r.server(), 0, 0)
		r.stopAt(s.hop, monitor.PathAnswered)
	case s.doubt:
		r.askAgain(s.hop)
	case errors.As(err, &se), errors.As(err, &ie) && ie.local:
		r.path.Packets--
		r.path.Passed--
		r.fail(monitor.PathUnsent, err)
	case ie != nil:
		r.reported(s, ie)
	case errors.Is(err, errUnclear):
		r.askAgain(s.hop)
		if !r.alone {
			r.alone, r.next = true, s.over.Add(hopWait) // for the other answers to be over
			for _, o := range r.flying {
				o.doubt = true
				r.t.cancel(o.f)
			}
		}
	case errors.Is(err, errClosed):
		r.fail(monitor.PathUnavailable, err)
	case s.f.before == 0: // given up before it was sent, by a process that had been stopped
		r.path.Packets--
		r.path.Passed--
		if s.hop > 0 {
			r.askAgain(s.hop)
		}
	}
}

func (r *ramp) askAgain(hop int) {
	r.again = append(r.again, hop)
	slices.Sort(r.again)
}

// reported takes an ICMP message.
func (r *ramp) reported(s *step, e *icmpError) {
	exceeded, unreachable, port := uint8(11), uint8(3), uint8(3) // RFC 792
	if r.to.is6() {
		exceeded, unreachable, port = 3, 1, 4 // RFC 4443
	}
	from := e.from.Unmap()
	switch {
	case !from.IsValid(), e.typ != exceeded && e.typ != unreachable:
	case e.typ == exceeded:
		r.path.Passed--
		if s.hop > 0 {
			r.answered(s, from, e.typ, e.code)
		}
	case from == r.server():
		r.answered(s, from, e.typ, e.code)
		if e.code == port {
			r.stopAt(s.hop, monitor.PathRefused)
		} else if s.hop > 0 { // its host's firewall
			r.stopAt(s.hop, monitor.PathBlocked)
		}
	case own(from):
		r.path.Passed--
		r.fail(monitor.PathUnsent, fmt.Errorf("the next hop does not answer: %w", e))
	default:
		r.path.Passed--
		if s.hop > 0 {
			r.answered(s, from, e.typ, e.code)
			r.stopAt(s.hop, monitor.PathBlocked)
		}
	}
}

// server is the server's address as packets have it.
func (r *ramp) server() netip.Addr { return netip.AddrFrom16(r.to.ip).Unmap() }

func (r *ramp) answered(s *step, from netip.Addr, typ, code uint8) {
	if s.hop == 0 {
		return
	}
	// The kernel's stamps where they can be true: a process comes later to it.
	rtt := s.over.Sub(s.sent)
	if f := s.f; f.tx != 0 && f.rx >= f.tx && time.Duration(f.rx-f.tx) < rtt {
		rtt = time.Duration(f.rx - f.tx)
	}
	r.slowest = max(r.slowest, rtt)
	r.top = max(r.top, s.hop)
	r.path.Hops[s.hop-1] = monitor.Hop{Addr: from, RTT: rtt, Type: typ, Code: code}
}

// stopAt ends the way at a hop. The server's word goes before that of others on
// the way, and then the nearest.
func (r *ramp) stopAt(hop int, end monitor.PathEnd) {
	rank := func(e monitor.PathEnd) int {
		return slices.Index([]monitor.PathEnd{monitor.PathSilent, monitor.PathBlocked, monitor.PathRefused, monitor.PathAnswered}, e)
	}
	was := rank(r.path.End)
	if was < 0 || rank(end) < was || rank(end) == was && hop >= r.stop {
		return
	}
	r.path.End = end
	if hop > 0 {
		r.stop = hop
	}
}

// fail ends the trace, unless it has found the server.
func (r *ramp) fail(end monitor.PathEnd, err error) {
	if r.path.End == monitor.PathAnswered || r.path.End == monitor.PathRefused {
		return
	}
	r.path.End, r.path.Detail, r.stop = end, err.Error(), 0
}

// ports sends one more packet all the way and, beside it, one from another port;
// where only that one is answered, both once more. Parallel ways are chosen by
// the ports, as a rule.
func (r *ramp) ports(ctx context.Context, dial func(context.Context) (wire, error)) {
	ctx, cancel := context.WithTimeout(ctx, portsWait)
	defer cancel()
	other := make(chan bool, portPackets)
	go func() {
		defer close(other)
		elsewhere(ctx, dial, func(replied bool) { other <- replied })
	}()
	replies, over := 0, ctx.Done()
	r.ask(0)
	for other != nil || len(r.flying) > 0 {
		select {
		case s := <-r.ended:
			r.take(s)
			if r.path.End != monitor.PathSilent {
				cancel()
			}
		case replied, open := <-other:
			switch {
			case !open:
				other = nil
			case !replied:
				r.path.Packets++
				r.path.Passed++
			default:
				if replies++; replies == 1 {
					r.ask(0)
				}
			}
		case <-over:
			over = nil
			for _, s := range r.flying {
				r.t.cancel(s.f)
			}
		}
	}
	r.path.PortPath = r.path.End == monitor.PathSilent && replies == 2
}

// elsewhere has two exchanges from a port of their own, the second if the first
// was answered, and tells of each request sent and each reply.
func elsewhere(ctx context.Context, dial func(context.Context) (wire, error), tell func(replied bool)) {
	w, err := dial(ctx)
	if err != nil {
		return
	}
	defer w.close()
	for range 2 {
		request, cookie := newRequest()
		if w.send(request[:], nil) != nil {
			return
		}
		tell(false)
		if w.receive(&sieve{cookie: cookie}) != nil {
			return
		}
		tell(true)
	}
}

// land ends what is still under way.
func (r *ramp) land() {
	for _, s := range r.flying {
		r.t.cancel(s.f)
		<-s.f.done
	}
	last := r.stop
	if last == 0 {
		last = r.top
	}
	r.path.Hops = r.path.Hops[:min(len(r.path.Hops), last)]
}

// own says whether an address is this station's.
func own(a netip.Addr) bool {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(list, func(n net.Addr) bool {
		p, ok := n.(*net.IPNet)
		if !ok {
			return false
		}
		b, ok := netip.AddrFromSlice(p.IP)
		return ok && b.Unmap() == a
	})
}
