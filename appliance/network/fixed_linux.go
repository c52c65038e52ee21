package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fixed4 keeps a fixed IPv4 address and its router on one link.
type fixed4 struct {
	m       *Manager
	link    netlink.Link
	address netip.Prefix
	gateway netip.Addr // not valid: none
}

// run works until ctx ends, then takes address and route back.
func (f *fixed4) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause, err := f.once(ctx)
		if ctx.Err() != nil {
			return
		}
		f.m.reason(fmt.Sprintf("the fixed address %s cannot be used on %s: %v; trying again", f.address, f.link.Attrs().Name, err))
		sleep(ctx, pause)
	}
}

// once uses the address until it cannot be used any more, and says how long to
// wait then.
func (f *fixed4) once(ctx context.Context) (pause time.Duration, err error) {
	t := f.m.times
	w, err := openARP(f.link)
	if err != nil {
		return t.retry, err
	}
	defer w.conn.Close()
	c := f.m.claim(w, f.link, f.address.Addr())
	if err := c.probe(ctx); err != nil {
		if _, is := errors.AsType[*taken](err); is {
			return t.retryMost, err
		}
		return t.retry, err
	}
	if err := f.m.use(f.link, f.address, f.gateway); err != nil {
		return t.retry, err
	}
	defer f.m.unuse(f.link, f.address, f.gateway)
	return t.retry, c.hold(ctx, true, func(who *taken) {
		if who == nil {
			f.m.reason("")
			return
		}
		f.m.reason(fmt.Sprintf("%v, and both are disturbed; give one of them another", who))
	})
}

// claim is that of one address on one link.
func (m *Manager) claim(w wire, link netlink.Link, a netip.Addr) *claim {
	c := &claim{wire: w, address: a, times: m.times.claim, random: m.times.jitter}
	copy(c.own[:], link.Attrs().HardwareAddr)
	return c
}

// use sets a fixed address and its route.
func (m *Manager) use(link netlink.Link, address netip.Prefix, gateway netip.Addr) error {
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
		return fmt.Errorf("it cannot be set: %w", err)
	}
	if gateway.IsValid() {
		if err := netlink.RouteReplace(fixedRoute(link, address, gateway)); err != nil {
			m.unuse(link, address, netip.Addr{})
			return fmt.Errorf("the route through %s cannot be set: %w", gateway, err)
		}
	}
	m.log.Info("network: fixed address", "address", address, "gateway", gateway)
	m.change(func(s *State, _ *[]netip.Addr) {
		s.Fixed = append(s.Fixed, address)
		if gateway.IsValid() {
			s.Gateways = append(s.Gateways, gateway)
		}
		if address.Addr().Is4() {
			s.Reason, s.only4 = "", false
		}
	})
	m.changed.ring()
	return nil
}

// unuse takes them back.
func (m *Manager) unuse(link netlink.Link, address netip.Prefix, gateway netip.Addr) {
	if gateway.IsValid() {
		if err := netlink.RouteDel(fixedRoute(link, address, gateway)); err != nil && !gone(err) {
			m.log.Warn("network: the old route stays", "err", err)
		}
	}
	if err := netlink.AddrDel(link, &netlink.Addr{IPNet: ipNet(address)}); err != nil && !gone(err) {
		m.log.Warn("network: the old address stays", "err", err)
	}
	m.change(func(s *State, _ *[]netip.Addr) {
		s.Fixed = slices.DeleteFunc(s.Fixed, func(p netip.Prefix) bool { return p == address })
		s.Gateways = slices.DeleteFunc(s.Gateways, func(g netip.Addr) bool { return g == gateway })
	})
}

// fixedRoute is the default route through a router that a person named.
func fixedRoute(link netlink.Link, address netip.Prefix, gateway netip.Addr) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: link.Attrs().Index,
		Gw:        gateway.AsSlice(),
		Dst:       &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		Protocol:  unix.RTPROT_STATIC,
		Flags:     int(netlink.FLAG_ONLINK),
	}
	if gateway.Is4() {
		r.Dst = &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}
		r.Src = address.Addr().AsSlice()
	}
	return r
}

// fixed6 keeps a fixed IPv6 address and its router on one link. The kernel looks
// for others that have the address (RFC 4862 section 5.4).
type fixed6 struct {
	m       *Manager
	link    netlink.Link
	address netip.Prefix
	gateway netip.Addr // not valid: none
}

// run works until ctx ends, then takes address and route back.
func (f *fixed6) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := f.m.times.retry
		err := f.m.use(f.link, f.address, f.gateway)
		if err == nil {
			err = f.watch(ctx)
			f.m.unuse(f.link, f.address, f.gateway)
			pause = f.m.times.retryMost
		}
		if ctx.Err() != nil {
			return
		}
		f.m.reason6(fmt.Sprintf("the fixed address %s cannot be used on %s: %v; trying again", f.address, f.link.Attrs().Name, err))
		sleep(ctx, pause)
	}
}

var (
	errTaken6 = errors.New("it belongs to another device already")
	errGone6  = errors.New("the kernel has taken it away")
)

// watch returns when the kernel has found that the address is another's.
func (f *fixed6) watch(ctx context.Context) error {
	for ctx.Err() == nil {
		change := f.m.changed.next()
		switch ready, err := settled(f.link, f.address.Addr()); {
		case err != nil:
			return err
		case ready:
			f.m.reason6("")
		}
		f.m.wait(ctx, change)
	}
	return ctx.Err()
}

// settled says whether the kernel has found that nobody else has an IPv6 address
// of the link. The error says that somebody has, or that it is gone.
func settled(link netlink.Link, a netip.Addr) (bool, error) {
	list, err := netlink.AddrList(link, netlink.FAMILY_V6)
	if err != nil {
		return false, err
	}
	for _, have := range list {
		switch {
		case !have.IP.Equal(a.AsSlice()):
		case have.Flags&unix.IFA_F_DADFAILED != 0:
			return false, errTaken6
		default:
			return have.Flags&unix.IFA_F_TENTATIVE == 0, nil
		}
	}
	return false, errGone6
}
