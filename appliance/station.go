package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/pulselog"
	"github.com/truechimer/truechimer/appliance/recent"
	"github.com/truechimer/truechimer/appliance/settings"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/monitor"
	diary "github.com/truechimer/truechimer/monitor/journal"
	"github.com/truechimer/truechimer/monitor/probe"
)

// station joins the parts: it is the monitor's sink and the page's source.
type station struct {
	platform   *platform
	version    string
	conf       config.Config
	inForce    atomic.Pointer[config.Config] // with what was changed on the page since and takes no restart
	settings   *settings.Store
	held       atomic.Value  // led.Pattern, of the button for a reset; empty: nobody holds it
	anew       chan struct{} // has the program started anew
	becomes    atomic.Bool   // another station, by its identity, when the machine restarts
	antennaSet atomic.Bool   // where it is was restored, for the next start
	ref        *gpspps.Reference
	inbox      *inbox
	kernel     discipline.Kernel
	owner      atomic.Pointer[discipline.Owner] // of the clock; nil until it runs
	memory     *clockMemory
	prober     prober
	outcomes   outcomes                        // of exchanges
	monitor    atomic.Pointer[monitor.Monitor] // nil until it runs
	page       atomic.Value                    // net.Addr; nothing until it is served
	secure     atomic.Value                    // the same over TLS
	access     *access.Access                  // to change something; nil until server has made it
	notes      *notes
	live       *health.Liveness
	parts      *parts
	assigned   assigned
	manager    atomic.Pointer[network.Manager] // nil until there is one
	named      atomic.Value                    // string: by which it is found on its link; empty: by none
	answered   atomic.Bool                     // an NTP server has
	diary      *diary.Journal                  // of exchanges; nil: none is kept
	pulses     pulselog.Log                    // what pulses were like
	minute     minute                          // of the reference, for the journal
	earlier    earlier                         // what pulses were like before this start
	recent     recent.Recent                   // the last exchanges with each server
	proofs     *proofs                         // why servers are off, as files
	updater    *updater                        // nil but on stations
	around     surroundings
	born       time.Time
	log        *slog.Logger

	// The network, as far as the page, the signs of life and names need it.
	listen   func(network, address string) (net.Listener, error)
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	resolver monitor.Resolver
	// interfaces gives this machine's addresses where the station does not give
	// them to it.
	interfaces func() ([]net.Addr, error)
}

// prober has exchanges with servers and counts them.
type prober interface {
	monitor.Prober
	Counters() probe.Counters
}

// Put implements monitor.Sink: an exchange is a vote on the time, unless its server
// has none, and is kept.
func (s *station) Put(x monitor.Exchange, r monitor.Result) {
	if x.Outcome == monitor.OutcomeOK {
		s.answered.Store(true)
	}
	name := r.Target.Server.Name
	s.around.looked(name, x)
	if v, ok := vote(x, name); ok && r.Provisional && s.assigned.votes(r.Target.Server) {
		if name != "" && name == s.conf.Reference {
			s.ref.AddMark(mark(v))
		}
		s.ref.AddVote(v)
	}
	if s.diary != nil {
		s.diary.Put(x, r)
	}
	s.recent.Put(x, r)
	s.proofs.put(x, r)
}

// Status implements web.Source.
func (s *station) Status() status.Status {
	now := time.Now()
	out := status.Status{
		Schema: status.Schema,
		Time:   now.UTC(),
		Station: status.Station{
			ID: s.platform.id, Name: s.platform.name, Version: s.version,
			Board: s.platform.board.Name, Uptime: now.Sub(s.born).Seconds(), SafeMode: s.platform.safe,
		},
		Servers: []status.Server{}, Assignments: s.assigned.status(),
		Notices: s.notes.list(),
	}
	if name := s.inForce.Load().Name; name != "" {
		out.Station.Name = name
	}
	if s.conf.Timezone != "" {
		out.Station.Timezone = &s.conf.Timezone
	}
	if s.platform.slot != "" {
		out.Station.Slot = &s.platform.slot
	}
	mono, diff, err := s.kernel.Now()
	if err != nil {
		out.Notices = append(out.Notices, fmt.Sprintf("The clock cannot be read: %v.", err))
	}
	r, info := s.ref.At(mono, ""), s.ref.Info(mono)
	if r.Known {
		out.Time = time.Unix(0, r.True).UTC()
	}
	out.Reference = reference(r, info, diff)
	out.Reference.PulseAlone = s.conf.Receiver.PulseAlone
	out.Receiver = s.inbox.found.status(s.conf.Receiver)
	out.Reference.Counters = counters(info.Counters, &s.inbox.tally)
	if o := s.owner.Load(); o != nil {
		out.Clock = clock(o.Status(), s.ref.Leap(), mono)
	}
	s.addReference(&out, r, info)
	out.Probe = probed(s.prober.Counters())
	out.Probe.Outcomes = s.outcomes.list()
	var results []monitor.Result
	if m := s.monitor.Load(); m != nil {
		results = m.Results()
		for _, res := range results {
			out.Servers = append(out.Servers, server(res))
		}
	}
	if s.updater != nil {
		out.Update = s.updater.status()
	}
	if s.diary != nil {
		st := s.diary.Status()
		out.Journal = journalStatus(st)
		if st.Problem != "" {
			out.Notices = append(out.Notices, st.Problem)
		}
	}
	out.Trees = s.trees(&out, results, info, mono)
	s.surround(&out)
	summary, next := advice.Of(out)
	out.Summary, out.Advice = summary, &next
	return out
}

