package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What routers say of DHCPv6 (RFC 4861 section 4.2): the flags O and M.
const (
	noDHCP6 = iota
	stateless
	stateful
)

// dhcp6 asks one link's DHCPv6 servers for what its routers say that they have.
type dhcp6 struct {
	m      *Manager
	link   netlink.Link
	client client6
	most   int32 // stateless where a person gave the address, else stateful
	wanted atomic.Int32

	// What the kernel has from us, and from whom.
	lease  *Lease6
	server dhcpv6.DUID
}

func newDHCP6(m *Manager, link netlink.Link, most int32) *dhcp6 {
	var own hardware
	copy(own[:], link.Attrs().HardwareAddr)
	return &dhcp6{m: m, link: link, client: newClient6(own), most: most}
}

// heard takes the flags of an advertisement. What a router has once said of a
// link is held to until the link is lost: another router may not know of it.
func (d *dhcp6) heard(managed, other bool) {
	said := int32(noDHCP6)
	switch {
	case managed:
		said = stateful
	case other:
		said = stateless
	}
	if said = min(said, d.most); said > d.wanted.Load() { // only one goroutine calls
		d.wanted.Store(said)
		d.m.changed.ring()
	}
}

// run works until ctx ends, then takes the address back.
func (d *dhcp6) run(ctx context.Context) {
	const patient = 16 // servers that never answer are asked ever less: RFC 8415 section 7.6 has an hour
	t := d.m.times
	pause := t.retry
	for ctx.Err() == nil {
		change := d.m.changed.next()
		mode := d.wanted.Load()
		if mode == noDHCP6 {
			d.m.wait(ctx, change)
			continue
		}
		sleep(ctx, time.Duration(float64(t.retry)*t.jitter()/2)) // section 18.2: not all at once after a power cut
		err := d.acquire(ctx, mode == stateful)
		if err == nil {
			pause = t.retry
			err = d.hold(ctx, mode)
			d.release()
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // another mode, or time to ask anew
		}
		if mode == stateful {
			d.m.reason6(fmt.Sprintf("no IPv6 address from DHCPv6 on %s: %v; trying again", d.link.Attrs().Name, err))
		} else {
			d.m.log.Info("network: no resolvers by DHCPv6", "link", d.link.Attrs().Name, "err", err)
		}
		d.m.wait6(ctx, time.Duration(float64(pause)*(0.5+t.jitter())), func() bool { return d.wanted.Load() != mode })
		pause = min(2*pause, patient*t.retryMost)
	}
}

// wait6 waits for d, or until what is asked for has changed.
func (m *Manager) wait6(ctx context.Context, d time.Duration, changed func() bool) {
	limit, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for limit.Err() == nil {
		change := m.changed.next()
		if changed() {
			return
		}
		m.wait(limit, change)
	}
}

// ask sends one message and gives the answer that fits.
func (d *dhcp6) ask(ctx context.Context, message *dhcpv6.Message, tries int, fits nclient6.Matcher) (*dhcpv6.Message, error) {
	reply := d.m.times.reply
	// The client begins its wait anew with each message that does not fit.
	limit, cancel := context.WithTimeout(ctx, reply<<tries)
	defer cancel()
	c, err := nclient6.New(d.link.Attrs().Name, nclient6.WithTimeout(reply), nclient6.WithRetry(tries))
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil, errors.New("the link's own address is not ready yet")
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	answer, err := c.SendAndRead(limit, nclient6.AllDHCPRelayAgentsAndServers, message, fits)
	if errors.Is(err, nclient6.ErrNoResponse) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, errSilent6
	}
	return answer, err
}

var errSilent6 = errors.New("no DHCPv6 server answers, though a router says that there is one")

// acquire has an address granted and sets it up, or asks for resolvers alone.
func (d *dhcp6) acquire(ctx context.Context, stateful bool) error {
	start := time.Now() // before the request, so that the lease never seems longer than it is
	if !stateful {
		return d.exchange(ctx, dhcpv6.MessageTypeInformationRequest, nil, netip.Addr{}, start)
	}
	solicit, err := d.client.message(dhcpv6.MessageTypeSolicit, nil, true, netip.Addr{})
	if err != nil {
		return err
	}
	var offered Lease6
	var refusal error // of a server that has nothing; another may have
	advertised, err := d.ask(ctx, solicit, d.m.times.tries, func(m *dhcpv6.Message) bool {
		if !d.client.answers(m, nil, dhcpv6.MessageTypeAdvertise) {
			return false
		}
		offered, refusal = d.client.read(m, true, start, d.m.times.leaseLeast)
		return refusal == nil
	})
	if errors.Is(err, errSilent6) && refusal != nil {
		return refusal
	}
	if err != nil {
		return err
	}
	start = time.Now()
	return d.exchange(ctx, dhcpv6.MessageTypeRequest, advertised.Options.ServerID(), offered.Address, start)
}

