package network

import (
	"net/netip"
	"slices"

	"github.com/truechimer/truechimer/appliance/status"
)

// Status is s for the page: what is missing, and no address. silent is what
// RouterSilent says, radio whether the link is one of Wi-Fi.
func (s State) Status(silent, radio bool) status.Network {
	has := func(four bool) bool {
		return slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Addr().Is4() == four && p.Addr().IsGlobalUnicast() })
	}
	out := status.Network{Link: s.Link, Radio: radio, IPv4: has(true), IPv6: has(false)}
	switch {
	case s.Link == "":
		out.Trouble = status.NetworkNoLink
	case !out.IPv4 && !out.IPv6:
		out.Trouble = status.NetworkNoLease
	case !s.WayOut():
		out.Trouble = status.NetworkNoRouter
	case silent:
		out.Trouble = status.NetworkSilent
	}
	return out
}
