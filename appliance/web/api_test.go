package web

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

func decode(t *testing.T, s status.Status) map[string]any {
	t.Helper()
	r := fetch(handler(t, Options{Source: fixed{status: s}}), "GET", "/api/v1/status")
	var m map[string]any
	if err := json.Unmarshal([]byte(body(t, r)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func keys(t *testing.T, what string, v any, want ...string) map[string]any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s is no object but %T", what, v)
	}
	got := slices.Sorted(maps.Keys(m))
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has fields\n%v, want\n%v", what, got, want)
	}
	return m
}

var (
	topFields       = []string{"schema", "time", "summary", "advice", "station", "reference", "receiver", "clock", "tracking", "servers", "assignments", "probe", "machine", "network", "update", "journal", "trees", "notices"}
	stationFields   = []string{"id", "name", "version", "board", "slot", "uptime_s", "timezone", "safe_mode", "claimed"}
	referenceFields = []string{"source", "state", "reason", "offset_s", "uncertainty_s", "bound_s", "frequency_ppm", "holdover_s", "satellites_used", "satellites_seen", "pulse_alone", "counters", "satellites", "predictions", "stability"}
	receiverFields  = []string{"device", "baud", "protocol", "pulse", "pulse_late_s", "pulse_late_error_s", "hat", "model", "setup",
		"trouble", "usb", "antenna", "pulse_missing", "pulse_elsewhere"}
	clockFields      = []string{"steered", "synchronized", "estimated_error_s", "greatest_error_s", "steps", "gps_minus_utc_s", "tai_minus_utc_s", "leap_second", "foreign_steps", "foreign_adjustments", "foreign", "foreign_age_s"}
	leapFields       = []string{"change", "at", "receiver", "servers", "ordered"}
	assignmentFields = []string{"source", "state", "url", "servers", "refused", "age_s", "next_s", "failure"}
	counterFields    = []string{"fixes", "fixes_invalid", "fixes_implausible", "checksum", "noise_bytes", "pulses", "pulses_used", "pulses_doubled", "pulses_missing", "pulses_unnumbered", "pulses_lost", "votes", "vetoes"}
	probeFields      = []string{"exchanges", "strays", "unstamped", "voided", "panics", "outcomes", "late", "duplicates", "foreign", "dropped", "doubted"}
	serverFields     = []string{"id", "name", "address", "family", "name_fault", "verdict", "assured", "provisional", "reason", "offset_s", "uncertainty_s", "bound_s", "limit_s", "rtt_s", "stratum", "score", "loss", "last", "path",
		"latest", "jitter_s", "sent", "received", "reach", "family_gap_s", "claims", "warnings"}
	pathFields    = []string{"at", "end", "summary", "inside", "port_path", "packets", "took_s", "hops"}
	hopFields     = []string{"hop", "address", "rtt_s", "icmp_type", "icmp_code"}
	networkFields = []string{"trouble", "reason", "link", "radio", "ipv4", "ipv6", "router_rtt_s", "addresses", "gateways", "dns", "local_name"}
	addressFields = []string{"address", "origin", "lasts_s"}
	journalFields = []string{"records", "waiting", "dropped", "late", "written_bytes", "size_bytes", "oldest"}
)

