package probe

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// batch is how many packets one system call sends or reads at the most.
	batch = 64
	// rounds is how many batches of one kind are read before all else has its turn.
	rounds = 4
	// txWait is how long a transmit stamp is waited for after the reply came. It
	// is made before the packet leaves, so by then it is there or never will be,
	// but for a reply overtaking it on another core.
	txWait = 5 * time.Millisecond
	// vainMost is how often a socket may be said to be ready and have nothing.
	vainMost = 1000
	// sendTries is how often a packet is sent before an error is its own.
	// An ICMP message about another packet also makes one call fail.
	sendTries = 4
	// fullTries is how often a packet that found the socket's buffer full is
	// tried again, fullWait apart.
	fullTries = 20
	fullWait  = time.Millisecond
	// roomMost is for how many flights a list's room is kept when it is empty.
	roomMost = 1024
)

// launch sends what was submitted, and what found no room before.
func (t *transport) launch(now time.Time) {
	for _, f := range t.begun {
		if f.finished {
			continue // given up before it was sent
		}
		i := 0
		if f.to.is6() {
			i = 1
		}
		t.sorted[i] = append(t.sorted[i], f)
	}
	for i, list := range t.sorted {
		if len(list) > 0 {
			t.sendAll(i, list, now)
		}
		t.sorted[i] = emptied(list)
	}
	t.begun = emptied(t.begun)
}

// emptied is a list's room for the next, unless that is uncommonly much.
func emptied(list []*flight) []*flight {
	if cap(list) > roomMost {
		return nil
	}
	clear(list)
	return list[:0]
}

func (t *transport) sendAll(fam int, list []*flight, now time.Time) {
	for len(list) > 0 {
		p, err := t.port(fam, now)
		if err != nil {
			for _, f := range list {
				t.end(f, &sendError{err})
			}
			return
		}
		some := list[:min(len(list), batch)]
		for i, f := range some {
			f.id = p.sent + uint32(i)
		}
		t.kernel.warm()
		before := t.clock.Realtime()
		n, err := p.sock.send(some)
		after := t.clock.Realtime()
		// From the sending on: what the loop came late to costs nobody a reply.
		deadline := time.Now().Add(t.timeout)
		for _, f := range some[:n] {
			f.before, f.after, f.on, f.dropped, f.deadline = before, after, p, p.dropped, deadline
			p.stamped[f.id] = f
			t.sky.add(f)
		}
		p.sent += uint32(n)
		list = list[n:]
		// The stamps are there already, as a rule.
		t.readErrors(p)
		if err != nil {
			t.refused(fam, p, list[0], err, now)
			list = list[1:]
		}
	}
}

// refused deals with a packet that could not be sent.
func (t *transport) refused(fam int, p *port, f *flight, err error, now time.Time) {
	f.tries++
	var no syscall.Errno
	errors.As(err, &no)
	switch {
	case no == syscall.EAGAIN && f.tries < fullTries:
		t.full = append(t.full, f)
		return
	case no != syscall.EAGAIN && f.tries < sendTries:
		// Perhaps an ICMP message about another packet: its error queue has
		// been emptied, so the next try tells.
		t.sendAll(fam, []*flight{f}, now)
		return
	}
	if p.sock.counts() {
		// Older kernels count some of the packets that they refused.
		p.sock.recount()
		p.sent = 0
		clear(p.stamped)
	}
	t.end(f, &sendError{os.NewSyscallError("send", err)})
	switch no {
	case syscall.EADDRNOTAVAIL, syscall.ENETDOWN, syscall.ENODEV, syscall.ENXIO, syscall.EPIPE, syscall.EBADF, syscall.ENOTSOCK:
		// The interface is gone, or the address, or the socket is broken.
		p.suspect = true
	}
}

// read reads what has come and says whether there may be more.
func (t *transport) read(now time.Time) (more bool) {
	for i := range t.ports {
		for _, p := range [...]*port{t.ports[i].live, t.ports[i].draining} {
			if p == nil || !p.ready {
				continue
			}
			p.ready = false
			errs, packets := t.readErrors(p), t.readPackets(p, now)
			if errs == rounds*batch || packets == rounds*batch {
				p.ready, more = true, true
			}
			if p.vain++; errs+packets > 0 {
				p.vain = 0
			}
			if p.broken == nil && p.vain > vainMost {
				p.broken = errors.New("the socket is ready without there being anything to read")
			}
			if p.broken != nil {
				t.lose(&t.ports[i], p)
			}
		}
	}
	return more
}

