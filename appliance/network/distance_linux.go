package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routerWithin is how long a router is given to answer.
const routerWithin = time.Second

var errNoRouter = errors.New("network: no router of IPv4 is in use")

// TimeRouter asks the router of IPv4 for its Ethernet address (RFC 826) and says how
// long the answer took: what a link adds to every round trip over it. A program
// stamps both, so 0.1 ms of it may be this machine's.
func (m *Manager) TimeRouter(ctx context.Context) (time.Duration, error) {
	s := m.State()
	router, own := s.router4()
	if !router.IsValid() {
		return 0, errNoRouter
	}
	link, err := netlink.LinkByName(s.Link)
	if err != nil {
		return 0, fmt.Errorf("network: %s: %w", s.Link, err)
	}
	if len(link.Attrs().HardwareAddr) != len(hardware{}) {
		return 0, fmt.Errorf("network: %s has no Ethernet address", s.Link)
	}
	socket, err := openARP(link)
	if err != nil {
		return 0, err
	}
	defer socket.conn.Close()
	ask := arp{from: hardware(link.Attrs().HardwareAddr), sender: own, target: router}
	begun := time.Now()
	if err := socket.send(ask); err != nil {
		return 0, err
	}
	for left := routerWithin; left > 0; left = routerWithin - time.Since(begun) {
		p, ok, err := socket.receive(ctx, left)
		if err != nil {
			return 0, err
		}
		if ok && p.reply && p.sender == router {
			return time.Since(begun), nil
		}
	}
	return 0, fmt.Errorf("network: the router %s does not answer on %s: %w", router, s.Link, unix.ETIMEDOUT)
}

// router4 is the router of IPv4 in use, and the address to ask it from.
func (s State) router4() (router, own netip.Addr) {
	if s.Lease != nil && s.Lease.Router.IsValid() {
		return s.Lease.Router, s.Lease.Address.Addr()
	}
	for _, g := range s.Gateways {
		i := slices.IndexFunc(s.Fixed, func(p netip.Prefix) bool { return p.Contains(g) })
		if g.Is4() && i >= 0 {
			return g, s.Fixed[i].Addr()
		}
	}
	return netip.Addr{}, netip.Addr{}
}
