package network

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

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