func reference(r gpspps.Reading, info gpspps.Info, diff int64) status.Reference {
	out := status.Reference{Source: string(r.Source), State: string(r.State), Reason: r.Reason}
	if r.Known {
		offset := float64(r.Mono+diff-r.True) / 1e9
		out.Offset, out.Uncertainty, out.Bound = &offset, &r.Uncertainty, &r.Bound
	}
	if !math.IsNaN(info.FrequencyPPM) {
		out.Frequency = &info.FrequencyPPM
	}
	if r.State == gpspps.StateHoldover {
		age := info.Holdover.Seconds()
		out.Holdover = &age
	}
	if info.SatellitesUsed >= 0 {
		out.SatellitesUsed = &info.SatellitesUsed
	}
	if info.SatellitesSeen >= 0 {
		out.SatellitesSeen = &info.SatellitesSeen
	}
	return out
}

func counters(c gpspps.Counters, t *tally) status.Counters {
	return status.Counters{
		Fixes: c.Fixes, FixesInvalid: c.FixesInvalid, FixesImplausible: c.FixesImplausible,
		// The reference knows of those beside a fix, the tally of all.
		Checksum: t.damaged.Load(), NoiseBytes: t.noise.Load(),
		Pulses: c.Pulses, PulsesUsed: c.PulsesUsed, PulsesDoubled: c.PulsesDoubled,
		PulsesMissing: c.PulsesMissing, PulsesUnnumbered: c.PulsesUnnumbered, PulsesLost: t.edges.Load(),
		Votes: c.Votes, Vetoes: c.Vetoes,
	}
}

func probed(c probe.Counters) status.Probe {
	return status.Probe{
		Exchanges: c.Exchanges, Strays: c.Strays, Unstamped: c.NoStamp, Voided: c.Stepped, Panics: c.Panics,
		Late: c.Late, Duplicates: c.Duplicates, Foreign: c.Foreign, Dropped: c.Dropped, Doubted: c.Doubted,
	}
}

func server(r monitor.Result) status.Server {
	out := status.Server{
		ID: r.Target.ID, Name: r.Target.Server.Name,
		Verdict: string(r.Verdict), Assured: r.Assured, Provisional: r.Provisional, Reason: r.Reason,
		Offset: r.Offset, Uncertainty: r.Uncertainty, Bound: r.Bound, Limit: r.Target.Server.Limit,
		RTT: r.RTT, Stratum: r.Stratum, Score: r.Score, Loss: r.Loss,
		Path: path(r.Path),
	}
	remembered(&out, r)
	if a := r.Target.Addr; a.IsValid() {
		out.Address, out.Family = a.String(), "ipv6"
		if a.Addr().Unmap().Is4() {
			out.Family = "ipv4"
		}
	}
	if !r.Last.IsZero() {
		last := r.Last.UTC()
		out.Last = &last
	}
	return out
}

// plotted is how much of the past the page plots.
const plotted = 10 * time.Minute

// Samples implements web.Source.
func (s *station) Samples() []status.Sample {
	mono, _, err := s.kernel.Now()
	if err != nil {
		return nil
	}
	list := s.ref.Samples(int(plotted / time.Second))
	out := make([]status.Sample, 0, len(list))
	for _, p := range list {
		out = append(out, status.Sample{
			Age: float64(mono-p.Mono) / 1e9, Offset: p.Residual, Uncertainty: p.Uncertainty, State: string(p.State),
		})
	}
	return out
}