// readErrors reads transmit stamps and reported errors, and returns how many.
func (t *transport) readErrors(p *port) (all int) {
	for range rounds {
		n, err := p.sock.errors(func(q *queued) { t.report(p, q) })
		if err != nil && p.broken == nil && structural(err) {
			p.broken = err
		}
		if all += n; n < batch {
			break
		}
	}
	return all
}

func (t *transport) report(p *port, q *queued) {
	if q.stamp != 0 || q.raw != 0 {
		t.left(p, q)
		return
	}
	if q.err == nil || len(q.quoted) < packetSize && t.ofTrace(p, q) {
		return
	}
	if f := t.sky.reported(q.quoted, q.to); f != nil && f.on == p && !f.over {
		f.rx = q.heard
		t.end(f, q.err)
	}
}

// left takes a transmit stamp: the first by the kernel counts, and the first by a
// card where that is wanted.
func (t *transport) left(p *port, q *queued) {
	f := p.stamped[q.id]
	if f == nil {
		return
	}
	if f.tx == 0 {
		f.tx = q.stamp
	}
	if f.card != nil && !t.cards.take(f, q) || f.tx == 0 {
		return
	}
	delete(p.stamped, q.id)
	if f.over {
		t.end(f, nil)
	}
}

// untold says whether a transmit stamp of a flight is yet to come.
func (p *port) untold(f *flight) bool {
	return (f.tx == 0 || f.card != nil) && p.stamped[f.id] == f
}

func (t *transport) readPackets(p *port, now time.Time) (all int) {
	for range rounds {
		var read int64
		n, err := p.sock.receive(func(d *datagram) {
			if read == 0 {
				read = t.clock.Realtime()
			}
			t.arrived(p, d, read, now)
		})
		if err != nil && p.broken == nil && structural(err) {
			p.broken = err
		}
		if all += n; n < batch {
			break
		}
	}
	return all
}

func (t *transport) arrived(p *port, d *datagram, read int64, now time.Time) {
	if more := d.dropped - p.dropped; int32(more) > 0 {
		t.count.dropped.Add(uint64(more))
		p.dropped = d.dropped
	}
	if known, twice := t.memory.recall(d.data, d.from, now); known {
		if twice {
			t.count.duplicates.Add(1)
		} else {
			t.count.late.Add(1)
		}
		return
	}
	f := t.sky.answered(d.data, d.from)
	switch {
	case f == nil || f.on != p:
		t.count.foreign.Add(1)
		if p.foreign++; p.foreign >= foreignMost {
			p.suspect = true
		}
		return
	case f.over:
		t.count.duplicates.Add(1)
		return
	}
	if f.read = read; !f.take(d.data) {
		return
	}
	if !f.got {
		p.suspect = true
		t.end(f, errStrays)
		return
	}
	f.rx, f.ttl = d.stamp, d.ttl
	wait := txWait
	if f.card != nil {
		f.card.rx, f.card.rxOn, f.card.length = d.raw, d.on, int(d.length)
	}
	if t.cards != nil {
		wait = cardWait // the same for all, whose deadlines are in order so
	}
	if p.untold(f) {
		t.readErrors(p)
	}
	if !p.untold(f) {
		t.end(f, nil)
		return
	}
	f.over = true
	f.leave()
	f.deadline = now.Add(wait)
	t.sky.stamping.push(f)
}

// expire ends what has waited long enough.
func (t *transport) expire(now time.Time) {
	for f := t.sky.waiting.first; f != nil && !f.deadline.After(now); f = t.sky.waiting.first {
		if f.on.dropped != f.dropped {
			t.end(f, fmt.Errorf("%d packets found this station's buffer full meanwhile, the reply may have been among them", f.on.dropped-f.dropped))
			continue
		}
		t.end(f, os.ErrDeadlineExceeded)
	}
	for f := t.sky.stamping.first; f != nil && !f.deadline.After(now); f = t.sky.stamping.first {
		t.end(f, nil)
	}
}
