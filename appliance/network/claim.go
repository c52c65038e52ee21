package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// wire is a link as far as ARP goes.
type wire interface {
	send(arp) error
	// receive gives what came, at once where something has come already, or else
	// waits for d; ok: something came. The error is ctx's, or that the link is lost.
	receive(ctx context.Context, d time.Duration) (p arp, ok bool, err error)
}

// mostLate bounds how many packets are looked at that came in time and were read
// too late.
const mostLate = 64

// claimTimes are those of RFC 5227 section 1.1, which RFC 3927 section 9 shares.
type claimTimes struct {
	wait          time.Duration // PROBE_WAIT: at most, before the first probe
	probes        int           // PROBE_NUM
	least, most   time.Duration // PROBE_MIN and PROBE_MAX, from one to the next
	quiet         time.Duration // ANNOUNCE_WAIT: after the last
	announcements int           // ANNOUNCE_NUM
	between       time.Duration // ANNOUNCE_INTERVAL
	defend        time.Duration // DEFEND_INTERVAL
	conflicts     int           // MAX_CONFLICTS, after which only
	slow          time.Duration // RATE_LIMIT_INTERVAL apart is tried
}

func usualClaim() claimTimes {
	return claimTimes{
		wait: time.Second, probes: 3, least: time.Second, most: 2 * time.Second, quiet: 2 * time.Second,
		announcements: 2, between: 2 * time.Second, defend: 10 * time.Second,
		conflicts: 10, slow: time.Minute,
	}
}

// taken is who has an address already, as an error.
type taken struct {
	address netip.Addr
	by      hardware
}

func (t *taken) Error() string {
	return fmt.Sprintf("%s belongs to another device already (%s)", t.address, net.HardwareAddr(t.by[:]))
}

// claim is an IPv4 address that nobody gave away, and that others may have.
type claim struct {
	wire    wire
	own     hardware
	address netip.Addr
	times   claimTimes
	random  func() float64 // 0 to 1
}

// probe asks whether somebody has the address (RFC 5227 section 2.1). The error
// is nil when nobody says so, else *taken, or what the link or ctx said.
func (c *claim) probe(ctx context.Context) error {
	if err := c.listen(ctx, c.part(0, c.times.wait)); err != nil {
		return err
	}
	for i := range c.times.probes {
		if err := c.wire.send(arp{from: c.own, sender: netip.IPv4Unspecified(), target: c.address}); err != nil {
			return err
		}
		pause := c.times.quiet
		if i < c.times.probes-1 {
			pause = c.part(c.times.least, c.times.most)
		}
		if err := c.listen(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// part is a random time between two.
func (c *claim) part(least, most time.Duration) time.Duration {
	return least + time.Duration(c.random()*float64(most-least))
}

// listen waits for d unless somebody has the address, or asks for it as well.
// What came in time counts even where this process was too busy to read it.
func (c *claim) listen(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	for late := 0; late < mostLate; {
		left := max(time.Until(end), 0)
		if left == 0 {
			late++
		}
		p, ok, err := c.wire.receive(ctx, left)
		if err != nil {
			return err
		}
		if !ok {
			if left == 0 {
				break
			}
			continue
		}
		asks := p.sender.IsUnspecified() && p.target == c.address && !p.reply
		if p.from != c.own && (p.sender == c.address || asks) {
			return &taken{c.address, p.from}
		}
	}
	return nil
}

// hold tells everybody that the address is ours, and says so again when somebody
// else uses it (RFC 5227 sections 2.3 and 2.4): once in each time of defending.
// told hears of each who does, and nil when they have been quiet for some time.
// Whoever comes back within the time of defending wins, and hold returns *taken,
// unless the address is stubborn: one that a person gave.
func (c *claim) hold(ctx context.Context, stubborn bool, told func(*taken)) error {
	const ever = time.Hour
	var defended, heard time.Time // when a conflict was answered, and when one was last heard of
	announced, next := 0, time.Now()
	for {
		wait := ever
		if announced < c.times.announcements {
			if wait = time.Until(next); wait <= 0 {
				if err := c.announce(); err != nil {
					return err
				}
				announced++
				next = time.Now().Add(c.times.between)
				continue
			}
		}
		if !heard.IsZero() {
			left := time.Until(heard.Add(2 * c.times.defend))
			if left <= 0 {
				heard = time.Time{}
				told(nil)
				continue
			}
			wait = min(wait, left)
		}
		p, ok, err := c.wire.receive(ctx, wait)
		if err != nil {
			return err
		}
		if !ok || p.sender != c.address || p.from == c.own {
			continue
		}
		now := time.Now()
		again := !defended.IsZero() && now.Sub(defended) < c.times.defend
		if again && !stubborn {
			return &taken{c.address, p.from}
		}
		heard = now
		if again {
			continue
		}
		defended = now
		told(&taken{c.address, p.from})
		if err := c.announce(); err != nil {
			return err
		}
	}
}

func (c *claim) announce() error {
	return c.wire.send(arp{from: c.own, sender: c.address, target: c.address})
}
