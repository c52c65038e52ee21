package network

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
)

// maxRDNSS bounds how many resolvers from advertisements are remembered.
const maxRDNSS = 8

// rdnss remembers the resolvers that routers advertised, in the order in which
// they were first heard of (RFC 8106 section 5.1).
type rdnss struct {
	link    string // zone of link-local resolvers
	entries []rdnssEntry
}

type rdnssEntry struct {
	addr netip.Addr
	end  time.Time
}

// add takes one advertisement that arrived at now.
func (r *rdnss) add(ra *ndp.RouterAdvertisement, now time.Time) {
	for _, o := range ra.Options {
		option, ok := o.(*ndp.RecursiveDNSServer)
		if !ok {
			continue
		}
		for _, a := range option.Servers {
			if !usableResolver(a) || a.Is4() || a.Is4In6() {
				continue
			}
			if a.IsLinkLocalUnicast() {
				a = a.WithZone(r.link)
			}
			i := slices.IndexFunc(r.entries, func(e rdnssEntry) bool { return e.addr == a })
			switch end := now.Add(option.Lifetime); {
			case i >= 0:
				r.entries[i].end = end
			case len(r.entries) < maxRDNSS && option.Lifetime > 0:
				r.entries = append(r.entries, rdnssEntry{a, end})
			}
		}
	}
	r.drop(now)
}

// drop forgets what has ended, a lifetime of 0 included.
func (r *rdnss) drop(now time.Time) {
	r.entries = slices.DeleteFunc(r.entries, func(e rdnssEntry) bool { return !e.end.After(now) })
}

func (r *rdnss) addrs() []netip.Addr {
	var list []netip.Addr
	for _, e := range r.entries {
		list = append(list, e.addr)
	}
	return list
}

// next is when the next resolver ends.
func (r *rdnss) next() (time.Time, bool) {
	var t time.Time
	for _, e := range r.entries {
		if t.IsZero() || e.end.Before(t) {
			t = e.end
		}
	}
	return t, !t.IsZero()
}