// exchange sends what is answered by a reply, and accepts that. server is whom
// it is for; nil: any.
func (d *dhcp6) exchange(ctx context.Context, kind dhcpv6.MessageType, server dhcpv6.DUID, a netip.Addr, start time.Time) error {
	stateful := kind != dhcpv6.MessageTypeInformationRequest
	message, err := d.client.message(kind, server, stateful, a)
	if err != nil {
		return err
	}
	reply, err := d.ask(ctx, message, d.m.times.tries, func(m *dhcpv6.Message) bool {
		return d.client.answers(m, server, dhcpv6.MessageTypeReply)
	})
	if err != nil {
		return err
	}
	l, err := d.client.read(reply, stateful, start, d.m.times.leaseLeast)
	if err != nil {
		return err
	}
	return d.accept(ctx, l, reply.Options.ServerID())
}

// accept brings the kernel in line with what was granted.
func (d *dhcp6) accept(ctx context.Context, l Lease6, server dhcpv6.DUID) error {
	if d.lease != nil && d.lease.Address != l.Address {
		d.release()
	}
	for i, a := range l.DNS {
		if a.IsLinkLocalUnicast() {
			l.DNS[i] = a.WithZone(d.link.Attrs().Name)
		}
	}
	renewed := d.lease != nil
	if l.Address.IsValid() {
		// Which addresses are on the link routers say, not this (RFC 5942).
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(l.Address, 128))}
		if !l.Forever {
			// Should this process die, the kernel ends the lease in its place.
			addr.ValidLft = int(time.Until(l.End).Seconds()) + 1
			addr.PreferedLft = int(max(time.Until(l.Preferred), 0).Seconds()) + 1
		}
		if err := netlink.AddrReplace(d.link, addr); err != nil {
			return fmt.Errorf("the address %s cannot be set: %w", l.Address, err)
		}
		if !renewed {
			if err := d.await(ctx, l.Address, server); err != nil {
				if err := netlink.AddrDel(d.link, addr); err != nil && !gone(err) {
					d.m.log.Warn("network: the old address stays", "err", err)
				}
				return err
			}
		}
	}
	d.lease, d.server = &l, server
	if !renewed {
		d.m.log.Info("network: DHCPv6", "address", l.Address, "dns", l.DNS, "forever", l.Forever)
	}
	d.m.change(func(s *State, _ *[]netip.Addr) { s.Lease6, s.six = &l, "" })
	return nil
}

// await waits until the kernel has found that nobody has the address; where
// somebody has, the server is told (RFC 8415 section 18.2.8).
func (d *dhcp6) await(ctx context.Context, a netip.Addr, server dhcpv6.DUID) error {
	for ctx.Err() == nil {
		change := d.m.changed.next()
		ready, err := settled(d.link, a)
		if ready {
			return nil
		}
		if errors.Is(err, errTaken6) || errors.Is(err, errGone6) { // one with an end the kernel takes away at once
			if m, err := d.client.message(dhcpv6.MessageTypeDecline, server, true, a); err == nil {
				_, _ = d.ask(ctx, m, 1, func(m *dhcpv6.Message) bool { return d.client.answers(m, server, dhcpv6.MessageTypeReply) })
			}
			return fmt.Errorf("it gave %s, which belongs to another device already", a)
		}
		if err != nil {
			return err
		}
		d.m.wait(ctx, change)
	}
	return ctx.Err()
}

// hold renews what was granted until it is lost, or nil: until more is to be
// had, or resolvers are to be asked for anew.
func (d *dhcp6) hold(ctx context.Context, mode int32) error {
	more := func() bool { return d.wanted.Load() != mode }
	for !more() {
		if d.lease.Forever {
			d.m.wait6(ctx, infinite, more)
			return ctx.Err()
		}
		next := d.lease.Renew
		for {
			d.m.wait6(ctx, time.Until(next), more)
			now := time.Now()
			switch {
			case ctx.Err() != nil || more():
				return ctx.Err()
			case mode == stateless:
				if d.acquire(ctx, false) != nil { // what was told before is the best there is
					l := *d.lease
					l.Renew = time.Now().Add(refreshLeast)
					d.lease = &l
				}
			case !now.Before(d.lease.End):
				return errors.New("the lease ended and no DHCPv6 server renewed it")
			default:
				err := d.renew(ctx, now)
				if err != nil && !errors.Is(err, errSilent6) || d.lease == nil {
					return err
				}
				if err != nil {
					d.m.log.Info("network: the IPv6 lease is not renewed yet", "end", time.Until(d.lease.End), "err", err)
					next = nextTry(now, time.Now(), d.lease.Rebind, d.lease.End, d.m.times.renewEvery)
					continue
				}
			}
			break
		}
	}
	return nil
}

// renew asks the lease's own server, or any once that failed for long.
func (d *dhcp6) renew(ctx context.Context, now time.Time) error {
	if now.Before(d.lease.Rebind) {
		return d.exchange(ctx, dhcpv6.MessageTypeRenew, d.server, d.lease.Address, now)
	}
	return d.exchange(ctx, dhcpv6.MessageTypeRebind, nil, d.lease.Address, now)
}

// release takes the address away from the kernel. It is not given back: the same
// one is welcome after a restart.
func (d *dhcp6) release() {
	if d.lease == nil {
		return
	}
	if a := d.lease.Address; a.IsValid() {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(128, 128)}}
		if err := netlink.AddrDel(d.link, addr); err != nil && !gone(err) {
			d.m.log.Warn("network: the old address stays", "err", err)
		}
	}
	d.lease, d.server = nil, nil
	d.m.change(func(s *State, _ *[]netip.Addr) { s.Lease6 = nil })
}
