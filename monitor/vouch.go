package monitor

import (
	"fmt"
	"math"
	"net/netip"
)

const (
	// minNetworks is how many independent servers have to answer before the
	// reference is no longer taken at its word alone: with fewer there is no
	// majority that could speak for it or against it.
	minNetworks = 3
	// witnessMost bounds the replies that are remembered.
	witnessMost = 1024
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

// families counts servers that are independent of each other.
type families struct {
	networks  map[netip.Prefix]bool
	upstreams map[uint32]bool
}

// add says whether k is independent of all before, and counts it in anyway:
// then whoever is kin to it is kin to them.
func (f *families) add(k kin) bool {
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
	side int8 // of the limit on which it lies
}

// meets says whether two intervals have a point in common.
func (i offsetInterval) meets(k offsetInterval) bool {
	return math.Abs(i.offset-k.offset) <= i.bound+k.bound
}

// vouching is how far servers can tell whether the reference is right.
//
// The reference's error is in every interval alike, so those of right servers
// have a point in common however wrong the reference is. Two that have none
// prove that one of the two servers is wrong. A server is therefore called off
// only after a witness: an independent server whose interval, had since the
// first of those that convict, is not outside the limit and has no point in
// common with the last of those. The reference alone, wrong by whatever amount,
// makes no witness against a right server: it takes a server that is wrong by
// the same amount, and then the majority of those heard since, each network and
// upstream once, the accused among them, has to be on the reference's side.
//
// Where minNetworks of them are on the other side, and as many as are on the
// reference's, the reference is in doubt and the server not judged. Where nobody
// is near enough to tell, it stays doubtful. Whoever is off already needs no new
// witness. And where fewer than minNetworks answer at all, the reference's own
// bound has to do, as it is all that there is.
//
// The statements are in the order in which they came.
type vouching struct {
	said []statement
	next int // where the next one is put
}

func (v *vouching) add(s statement) {
	if len(v.said) < witnessMost {
		v.said = append(v.said, s)
		return
	}
	v.said[v.next] = s
	v.next = (v.next + 1) % witnessMost
}

// heard is what the replies since an instant say of a server that s is about:
// how many independent ones are on the reference's side and how many on s's.
func (v *vouching) heard(since int64, s statement) (with, against int) {
	var seen families
	seen.add(s.kin)
	for n := range v.said {
		o := &v.said[(v.next-1-n+2*len(v.said))%len(v.said)]
		if o.mono <= since {
			break
		}
		if !seen.add(o.kin) {
			continue // an older statement, or kin
		}
		switch meets := o.meets(s.offsetInterval); {
		case o.side == s.side && meets:
			against++
		case o.side == 0 && !meets && math.Abs(o.offset) <= math.Abs(s.offset):
			with++
		}
	}
	return with, against
}

// doubts are what stands between an exchange and a conviction.
type doubts struct {
	unvouched bool   // no witness has spoken
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
	s.side = s.outside(limit)
	t.kin = s.kin
	defer m.vouching.add(s)
	if math.Abs(s.offset) <= limit-r.Bound || !m.othersAnswer() {
		return d
	}
	since := x.Mono
	if t.now.streak > 0 && t.now.side == s.side {
		since = t.now.since
	}
	with, against := m.vouching.heard(since, s)
	d.unvouched = with == 0
	if against++; against > with {
		d.unvouched = true
		if against >= minNetworks {
			d.reference = fmt.Sprintf("the reference is in doubt: %d of the %d independent servers heard meanwhile are %s together",
				against, with+against, aheadBehind(s.offset))
		}
	}
	return d
}

// othersAnswer says whether there are servers enough to doubt the reference by.
func (m *Monitor) othersAnswer() bool {
	var f families
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
