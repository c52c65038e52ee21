package gpstest_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTrueAtInvertsMonoAt(t *testing.T) {
	s := &gpstest.Sim{Start: start, Mono: 5e9, Seed: 3, FreqPPM: -37, RWFM: 1e-8, WFM: 1e-9, ThermalPPB: 100}
	for i := -10; i < 5000; i += 7 {
		at := start.Add(time.Duration(i)*time.Second + 123456789)
		if d := s.TrueAt(s.MonoAt(at)) - at.UnixNano(); d < -1 || d > 1 {
			t.Fatalf("second %d: true time after there and back is %d ns off", i, d)
		}
	}
	if got := s.MonoAt(start); got != 5e9 {
		t.Errorf("mono at the start = %d, want 5e9", got)
	}
	// -37 ppm over 1000 s is -37 ms; noise is far below a millisecond.
	if e := s.ErrorAt(start.Add(1000 * time.Second)); math.Abs(e+0.037) > 1e-3 {
		t.Errorf("error after 1000 s at -37 ppm = %v s, want about -0.037", e)
	}
}

func TestOscillatorNoiseHasItsStatedSize(t *testing.T) {
	const q, runs = 1e-9, 1000
	for _, T := range []float64{1, 100} {
		var sum float64
		for seed := range int64(runs) {
			o := gpstest.Oscillator{RWFM: q, Seed: seed}
			x := o.Error(T)
			sum += x * x
		}
		// Random walk FM from rest: phase variance q^2 T^3/3.
		got, want := math.Sqrt(sum/runs), q*math.Sqrt(T*T*T/3)
		if got < 0.9*want || got > 1.1*want {
			t.Errorf("phase after %v s has standard deviation %.3g s, want %.3g", T, got, want)
		}
	}
}

func TestSecondDoesNotDependOnOrder(t *testing.T) {
	mk := func() *gpstest.Sim {
		return &gpstest.Sim{Start: start, Seed: 9, RWFM: 1e-9, JitterS: 1e-6, MissP: 0.1, DoubleP: 0.1, LostP: 0.1, FixMissP: 0.1}
	}
	a, b := mk(), mk()
	type second struct {
		p []gpspps.Pulse
		f *gpspps.Fix
	}
	var up [200]second
	for n := range up {
		up[n].p, up[n].f = a.Second(n)
	}
	for n := len(up) - 1; n >= 0; n-- {
		p, f := b.Second(n)
		if !slices.Equal(p, up[n].p) || (f == nil) != (up[n].f == nil) || (f != nil && *f != *up[n].f) {
			t.Fatalf("second %d differs when asked for in another order", n)
		}
	}
}

func TestPulseLatenessIsOneSided(t *testing.T) {
	s := &gpstest.Sim{Start: start, Seed: 1, FreqPPM: 10, JitterS: 5e-6}
	var sum float64
	const count = 4000
	for n := range count {
		p, _ := s.Second(n)
		late := p[0].Mono - s.MonoAt(start.Add(time.Duration(n)*time.Second))
		if late < -1 {
			t.Fatalf("second %d: pulse %d ns early", n, -late)
		}
		sum += float64(late) * 1e-9
	}
	if mean := sum / count; math.Abs(mean-5e-6) > 0.4e-6 {
		t.Errorf("mean lateness %.3g s, want 5e-6", mean)
	}
}

