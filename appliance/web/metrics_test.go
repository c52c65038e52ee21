package web

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/truechimer/truechimer/appliance/status"
)

func registry(t *testing.T, s status.Status, b Build) *prometheus.Registry {
	t.Helper()
	r, err := newRegistry(Options{Source: fixed{status: s}, Build: b})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMetricsLint(t *testing.T) {
	r, err := newRegistry(Options{Source: everything()})
	if err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetrics(t *testing.T) {
	want := `
# HELP clock_frequency_adjustment_ratio Rate that makes the station's undisciplined clock run true: 1 minus its frequency error, below 1 for a clock that runs fast.
# TYPE clock_frequency_adjustment_ratio gauge
clock_frequency_adjustment_ratio 1.000003214
# HELP gnss_fixes_total Times that the receiver named the second, by what became of it.
# TYPE gnss_fixes_total counter
gnss_fixes_total{result="good"} 98762
gnss_fixes_total{result="implausible"} 0
gnss_fixes_total{result="invalid"} 3
# HELP gnss_noise_bytes_total Bytes from the receiver's line that were no sentence.
# TYPE gnss_noise_bytes_total counter
gnss_noise_bytes_total 4021
# HELP gnss_sentences_dropped_total Sentences from the receiver that were damaged.
# TYPE gnss_sentences_dropped_total counter
gnss_sentences_dropped_total 12
# HELP ntp_probe_loss_ratio Share of the last 100 exchanges that had no usable reply.
# TYPE ntp_probe_loss_ratio gauge
ntp_probe_loss_ratio{family="ipv4",server="alpha"} 0
ntp_probe_loss_ratio{family="ipv4",server="gamma"} 0.012
ntp_probe_loss_ratio{family="ipv6",server="epsilon"} 1
# HELP ntp_probe_offset_seconds Server's clock minus true time.
# TYPE ntp_probe_offset_seconds gauge
ntp_probe_offset_seconds{family="ipv4",server="alpha"} 0.000214
ntp_probe_offset_seconds{family="ipv4",server="gamma"} 0.08012
# HELP ntp_probe_panics_total Panics in the protocol code, caught.
# TYPE ntp_probe_panics_total counter
ntp_probe_panics_total 1
# HELP ntp_probe_score Score by the NTP Pool's formula on this station's exchanges; 20 is the best.
# TYPE ntp_probe_score gauge
ntp_probe_score{family="ipv4",server="alpha"} 20
ntp_probe_score{family="ipv4",server="gamma"} -34.6
ntp_probe_score{family="ipv6",server="epsilon"} -98
# HELP ntp_probe_stratum Stratum that the server claims.
# TYPE ntp_probe_stratum gauge
ntp_probe_stratum{family="ipv4",server="alpha"} 1
ntp_probe_stratum{family="ipv4",server="gamma"} 2
# HELP ntp_probe_stray_packets_total Packets that answered no request.
# TYPE ntp_probe_stray_packets_total counter
ntp_probe_stray_packets_total 7
# HELP pps_pulses_total Pulses by what became of them; those missing and lost never came, those not numbered at first may be used later.
# TYPE pps_pulses_total counter
pps_pulses_total{result="doubled"} 1
pps_pulses_total{result="lost"} 2
pps_pulses_total{result="missing"} 5
pps_pulses_total{result="unnumbered"} 24
pps_pulses_total{result="used"} 98741
# HELP reference_offset_seconds Station's clock minus true time.
# TYPE reference_offset_seconds gauge
reference_offset_seconds -2.31e-07
# HELP reference_state 1 for the state that the station's reference is in, 0 for all others.
# TYPE reference_state gauge
reference_state{state="cold"} 0
reference_state{state="holdover"} 0
reference_state{state="locked"} 1
reference_state{state="numbering"} 0
reference_state{state="suspect"} 0
# HELP station_build_info Always 1; the labels say which program runs on what.
# TYPE station_build_info gauge
station_build_info{board="rpi",slot="a",version="v9"} 1
`
	err := testutil.GatherAndCompare(registry(t, wellStation(), Build{Version: "v9"}), strings.NewReader(want),
		"clock_frequency_adjustment_ratio", "ntp_probe_loss_ratio", "ntp_probe_offset_seconds", "ntp_probe_score", "ntp_probe_stratum",
		"gnss_fixes_total", "gnss_noise_bytes_total", "gnss_sentences_dropped_total", "ntp_probe_panics_total", "ntp_probe_stray_packets_total", "pps_pulses_total",
		"reference_offset_seconds", "reference_state", "station_build_info",
		"reference_holdover_seconds") // not known, so it must be absent
	if err != nil {
		t.Error(err)
	}
}

// The names that dashboards are built on.
func TestMetricNames(t *testing.T) {
	s := wellStation()
	s.Reference.Holdover = val(12)
	families, err := registry(t, s, Build{}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{}
	for _, f := range families {
		samples[f.GetName()] = len(f.GetMetric())
	}
	for name, want := range map[string]int{
		"ntp_probe_offset_seconds": 2, "ntp_probe_rtt_seconds": 2, "ntp_probe_uncertainty_seconds": 2, "ntp_probe_bound_seconds": 2,
		"ntp_probe_limit_seconds": 3, "ntp_probe_stratum": 2, "ntp_probe_score": 3, "ntp_probe_loss_ratio": 3, "ntp_probe_last_timestamp_seconds": 3,
		"ntp_probe_verdict": 3 * len(status.Verdicts), "reference_state": len(status.States), "reference_source": len(status.Sources),
		"reference_offset_seconds": 1, "reference_uncertainty_seconds": 1, "reference_bound_seconds": 1, "reference_holdover_seconds": 1,
		"clock_frequency_adjustment_ratio": 1, "station_build_info": 1, "go_goroutines": 1,
		"gnss_fixes_total": 3, "gnss_sentences_dropped_total": 1, "gnss_noise_bytes_total": 1, "pps_edges_total": 1, "pps_pulses_total": 5,
		"reference_votes_total": 1, "reference_vetoes_total": 1,
		"ntp_probe_exchanges_total": 1, "ntp_probe_stray_packets_total": 1, "ntp_probe_unstamped_total": 1, "ntp_probe_voided_total": 1, "ntp_probe_panics_total": 1,
		"ntp_probe_late_replies_total": 1, "ntp_probe_duplicate_replies_total": 1, "ntp_probe_foreign_packets_total": 1, "ntp_probe_dropped_packets_total": 1, "ntp_probe_doubted_stamps_total": 1,
	} {
		if samples[name] != want {
			t.Errorf("%s has %d samples, want %d", name, samples[name], want)
		}
	}
}

// Whatever is not known is absent, and never 0 or NaN.
func TestMetricsOfNothing(t *testing.T) {
	families, err := registry(t, status.Status{Servers: []status.Server{{Name: "a"}}}, Build{}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{
		"ntp_probe_exchanges_total": true, "ntp_probe_stray_packets_total": true, "ntp_probe_unstamped_total": true, "ntp_probe_voided_total": true,
		"ntp_probe_late_replies_total": true, "ntp_probe_duplicate_replies_total": true, "ntp_probe_foreign_packets_total": true,
		"ntp_probe_dropped_packets_total": true, "ntp_probe_doubted_stamps_total": true, "ntp_probe_panics_total": true, "reference_votes_total": true, "reference_vetoes_total": true,
		"ntp_probe_verdict": true, "ntp_probe_limit_seconds": true, "reference_state": true, "reference_source": true, "station_build_info": true,
		// That there are none of a kind is known, too.
		"ntp_probe_servers": true, "ntp_probe_servers_left_out": true,
	}
	for _, f := range families {
		n := f.GetName()
		if (strings.HasPrefix(n, "ntp_") || strings.HasPrefix(n, "reference_") || strings.HasPrefix(n, "clock_")) && !allowed[n] {
			t.Errorf("%s has a sample", n)
		}
	}
}

// Two targets of one name and family, names that are no UTF-8: the scrape stays whole.
func TestMetricsOfHostileNames(t *testing.T) {
	s := status.Status{Servers: []status.Server{
		{ID: "one", Name: "same", Family: "ipv4", Verdict: "ok"},
		{ID: "two", Name: "same", Family: "ipv4", Verdict: "off"},
		{ID: "two", Name: "same", Family: "ipv4", Verdict: "off"},
		{ID: "three", Name: "\xff\"}\n", Family: "ipv6", Verdict: "ok"},
	}}
	want := `
# HELP ntp_probe_limit_seconds How far from true time the server may be.
# TYPE ntp_probe_limit_seconds gauge
ntp_probe_limit_seconds{family="ipv4",server="same"} 0.025
ntp_probe_limit_seconds{family="ipv4",server="two"} 0.025
ntp_probe_limit_seconds{family="ipv6",server="` + "\uFFFD" + `\"}"} 0.025
`
	if err := testutil.GatherAndCompare(registry(t, s, Build{}), strings.NewReader(want), "ntp_probe_limit_seconds"); err != nil {
		t.Error(err)
	}
}
