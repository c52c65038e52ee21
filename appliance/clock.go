package main

import (
	"fmt"
	"net/netip"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// referenceClock shows the reference to the monitor. The two packages do not
// know each other: this is where they meet.
type referenceClock struct{ ref *gpspps.Reference }

// At implements monitor.Clock.
func (c referenceClock) At(mono int64, judged string) monitor.Reading {
	r := c.ref.At(mono, judged)
	return monitor.Reading{
		True: r.True, Known: r.Known, Uncertainty: r.Uncertainty, Bound: r.Bound,
		Usable: r.Known && (r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover),
		Reason: r.Reason,
		Final:  r.Final,
	}
}

// vote is what an exchange with a server of a name says about the time, for quorum
// and veto; ok is false for one that says nothing.
func vote(x monitor.Exchange, name string) (v gpspps.Vote, ok bool) {
	if x.Outcome != monitor.OutcomeOK || x.Stratum == 0 || x.Stratum > 15 {
		return gpspps.Vote{}, false
	}
	return gpspps.Vote{
		Server:   x.Target,
		Host:     name,
		Group:    neighbourhood(x.Addr),
		Upstream: upstream(x),
		Mono:     x.Mono,
		Time:     x.ServerTime(),
		// RFC 5905's root distance, with the delay to the server itself.
		HalfWidth: x.Delay()/2 + x.RootDelay/2 + x.RootDispersion + x.StampError,
	}, true
}

// mark is what the named reference says in a vote.
func mark(v gpspps.Vote) gpspps.Mark {
	return gpspps.Mark{Source: gpspps.SourceNTP, Server: v.Host, Mono: v.Mono, Time: v.Time, HalfWidth: v.HalfWidth}
}

// neighbourhood names who may have but one vote: everybody in a public /24 or /48,
// and every private address and port by itself.
func neighbourhood(a netip.AddrPort) string {
	ip := a.Addr().Unmap()
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	single := netip.AddrPortFrom(ip, a.Port()).String()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return single
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return single
	}
	return p.String()
}

// upstream names the source a secondary server follows: those that follow the
// same have one vote between them.
func upstream(x monitor.Exchange) string {
	if x.Stratum < 2 {
		return ""
	}
	return fmt.Sprintf("refid %08x", x.RefID)
}
