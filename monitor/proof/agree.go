package proof

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/truechimer/truechimer/monitor/address"
)

const (
	// DefaultDrift is how fast a server's clock is taken to gain or lose at the
	// most: 500 ppm that a kernel steers by, 100 ppm of the worst crystal.
	DefaultDrift = 600e-6
	// together is how far apart in time files may be and still be held against
	// each other: within it few clocks are set.
	together = 10 * time.Minute
)

// Case is a file that was opened and judged.
type Case struct {
	Name      string // of the file
	Statement *Statement
	Finding   Finding
}

// Agreement is what several files about one server, of about the same time, say
// together. It rests on more than each of them does: that one machine answers at
// the address, that its clock was not set between the exchanges and that it ran
// within Drift of true time.
type Agreement struct {
	Server   netip.AddrPort
	Files    []string
	Stations int // keys
	From, To time.Time
	Drift    float64

	// At this instant the server was ahead by Low at least and by High at the most, if
	// there is no Conflict. At is the exchange's at which that is narrowest.
	At        time.Time
	Low, High float64 // seconds
	// Conflict says that not all of it can be true; empty if it can.
	Conflict string
	// Caution says what else to think of; often empty.
	Caution string
}

// Agree holds the files that prove something against each other, those about one
// address that are not further apart than ten minutes. What is alone is left out.
func Agree(cases []Case, drift float64) []Agreement {
	of := map[netip.AddrPort][]Case{}
	var servers []netip.AddrPort
	for _, c := range cases {
		a := c.Statement.Server.Address
		if !c.Finding.Proven {
			continue
		}
		if len(of[a]) == 0 {
			servers = append(servers, a)
		}
		of[a] = append(of[a], c)
	}
	var out []Agreement
	for _, a := range servers {
		list := of[a]
		slices.SortStableFunc(list, func(a, b Case) int {
			x, _ := a.Finding.Span()
			y, _ := b.Finding.Span()
			return x.Compare(y)
		})
		for len(list) > 0 {
			_, end := list[0].Finding.Span()
			n := 1
			for ; n < len(list); n++ {
				first, last := list[n].Finding.Span()
				if first.Sub(end) > together {
					break
				}
				if last.After(end) {
					end = last
				}
			}
			if n > 1 {
				out = append(out, agree(a, list[:n], drift))
			}
			list = list[n:]
		}
	}
	return out
}

// held is what one exchange says of the offset at its middle, given the drift.
type held struct {
	file      string
	key       Key
	at        int64
	low, high float64
}

// agree intersects. Of a function whose slope is within drift, which passes
// through intervals at several instants, no more can be said, and it exists
// whenever each two of them allow it (McShane's extension).
func agree(server netip.AddrPort, list []Case, drift float64) Agreement {
	out := Agreement{Server: server, Drift: drift}
	var all []held
	keys, holders := map[Key]bool{}, map[Packet]Key{}
	copied := ""
	for _, c := range list {
		key := c.Statement.Station.Key
		keys[key] = true
		out.Files = append(out.Files, c.Name)
		for i, x := range c.Finding.Exchanges {
			// low held when the reply left, high when the request came, both at
			// some instant of the exchange.
			half := x.Interval.Bound + drift*(x.Lasted/2+x.Reference.Bound)
			all = append(all, held{c.Name, key, x.At, x.Interval.Offset - half, x.Interval.Offset + half})
			p := c.Statement.Exchanges[i].Request
			if by, ok := holders[p]; ok && by != key {
				copied = c.Name
			}
			holders[p] = key
		}
	}
	out.Stations = len(keys)
	slices.SortStableFunc(all, func(a, b held) int { return cmp.Compare(a.at, b.at) })
	out.From, out.To = time.Unix(0, all[0].at).UTC(), time.Unix(0, all[len(all)-1].at).UTC()
	if address.Inside(server.Addr()) {
		out.Caution = fmt.Sprintf("%s is an address inside of a network: in other networks it is another machine's", server.Addr())
	}
	switch a, b, by := worst(all, drift); {
	case copied != "":
		out.Conflict = fmt.Sprintf("%s has a packet that another station says it sent: one has it from the other", copied)
	case by > 0:
		out.Conflict = fmt.Sprintf("%s says at least %+.6f s at %s, %s at most %+.6f s at %s: too much by %.6f s",
			a.file, a.low, clock(a.at), b.file, b.high, clock(b.at), by)
	default:
		out.narrow(all)
	}
	return out
}

// apart is by how much the offset may change between two instants.
func apart(a, b int64, drift float64) float64 { return drift * math.Abs(float64(a-b)) / 1e9 }

// worst are the two that exclude each other most, and by how much; not more than
// 0 if none do.
func worst(all []held, drift float64) (a, b held, by float64) {
	by = math.Inf(-1)
	for _, x := range all {
		for _, y := range all {
			if d := x.low - y.high - apart(x.at, y.at, drift); d > by {
				a, b, by = x, y, d
			}
		}
	}
	return a, b, by
}

func (g *Agreement) narrow(all []held) {
	for i, x := range all {
		low, high := math.Inf(-1), math.Inf(1)
		for _, y := range all {
			d := apart(x.at, y.at, g.Drift)
			low, high = max(low, y.low-d), min(high, y.high+d)
		}
		if i == 0 || high-low < g.High-g.Low {
			g.At, g.Low, g.High = time.Unix(0, x.at).UTC(), low, high
		}
	}
}

func clock(at int64) string { return time.Unix(0, at).UTC().Format("15:04:05.000") }
