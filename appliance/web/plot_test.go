package web

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

// steady is n locked pulses a second apart, at the given offset.
func steady(n int, offset float64) (samples []status.Sample) {
	for i := range n {
		samples = append(samples, status.Sample{Age: float64(i), Offset: offset, Uncertainty: 2e-6, State: "locked"})
	}
	return samples
}

func TestPlotOfNothing(t *testing.T) {
	nan := math.NaN()
	for name, samples := range map[string][]status.Sample{
		"no samples":      nil,
		"nothing known":   {{Age: 1, Offset: nan, Uncertainty: nan, State: "cold"}, {Age: 2, Offset: nan, Uncertainty: -1}},
		"no age":          {{Age: nan, Offset: 1e-6, Uncertainty: 1e-6, State: "locked"}},
		"from the future": {{Age: -1, Offset: 1e-6, Uncertainty: 1e-6, State: "locked"}},
	} {
		if p := drawPlot(samples); p != nil {
			t.Errorf("%s: drew %+v", name, p)
		}
	}
}

func TestPlotOfOnePulse(t *testing.T) {
	p := drawPlot([]status.Sample{{Age: 15, Offset: 1e-6, Uncertainty: 2e-6, State: "locked"}})
	// 15 s of 60 s ago, 1 µs on a scale of 4 µs.
	if p.Dots != "M750 75h0" || p.Loose != "" || p.Beyond != "" {
		t.Errorf("dots %q, %q, %q", p.Dots, p.Loose, p.Beyond)
	}
	if p.Caption != "One pulse, 1.0 µs from the estimate." {
		t.Errorf("caption %q", p.Caption)
	}
}

func TestPlotScales(t *testing.T) {
	p := drawPlot([]status.Sample{
		{Age: 0, Offset: -2e-6, Uncertainty: 3e-6, State: "locked"},
		{Age: 60, Offset: 3e-6, Uncertainty: 3e-6, State: "locked"},
		{Age: 120, Offset: 0, Uncertainty: 3e-6, State: "locked"},
	})
	if got := unfold(t, p.Dots); got != "M0 100h0M500 25h0M1000 150h0" {
		t.Errorf("dots %q", p.Dots)
	}
	if got := unfold(t, p.Band); got != "M0 25L1000 25L1000 175L0 175Z" {
		t.Errorf("band %q", p.Band)
	}
	var y, x []string
	for _, tick := range p.YTicks {
		y = append(y, tick.At+" "+tick.Label)
	}
	for _, tick := range p.XTicks {
		x = append(x, tick.At+" "+tick.Label)
	}
	if got, want := strings.Join(y, ", "), "22 +4 µs, 72 +2 µs, 122 0, 172 −2 µs, 222 −4 µs"; got != want {
		t.Errorf("y axis %s, want %s", got, want)
	}
	if got, want := strings.Join(x, ", "), "0 −2 min, 25 −90 s, 50 −60 s, 75 −30 s, 100 now"; got != want {
		t.Errorf("x axis %s, want %s", got, want)
	}
}

func TestPlotOfHoldover(t *testing.T) {
	var samples []status.Sample
	for i := 600; i > 300; i-- {
		samples = append(samples, status.Sample{Age: float64(i), Offset: 1e-7, Uncertainty: 1e-6, State: "locked"})
	}
	for i := 300; i >= 0; i-- {
		samples = append(samples, status.Sample{Age: float64(i), Offset: math.NaN(), Uncertainty: 1e-6 + float64(300-i)*1e-8, State: "holdover"})
	}
	p := drawPlot(samples)
	if len(p.Shades) != 1 || p.Shades[0].State != "holdover" || p.Shades[0].Path != "M500 0H1000V200H500Z" || p.Shades[0].LabelX != "75" {
		t.Errorf("shades %+v", p.Shades)
	}
	if strings.Count(p.Dots, "h0") != 300 || p.Loose != "" {
		t.Errorf("%d dots while locked", strings.Count(p.Dots, "h0"))
	}
	if strings.Count(p.Band, "Z") != 1 || !strings.Contains(unfold(t, p.Band), "L1000 33.3L1000 166.7") {
		t.Errorf("the band does not grow to 4 of 6 µs: ...%q", p.Band[len(p.Band)/2:])
	}
	if !strings.HasPrefix(p.Caption, "300 pulses in the last 10 min") {
		t.Errorf("caption %q", p.Caption)
	}
}

