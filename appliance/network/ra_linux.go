package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
)

// RFC 4861 section 10: how routers are asked to advertise at once.
const (
	solicitations       = 3
	solicitationSpacing = 4 * time.Second
)

var allRouters = netip.MustParseAddr("ff02::2")

// advertisements listens on one link for resolvers until ctx ends. flags hears of
// whether there is DHCPv6, for addresses or for other things.
func (m *Manager) advertisements(ctx context.Context, index int, flags func(managed, other bool)) {
	for ctx.Err() == nil {
		if err := m.advertisementsOnce(ctx, index, flags); err != nil && ctx.Err() == nil {
			m.log.Warn("network: router advertisements are not heard; resolvers come from DHCP only", "err", err)
		}
		sleep(ctx, m.times.retryMost)
	}
}

func (m *Manager) advertisementsOnce(ctx context.Context, index int, flags func(managed, other bool)) error {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return err
	}
	ifi := &net.Interface{Index: index, Name: link.Attrs().Name, MTU: link.Attrs().MTU, HardwareAddr: link.Attrs().HardwareAddr}
	conn, _, err := ndp.Listen(ifi, ndp.Unspecified)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	if err := errors.Join(conn.SetICMPFilter(&filter), conn.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true)); err != nil {
		return err
	}
	known := &rdnss{link: ifi.Name}
	defer m.resolversFromRA(nil)
	asked := 0
	var ask time.Time // when to solicit next
	for {
		now := time.Now()
		if asked < solicitations && !now.Before(ask) {
			// Fails while the link has no address of its own yet; the kernel
			// solicits by itself as well.
			_ = conn.WriteTo(&ndp.RouterSolicitation{}, nil, allRouters)
			asked++
			ask = now.Add(solicitationSpacing)
		}
		wake, ok := known.next()
		if asked < solicitations && (!ok || ask.Before(wake)) {
			wake, ok = ask, true
		}
		if !ok {
			wake = time.Time{}
		}
		if err := conn.SetReadDeadline(wake); err != nil {
			return err
		}
		msg, control, from, err := conn.ReadFrom()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			known.drop(time.Now())
			m.resolversFromRA(known.addrs())
			continue
		}
		if err != nil {
			return err
		}
		// RFC 4861 section 6.1.2: an advertisement from beyond the link has
		// another hop limit, or is not from a link-local address.
		ra, ok := msg.(*ndp.RouterAdvertisement)
		if !ok || control == nil || control.HopLimit != ndp.HopLimit || control.IfIndex != index || !from.IsLinkLocalUnicast() {
			continue
		}
		asked = solicitations
		flags(ra.ManagedConfiguration, ra.OtherConfiguration)
		known.add(ra, time.Now())
		m.resolversFromRA(known.addrs())
	}
}

func (m *Manager) resolversFromRA(list []netip.Addr) {
	m.change(func(_ *State, rdnss *[]netip.Addr) { *rdnss = slices.Clone(list) })
}
