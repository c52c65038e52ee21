package monitor

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
)

const (
	// minNetworks is how many independent servers have to answer before the
	// reference is no longer taken at its word alone: with fewer there is no
	// majority that could speak for it or against it.
	minNetworks = 3
	// consensusMost is how many of the others are asked, the nearest ones.
	consensusMost = 7
	// statementsMost bounds the replies that are remembered.
	statementsMost = 256
	// runaway is how fast the reference may go wrong without being found out,
	// s/s: more than any oscillator and than gpspps lets pass.
	runaway = 100e-6
)

// kin says whom a server is not independent of: everybody in its /24 or /48, and
// everybody with the same upstream. What is on a private network is one owner's.
type kin struct {
	network  netip.Prefix
	upstream uint32 // reference ID from stratum 2 on; 0: none
}

func kinOf(addr netip.Addr, stratum uint8, refID uint32) kin {
	bits := 24
	if addr = addr.Unmap(); addr.Is6() {
		bits = 48
	}
	p, _ := addr.Prefix(bits) // in error the zero Prefix, one network as good as any
	k := kin{network: p}
	if stratum >= 2 {
		k.upstream = refID
	}
	return k
}

// independents counts servers that are independent of each other.
type independents struct {
	networks  map[netip.Prefix]bool
	upstreams map[uint32]bool
}

// add says whether k is independent of all before, and counts it in anyway:
// then whoever is kin to it is kin to them.
func (f *independents) add(k kin) bool {
	if f.networks == nil {
		f.networks, f.upstreams = map[netip.Prefix]bool{}, map[uint32]bool{}
	}
	known := f.networks[k.network] || k.upstream != 0 && f.upstreams[k.upstream]
	f.networks[k.network] = true
	if k.upstream != 0 {
		f.upstreams[k.upstream] = true
	}
	return !known
}

// statement is what a server's reply says of the reference.
type statement struct {
	mono int64 // ns
	kin  kin
	offsetInterval
}

// vouching is how far servers can tell whether the reference is right.
//
// The reference's error is in every interval alike. So a server is called off
// only if it is outside the limit by the other servers' time, too: that of the
// middle one of those heard since the first of the exchanges that convict, each
// network and upstream once, the nearest consensusMost of them, the accused left
// out. The edges of their intervals are taken for it, the upper middle of the
// upper ones and the lower middle of the lower ones, each away by runaway for
// its age. While most of them are right, the reference alone, wrong by whatever
// amount, convicts nobody: it moves the accused and the others alike.
//
// Where the others' time lies outside the limit itself, on the accused's side,
// the reference is in doubt and the server not judged. Where the others are too
// few or too far to tell, it stays doubtful. Whoever is off already needs them
// no more. And where fewer than minNetworks independent servers answer at all,
// the reference's own bound has to do, as it is all that there is.
//
// The statements are in the order in which they came.
type vouching struct {
	said []statement
	next int // where the next one is put
}

func (v *vouching) add(s statement) {
	if len(v.said) < statementsMost {
		v.said = append(v.said, s)
		return
	}
	v.said[v.next] = s
	v.next = (v.next + 1) % statementsMost
}

// others is what the servers independent of s and heard since an instant say of
// the reference's error: it lies above lo and below hi, and n of them say so.
func (v *vouching) others(since int64, s statement) (lo, hi float64, n int) {
	var seen independents
	var list []offsetInterval
	seen.add(s.kin)
	for n := range v.said {
		o := &v.said[(v.next-1-n+2*len(v.said))%len(v.said)]
		if o.mono <= since {
			break
		}
		if seen.add(o.kin) { // else an older statement, or kin
			i := o.offsetInterval
			i.bound += runaway * float64(s.mono-o.mono) / 1e9
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b offsetInterval) int { return cmp.Compare(a.bound, b.bound) })
	list = list[:min(len(list), consensusMost)]
	if n = len(list); n < minNetworks-1 {
		return 0, 0, n
	}
	edges := make([]float64, n)
	middle := func(sign float64) float64 { // of the edges, the farther one in doubt
		for k, i := range list {
			edges[k] = sign*i.offset + i.bound
		}
		slices.Sort(edges)
		return edges[n/2]
	}
	return -middle(-1), middle(1), n
}

// doubts are what stands between an exchange and a conviction.
type doubts struct {
	unvouched bool   // the other servers' time leaves it open
	reference string // why the reference itself is in doubt; empty if it is not
}

// doubts says what the other servers make of an exchange with t that lies
// outside the limit, or may come to lie there with a better reading.
func (m *Monitor) doubts(t *target, x Exchange, r Reading) (d doubts) {
	if x.Outcome != OutcomeOK || checkReading(r) != "" {
		return d
	}
	if own, theirs := checkStamps(x); own != "" || theirs != "" {
		return d
	}
	limit := t.target().Server.Limit
	s := statement{mono: x.Mono, kin: kinOf(x.Addr.Addr(), x.Stratum, x.RefID), offsetInterval: measure(x, r)}
	side := s.outside(limit)
	t.kin = s.kin
	defer m.vouching.add(s)
	if math.Abs(s.offset) <= limit-r.Bound {
		return d
	}
	if side == 0 { // by this reading; another one might convict
		side = int8(math.Copysign(1, s.offset))
	}
	if !m.othersAnswer() {
		return d
	}
	since := x.Mono
	if t.now.streak > 0 && t.now.side == side {
		since = t.now.since
	}
	lo, hi, n := m.vouching.others(since, s)
	if n < minNetworks-1 {
		d.unvouched = true
		return d
	}
	sign := float64(side)
	if side < 0 {
		lo, hi = -hi, -lo
	}
	d.unvouched = sign*s.offset-s.bound-max(hi, 0) <= limit
	if lo > limit {
		d.reference = fmt.Sprintf("the reference is in doubt: the middle one of the %d nearest independent servers is %s as well", n, aheadBehind(sign*(lo+hi)/2))
	}
	return d
}

// othersAnswer says whether there are servers enough to doubt the reference by.
func (m *Monitor) othersAnswer() bool {
	var f independents
	n := 0
	for _, s := range m.servers {
		for _, t := range s.targets {
			if t != nil && t.answering && f.add(t.kin) {
				if n++; n >= minNetworks {
					return true
				}
			}
		}
	}
	return false
}