// Every field of the contract is present, known or not, and what is not known
// is null.
func TestAPIContract(t *testing.T) {
	full := keys(t, "status", decode(t, wellStation()), topFields...)
	keys(t, "station", full["station"], stationFields...)
	reference := keys(t, "reference", full["reference"], referenceFields...)
	for field, want := range map[string]any{"source": "gps+pps", "state": "locked", "reason": "", "offset_s": -2.31e-7, "holdover_s": nil, "satellites_used": 9.0} {
		if reference[field] != want {
			t.Errorf("reference.%s = %v, want %v", field, reference[field], want)
		}
	}
	receiver := keys(t, "receiver", full["receiver"], receiverFields...)
	for field, want := range map[string]any{"device": "/dev/ttyAMA0", "baud": 9600.0, "protocol": "nmea", "pulse": "GPIO18", "hat": nil} {
		if receiver[field] != want {
			t.Errorf("receiver.%s = %v, want %v", field, receiver[field], want)
		}
	}
	clock := keys(t, "clock", full["clock"], clockFields...)
	leap := keys(t, "leap_second", clock["leap_second"], leapFields...)
	if clock["tai_minus_utc_s"] != 37.0 || clock["foreign"] != nil || leap["change"] != 1.0 || leap["servers"] != false {
		t.Errorf("clock %v", clock)
	}
	counters := keys(t, "counters", reference["counters"], counterFields...)
	probe := keys(t, "probe", full["probe"], probeFields...)
	if counters["fixes"] != 98765.0 || counters["noise_bytes"] != 4021.0 || counters["vetoes"] != 0.0 || probe["strays"] != 7.0 {
		t.Errorf("counters %v, probe %v", counters, probe)
	}
	journal := keys(t, "journal", full["journal"], journalFields...)
	if journal["records"] != 4711.0 || journal["dropped"] != 0.0 || journal["oldest"] != "2026-06-30T14:03:22Z" {
		t.Errorf("journal %v", journal)
	}
	if full["schema"] != 1.0 || full["time"] != "2026-07-01T14:03:22Z" {
		t.Errorf("schema %v, time %v", full["schema"], full["time"])
	}
	server := keys(t, "server", full["servers"].([]any)[1], serverFields...)
	for field, want := range map[string]any{"verdict": "off", "offset_s": .08012, "provisional": true, "assured": false, "loss": .012, "stratum": 2.0, "last": "2026-07-01T14:03:18Z"} {
		if server[field] != want {
			t.Errorf("servers[1].%s = %v, want %v", field, server[field], want)
		}
	}

	if server["path"] != nil {
		t.Errorf("servers[1].path = %v, want null", server["path"])
	}
	path := keys(t, "path", full["servers"].([]any)[2].(map[string]any)["path"], pathFields...)
	for field, want := range map[string]any{"at": "2026-07-01T13:58:22Z", "end": "silent", "inside": false, "port_path": false, "packets": 11.0, "took_s": 2.67} {
		if path[field] != want {
			t.Errorf("path.%s = %v, want %v", field, path[field], want)
		}
	}
	for i, want := range []map[string]any{
		{"hop": 1.0, "address": "fe80::1", "rtt_s": .0012, "icmp_type": 3.0, "icmp_code": 0.0},
		{"hop": 2.0, "address": nil, "rtt_s": nil, "icmp_type": nil, "icmp_code": nil},
	} {
		if hop := keys(t, "hop", path["hops"].([]any)[i], hopFields...); !maps.Equal(hop, want) {
			t.Errorf("hop %v, want %v", hop, want)
		}
	}

	own := wellStation()
	own.Machine = &status.Machine{Model: said("Raspberry Pi 4")}
	mine := decode(t, own)
	machine := keys(t, "machine", mine["machine"], "model", "wrong_image", "undervoltage", "card_read_only", "card_volatile", "temperature_c", "card_written_bytes", "card_written_bytes_per_day")
	network := keys(t, "network", mine["network"], networkFields...)
	if machine["model"] != "Raspberry Pi 4" || machine["undervoltage"] != nil || network["link"] != "eth0" || network["router_rtt_s"] != nil {
		t.Errorf("machine %v, network %v", machine, network)
	}
	advice := keys(t, "advice", full["advice"], "situation", "situations", "sentence", "next", "time", "network", "updates")
	light := keys(t, "advice.time", advice["time"], "level", "word", "sentence")
	if advice["situation"] != "server-off" || advice["sentence"] != "gamma is off by +80 ms." || light["level"] != "good" || light["word"] != "known" {
		t.Errorf("advice %v", advice)
	}

	file := keys(t, "assignments", full["assignments"].([]any)[0], assignmentFields...)
	list := keys(t, "assignments", full["assignments"].([]any)[1], assignmentFields...)
	if file["source"] != "file" || file["url"] != nil || file["servers"] != 2.0 || list["url"] != "https://lists.example.net/attic.json" || list["state"] != "kept" || list["age_s"] != 7200.0 || list["failure"] != "no route" {
		t.Errorf("assignments %v, %v", file, list)
	}

	for i, want := range []map[string]any{
		{"address": "192.0.2.7/24", "origin": "dhcp", "lasts_s": 3540.0},
		{"address": "2001:db8::7/64", "origin": "fixed", "lasts_s": nil},
	} {
		if got := keys(t, "address", network["addresses"].([]any)[i], addressFields...); !maps.Equal(got, want) {
			t.Errorf("address %v, want %v", got, want)
		}
	}
	bare := keys(t, "network", decode(t, status.Status{Network: &status.Network{}})["network"], networkFields...)
	for _, field := range []string{"addresses", "gateways", "dns"} {
		if l, ok := bare[field].([]any); !ok || len(l) != 0 {
			t.Errorf("network.%s = %v, want []", field, bare[field])
		}
	}

	empty := keys(t, "status", decode(t, status.Status{Servers: []status.Server{{}}}), topFields...)
	station := keys(t, "station", empty["station"], stationFields...)
	if empty["clock"] != nil || empty["journal"] != nil || empty["machine"] != nil || empty["network"] != nil || empty["advice"] == nil {
		t.Errorf("clock = %v, journal = %v, machine = %v, network = %v, want null", empty["clock"], empty["journal"], empty["machine"], empty["network"])
	}
	reference = keys(t, "reference", empty["reference"], referenceFields...)
	for field, v := range keys(t, "receiver", empty["receiver"], receiverFields...) {
		if v != nil {
			t.Errorf("receiver.%s = %v, want null", field, v)
		}
	}
	server = keys(t, "server", empty["servers"].([]any)[0], serverFields...)
	if station["slot"] != nil {
		t.Errorf("slot = %v, want null", station["slot"])
	}
	for _, field := range []string{"offset_s", "uncertainty_s", "bound_s", "frequency_ppm", "holdover_s", "satellites_used", "satellites_seen"} {
		if reference[field] != nil {
			t.Errorf("reference.%s = %v, want null", field, reference[field])
		}
	}
	for _, field := range []string{"offset_s", "uncertainty_s", "bound_s", "rtt_s", "stratum", "score", "loss", "last", "path"} {
		if server[field] != nil {
			t.Errorf("server.%s = %v, want null", field, server[field])
		}
	}
	if reference["source"] != "none" || reference["state"] != "cold" || server["verdict"] != "not_judged" || server["limit_s"] != .025 {
		t.Errorf("words of a station that knows nothing: %v, %v", reference, server)
	}
	if s, _ := empty["summary"].(string); s == "" {
		t.Error("there is no summary")
	}
}

