package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/truechimer/truechimer/appliance/status"
)

// newMetrics serves what Prometheus scrapes. What is not known has no sample:
// a 0 would be a lie and a NaN would spoil every sum.
func newMetrics(o Options) (http.Handler, error) {
	r, err := newRegistry(o)
	if err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog:            failures{o},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 2, // the largest takes some 60 MB of memory
		Timeout:             10 * time.Second,
		EnableOpenMetrics:   true,
	}), nil
}

func newRegistry(o Options) (*prometheus.Registry, error) {
	r := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{source: o.Source, build: o.Build},
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("web: register metrics: %w", err)
		}
	}
	return r, nil
}

// failures writes what promhttp has to say to the station's log.
type failures struct{ o Options }

func (f failures) Println(v ...any) {
	f.o.Log.Error("metrics", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}

// maxScraped bounds the servers that have samples: some forty of each make a
// scrape that a small board has to hold in memory, several times over, and to
// write within the timeout. They are the first by name, since a series that
// comes and goes is worth little.
const maxScraped = 1000

// collector translates one status into samples, so that a scrape is of one
// moment.
type collector struct {
	source Source
	build  Build
}

var perServer = []string{"server", "family"}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The metrics. Offsets of servers are server minus true time, the reference's
// is the station's clock minus true time; positive is ahead.
var (
	probeOffset      = describe("ntp_probe_offset_seconds", "Server's clock minus true time.", perServer...)
	probeUncertainty = describe("ntp_probe_uncertainty_seconds", "Half-width of the 95 % interval around the offset, for a symmetric path.", perServer...)
	probeBound       = describe("ntp_probe_bound_seconds", "Half-width of the interval that holds the offset whatever the path did; verdicts are drawn from it.", perServer...)
	probeLimit       = describe("ntp_probe_limit_seconds", "How far from true time the server may be.", perServer...)
	probeRTT         = describe("ntp_probe_rtt_seconds", "Round trip of the last exchange without the server's own processing.", perServer...)
	probeStratum     = describe("ntp_probe_stratum", "Stratum that the server claims.", perServer...)
	probeScore       = describe("ntp_probe_score", "Score by the NTP Pool's formula on this station's exchanges; 20 is the best.", perServer...)
	probeLoss        = describe("ntp_probe_loss_ratio", "Share of the last 100 exchanges that had no usable reply.", perServer...)
	probeLast        = describe("ntp_probe_last_timestamp_seconds", "When the last exchange was had, since the Unix epoch.", perServer...)
	probeVerdict     = describe("ntp_probe_verdict", "1 for the verdict in force, 0 for all others.", append(perServer[:2:2], "verdict")...)

	probeLeftOut = describe("ntp_probe_servers_left_out", "Addresses of servers without samples of their own, since there are too many of them; ntp_probe_servers counts all, /api/v1/status has all.")

	refState       = describe("reference_state", "1 for the state that the station's reference is in, 0 for all others.", "state")
	refSource      = describe("reference_source", "1 for the source that true time is taken from, 0 for all others.", "source")
	refOffset      = describe("reference_offset_seconds", "Station's clock minus true time.")
	refUncertainty = describe("reference_uncertainty_seconds", "Half-width of the 95 % interval around the reference's time.")
	refBound       = describe("reference_bound_seconds", "Half-width around the reference's time that truth leaves at most once in a million.")
	refHoldover    = describe("reference_holdover_seconds", "How long the reference has been living on the oscillator alone.")
	clockFrequency = describe("clock_frequency_adjustment_ratio", "Rate that makes the station's undisciplined clock run true: 1 minus its frequency error, below 1 for a clock that runs fast.")

	buildInfo = describe("station_build_info", "Always 1; the labels say which program runs on what.", "version", "slot", "board")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		probeOffset, probeUncertainty, probeBound, probeLimit, probeRTT, probeStratum, probeScore, probeLoss, probeLast, probeVerdict, probeLeftOut,
		refState, refSource, refOffset, refUncertainty, refBound, refHoldover, clockFrequency, buildInfo,
	} {
		ch <- d
	}
	for _, d := range append(counterDescs[:len(counterDescs):len(counterDescs)], updateDescs...) {
		ch <- d
	}
	for _, d := range append(detailDescs[:len(detailDescs):len(detailDescs)], stationDescs...) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := tidy(c.source.Status())
	b := c.build
	if b.Version == "" {
		b.Version = s.Station.Version
	}
	if b.Board == "" {
		b.Board = s.Station.Board
	}
	if b.Slot == "" && s.Station.Slot != nil {
		b.Slot = *s.Station.Slot
	}
	gauge(ch, buildInfo, 1, b.Version, b.Slot, b.Board)

	r := s.Reference
	states(ch, refState, status.States, r.State)
	states(ch, refSource, status.Sources, r.Source)
	maybe(ch, refOffset, r.Offset)
	maybe(ch, refUncertainty, r.Uncertainty)
	maybe(ch, refBound, r.Bound)
	maybe(ch, refHoldover, r.Holdover)
	if r.Frequency != nil {
		gauge(ch, clockFrequency, 1-*r.Frequency/1e6)
	}
	collectCounters(ch, r.Counters, s.Probe)
	collectJournal(ch, s.Journal)
	collectUpdate(ch, s.Update)
	collectStation(ch, s)
	collectPulses(ch, c.source.Samples())
	// One name twice in one family would void the whole scrape: the second goes
	// by its id.
	seen := map[[2]string]bool{}
	scraped := s.Servers[:min(len(s.Servers), maxScraped)]
	gauge(ch, probeLeftOut, float64(len(s.Servers)-len(scraped)))
	for _, v := range scraped {
		key := [2]string{v.Name, v.Family}
		if seen[key] {
			key[0] = v.ID
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		collectServer(ch, v, key[0], key[1])
	}
}

func collectServer(ch chan<- prometheus.Metric, v status.Server, labels ...string) {
	maybe(ch, probeOffset, v.Offset, labels...)
	maybe(ch, probeUncertainty, v.Uncertainty, labels...)
	maybe(ch, probeBound, v.Bound, labels...)
	gauge(ch, probeLimit, v.Limit, labels...)
	maybe(ch, probeRTT, v.RTT, labels...)
	if v.Stratum != nil {
		gauge(ch, probeStratum, float64(*v.Stratum), labels...)
	}
	maybe(ch, probeScore, v.Score, labels...)
	maybe(ch, probeLoss, v.Loss, labels...)
	if v.Last != nil {
		gauge(ch, probeLast, float64(v.Last.UnixMilli())/1e3, labels...)
	}
	states(ch, probeVerdict, status.Verdicts, v.Verdict, labels...)
	collectDetails(ch, v, labels...)
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func maybe(ch chan<- prometheus.Metric, d *prometheus.Desc, v *float64, labels ...string) {
	if v != nil {
		gauge(ch, d, *v, labels...)
	}
}

// states gives one sample for each word, so that a change shows as a step.
func states(ch chan<- prometheus.Metric, d *prometheus.Desc, words []string, now string, labels ...string) {
	for _, w := range words {
		v := 0.0
		if w == now {
			v = 1
		}
		gauge(ch, d, v, append(labels[:len(labels):len(labels)], w)...)
	}
}
