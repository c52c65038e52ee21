package monitor

import (
	"math"
	"strings"
	"testing"
)

// work lets the server take a second, which its own clock calls seconds.
func work(x *Exchange, seconds float64) {
	x.T3 = x.T2 + ns(seconds)
	x.T4 += 999e6
	x.Mono += 999e6 / 2
}

func TestStamps(t *testing.T) {
	good := path{mono: 10, out: 5 * ms, back: 5 * ms, processing: 1 * ms, stampError: 1e-6}.exchange()
	tests := []struct {
		name   string
		change func(x *Exchange)
		want   Verdict
		reason string
	}{
		{"right", func(*Exchange) {}, OK, ""},
		{"no T2", func(x *Exchange) { x.T2 = 0 }, Invalid, "without"},
		{"no T3", func(x *Exchange) { x.T3 = 0 }, Invalid, "without"},
		{"T3 before T2", func(x *Exchange) { x.T3 = x.T2 - 1 }, Invalid, "before the request"},
		{"negative delay", func(x *Exchange) { x.T3 += 20e6 }, Invalid, "negative"},
		{"delay negative within the stamps", func(x *Exchange) { x.T3 = x.T2 + (x.T4 - x.T1) + 1500 }, OK, ""},
		{"longer than any request waits", func(x *Exchange) { x.T1 -= 6e9; x.T4 += 6e9 }, NotJudged, "longer than any reply"},
		{"hostile T2", func(x *Exchange) { x.T2 = math.MinInt64 }, Invalid, ""},
		{"hostile T3", func(x *Exchange) { x.T3 = math.MaxInt64 }, Invalid, ""},
		{"hostile both", func(x *Exchange) { x.T2, x.T3 = math.MinInt64, math.MaxInt64 }, Invalid, ""},
		{"far future", func(x *Exchange) { x.T2, x.T3 = math.MaxInt64-1e6, math.MaxInt64 }, Doubtful, "ahead"},
		{"no T1", func(x *Exchange) { x.T1 = 0 }, NotJudged, "own time stamps"},
		{"T4 before T1", func(x *Exchange) { x.T4 = x.T1 - 1e6 }, NotJudged, "own time stamps"},
		{"stamp error unknown", func(x *Exchange) { x.StampError = math.NaN() }, NotJudged, "own time stamps"},
		{"stamp error negative", func(x *Exchange) { x.StampError = -1 }, NotJudged, "own time stamps"},
		{"stamps of another clock", func(x *Exchange) { x.Diff += 2e3 }, NotJudged, "one clock"},
		{"a middle rounded otherwise", func(x *Exchange) { x.Diff += 1 }, OK, ""},
		// A server whose clock is slewed by 10 % while it works on the request.
		{"fast clock at work", func(x *Exchange) { work(x, 1.04) }, OK, ""},
		{"as fast as a clock can be", func(x *Exchange) { work(x, 1.10) }, Doubtful, "leave 4"},
		{"faster than any clock", func(x *Exchange) { work(x, 1.13) }, Invalid, "negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := good
			tt.change(&x)
			r := locked(x, 0, 1e-6)
			got := newTestJudge().add(x, r, false)
			if got.Verdict != tt.want || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("%s %q, want %s %q", got.Verdict, got.Reason, tt.want, tt.reason)
			}
			if tt.want == Invalid && *got.Loss != 1 {
				t.Errorf("an invalid reply counted as usable")
			}
			if got.RTT != nil && *got.RTT < 0 {
				t.Errorf("a negative round trip shown: %v", *got.RTT)
			}
		})
	}
}

func TestReadings(t *testing.T) {
	x := path{mono: 10, out: 5 * ms, back: 5 * ms}.exchange()
	for i, change := range []func(r *Reading){
		func(r *Reading) { r.Usable = false },
		func(r *Reading) { r.Known = false },
		func(r *Reading) { r.Bound = math.Inf(1) },
		func(r *Reading) { r.Bound = math.NaN() },
		func(r *Reading) { r.Bound = -1 },
		func(r *Reading) { r.Uncertainty = math.NaN() },
	} {
		r := locked(x, 0, 1e-6)
		change(&r)
		got := newTestJudge().add(x, r, false)
		if got.Verdict != NotJudged || got.Reason == "" || got.Score != nil {
			t.Errorf("reading %d: %s %q score %v", i, got.Verdict, got.Reason, got.Score)
		}
		if got.Bound != nil && !finite(*got.Bound) {
			t.Errorf("reading %d: bound %v shown", i, *got.Bound)
		}
	}
}
