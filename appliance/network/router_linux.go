package network

import (
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// advertisers are the routers of a link's default routes that the kernel took from
// advertisements.
func advertisers(link netlink.Link) (list []netip.Addr) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6,
		&netlink.Route{LinkIndex: link.Attrs().Index, Protocol: unix.RTPROT_RA}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return nil
	}
	for _, r := range routes {
		hops := []*netlink.NexthopInfo{{Gw: r.Gw}}
		if len(r.MultiPath) > 0 { // several routers make one route
			hops = r.MultiPath
		}
		for _, hop := range hops {
			a, ok := netip.AddrFromSlice(hop.Gw)
			if ok && (r.Dst == nil || r.Dst.IP.IsUnspecified()) && !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	return list[:min(len(list), mostAdvertisers)]
}

// mostAdvertisers bounds how many routers of a link are told.
const mostAdvertisers = 8

// RouterSilent says that the lease's router answers no ARP request: the kernel
// has asked who has its address, and nobody has said so.
func (m *Manager) RouterSilent() bool {
	s := m.State()
	if s.Lease == nil || !s.Lease.Router.IsValid() {
		return false
	}
	link, err := netlink.LinkByName(s.Link)
	if err != nil {
		return false
	}
	list, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		return false
	}
	for _, n := range list {
		if n.IP.Equal(s.Lease.Router.AsSlice()) {
			return n.State&(unix.NUD_FAILED|unix.NUD_INCOMPLETE) != 0
		}
	}
	return false
}
