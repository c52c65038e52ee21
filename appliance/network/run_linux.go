package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Run works until ctx ends, then takes back what it set and returns nil. It
// returns an error at once where this process may not manage links.
func (m *Manager) Run(ctx context.Context) error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("network: the loopback link cannot be set up: %w; managing the network needs root", err)
	}
	changed := &m.changed
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { m.listen(ctx, changed) })
	r := newNL80211(m.log)
	defer r.close()
	m.choose(ctx, &kernelLinks{m, changed}, r, changed)
	return nil
}

// kernelLinks are the links of this machine.
type kernelLinks struct {
	m       *Manager
	changed *bell
}

func (k *kernelLinks) wired() (index int, missing string) {
	link, missing := k.m.pick()
	if link == nil {
		return 0, missing
	}
	return link.Attrs().Index, ""
}

func (k *kernelLinks) carrier(index int) bool {
	link, err := netlink.LinkByIndex(index)
	return err == nil && carrier(link)
}

func (k *kernelLinks) session(ctx context.Context, index int) {
	if link, err := netlink.LinkByIndex(index); err == nil { // else it is gone
		k.m.session(ctx, link, k.changed)
	}
}

// listen rings the bell at the kernel's notices about links and addresses. A
// subscription ends when the kernel's buffer overflows; then a new one is made.
func (m *Manager) listen(ctx context.Context, changed *bell) {
	for ctx.Err() == nil {
		done := make(chan struct{})
		links := make(chan netlink.LinkUpdate)
		addrs := make(chan netlink.AddrUpdate)
		errLinks := netlink.LinkSubscribe(links, done)
		if errLinks != nil {
			close(links)
		}
		errAddrs := netlink.AddrSubscribe(addrs, done)
		if errAddrs != nil {
			close(addrs)
		}
		if err := errors.Join(errLinks, errAddrs); err != nil {
			m.log.Warn("network: the kernel's notices are not heard, links are looked at now and then", "err", err)
		}
		changed.ring() // what happened before the subscription
		for open := true; open; {
			select {
			case <-ctx.Done():
				open = false
			case _, open = <-links:
			case _, open = <-addrs:
			}
			changed.ring()
		}
		close(done)
		// The senders leave when their sockets are closed; until then they
		// must not be left waiting.
		for range links {
		}
		for range addrs {
		}
		sleep(ctx, m.times.retry)
	}
}

// pick brings every Ethernet link up, since only then its carrier shows, and
// chooses the first that has one. Without one it says what is missing.
func (m *Manager) pick() (netlink.Link, string) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Sprintf("the links cannot be listed: %v", err)
	}
	links = slices.DeleteFunc(links, func(l netlink.Link) bool { return !ethernet(l) })
	if len(links) == 0 {
		return nil, "there is no Ethernet link; waiting for one to be plugged in"
	}
	// A pair of virtual links is what a container has; hardware goes first.
	slices.SortStableFunc(links, func(a, b netlink.Link) int {
		if (a.Type() == "device") != (b.Type() == "device") {
			if a.Type() == "device" {
				return -1
			}
			return 1
		}
		return a.Attrs().Index - b.Attrs().Index
	})
	var first netlink.Link
	for _, l := range links {
		if l.Attrs().RawFlags&unix.IFF_UP == 0 {
			if err := netlink.LinkSetUp(l); err != nil {
				m.log.Warn("network: a link cannot be set up", "link", l.Attrs().Name, "err", err)
			}
			continue
		}
		if first == nil && carrier(l) {
			first = l
		}
	}
	if first == nil {
		return nil, links[0].Attrs().Name + " has no carrier; is the cable plugged in at both ends?"
	}
	return first, ""
}

// ethernet tells wired links from loopback, radio, bridges, tunnels and the
// many virtual kinds.
func ethernet(l netlink.Link) bool {
	a := l.Attrs()
	if a.EncapType != "ether" || a.RawFlags&unix.IFF_LOOPBACK != 0 || l.Type() != "device" && l.Type() != "veth" {
		return false
	}
	for _, mark := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join("/sys/class/net", a.Name, mark)); err == nil {
			return false
		}
	}
	return true
}

func carrier(l netlink.Link) bool {
	const up = unix.IFF_UP | unix.IFF_LOWER_UP
	return l.Attrs().RawFlags&up == up
}

