package advice

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// facts are a status with what is missing in it filled in, so that situations
// need not ask for it: a machine and a network of which nothing bad is known.
type facts struct {
	status.Status
	Machine status.Machine
	Network status.Network
}

func newFacts(s status.Status) *facts {
	if u := s.Reference.Uncertainty; u != nil && (math.IsNaN(*u) || math.IsInf(*u, 0)) {
		s.Reference.Uncertainty = nil // s is a copy
	}
	f := &facts{Status: s}
	if s.Machine != nil {
		f.Machine = *s.Machine
	}
	if s.Network != nil {
		f.Network = *s.Network
	}
	return f
}

func yes(v *bool) bool { return v != nil && *v }

func is(v *string, word string) bool { return v != nil && *v == word }

// settled says that the station knows the time by a source of its own.
func (f *facts) settled() bool {
	return gpspps.State(f.Reference.State) == gpspps.StateLocked && !f.byServers()
}

// byServers says that the servers stand in for a source of the station's own.
func (f *facts) byServers() bool {
	return gpspps.Source(f.Reference.Source) == gpspps.SourceQuorum && gpspps.State(f.Reference.State) == gpspps.StateLocked
}

// fewSatellites is how many a receiver needs at least to know time and place.
const fewSatellites = 4

// blind says that a receiver is heard and sees too little of the sky to know
// the time. Some that have a good sky notice no antenna either, as where it has no
// amplifier or hangs on a splitter.
func (f *facts) blind() bool {
	r := f.Reference
	return f.Receiver.Device != nil && r.SatellitesUsed != nil && *r.SatellitesUsed < fewSatellites && !f.settled() &&
		gpspps.State(r.State) != gpspps.StateSuspect
}

// updating says that there is an updater that is not switched off.
func (f *facts) updating() bool {
	return f.Update != nil && f.Update.State != string(update.StateOff)
}

// worst is the first server with one of these verdicts; nil: there is none. While
// the network is known to be at fault no server is.
func (f *facts) worst(verdicts ...monitor.Verdict) *status.Server {
	for _, v := range verdicts {
		for i := range f.Servers {
			if monitor.Verdict(f.Servers[i].Verdict) == v {
				return &f.Servers[i]
			}
		}
	}
	return nil
}

// name is the first server whose name leads nowhere for a reason; empty: none.
func (f *facts) name(fault string) string {
	for _, s := range f.Servers {
		if s.NameFault == fault {
			return s.Name
		}
	}
	return ""
}

// lacksIPv6 says that servers are to be asked over IPv6, and there is none.
func (f *facts) lacksIPv6() bool {
	return f.Status.Network != nil && f.Network.IPv4 && !f.Network.IPv6 &&
		slices.ContainsFunc(f.Servers, func(s status.Server) bool { return s.Family == "ipv6" })
}

// radioMost is the share of the servers' bounds from which on a person is told of
// Wi-Fi, and radioLeast the length of time below which nobody is.
const (
	radioMost  = 0.25
	radioLeast = 1e-3 // seconds
)

// radioShare is how much of the servers' bounds Wi-Fi makes, 0 to 1: half of what
// the way to the router and back takes goes into each of them. The server in the
// middle counts.
func (f *facts) radioShare() float64 {
	rtt := f.Network.RouterRTT
	if !f.Network.Radio || rtt == nil || *rtt/2 < radioLeast {
		return 0
	}
	var shares []float64
	for _, s := range f.Servers {
		if s.Bound != nil && *s.Bound > 0 {
			shares = append(shares, min(*rtt/2 / *s.Bound, 1))
		}
	}
	if len(shares) == 0 {
		return 0
	}
	slices.Sort(shares)
	return shares[len(shares)/2]
}

// fill puts what the status knows in the place of words in braces.
func (f *facts) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	value := map[string]func() string{
		"{model}":   func() string { return optional(f.Machine.Model, "different one") },
		"{line}":    func() string { return optional(f.Receiver.PulseElsewhere, "") },
		"{version}": f.version,
		"{server}":  f.trouble,
		"{share}":   func() string { return fmt.Sprintf("%.0f %%", 100*f.radioShare()) },
		"{day}":     f.leapDay,
	}
	for word, v := range value {
		if strings.Contains(text, word) {
			text = strings.ReplaceAll(text, word, v())
		}
	}
	return text
}

func optional(s *string, otherwise string) string {
	if s == nil || brief(*s) == "" {
		return otherwise
	}
	return brief(*s)
}

func (f *facts) version() string {
	switch u := f.Update; {
	case u == nil:
		return ""
	case u.Blocked != nil:
		return brief(*u.Blocked)
	case u.Candidate != nil:
		return brief(*u.Candidate)
	}
	return brief(f.Station.Version)
}

// trouble says what is wrong with the worst server.
func (f *facts) trouble() string {
	if s := f.worst(gravity...); s != nil && monitor.Verdict(s.Verdict) != monitor.Doubtful {
		return named(*s, f.Servers)
	}
	return brief(f.name(status.NameUnknown))
}

// leapDay is the last day before a leap second.
func (f *facts) leapDay() string {
	return f.Clock.Leap.At.UTC().Add(-time.Second).Format("2 January 2006")
}
