package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
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
		Usable: usable(r),
		Reason: r.Reason,
		Final:  r.Final,
	}
}

// usable says whether servers may be judged by what the reference knows.
func usable(r gpspps.Reading) bool {
	return r.Known && (r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover)
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
		Leap:     leap(x),
		Mono:     x.Mono,
		Time:     x.ServerTime(),
		// RFC 5905's root distance, with the delay to the server itself.
		HalfWidth: x.Delay()/2 + x.RootDelay/2 + x.RootDispersion + x.StampError,
	}, true
}

// leap is what the server announces for the end of the month: a second more (1)
// or less (-1), or neither.
func leap(x monitor.Exchange) int {
	switch x.Leap { // RFC 5905, figure 9
	case 1:
		return 1
	case 2:
		return -1
	}
	return 0
}

// clock shows the clock's owner.
func clock(o discipline.Status, l gpspps.Leap, mono int64) *status.Clock {
	out := &status.Clock{
		Steered: !o.Observing, Synchronized: o.Told.Synced,
		Steps: o.Steps, ForeignSteps: o.ForeignSteps, ForeignAdjustments: o.ForeignAdjustments,
	}
	if o.Told.Synced {
		out.EstimatedError, out.GreatestError = &o.Told.EstError, &o.Told.MaxError
	}
	if o.Foreign != "" {
		age := float64(mono-o.ForeignAt) / 1e9
		out.Foreign, out.ForeignAge = &o.Foreign, &age
	}
	if l.GPSLessUTC != 0 {
		out.GPSLessUTC = &l.GPSLessUTC
	}
	if o.TAI != 0 {
		out.TAILessUTC = &o.TAI
	}
	if l.Next.Change != 0 {
		out.Leap = &status.Leap{Change: l.Next.Change, At: l.Next.At, Receiver: l.Receiver, Servers: l.Network, Ordered: o.Told.Leap == l.Next.Change}
	}
	return out
}

// leapThisMonth is the leap second that ends the present month, and whether that is
// known: where a receiver announces none there may be one that it cannot announce,
// unless the month is none that ends with leap seconds (ITU-R TF.460).
func (s *station) leapThisMonth() (change int, known bool) {
	utc, known := stationClock{s}.Now()
	if !known {
		return 0, false
	}
	return leapOf(utc.UTC(), s.ref.Leap())
}

func leapOf(utc time.Time, l gpspps.Leap) (change int, known bool) {
	switch end := time.Date(utc.Year(), utc.Month()+1, 1, 0, 0, 0, 0, time.UTC); {
	case l.Next.Change != 0 && l.Next.At.Equal(end):
		return l.Next.Change, l.Receiver
	case l.Next.Change != 0 && l.Receiver && l.Next.At.After(end):
		return 0, true
	}
	return 0, utc.Month()%3 != 0
}

// contested is what people should know of who else sets the clock.
func contested(o discipline.Status) string {
	if !o.Yielded {
		return ""
	}
	return "Something else on this machine keeps setting its clock, so the station has stopped steering it until that is over. Its own verdicts do not suffer."
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
