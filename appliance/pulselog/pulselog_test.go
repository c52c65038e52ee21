package pulselog

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// phases are those of a clock that wanders, ns.
func phases(n int) (list []int64) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y := 0.0, 3e-6
	for range n {
		y += 1e-9 * r.NormFloat64()
		x += y
		list = append(list, int64(math.Round((x+50e-9*r.NormFloat64())*1e9)))
	}
	return list
}

func pulse(second int, phase int64) gpspps.Sample {
	return gpspps.Sample{Mono: 5e9 + int64(second)*1e9 + phase, Residual: float64(second%5-2) * 1e-7, Uncertainty: 2e-6, State: gpspps.StateLocked}
}

// TestAllan: counted one by one it is what the formula over all of them gives.
func TestAllan(t *testing.T) {
	var l Log
	list := phases(60_000)
	seconds := make([]float64, len(list))
	for i, p := range list {
		seconds[i] = float64(p) / 1e9
		l.Add([]gpspps.Sample{pulse(i, p), pulse(i, p)})
	}
	got := l.Allan()
	if len(got) != octaves {
		t.Fatalf("%d intervals", len(got))
	}
	for i, d := range got {
		want := gpstest.AllanDeviation(seconds, 1, d.Interval)
		if d.Interval != 1<<i || math.Abs(d.Deviation/want-1) > 1e-6 || d.Count != len(list)-2*d.Interval {
			t.Errorf("%+v, want %g", d, want)
		}
	}
}

// TestAllanWithGaps: pulses that are missing leave out what they are in, and a clock
// of which nothing was known for half a day begins anew.
func TestAllanWithGaps(t *testing.T) {
	var l Log
	list := phases(4000)
	sum, n := 0.0, 0
	missing := func(i int) bool { return i%50 == 7 || i >= 1000 && i < 1030 }
	for i, p := range list {
		if !missing(i) {
			l.Add([]gpspps.Sample{pulse(i, p)})
			if i >= 8 && !missing(i-4) && !missing(i-8) {
				d := float64(p-2*list[i-4]+list[i-8]) / 1e9
				sum, n = sum+d*d, n+1
			}
		}
	}
	want := math.Sqrt(sum/2/float64(n)) / 4
	if got := l.Allan()[2]; got.Count != n || math.Abs(got.Deviation/want-1) > 1e-9 {
		t.Errorf("%+v, want %g of %d", got, want, n)
	}
	before := l.Allan()[0]
	l.Add([]gpspps.Sample{pulse(4000+2*ringLen, 0), pulse(4001+2*ringLen, 12345678)})
	if got := l.Allan()[0]; got != before {
		t.Errorf("%+v became %+v", before, got)
	}
}

// TestForgets: what is old counts less and less.
func TestForgets(t *testing.T) {
	var a allan
	for i := range int64(2 * forget) {
		noise := int64(1000) * (i % 2)
		if i > forget/2 {
			noise = 0
		}
		a.add(1e9*i + noise)
	}
	if d := a.deviations()[0]; d.Count != forget || d.Deviation > 0.7e-6 || d.Deviation < 0.1e-6 {
		t.Errorf("%+v", d)
	}
}

func TestMinutes(t *testing.T) {
	var l Log
	if _, ok := l.Recent(); ok || l.Minutes() != nil || l.Allan() != nil {
		t.Error("something is known of nothing")
	}
	for i := range 2*86400 + 7 {
		s := pulse(i, 0)
		if i > 2*86400 {
			s.State, s.Residual = gpspps.StateHoldover, math.NaN()
		}
		l.Add([]gpspps.Sample{s})
	}
	list := l.Minutes()
	if len(list) < kept-1 || len(list) > kept {
		t.Fatalf("%d minutes", len(list))
	}
	m := list[len(list)-3]
	if m.Pulses != 60 || math.Abs(m.Mean) > 1e-9 || math.Abs(m.Jitter-1.426e-7) > 1e-9 || m.Uncertainty != 2e-6 || m.State != gpspps.StateLocked {
		t.Errorf("%+v", m)
	}
	if got := l.Minute(m.Mono / minute); got.Pulses != 0 || !math.IsNaN(got.Mean) || got.Mono != m.Mono {
		t.Errorf("a minute that is long over: %+v", got)
	}
	m = list[len(list)-2]
	if got := l.Minute(m.Mono / minute); got != m || m.Least != float64(float32(-2e-7)) || m.Greatest != float64(float32(2e-7)) {
		t.Errorf("%+v, %+v", got, m)
	}
	if last := list[len(list)-1]; last.State != gpspps.StateHoldover {
		t.Errorf("%+v", last)
	}
	if r, ok := l.Recent(); !ok || math.Abs(r.RMS-1.414e-7) > 1e-9 || r.Interval != 1 || r.Last != -2e-7 {
		t.Errorf("%+v, %v", r, ok)
	}
	l.Add([]gpspps.Sample{{Mono: l.last + 1, Residual: 1, Uncertainty: math.NaN(), State: "odd"}, {Mono: -1}})
	if r, _ := l.Recent(); r.Last != -2e-7 {
		t.Errorf("an edge that marks no second: %+v", r)
	}
}

// BenchmarkAdd is what a pulse costs.
func BenchmarkAdd(b *testing.B) {
	var l Log
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Add([]gpspps.Sample{pulse(i, 0)})
	}
}
