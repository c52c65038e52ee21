package probe

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// endpoint is an address and port as packets carry it; IPv4 mapped into IPv6.
type endpoint struct {
	ip    [16]byte
	scope uint32 // interface of a link-local address
	port  uint16
}

func endpointOf(a netip.AddrPort, scope uint32) endpoint {
	return endpoint{ip: a.Addr().As16(), scope: scope, port: a.Port()}
}

// is6 says whether packets to it are IPv6's.
func (e *endpoint) is6() bool { return !netip.AddrFrom16(e.ip).Is4In6() }

// flight is one request between its submission and the end of the exchange.
// Until done is closed only the transport's loop touches it, after that only
// the one who submitted it.
type flight struct {
	to       endpoint
	request  [packetSize]byte
	deadline time.Time
	done     chan struct{}
	told     func(*sieve) // is handed the reply before done is closed; nil: nobody is

	sieve
	err           error // nil when the reply came
	before, after int64 // user-space stamps around the send call; 0 if it was not sent
	tx, rx        int64 // kernel stamps, 0 if none
	read          int64 // user-space stamp after the receive call
	ttl           uint8
	hops          uint8 // how many the request may go, 0 for all; it is a trace's otherwise
	over          bool  // waits for nothing but its transmit stamp
	finished      bool
	id            uint32
	card          *cardStamps // nil: none are wanted

	on      *port // socket it was sent from
	tries   int
	dropped uint32  // packets the socket had lost when it was sent
	in      *line   // list it is in
	prev    *flight // neighbours there
	next    *flight
	newer   *flight // neighbours among those to the same server
	older   *flight
}

// line is a list of flights in the order of their deadlines, which is that of
// their coming since all in it wait equally long.
type line struct{ first, last *flight }

func (l *line) push(f *flight) {
	f.in, f.prev, f.next = l, l.last, nil
	if l.last != nil {
		l.last.next = f
	} else {
		l.first = f
	}
	l.last = f
}

func (f *flight) leave() {
	l := f.in
	if l == nil {
		return
	}
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		l.last = f.prev
	}
	f.in, f.prev, f.next = nil, nil, nil
}

// sky is every flight there is, by what packets may name it by.
type sky struct {
	waiting  line // for a reply
	stamping line // for their transmit stamp alone
	cookies  map[uint64]*flight
	servers  map[endpoint]*flight // the newest to each
	traces   map[endpoint]*flight // likewise, of those that go so many hops
	n        int                  // flights
}

func newSky() sky {
	return sky{cookies: map[uint64]*flight{}, servers: map[endpoint]*flight{}, traces: map[endpoint]*flight{}}
}

// newest is the map that has the newest flight beside f.
func (s *sky) newest(f *flight) map[endpoint]*flight {
	if f.hops != 0 {
		return s.traces
	}
	return s.servers
}

// add takes a flight that was sent.
func (s *sky) add(f *flight) {
	s.cookies[f.cookie] = f
	if f.second != 0 {
		s.cookies[f.second] = f
	}
	newest := s.newest(f)
	if f.older = newest[f.to]; f.older != nil {
		f.older.newer = f
	}
	newest[f.to] = f
	s.waiting.push(f)
	s.n++
}

// remove takes a flight out; one that is not in stays out.
func (s *sky) remove(f *flight) {
	if f.in == nil {
		return
	}
	s.n--
	f.leave()
	if f.on != nil && f.on.stamped[f.id] == f {
		delete(f.on.stamped, f.id)
	}
	for _, cookie := range [...]uint64{f.cookie, f.second} {
		if s.cookies[cookie] == f {
			delete(s.cookies, cookie)
		}
	}
	switch {
	case f.newer != nil:
		f.newer.older = f.older
	case f.older != nil:
		s.newest(f)[f.to] = f.older
	default:
		delete(s.newest(f), f.to)
	}
	if f.older != nil {
		f.older.newer = f.newer
	}
	f.newer, f.older = nil, nil
}

// answered finds the flight that a datagram from an address is for: the one
// whose cookie it carries or, where it carries none that is known, the one
// that has waited least for a packet from there.
func (s *sky) answered(b []byte, from endpoint) *flight {
	if len(b) >= offOrigin+8 {
		if f := s.cookies[binary.BigEndian.Uint64(b[offOrigin:])]; f != nil {
			if f.to != from {
				return nil
			}
			return f
		}
	}
	return s.servers[from]
}

// reported finds the flight that an error is about: its destination and, where
// enough of the packet is quoted, its cookie have to be right.
func (s *sky) reported(quoted []byte, to endpoint) *flight {
	if len(quoted) < packetSize {
		return s.servers[to]
	}
	f := s.cookies[binary.BigEndian.Uint64(quoted[offTransmit:])]
	if f == nil || f.to != to {
		return nil
	}
	return f
}

const (
	// lateFor is how long the cookie of a finished exchange is known again: an
	// answer that comes later yet would be a stray of the next exchange.
	lateFor = time.Minute
	// memories is how many of them are, at the most.
	memories = 8192
)

// memory knows the cookies of exchanges that are over, so that what comes late
// or twice is not taken for something worse.
type memory struct {
	known map[uint64]ended
	order []uint64 // a ring once it is full
	at    int
}

type ended struct {
	from     endpoint
	answered bool
	until    time.Time
}

func (m *memory) add(f *flight, now time.Time) {
	if m.known == nil {
		m.known = map[uint64]ended{}
	}
	e := ended{from: f.to, answered: f.got, until: now.Add(lateFor)}
	m.keep(f.cookie, e)
	if f.second != 0 {
		m.keep(f.second, e)
	}
}

func (m *memory) keep(cookie uint64, e ended) {
	if len(m.order) < memories {
		m.order = append(m.order, cookie)
	} else {
		delete(m.known, m.order[m.at])
		m.order[m.at] = cookie
		m.at = (m.at + 1) % memories
	}
	m.known[cookie] = e
}

// recall says whether a packet answers an exchange that is over, and whether
// that had its reply already.
func (m *memory) recall(b []byte, from endpoint, now time.Time) (known, twice bool) {
	if len(b) < packetSize {
		return false, false
	}
	cookie := binary.BigEndian.Uint64(b[offOrigin:])
	p, ok := m.known[cookie]
	if !ok || p.from != from || now.After(p.until) {
		return false, false
	}
	twice = p.answered
	p.answered = true
	m.known[cookie] = p
	return true, twice
}
