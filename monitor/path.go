package monitor

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Tracer finds out how far requests to a target get. It never panics, returns
// within TraceTimeout or soon after ctx ends, and reports every failure as an
// end of the path.
type Tracer interface {
	Trace(ctx context.Context, t Target) Path
}

// TraceTimeout is how long a trace takes at the most.
const TraceTimeout = 5 * time.Second

// Path is how far requests to a target got. It is a diagnosis for people and a
// hint to whoever decides whose fault a silence is; it convicts nobody: routers
// need not answer, and answers find back by another way.
type Path struct {
	To      netip.AddrPort
	At      time.Time // true time of its end; the station's clock until true time is known
	End     PathEnd
	Detail  string // for people, where End alone does not say it
	Hops    []Hop  // the first router, the second, and so on, as far as they were asked
	Packets int    // sent for it
	Passed  int    // of them, those that no router said to have stopped: the server may have had them
	Took    time.Duration
	// PortPath says that the server answered requests from another source port
	// while those from the station's own went unanswered: some of several
	// parallel ways to it is dead, or something there filters by port.
	PortPath bool
}

// PathEnd says where requests got to.
type PathEnd string

// The ends of a path.
const (
	PathAnswered    PathEnd = "answered"    // to the server, which replied
	PathRefused     PathEnd = "refused"     // to its host, which says that nothing listens there
	PathBlocked     PathEnd = "blocked"     // to a router that says that it goes no further
	PathSilent      PathEnd = "silent"      // to some router, or none; beyond that nothing answers
	PathUnsent      PathEnd = "unsent"      // nowhere: this station could not send
	PathUnavailable PathEnd = "unavailable" // nobody knows: the trace could not be had
)

// Hop is one station on the way.
type Hop struct {
	Addr netip.Addr    // who answered; not valid: nobody
	RTT  time.Duration // 0 where nobody did
	// Type and Code are of the ICMP message, by the numbers of the address's
	// family; type 0, which answers no request, is the server's reply.
	Type, Code uint8
}

// last is the last hop that answered and its number, from 1; 0 if none did.
func (p Path) last() (Hop, int) {
	for i := len(p.Hops) - 1; i >= 0; i-- {
		if p.Hops[i].Addr.IsValid() {
			return p.Hops[i], i + 1
		}
	}
	return Hop{}, 0
}

// first is the number of the first hop with an address, from 1: a router that
// refuses to pass on what comes to it answers in the place of the next one.
func (p Path) first(a netip.Addr) int {
	for i, h := range p.Hops {
		if h.Addr == a {
			return i + 1
		}
	}
	return 0
}

// Inside says whether the path to a server outside ends within the station's
// own network, as far as hops can tell: at this station, before the first
// router, at it, or before any with a public address. It is a hint that the
// station is at fault, and where routers are silent a wrong one. A server inside
// lies there itself: of it this is always false.
func (p Path) Inside() bool {
	switch p.End {
	case PathUnsent, PathSilent, PathBlocked:
	default:
		return false
	}
	if !p.To.IsValid() || !public(p.To.Addr()) || p.PortPath {
		return false
	}
	h, _ := p.last()
	if h.Addr == p.To.Addr().Unmap().WithZone("") {
		return false
	}
	if !h.Addr.IsValid() || p.End == PathUnsent || p.first(h.Addr) == 1 {
		return true
	}
	for _, h := range p.Hops {
		if h.Addr.IsValid() && public(h.Addr) {
			return false
		}
	}
	return true
}

// String says in a sentence where the path stops.
func (p Path) String() string {
	h, n := p.last()
	there := n > 0 && h.Addr == p.To.Addr().Unmap().WithZone("")
	s := ""
	switch p.End {
	case PathAnswered:
		s = "the server answers again"
		if there {
			s += ", as the " + ordinal(n) + " hop"
		}
	case PathRefused:
		s = "gets to the server, where nothing listens on the port"
		if there {
			s = fmt.Sprintf("gets to %s, the %s hop, where nothing listens on the port", h.Addr, ordinal(n))
		}
	case PathBlocked:
		s = fmt.Sprintf("gets to %s, the %s hop, which says that it goes no further: %s", h.Addr, ordinal(p.first(h.Addr)), h.meaning())
	case PathSilent:
		s = "nothing answers, not even the first hop"
		if n > 0 {
			s = fmt.Sprintf("answers up to %s, the %s hop; silent after it", h.Addr, ordinal(n))
		}
	case PathUnsent:
		s = reasonOf("this station could not send", p.Detail)
	default:
		s = reasonOf("the path could not be looked at", p.Detail)
	}
	if p.PortPath {
		s += "; from another port of this station's the server answers"
	}
	if p.Inside() && p.End != PathUnsent {
		s += "; that is within this station's own network, as far as can be seen"
	}
	return s
}

// ordinal is 1st, 2nd, 3rd and so on.
func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}

// meaning is a "destination unreachable" in words: RFC 792 and RFC 1812 section
// 5.2.7.1, RFC 4443 section 3.1.
func (h Hop) meaning() string {
	words := map[uint8]string{
		0: "no route to the network", 1: "the host does not answer it", 2: "it does not take the protocol", 3: "the port is closed",
		5: "the source route failed", 6: "the network is not known", 7: "the host is not known",
		9: "it is forbidden", 10: "it is forbidden", 11: "no route to the network for this service", 12: "no route to the host for this service",
		13: "it is forbidden", 14: "it is forbidden", 15: "it is forbidden",
	}
	if h.Addr.Is6() {
		words = map[uint8]string{
			0: "no route to the network", 1: "it is forbidden", 2: "it lies beyond the scope of the address", 3: "the host does not answer it",
			4: "the port is closed", 5: "it is forbidden", 6: "the route is rejected",
		}
	}
	if w := words[h.Code]; w != "" {
		return w
	}
	return fmt.Sprintf("ICMP type %d code %d", h.Type, h.Code)
}
