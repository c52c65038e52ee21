package network

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkLocal has an IPv4 address of the link as long as no lease comes.
type linkLocal struct {
	m         *Manager
	link      netlink.Link
	n         int // of the address that is tried
	conflicts int
}

// run works until ctx ends, then takes the address back.
func (l *linkLocal) run(ctx context.Context) {
	t := l.m.times
	if t.direct == 0 {
		return
	}
	for l.until(ctx, false, t.direct); ctx.Err() == nil; l.until(ctx, false, t.direct) {
		inner, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.until(inner, true, 0)
			cancel()
		}()
		for inner.Err() == nil {
			err := l.once(inner)
			switch _, is := errors.AsType[*taken](err); {
			case inner.Err() != nil:
			case !is:
				l.m.log.Info("network: no address of the link", "link", l.link.Attrs().Name, "err", err)
				sleep(inner, t.retryMost)
			default:
				l.m.log.Info("network: an address of the link is another's", "err", err)
				l.n++
				if l.conflicts++; l.conflicts > t.claim.conflicts {
					sleep(inner, t.claim.slow)
				}
			}
		}
		<-ended
	}
}

// until waits until there has been a lease, or none, for a while.
func (l *linkLocal) until(ctx context.Context, leased bool, a time.Duration) {
	since := time.Now()
	for ctx.Err() == nil {
		change := l.m.changed.next()
		if (l.m.State().Lease != nil) != leased {
			since = time.Now()
			l.m.wait(ctx, change)
			continue
		}
		left := a - time.Since(since)
		if left <= 0 {
			return
		}
		limit, cancel := context.WithTimeout(ctx, left)
		l.m.wait(limit, change)
		cancel()
	}
}

// once has one address until it is another's or ctx ends.
func (l *linkLocal) once(ctx context.Context) error {
	w, err := openARP(l.link)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	c := l.m.claim(w, l.link, netip.Addr{})
	c.address = linkLocalAddress(c.own, l.n)
	if err := c.probe(ctx); err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(c.address, linkLocalNet.Bits())), Scope: unix.RT_SCOPE_LINK}
	if err := netlink.AddrReplace(l.link, addr); err != nil {
		return err
	}
	l.conflicts = 0
	l.m.log.Info("network: no DHCP server answers; an address of the link", "link", l.link.Attrs().Name, "address", c.address)
	l.m.change(func(s *State, _ *[]netip.Addr) { s.LinkLocal = c.address })
	defer l.m.change(func(s *State, _ *[]netip.Addr) { s.LinkLocal = netip.Addr{} })
	defer func() {
		if err := netlink.AddrDel(l.link, addr); err != nil && !gone(err) {
			l.m.log.Warn("network: the address of the link stays", "err", err)
		}
	}()
	return c.hold(ctx, false, func(who *taken) {
		if who != nil {
			l.m.log.Info("network: defending the address of the link", "err", who)
		}
	})
}