func TestPlotMarksOutliers(t *testing.T) {
	samples := steady(200, 1e-7)
	samples[100].Offset, samples[150].Offset = 1, -1
	p := drawPlot(samples)
	if strings.Count(p.Beyond, "M") != 2 || !strings.Contains(p.Beyond, "1V10") || !strings.Contains(p.Beyond, "199V190") {
		t.Errorf("edge marks %q", p.Beyond)
	}
	if !strings.Contains(p.Caption, "2 lie outside the scale") {
		t.Errorf("caption %q", p.Caption)
	}
	if p.YTicks[0].Label != "+4 µs" {
		t.Errorf("two outliers set the scale to %s", p.YTicks[0].Label)
	}
}

// Lost time is not bridged.
func TestPlotLeavesGaps(t *testing.T) {
	samples := append(steady(100, 1e-7)[:40], steady(100, 1e-7)[60:]...)
	if p := drawPlot(samples); strings.Count(p.Band, "Z") != 2 {
		t.Errorf("%d bands, want 2", strings.Count(p.Band, "Z"))
	}
	samples = steady(100, 1e-7)
	samples[50].Uncertainty = math.NaN()
	if p := drawPlot(samples); strings.Count(p.Band, "Z") != 2 {
		t.Errorf("unknown uncertainty: %d bands, want 2", strings.Count(p.Band, "Z"))
	}
}

func TestPlotMarksStatesApart(t *testing.T) {
	samples := steady(100, 1e-7)
	for i := 60; i < 100; i++ {
		samples[i].State = "numbering"
	}
	samples[20].State = "suspect"
	p := drawPlot(samples)
	if strings.Count(p.Loose, "h0") != 41 || strings.Count(p.Dots, "h0") != 59 {
		t.Errorf("%d loose and %d settled dots", strings.Count(p.Loose, "h0"), strings.Count(p.Dots, "h0"))
	}
	if len(p.Shades) != 2 || p.Shades[0].State != "numbering" || p.Shades[1].State != "suspect" || p.Shades[1].LabelX != "" {
		t.Errorf("shades %+v", p.Shades)
	}
}

// The picture stays small and inside its box however many samples there are.
func TestPlotIsBounded(t *testing.T) {
	var samples []status.Sample
	for i := range 100_000 {
		state := status.States[i%len(status.States)]
		samples = append(samples, status.Sample{Age: float64(i), Offset: math.Sin(float64(i)) * math.Pow(10, float64(i%12-9)), Uncertainty: 1e-6, State: state})
	}
	p := drawPlot(samples)
	size := len(p.Band) + len(p.Dots) + len(p.Loose) + len(p.Beyond)
	for _, s := range p.Shades {
		size += len(s.Path)
	}
	if size > 150<<10 {
		t.Errorf("the picture is %d bytes", size)
	}
	for _, path := range []string{p.Dots, p.Loose} {
		for _, n := range strings.FieldsFunc(unfold(t, path), func(r rune) bool { return strings.ContainsRune("MVh ", r) }) {
			if v, err := strconv.ParseFloat(n, 64); err != nil || v < 0 || v > plotWidth {
				t.Fatalf("coordinate %q", n)
			}
		}
	}
}

func TestNiceAbove(t *testing.T) {
	for v, want := range map[float64]float64{1e-6: 1e-6, 1.01e-6: 2e-6, 3e-9: 4e-9, 5: 6, 6.1: 10, 9.9e-4: 1e-3} {
		if got := niceAbove(v); math.Abs(got/want-1) > 1e-9 {
			t.Errorf("niceAbove(%g) = %g, want %g", v, got, want)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		offset, bound *float64
		want          *scale
	}{
		{nil, val(1), nil},
		{val(0), val(.025), &scale{From: "25", At: "50", Wide: "50", Spread: true}},
		{val(-.0125), nil, &scale{At: "37.5"}},
		{val(.1), val(.05), &scale{From: "87.5", At: "93.8", Wide: "8.3", Spread: true}}, // beyond the limit the scale is compressed
		{val(1e12), val(1), &scale{From: "100", At: "100", Wide: "0", Spread: true}},
	} {
		got := drawScale(status.Server{Offset: c.offset, Bound: c.bound, Limit: .025})
		if (got == nil) != (c.want == nil) {
			t.Errorf("drew %+v, want %+v", got, c.want)
			continue
		}
		if got != nil && (got.From != c.want.From || got.At != c.want.At || got.Wide != c.want.Wide || got.Spread != c.want.Spread) {
			t.Errorf("drew %+v, want %+v", got, c.want)
		}
	}
	got := drawScale(status.Server{Offset: val(.0801), Bound: val(.0059), Limit: .025})
	if want := "+80.1 ms, at most 5.9 ms from that, limit ± 25 ms"; got.Label != want {
		t.Errorf("in words: %q, want %q", got.Label, want)
	}
}