func TestAPIListsAreNeverNull(t *testing.T) {
	m := decode(t, status.Status{})
	for _, field := range []string{"servers", "assignments", "trees", "notices"} {
		if l, ok := m[field].([]any); !ok || len(l) != 0 {
			t.Errorf("%s = %v, want []", field, m[field])
		}
	}
}

// Every word that the contract allows goes through, and the page and the
// sentence know it.
func TestEveryWord(t *testing.T) {
	for _, source := range status.Sources {
		for _, state := range status.States {
			s := wellStation()
			s.Reference.Source, s.Reference.State = source, state
			r := decode(t, s)["reference"].(map[string]any)
			if r["source"] != source || r["state"] != state {
				t.Errorf("%s, %s became %v, %v", source, state, r["source"], r["state"])
			}
			v := newView(tidy(s), nil, Build{})
			if v.Reference.Meaning == "" || v.Reference.Tone == "" || v.Reference.Facts[0].Value == "" || !marked(v.Reference.Mark) {
				t.Errorf("the page does not know %s, %s: %+v", source, state, v.Reference)
			}
		}
	}
	for _, protocol := range append(status.Protocols, "morse") {
		s := wellStation()
		s.Receiver.Protocol = &protocol
		got, want := decode(t, s)["receiver"].(map[string]any)["protocol"], any(protocol)
		if protocol == "morse" {
			want = nil
		}
		if got != want {
			t.Errorf("protocol %s became %v", protocol, got)
		}
	}
	for _, setup := range append(status.Setups, "upset") {
		s := wellStation()
		s.Receiver.Setup = &setup
		got, known := decode(t, s)["receiver"].(map[string]any)["setup"], setup != "upset"
		if known != (got == any(setup)) || known && receiver(s.Receiver, false) == receiver(wellStation().Receiver, false) {
			t.Errorf("setup %s became %v, %q", setup, got, receiver(s.Receiver, false))
		}
	}
	for _, source := range append(status.AssignmentsSources, "hearsay") {
		for _, state := range append(status.AssignmentsStates, "torn") {
			s := wellStation()
			s.Assignments[1].Source, s.Assignments[1].State = source, state
			a := decode(t, s)["assignments"].([]any)[1].(map[string]any)
			if source == "hearsay" {
				source = "file"
			}
			if state == "torn" {
				state = "none"
			}
			if a["source"] != source || a["state"] != state {
				t.Errorf("%s, %s became %v", source, state, a)
			}
		}
	}
	for _, verdict := range status.Verdicts {
		for _, family := range append([]string{""}, status.Families...) {
			s := wellStation()
			s.Servers[0].Verdict, s.Servers[0].Family = verdict, family
			r := decode(t, s)["servers"].([]any)[0].(map[string]any)
			if r["verdict"] != verdict || r["family"] != family {
				t.Errorf("%s, %s became %v, %v", verdict, family, r["verdict"], r["family"])
			}
			if v := newServerView(s.Servers[0], testTime); v.Verdict == "" || v.Tone == "" || !marked(v.Mark) {
				t.Errorf("the page does not know %s: %+v", verdict, v)
			}
		}
	}
}

