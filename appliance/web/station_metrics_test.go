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
