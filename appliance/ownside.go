package main

import (
	"net/netip"
	"slices"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/monitor"
)

// ownSide is what the station knows against its own side of the network, so
// that no server's silence is counted meanwhile. It implements
// monitor.Config.Host. Where the network is not the station's nothing is known.
func (s *station) ownSide() monitor.Host {
	m := s.manager.Load()
	if m == nil {
		return monitor.Host{}
	}
	return sideOf(m.State(), m.RouterSilent())
}

func sideOf(st network.State, routerSilent bool) (h monitor.Host) {
	if st.Link == "" {
		why := "the network is not ready: " + st.Reason
		return monitor.Host{Internet4: why, Internet6: why, Local4: why, Local6: why}
	}
	has := func(is func(netip.Addr) bool) bool {
		return slices.ContainsFunc(st.Addresses, func(p netip.Prefix) bool { return is(p.Addr()) })
	}
	switch {
	case !has(netip.Addr.Is4):
		h.Local4 = "it has no IPv4 address"
		if st.Reason != "" {
			h.Local4 += ": " + st.Reason
		}
		h.Internet4 = h.Local4
	case st.Lease != nil && !st.Lease.Router.IsValid():
		h.Internet4 = "the DHCP server names no router"
	case st.Lease != nil && routerSilent:
		h.Internet4 = "the router " + st.Lease.Router.String() + " does not answer"
	}
	if !has(netip.Addr.Is6) {
		h.Local6 = "it has no IPv6 address"
	}
	if !has(func(a netip.Addr) bool { return a.Is6() && a.IsGlobalUnicast() && !a.IsPrivate() }) {
		h.Internet6 = "it has no IPv6 address of the internet"
	}
	return h
}
