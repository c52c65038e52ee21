package web

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

var (
	latestFields = []string{"offset_s", "uncertainty_s", "bound_s", "rtt_s"}
	claimsFields = []string{"leap", "root_delay_s", "root_dispersion_s", "root_distance_s", "reference_id", "reference_age_s"}
)

// remembering is a station with all that is told of a server.
func remembering() status.Status {
	s := wellStation()
	v := &s.Servers[0]
	v.Latest = &status.Latest{Offset: .0312, Uncertainty: 5e-3, Bound: .034, RTT: .066}
	v.Jitter, v.Sent, v.Received, v.Reach, v.FamilyGap = val(2.5e-3), 1234, 1200, 0xfffe, val(-1.5e-3)
	v.Claims = &status.Claims{Leap: status.LeapInsert, RootDelay: .02, RootDispersion: .005, RootDistance: .015, RefID: "GPS", ReferenceAge: val(90)}
	v.Warnings = []string{"asym", "smear_suspect"}
	return s
}

func TestAPIOfDetails(t *testing.T) {
	server := decode(t, remembering())["servers"].([]any)[0].(map[string]any)
	keys(t, "servers[0]", server, serverFields...)
	latest := keys(t, "latest", server["latest"], latestFields...)
	claims := keys(t, "claims", server["claims"], claimsFields...)
	if latest["offset_s"] != .0312 || claims["leap"] != "insert" || claims["reference_id"] != "GPS" || claims["reference_age_s"] != 90.0 ||
		server["sent"] != 1234.0 || server["received"] != 1200.0 || server["reach"] != 65534.0 || server["jitter_s"] != 2.5e-3 || server["family_gap_s"] != -1.5e-3 {
		t.Errorf("%v", server)
	}
	if w, ok := server["warnings"].([]any); !ok || len(w) != 2 || w[0] != "asym" {
		t.Errorf("warnings %v", server["warnings"])
	}
	nothing := decode(t, status.Status{Servers: []status.Server{{}}})["servers"].([]any)[0].(map[string]any)
	for _, field := range []string{"latest", "jitter_s", "family_gap_s", "claims"} {
		if nothing[field] != nil {
			t.Errorf("%s = %v, want null", field, nothing[field])
		}
	}
	if w, ok := nothing["warnings"].([]any); !ok || len(w) != 0 {
		t.Errorf("warnings %v, want []", nothing["warnings"])
	}
}

// Whatever the source does, the contract is kept.
func TestDetailsAreTidied(t *testing.T) {
	s := remembering()
	v := &s.Servers[0]
	v.Warnings = append(slices.Repeat([]string{"asym"}, 1000), "doom", "loop")
	v.Latest.RTT, v.Jitter = math.NaN(), val(math.Inf(1))
	v.Claims.Leap, v.Claims.RefID, v.Claims.ReferenceAge = "never", strings.Repeat("\x00x", 1<<16), val(math.NaN())
	got := tidy(s).Servers[0]
	if !slices.Equal(got.Warnings, []string{"asym", "loop"}) || got.Latest != nil || got.Jitter != nil {
		t.Errorf("%+v", got)
	}
	if c := got.Claims; c.Leap != status.LeapUnsynchronized || len(c.RefID) > 4*maxWord || c.ReferenceAge != nil || v.Claims.Leap != "never" {
		t.Errorf("%+v", c)
	}
	v.Claims.RootDelay = math.Inf(-1)
	if tidy(s).Servers[0].Claims != nil {
		t.Error("claims that JSON cannot hold")
	}
}

// The page has a sentence for every warning, and all that is known.
func TestPageTellsDetails(t *testing.T) {
	s := remembering()
	s.Servers[0].Warnings = status.Warnings
	v := newServerView(tidy(s).Servers[0], testTime)
	if len(v.Warnings) != len(status.Warnings) || len(warningSentences) != len(status.Warnings) {
		t.Errorf("%d sentences of %d for %d warnings", len(v.Warnings), len(warningSentences), len(status.Warnings))
	}
	for _, w := range status.Leaps {
		if leapTexts[w] == "" {
			t.Errorf("no text for %s", w)
		}
	}
	h := handler(t, Options{Source: fixed{status: s}})
	page := body(t, fetch(h, "GET", "/servers/alpha"))
	for _, want := range []string{
		"31.2\u00a0ms", "15 to the last 16", "1\u202f234", "Follows", "GPS", "one second more", "1 min 30 s ago",
		"−1.50\u00a0ms", warningSentences["asym"], warningSentences["smear_suspect"],
	} {
		if !strings.Contains(page, want) && !strings.Contains(page, strings.ReplaceAll(want, "\u00a0", " ")) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, want := range []string{warningSentences["asym"], `<a href="/servers/alpha">`} {
		if !strings.Contains(body(t, fetch(h, "GET", DetailsPath)), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if d := details(wellStation().Servers[0]); d != nil {
		t.Errorf("nothing is known, and told is %v", d)
	}
}

func TestMetricsOfDetails(t *testing.T) {
	text := body(t, fetch(handler(t, Options{Source: fixed{status: remembering()}}), "GET", "/metrics"))
	for _, want := range []string{
		`ntp_probe_jitter_seconds{family="ipv4",server="alpha"} 0.0025`, `ntp_probe_requests_total{family="ipv4",server="alpha"} 1234`,
		`ntp_probe_replies_total{family="ipv4",server="alpha"} 1200`, `ntp_probe_root_distance_seconds{family="ipv4",server="alpha"} 0.015`,
		`ntp_probe_warning{family="ipv4",server="alpha",warning="asym"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, `ntp_probe_requests_total{family="ipv4",server="gamma"}`) {
		t.Error("a server of which nothing is known has samples")
	}
}
