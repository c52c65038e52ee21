package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// dhcp keeps a lease on one link.
type dhcp struct {
	m    *Manager
	link netlink.Link
	// What the kernel has from us.
	lease *Lease
	ack   *dhcpv4.DHCPv4
}

var errNoLonger = errors.New("the DHCP server refused to renew the lease")

// run works until ctx ends, then takes address and route back.
func (d *dhcp) run(ctx context.Context) {
	name := d.link.Attrs().Name
	pause := d.m.times.retry
	had := false
	for ctx.Err() == nil {
		err := d.acquire(ctx)
		if err == nil {
			had = true
			pause = d.m.times.retry
			err = d.hold(ctx)
			d.release()
		}
		if ctx.Err() != nil {
			return
		}
		// Where there never was one, the network may be one of IPv6 alone.
		d.m.change(func(s *State, _ *[]netip.Addr) {
			s.Reason, s.only4 = fmt.Sprintf("no address on %s: %v; trying again", name, err), !had
		})
		// Half to one and a half of the pause: stations that lost power
		// together do not ask together.
		sleep(ctx, time.Duration(float64(pause)*(0.5+d.m.times.jitter())))
		pause = min(2*pause, d.m.times.retryMost)
	}
}

// with are the options of every request.
func (d *dhcp) with() []dhcpv4.Modifier {
	mods := []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
		dhcpv4.OptionIPAddressLeaseTime, dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue)}
	if h := d.m.o.Hostname; h != "" {
		mods = append(mods, dhcpv4.WithOption(dhcpv4.OptHostName(h)))
	}
	return mods
}

// acquire has a new lease granted and sets it up.
func (d *dhcp) acquire(ctx context.Context) error {
	c, err := nclient4.New(d.link.Attrs().Name, nclient4.WithTimeout(d.m.times.reply), nclient4.WithRetry(d.m.times.tries))
	if err != nil {
		return err
	}
	defer c.Close()
	start := time.Now() // before the request, so that the lease never seems longer than it is
	granted, err := c.Request(ctx, d.with()...)
	if errors.Is(err, nclient4.ErrNoResponse) {
		return errors.New("no DHCP server answers")
	}
	if err != nil {
		return err
	}
	return d.accept(granted.ACK, start)
}

// hold renews the lease until it is lost.
func (d *dhcp) hold(ctx context.Context) error {
	for {
		if d.lease.Forever {
			<-ctx.Done()
			return ctx.Err()
		}
		next := d.lease.Renew
		for {
			sleep(ctx, time.Until(next))
			now := time.Now()
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case !now.Before(d.lease.End):
				return errors.New("the lease ended and no DHCP server renewed it")
			}
			err := d.renew(ctx, now.Before(d.lease.Rebind))
			if err == nil {
				break
			}
			if errors.Is(err, errNoLonger) || d.lease == nil {
				return err
			}
			d.m.log.Info("network: the lease is not renewed yet", "server", d.lease.Server, "end", time.Until(d.lease.End), "err", err)
			next = nextTry(now, time.Now(), d.lease.Rebind, d.lease.End, d.m.times.renewEvery)
		}
	}
}

// renew asks the lease's own server, or any server once that failed for long.
func (d *dhcp) renew(ctx context.Context, own bool) error {
	to := nclient4.DefaultServers
	opts := []nclient4.ClientOpt{nclient4.WithTimeout(d.m.times.reply), nclient4.WithRetry(1)}
	if own {
		to = &net.UDPAddr{IP: d.lease.Server.AsSlice(), Port: nclient4.ServerPort}
		opts = append(opts, nclient4.WithUnicast(&net.UDPAddr{IP: d.lease.Address.Addr().AsSlice(), Port: nclient4.ClientPort}))
	}
	c, err := nclient4.New(d.link.Attrs().Name, opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	request, err := dhcpv4.NewRenewFromAck(d.ack, d.with()...)
	if err != nil {
		return err
	}
	start := time.Now()
	reply, err := c.SendAndRead(ctx, to, request, nclient4.IsMessageType(dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak))
	if err != nil {
		return err
	}
	if reply.MessageType() == dhcpv4.MessageTypeNak {
		return errNoLonger
	}
	if reply.ServerIdentifier() == nil { // some leave it out when they renew
		reply.UpdateOption(dhcpv4.OptServerIdentifier(d.lease.Server.AsSlice()))
	}
	return d.accept(reply, start)
}

// accept checks what was granted and brings the kernel in line.
func (d *dhcp) accept(ack *dhcpv4.DHCPv4, start time.Time) error {
	l, err := readLease(ack, start, d.m.times.leaseLeast)
	if err != nil {
		return err
	}
	if d.lease != nil && (d.lease.Address != l.Address || d.lease.Router != l.Router) {
		d.release()
	}
	addr := &netlink.Addr{IPNet: ipNet(l.Address)}
	if !l.Forever {
		// Should this process die, the kernel ends the lease in its place.
		addr.ValidLft = int(time.Until(l.End).Seconds()) + 1
		addr.PreferedLft = addr.ValidLft
	}
	if err := netlink.AddrReplace(d.link, addr); err != nil {
		return fmt.Errorf("the address %s cannot be set: %w", l.Address, err)
	}
	renewed := d.lease != nil
	d.lease, d.ack = &l, ack
	if l.Router.IsValid() {
		if err := netlink.RouteReplace(d.route()); err != nil {
			d.release()
			return fmt.Errorf("the route through %s cannot be set: %w", l.Router, err)
		}
	}
	if !renewed {
		d.m.log.Info("network: lease", "address", l.Address, "router", l.Router, "server", l.Server, "dns", l.DNS, "forever", l.Forever)
	}
	d.m.change(func(s *State, _ *[]netip.Addr) { s.Lease, s.Reason, s.only4 = &l, "", false })
	d.m.changed.ring()
	return nil
}

// route is the default route of the lease. On-link: some networks have their
// router outside of the subnet they hand out.
func (d *dhcp) route() *netlink.Route {
	return &netlink.Route{
		LinkIndex: d.link.Attrs().Index,
		Gw:        d.lease.Router.AsSlice(),
		Dst:       &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)},
		Src:       d.lease.Address.Addr().AsSlice(),
		Protocol:  unix.RTPROT_DHCP,
		Flags:     int(netlink.FLAG_ONLINK),
	}
}

// release takes address and route away from the kernel. The lease is not
// given back: the same address is welcome after a restart.
func (d *dhcp) release() {
	if d.lease == nil {
		return
	}
	if d.lease.Router.IsValid() {
		if err := netlink.RouteDel(d.route()); err != nil && !gone(err) {
			d.m.log.Warn("network: the old route stays", "err", err)
		}
	}
	if err := netlink.AddrDel(d.link, &netlink.Addr{IPNet: ipNet(d.lease.Address)}); err != nil && !gone(err) {
		d.m.log.Warn("network: the old address stays", "err", err)
	}
	d.lease, d.ack = nil, nil
	d.m.change(func(s *State, _ *[]netip.Addr) { s.Lease = nil })
	d.m.changed.ring()
}

// gone is what the kernel says when it was faster: the link, the address or the
// route is no longer there.
func gone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EADDRNOTAVAIL)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
