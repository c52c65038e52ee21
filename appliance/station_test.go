package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

func val(v float64) *float64 { return &v }

// stopped is a clock that stands still, or cannot be read.
type stopped struct {
	mono, diff int64
	err        error
}

func (c stopped) Now() (mono, diff int64, err error) { return c.mono, c.diff, c.err }
func (stopped) SetFrequency(float64) error           { return nil }
func (stopped) Step(int64) error                     { return nil }
func (stopped) Report(discipline.Condition) error    { return nil }

func testStation(t *testing.T, p *platform, kernel stopped) *station {
	t.Helper()
	prober := probe.New(probe.Plain()) // the other kind waits in the kernel, where virtual time stands still
	t.Cleanup(func() { prober.Close() })
	return newStation(p, config.Default(), kernel, prober, []string{"first"}, slog.New(slog.DiscardHandler))
}

func TestReferenceStatus(t *testing.T) {
	nothing := gpspps.Info{FrequencyPPM: math.NaN(), SatellitesUsed: -1, SatellitesSeen: -1, Holdover: 5 * time.Second}
	unknown := gpspps.Reading{State: gpspps.StateCold, Source: gpspps.SourceNone, Reason: "no fix", True: 99, Uncertainty: 1, Bound: 3}
	want := status.Reference{Source: "none", State: "cold", Reason: "no fix"}
	if got := reference(unknown, nothing, 77); !reflect.DeepEqual(got, want) {
		t.Errorf("of nothing: %+v", got)
	}

	// The station's clock shows 2.25 s when it is 2 s.
	r := gpspps.Reading{Mono: 1e9, True: 2e9, Known: true, Uncertainty: 1e-6, Bound: 4e-6, State: gpspps.StateHoldover, Source: gpspps.SourceGPSPPS}
	got := reference(r, gpspps.Info{FrequencyPPM: -3.5, SatellitesUsed: 0, SatellitesSeen: 4, Holdover: 90 * time.Second}, 1.25e9)
	zero, four := 0, 4
	want = status.Reference{
		Source: "gps+pps", State: "holdover", Offset: val(0.25), Uncertainty: val(1e-6), Bound: val(4e-6), Frequency: val(-3.5), Holdover: val(90),
		SatellitesUsed: &zero, SatellitesSeen: &four,
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		t.Errorf("got %s", g)
	}
	// Only a holdover has an age.
	r.State = gpspps.StateLocked
	if got := reference(r, nothing, 0); got.Holdover != nil || got.Frequency != nil || got.SatellitesUsed != nil || got.SatellitesSeen != nil {
		t.Errorf("locked: %+v", got)
	}
}

