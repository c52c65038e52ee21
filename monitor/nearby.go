package monitor

import (
	"net/netip"
	"slices"
	"time"
)

// nearbyEvery is how often the station's addresses and leap seconds are asked for.
const nearbyEvery = time.Minute

// surroundings are what exchanges are compared with beside the reference.
type surroundings struct {
	at        time.Time // when the rest was asked for
	addresses []netip.Addr
	leap      int8
	leapKnown bool
	targets   map[uint32]*target // by what a server that follows them says as its reference id
}

// learn asks what Config says of the station, from time to time.
func (n *surroundings) learn(c Config, now time.Time) {
	if !n.at.IsZero() && now.Sub(n.at) < nearbyEvery {
		return
	}
	n.at = now
	n.addresses = n.addresses[:0]
	for _, f := range []func() []netip.Addr{c.Own, c.Local} {
		if f != nil {
			n.addresses = append(n.addresses, f()...)
		}
	}
	slices.SortFunc(n.addresses, netip.Addr.Compare)
	n.addresses = slices.Compact(n.addresses)
	n.leap, n.leapKnown = 0, false
	if c.Leap != nil {
		change, known := c.Leap()
		n.leap, n.leapKnown = int8(min(max(change, -1), 1)), known
	}
}

// around is what is known at an exchange of t's beside what is in it.
func (n *surroundings) around(t *target, x *Exchange) around {
	what := t.target()
	k := around{leap: n.leap, leapKnown: n.leapKnown}
	for _, w := range x.Warnings(what.Server.Limit, n.addresses) {
		k.warns.set(true, w)
	}
	if x.Outcome != OutcomeOK || x.Stratum < 2 {
		return k
	}
	// Two that follow each other have no time of their own.
	up := n.targets[x.RefID]
	k.warns.set(up != nil && up != t && up.now.claim.said && up.now.claim.stratum >= 2 &&
		up.now.claim.refID == AddressRefID(what.Addr.Addr()), WarnLoop)
	return k
}

func (n *surroundings) joined(t *target) { n.targets[AddressRefID(t.target().Addr.Addr())] = t }

func (n *surroundings) left(t *target) {
	if id := AddressRefID(t.target().Addr.Addr()); n.targets[id] == t {
		delete(n.targets, id)
	}
}