// session uses link, or the VLAN on it that the settings name, until its carrier
// is lost, the link is gone, the settings change or ctx ends.
func (m *Manager) session(ctx context.Context, link netlink.Link, changed *bell) {
	settings, turn := m.now()
	m.clear(link)
	if id := settings.Network.VLAN; id != 0 && ethernet(link) { // radios have no tags
		v, err := m.vlan(link, id)
		if err != nil {
			m.stuck(ctx, link, turn, err)
			return
		}
		defer m.dropVLAN(v)
		link = v
	}
	m.work(ctx, link, changed, settings.Network, turn)
}

// work has addresses on a link for as long as session lasts.
func (m *Manager) work(ctx context.Context, link netlink.Link, changed *bell, n config.Network, turn int) {
	name := link.Attrs().Name
	m.log.Info("network: using " + name)
	begin, only4 := "asking for an address on "+name, true
	if address, _ := n.Fixed(true); address.IsValid() {
		begin = fmt.Sprintf("asking whether anybody else has the fixed address %s on %s", address, name)
		only4 = false
	}
	m.change(func(s *State, _ *[]netip.Addr) { s.Link, s.Reason, s.only4 = name, begin, only4 })
	m.acceptRA(name, n)

	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if address, gateway := n.Fixed(true); address.IsValid() {
		wg.Go(func() { (&fixed4{m, link, address, gateway}).run(inner) })
	} else {
		wg.Go(func() { (&dhcp{m: m, link: link}).run(inner) })
		wg.Go(func() { (&linkLocal{m: m, link: link}).run(inner) })
	}
	most := int32(stateful)
	if address, gateway := n.Fixed(false); address.IsValid() {
		most = stateless
		wg.Go(func() { (&fixed6{m, link, address, gateway}).run(inner) })
	}
	six := newDHCP6(m, link, most)
	wg.Go(func() { six.run(inner) })
	wg.Go(func() { m.advertisements(inner, link.Attrs().Index, six.heard) })
	why := name + " lost its carrier"
	for {
		change := changed.next()
		m.refresh(link)
		m.wait(ctx, change)
		now, err := netlink.LinkByIndex(link.Attrs().Index)
		if ctx.Err() != nil || err != nil || !carrier(now) {
			break
		}
		if _, now := m.now(); now != turn {
			why = "the settings of the network have changed; beginning anew"
			break
		}
	}
	cancel()
	wg.Wait()
	m.set6(name, "disable_ipv6", "1") // or the routes of this link would go before those of the next
	m.change(func(s *State, rdnss *[]netip.Addr) {
		*s, *rdnss = State{Reason: why}, nil
	})
}

// refresh shows the link's addresses and the routers that its kernel follows as
// they are.
func (m *Manager) refresh(link netlink.Link) {
	list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return // the link is gone: the next look ends the session
	}
	var addrs []netip.Prefix
	for _, a := range list {
		if a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 {
			continue
		}
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			ones, _ := a.Mask.Size()
			addrs = append(addrs, netip.PrefixFrom(ip.Unmap(), ones))
		}
	}
	routers := advertisers(link)
	m.change(func(s *State, _ *[]netip.Addr) { s.Addresses, s.Routers6 = addrs, routers })
}

// clear takes away what the link has of a network it was in before, or of a
// process before this one: an address of another net would be preferred by some
// and answered by nobody.
func (m *Manager) clear(link netlink.Link) {
	list, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return // the link is gone: the next look ends the session
	}
	for _, a := range list {
		if err := netlink.AddrDel(link, &a); err != nil && !gone(err) {
			m.log.Warn("network: an old address stays", "link", link.Attrs().Name, "address", a.IPNet, "err", err)
		}
	}
	m.set6(link.Attrs().Name, "disable_ipv6", "1") // which takes all addresses and routes of IPv6 away
}

// acceptRA lets the kernel make addresses and routes from advertisements, unless
// a person named the router.
func (m *Manager) acceptRA(name string, n config.Network) {
	accept := "1"
	if _, gateway := n.Fixed(false); gateway.IsValid() {
		accept = "0"
	}
	m.set6(name, "accept_ra", accept)
	m.set6(name, "autoconf", "1")
	m.set6(name, "disable_ipv6", "0")
}

// set6 sets one of the kernel's settings of IPv6 on a link, where it has IPv6.
func (m *Manager) set6(name, key, value string) {
	path := filepath.Join("/proc/sys/net/ipv6/conf", name, key)
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("network: IPv6 may not work", "link", name, "err", err)
	}
}