func TestServerStatus(t *testing.T) {
	last := time.Date(2026, 5, 6, 7, 8, 9, 0, time.FixedZone("", 3600))
	two := 2
	utc := last.UTC()
	r := monitor.Result{
		Target:  monitor.Target{ID: "a/4", Server: monitor.Server{Name: "a", Limit: 0.05}, Addr: netip.MustParseAddrPort("[::ffff:192.0.2.1]:123")},
		Verdict: monitor.Off, Assured: true, Provisional: true, Reason: "why",
		Offset: val(1), Uncertainty: val(2), Bound: val(3), RTT: val(4), Stratum: &two, Score: val(5), Loss: val(6), Last: last,
	}
	want := status.Server{
		ID: "a/4", Name: "a", Address: "[::ffff:192.0.2.1]:123", Family: "ipv4", Verdict: "off", Assured: true, Provisional: true, Reason: "why",
		Offset: val(1), Uncertainty: val(2), Bound: val(3), Limit: 0.05, RTT: val(4), Stratum: &two, Score: val(5), Loss: val(6), Last: &utc,
	}
	if got := server(r); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	r.Target.Addr = netip.MustParseAddrPort("[2001:db8::1]:123")
	if got := server(r); got.Family != "ipv6" || got.Address != "[2001:db8::1]:123" {
		t.Errorf("%s %s", got.Family, got.Address)
	}
	// A name that was never resolved.
	want = status.Server{ID: "b", Name: "b", Verdict: "not_judged"}
	if got := server(monitor.Result{Target: monitor.Target{ID: "b", Server: monitor.Server{Name: "b"}}, Verdict: monitor.NotJudged}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestEveryCountIsCarried: none is forgotten, none is taken for another.
func TestEveryCountIsCarried(t *testing.T) {
	var ta tally
	ta.damaged.Store(101)
	ta.noise.Store(102)
	ta.edges.Store(103)
	got := counters(gpspps.Counters{Fixes: 1, FixesInvalid: 2, FixesImplausible: 3, Checksum: 4, Pulses: 5, PulsesUsed: 6, PulsesDoubled: 7,
		PulsesMissing: 8, PulsesUnnumbered: 9, Votes: 10, Vetoes: 11}, &ta)
	want := status.Counters{Fixes: 1, FixesInvalid: 2, FixesImplausible: 3, Checksum: 101, NoiseBytes: 102, Pulses: 5, PulsesUsed: 6, PulsesDoubled: 7,
		PulsesMissing: 8, PulsesUnnumbered: 9, PulsesLost: 103, Votes: 10, Vetoes: 11}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := probed(probe.Counters{Exchanges: 1, Strays: 2, NoStamp: 3, Stepped: 4, Panics: 5, Late: 6, Duplicates: 7, Foreign: 8, Dropped: 9, Doubted: 10}),
		(status.Probe{Exchanges: 1, Strays: 2, Unstamped: 3, Voided: 4, Panics: 5, Late: 6, Duplicates: 7, Foreign: 8, Dropped: 9, Doubted: 10}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStatusOfAStation(t *testing.T) {
	p := &platform{id: "0123", name: "truechimer-0123", board: boards.Board{Name: "rpi"}, slot: "b"}
	s := testStation(t, p, stopped{})
	ref, mono := lived(30)
	s.ref, s.kernel = ref, stopped{mono: mono, diff: 12345}
	got := s.Status()
	if got.Schema != 1 || got.Station.Name != "truechimer-0123" || got.Station.ID != "0123" || *got.Station.Slot != "b" || got.Station.Board != "rpi" {
		t.Errorf("%+v", got.Station)
	}
	// The time told is true time, not what the clock shows.
	if d := got.Time.Sub(time.Date(2026, 3, 4, 5, 6, 36, 700e6, time.UTC)); d.Abs() > time.Millisecond {
		t.Errorf("%s: %s off", got.Time, d)
	}
	if got.Reference.State != "locked" || got.Reference.Counters.Pulses != 30 || got.Reference.Counters.Fixes != 30 {
		t.Errorf("%+v", got.Reference)
	}
	if got.Servers == nil || len(got.Notices) != 1 || !strings.HasPrefix(got.Summary, "Locked to GPS") {
		t.Errorf("servers %v, notices %q, summary %q", got.Servers, got.Notices, got.Summary)
	}
	s.conf.Name = "attic"
	s.inForce.Store(&s.conf)
	if n := s.Status().Station.Name; n != "attic" {
		t.Errorf("called %q", n)
	}

	samples := s.Samples()
	if len(samples) < 20 {
		t.Fatalf("%d samples", len(samples))
	}
	newest := samples[len(samples)-1]
	if math.Abs(newest.Age-0.7) > 0.01 || newest.State != "locked" || math.Abs(newest.Offset) > 1e-5 {
		t.Errorf("newest sample %+v", newest)
	}

	s.kernel = stopped{err: errors.New("no clock")}
	if got := s.Status(); len(got.Notices) != 2 || !strings.Contains(got.Notices[1], "no clock") {
		t.Errorf("a clock that cannot be read: %q", got.Notices)
	}
	if s.Samples() != nil {
		t.Error("samples of an unknown age")
	}
}

// TestOneVoteAnExchange: the same exchange comes again when its verdict is final.
func TestOneVoteAnExchange(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	x := exchange()
	s.Put(x, monitor.Result{Provisional: true})
	s.Put(x, monitor.Result{})
	x.Mono++
	s.Put(x, monitor.Result{})
	if n := s.ref.Info(x.Mono).Counters.Votes; n != 1 {
		t.Errorf("%d votes", n)
	}
}