func TestFaultsOfSim(t *testing.T) {
	s := &gpstest.Sim{Start: start, Faults: []gpstest.Fault{
		{From: 10, To: 20, Command: "gps off"},
		{From: 20, To: 30, Command: "gps sats 2"},
		{From: 30, To: 40, Command: "gps leap -1"},
		{From: 40, To: 50, Command: "gps late"},
		{From: 50, To: 60, Command: "pulse double"},
		{From: 60, To: 70, Command: "pulse off"},
		{From: 70, To: 80, Command: "gps garbage"},
		{From: 80, To: 90, ShiftS: 120},
		{From: 90, PulseRamp: 1e-6, PulseShiftS: 1e-3},
	}}
	tests := []struct {
		n      int
		pulses int
		fix    bool
		valid  bool
		shift  time.Duration
	}{
		{0, 1, true, true, 0},
		{10, 0, false, false, 0}, {19, 0, false, false, 0},
		{20, 0, true, false, 0},
		{30, 1, true, true, time.Second},
		{40, 1, true, true, -time.Second},
		{50, 2, true, true, 0},
		{60, 0, true, true, 0},
		{70, 1, false, false, 0},
		{80, 1, true, true, 120 * time.Second},
		{100, 1, true, true, 0},
	}
	for _, tt := range tests {
		p, f := s.Second(tt.n)
		if len(p) != tt.pulses || (f != nil) != tt.fix {
			t.Errorf("second %d: %d pulses, fix %v; want %d, %v", tt.n, len(p), f != nil, tt.pulses, tt.fix)
			continue
		}
		if f == nil {
			continue
		}
		at := start.Add(time.Duration(tt.n) * time.Second)
		if f.Valid != tt.valid || f.Time.Sub(at) != tt.shift {
			t.Errorf("second %d: valid %v, time off by %v; want %v, %v", tt.n, f.Valid, f.Time.Sub(at), tt.valid, tt.shift)
		}
		if d := f.Mono - s.MonoAt(at); d < 60e6 || d > 120e6 {
			t.Errorf("second %d: burst %d ns after the second, want 60 to 120 ms", tt.n, d)
		}
	}
	p, _ := s.Second(100)
	if late := p[0].Mono - s.MonoAt(start.Add(100*time.Second)); late != 1_010_000 {
		t.Errorf("ramp: pulse late by %d ns, want 1 ms + 10 us", late)
	}
}

func TestSeqShowsLostButNotMissedEdges(t *testing.T) {
	s := &gpstest.Sim{Start: start, Seed: 4, LostP: 0.2}
	var got, last uint32
	for n := range 500 {
		p, _ := s.Second(n)
		for _, x := range p {
			if x.Seq != uint32(n)+1 {
				t.Fatalf("second %d has sequence number %d", n, x.Seq)
			}
			got++
			last = x.Seq
		}
	}
	if lost := last - got; lost < 60 || lost > 140 {
		t.Errorf("%d of 500 edges lost, want about 100", lost)
	}
}

func TestRunIsInOrder(t *testing.T) {
	s := &gpstest.Sim{Start: start, Seed: 4, DoubleP: 0.5}
	last, pulses, fixes := int64(-1), 0, 0
	see := func(mono int64) {
		if mono <= last {
			t.Fatalf("event at %d after one at %d", mono, last)
		}
		last = mono
	}
	s.Run(0, 100, func(p gpspps.Pulse) { see(p.Mono); pulses++ }, func(f gpspps.Fix) { see(f.Mono); fixes++ })
	if fixes != 100 || pulses < 120 || pulses > 180 {
		t.Errorf("%d pulses and %d fixes in 100 s with every other pulse doubled", pulses, fixes)
	}
}

func TestDeliveriesAreInOrder(t *testing.T) {
	s := &gpstest.Sim{Start: start, Seed: 4, DoubleP: 0.5, BatchP: 0.05, BatchS: 5}
	last, pulses, fixes, ticks, late := int64(-1), 0, 0, 0, 0
	second := 0
	s.Deliver(0, 400, func(d gpstest.Delivery) {
		switch {
		case d.Pulse != nil:
			pulses++
			if d.Pulse.Mono < last {
				t.Fatalf("a pulse of %d after something of %d", d.Pulse.Mono, last)
			}
			last = d.Pulse.Mono
		case d.Fix != nil:
			fixes++
			if d.Fix.Mono > s.MonoAt(start.Add(time.Duration(d.Second)*time.Second))+200e6 {
				late++
			}
		default:
			ticks++
			if d.Second < second {
				t.Fatalf("a tick of second %d after second %d", d.Second, second)
			}
			second = d.Second
		}
	})
	if fixes < 395 || pulses < 480 || ticks > 360 || ticks < 300 || late < 40 {
		t.Errorf("%d pulses, %d fixes (%d late) and %d ticks in 400 s", pulses, fixes, late, ticks)
	}
}
