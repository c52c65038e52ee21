package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/monitor"
)

// station joins the parts: it is the monitor's sink and the page's source.
type station struct {
	platform *platform
	conf     config.Config
	ref      *gpspps.Reference
	kernel   discipline.Kernel
	monitor  *monitor.Monitor
	notes    *notes
	live     *health.Liveness
	born     time.Time
	log      *slog.Logger
}

// Put implements monitor.Sink: every exchange is a vote on the time.
func (s *station) Put(x monitor.Exchange, r monitor.Result) {
	if v, ok := vote(x); ok && r.Provisional {
		s.ref.AddVote(v)
	}
}

// Status implements web.Source.
func (s *station) Status() status.Status {
	now := time.Now()
	out := status.Status{
		Schema: status.Schema,
		Time:   now.UTC(),
		Station: status.Station{
			ID: s.platform.id, Name: s.platform.name, Version: version,
			Board: s.platform.board.Name, Uptime: now.Sub(s.born).Seconds(),
		},
		Servers: []status.Server{},
		Notices: s.notes.list(),
	}
	if s.conf.Name != "" {
		out.Station.Name = s.conf.Name
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
	for _, res := range s.monitor.Results() {
		out.Servers = append(out.Servers, server(res))
	}
	out.Summary = health.Summary(out)
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

func server(r monitor.Result) status.Server {
	out := status.Server{
		ID: r.Target.ID, Name: r.Target.Server.Name,
		Verdict: string(r.Verdict), Assured: r.Assured, Provisional: r.Provisional, Reason: r.Reason,
		Offset: r.Offset, Uncertainty: r.Uncertainty, Bound: r.Bound, Limit: r.Target.Server.Limit,
		RTT: r.RTT, Stratum: r.Stratum, Score: r.Score, Loss: r.Loss,
	}
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

// liveness watches the parts that must not stop: the tick that keeps time, and
// the monitor's loop.
func liveness() *health.Liveness {
	l := health.NewLiveness(time.Now)
	l.Watch("time", 10*time.Second)
	l.Watch("monitor", 10*time.Second)
	return l
}

// alive says what has stopped moving, if anything has.
func (s *station) alive() error { return s.live.Check(time.Now()) }

// showSignsOfLife tells init that the station works: its parts move and its
// own page answers. Init feeds the hardware watchdog only then.
func (s *station) showSignsOfLife(ctx context.Context, page net.Addr) {
	_, port, err := net.SplitHostPort(page.String())
	if err != nil || s.platform.alive == "" {
		return
	}
	client := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		if err := pageAnswers(ctx, client, "http://"+net.JoinHostPort("127.0.0.1", port)+"/healthz"); err != nil {
			s.log.Warn("no sign of life given", "error", err)
		} else if c, err := net.Dial("unixgram", s.platform.alive); err != nil {
			s.log.Warn("no sign of life given", "error", err)
		} else {
			c.Write([]byte("alive"))
			c.Close()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func pageAnswers(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the page says %s", resp.Status)
	}
	return nil
}

// notes are what people should know, by topic: a new note on a topic replaces
// the old one, an empty one ends it.
type notes struct {
	mu      sync.Mutex
	first   []string
	byTopic map[string]string
}

func newNotes(first []string) *notes {
	return &notes{first: first, byTopic: make(map[string]string)}
}

func (n *notes) set(topic, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if text == "" {
		delete(n.byTopic, topic)
		return
	}
	n.byTopic[topic] = text
}

func (n *notes) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := append([]string{}, n.first...)
	var topics []string
	for t := range n.byTopic {
		topics = append(topics, t)
	}
	slices.Sort(topics)
	for _, t := range topics {
		out = append(out, n.byTopic[t])
	}
	return out
}
