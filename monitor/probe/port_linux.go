package probe

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"time"
)

const (
	// portLife is how long requests are sent from one port: long enough that a
	// path is the same for many exchanges, short enough that who has found the
	// port out does not profit for long (RFC 9109). A quarter more or less.
	portLife = time.Hour
	// foreignMost is how many packets that nobody was waiting for make a port
	// suspect: somebody is guessing.
	foreignMost = 1000
)

// family is the sockets of an address family: one that requests are sent from
// and, after a change, the one before, for the replies still under way.
type family struct{ live, draining *port }

// port is one socket and what the transport knows of it.
type port struct {
	sock    socket
	until   time.Time // when it is changed, or closed if it is draining
	sent    uint32    // packets so far
	stamped map[uint32]*flight
	ready   bool
	dropped uint32
	foreign int
	vain    int
	suspect bool // to be changed at the next chance
	broken  error
}

// port is the port to send from, a new one if it is time.
func (t *transport) port(i int, now time.Time) (*port, error) {
	fam := &t.ports[i]
	old := fam.live
	if old != nil && (!old.suspect && now.Before(old.until) || fam.draining != nil) {
		return old, nil
	}
	sock, err := t.kernel.open(i == 1)
	if err != nil {
		if old != nil {
			return old, nil
		}
		return nil, err
	}
	life := portLife*3/4 + rand.N(portLife/2)
	fam.live = &port{sock: sock, until: now.Add(life), stamped: map[uint32]*flight{}, ready: true}
	if old != nil {
		old.until = now.Add(t.timeout + lateFor)
		fam.draining = old
	}
	return fam.live, nil
}

// retire closes the ports that have been drained.
func (t *transport) retire(now time.Time) {
	for i := range t.ports {
		if p := t.ports[i].draining; p != nil && !now.Before(p.until) {
			p.sock.close()
			t.ports[i].draining = nil
		}
	}
}

// lose closes a port that is of no use any more and ends its flights.
func (t *transport) lose(fam *family, p *port) {
	for _, l := range [...]*line{&t.sky.waiting, &t.sky.stamping} {
		for f := l.first; f != nil; {
			next := f.next
			if f.on == p {
				t.end(f, p.broken)
			}
			f = next
		}
	}
	p.sock.close()
	if fam.live == p {
		fam.live = nil
	} else {
		fam.draining = nil
	}
}

func (fam *family) close() {
	for _, p := range [...]*port{fam.live, fam.draining} {
		if p != nil {
			p.sock.close()
		}
	}
	*fam = family{}
}

// structural says whether an error of a receive call is the socket's end. Any
// other is one that was reported about some packet, and is in the error queue.
func structural(err error) bool {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return true
	}
	switch no {
	case syscall.EBADF, syscall.ENOTSOCK, syscall.EINVAL, syscall.EFAULT, syscall.ENOTCONN, syscall.EPIPE:
		return true
	}
	return false
}

const (
	// paceFrom is how many requests a second it takes to let some gather.
	paceFrom = 200
	// gathered is how many are to be dealt with together then, as long as
	// none of them waits for longer than gatherMost.
	gathered   = 32
	gatherMost = 30 * time.Millisecond
	gatherMin  = 200 * time.Microsecond
	paceWindow = 250 * time.Millisecond
)

// pace says how long to let work gather: at a low rate not at all, so that
// nothing waits and an idle transport costs nothing; at a high one for as long
// as it takes a few packets to come, which saves waking up for each. The
// kernel's stamps do not suffer from what is read late.
type pace struct {
	since time.Time
	n     int
	most  int     // under way at once since then
	rate  float64 // requests a second
	alone bool    // one at a time: whoever sends the next waits for this one
}

// gap counts n more requests, with which so many are under way, and returns
// how long to wait, 0 for not at all.
func (p *pace) gap(n, flying int, now time.Time) time.Duration {
	p.n, p.most = p.n+n, max(p.most, n, flying)
	if d := now.Sub(p.since); d >= paceWindow {
		p.rate, p.alone = float64(p.n)/d.Seconds(), p.most <= 1
		p.since, p.n, p.most = now, 0, 0
	}
	if p.rate < paceFrom || p.alone {
		return 0
	}
	d := min(time.Duration(gathered/p.rate*float64(time.Second)), gatherMost)
	if d < gatherMin {
		return 0
	}
	return d
}