func marked(name string) bool {
	return slices.ContainsFunc(marks, func(m mark) bool { return m.Name == name && m.Path != "" })
}

func TestTidyLeavesItsInputAlone(t *testing.T) {
	s := wellStation()
	s.Servers[0].RTT, s.Servers[0].Name = val(math.NaN()), "a\nb"
	s.Notices = []string{"a\nb"}
	got := tidy(s)
	if got.Servers[0].RTT != nil || got.Servers[0].Name != "a b" || got.Notices[0] != "a b" {
		t.Errorf("not tidied: %+v", got.Servers[0])
	}
	if s.Servers[0].RTT == nil || s.Servers[0].Name != "a\nb" || s.Notices[0] != "a\nb" {
		t.Error("the source's own values were changed")
	}
}

func TestTidyBoundsText(t *testing.T) {
	s := wellStation()
	long := strings.Repeat("x", 1<<20)
	s.Servers[0].Reason, s.Servers[0].Name, s.Reference.Reason, s.Summary = long, long, long, long
	s.Notices = slices.Repeat([]string{long}, 1000)
	h := handler(t, Options{Source: fixed{status: s}})
	for _, target := range []string{"/", "/api/v1/status", "/metrics"} {
		if n := len(body(t, fetch(h, "GET", target))); n > 100<<10 {
			t.Errorf("%s is %d bytes", target, n)
		}
	}
}

func TestTimesAreUTC(t *testing.T) {
	s := wellStation()
	zone := time.FixedZone("", 5*3600)
	last := s.Servers[0].Last.In(zone)
	s.Time, s.Servers[0].Last = s.Time.In(zone), &last
	m := decode(t, s)
	if m["time"] != "2026-07-01T14:03:22Z" || m["servers"].([]any)[0].(map[string]any)["last"] != "2026-07-01T14:03:19Z" {
		t.Errorf("times are not UTC: %v", m["time"])
	}
}
