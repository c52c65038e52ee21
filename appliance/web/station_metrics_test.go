package web

import (
	"math"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/truechimer/truechimer/appliance/status"
)

// TestPulseMetrics: there is an offset while pulses come, and a jitter once there are
// some.
func TestPulseMetrics(t *testing.T) {
	const offset = "# HELP pps_offset_seconds Last pulse minus what was expected of it, by the station's clock.\n# TYPE pps_offset_seconds gauge\npps_offset_seconds "
	const jitter = "# HELP pps_jitter_seconds RMS of that over the pulses of the last minute.\n# TYPE pps_jitter_seconds gauge\npps_jitter_seconds "
	steady := func(n int, first float64) (list []status.Sample) {
		for i := range n { // a power of two, so that sums are exact
			list = append(list, status.Sample{Age: first + float64(i), Offset: 0x1p-20 * float64(1-i%2*2)})
		}
		return list
	}
	for name, c := range map[string]struct {
		samples []status.Sample
		want    string
	}{
		"none":     {nil, ""},
		"few":      {steady(7, .5), offset + "9.5367431640625e-07\n"},
		"minute":   {steady(60, .5), jitter + "9.5367431640625e-07\n" + offset + "9.5367431640625e-07\n"},
		"over":     {steady(50, 6), jitter + "9.5367431640625e-07\n"},
		"long ago": {steady(50, 61), ""},
		"nonsense": {[]status.Sample{{Age: math.NaN(), Offset: 1}, {Age: -1, Offset: 1}, {Age: 1, Offset: math.NaN()}, {Age: 1, Offset: math.Inf(1)}}, ""},
	} {
		r, err := newRegistry(Options{Source: fixed{samples: c.samples}})
		if err != nil {
			t.Fatal(err)
		}
		if err := testutil.GatherAndCompare(r, strings.NewReader(c.want), "pps_offset_seconds", "pps_jitter_seconds"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceiverState(t *testing.T) {
	for _, c := range []struct{ device, source, state, want string }{
		{"", "quorum", "locked", receiverDown},
		{"/dev/ttyAMA0", "gps+pps", "locked", receiverValid},
		{"/dev/ttyAMA0", "gps", "locked", receiverValid},
		{"/dev/ttyAMA0", "gps+pps", "holdover", receiverAcquiring},
		{"/dev/ttyAMA0", "quorum", "locked", receiverAcquiring},
		{"/dev/ttyAMA0", "gps+pps", "suspect", receiverAcquiring},
	} {
		s := status.Status{Reference: status.Reference{Source: c.source, State: c.state}}
		if c.device != "" {
			s.Receiver.Device = &c.device
		}
		if got := receiverState(s); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestSatelliteMetrics: by system where the receiver names satellites, and how many
// there are where it only says that.
func TestSatelliteMetrics(t *testing.T) {
	for name, c := range map[string]struct {
		r    status.Reference
		want string
	}{
		"none":   {status.Reference{}, ""},
		"number": {status.Reference{SatellitesUsed: whole(5), SatellitesSeen: whole(9)}, `gnss_satellites{constellation="",state="seen"} 9` + "\n" + `gnss_satellites{constellation="",state="used"} 5` + "\n"},
		"named": {status.Reference{SatellitesUsed: whole(2), SatellitesSeen: whole(9), Satellites: []status.Satellite{
			{System: "G", CN0: whole(42), Used: true}, {System: "G", CN0: whole(15)}, {System: "E"},
		}}, `gnss_satellites{constellation="galileo",state="seen"} 1
gnss_satellites{constellation="galileo",state="used"} 0
gnss_satellites{constellation="gps",state="seen"} 2
gnss_satellites{constellation="gps",state="used"} 1
`},
	} {
		if c.want != "" {
			c.want = "# HELP gnss_satellites Satellites by system and by what the receiver does with them; those used are among those seen. Without a system: it only says how many.\n# TYPE gnss_satellites gauge\n" + c.want
		}
		s := status.Status{Reference: c.r}
		if err := testutil.GatherAndCompare(registry(t, s, Build{}), strings.NewReader(c.want), "gnss_satellites"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.r.Satellites) == 0 {
			continue
		}
		const levels = `# HELP gnss_cn0_dbhz Carrier to noise density of the satellites that are heard, dB-Hz.
# TYPE gnss_cn0_dbhz histogram
gnss_cn0_dbhz_bucket{le="15"} 1
gnss_cn0_dbhz_bucket{le="20"} 1
gnss_cn0_dbhz_bucket{le="25"} 1
gnss_cn0_dbhz_bucket{le="30"} 1
gnss_cn0_dbhz_bucket{le="35"} 1
gnss_cn0_dbhz_bucket{le="40"} 1
gnss_cn0_dbhz_bucket{le="45"} 2
gnss_cn0_dbhz_bucket{le="50"} 2
gnss_cn0_dbhz_bucket{le="+Inf"} 2
gnss_cn0_dbhz_sum 57
gnss_cn0_dbhz_count 2
`
		if err := testutil.GatherAndCompare(registry(t, s, Build{}), strings.NewReader(levels), "gnss_cn0_dbhz"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
