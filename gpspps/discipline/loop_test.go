package discipline_test

import (
	"log/slog"
	"math"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestRestart: the process dies and begins again. The clock runs on at the
// rate it had, and the new reference knows of it.
func TestRestart(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.run(400)
	rate := l.k.rate
	if math.Abs(rate*1e6+42) > 0.5 {
		t.Fatalf("steered by %g ppm, oscillator 42", rate*1e6)
	}
	l.ref = gpspps.New(gpspps.Config{})
	l.owner = discipline.New(l.k, l.ref, slog.New(slog.NewTextHandler(&l.log, nil)))
	l.k.ppm = nil
	worst := 0.0
	l.each = func(int) { worst = max(worst, math.Abs(l.k.offset())) }
	l.run(5)
	if l.k.rate != rate {
		t.Errorf("%g ppm after %g", l.k.rate*1e6, rate*1e6)
	}
	l.run(300)
	for _, ppm := range l.k.ppm {
		if math.Abs(ppm+42) > 2 {
			t.Fatalf("steered by %g ppm after the restart", ppm)
		}
	}
	if worst > 10e-6 || l.owner.Steps() != 0 {
		t.Errorf("%g s off, %d steps", worst, l.owner.Steps())
	}
	if f := l.ref.Info(0).FrequencyPPM; math.Abs(f-42) > 0.5 {
		t.Errorf("the oscillator is taken to be %g ppm fast, is 42", f)
	}
}

// TestNothingIsSteeredInVain: a clock that runs true is left alone.
func TestNothingIsSteeredInVain(t *testing.T) {
	sim := quiet()
	sim.RWFM, sim.WFM, sim.WhiteS = 1e-11, 1e-12, 100e-9
	l := newLoop(t, sim, 0)
	l.run(1200)
	before := len(l.k.ppm)
	l.run(1200)
	if n := len(l.k.ppm) - before; n > 60 {
		t.Errorf("the rate was set %d times in 20 minutes", n)
	}
	if off := l.k.offset(); math.Abs(off) > 2e-6 {
		t.Errorf("%g s off", off)
	}
	for _, ppm := range l.k.ppm {
		if n := ppm * 65536; n != math.Round(n) {
			t.Fatalf("%g ppm cannot be set", ppm)
		}
	}
}

// TestShakes: pulses of a virtual machine on a busy host, late by 2 ms or so.
// The clock may be wrong by what the reference says of itself, and must move
// by much less from one second to the next.
func TestShakes(t *testing.T) {
	for seed := range int64(6) {
		sim := &gpstest.Sim{Seed: seed, FreqPPM: 30, RWFM: 3e-9, JitterS: 2e-3, TailP: 0.03, TailS: 10e-3, LeapUTC: true}
		l := newLoop(t, sim, -1e6)
		l.run(300)
		last := l.k.offset()
		worst, shake, uncertainty := 0.0, 0.0, 0.0
		l.each = func(int) {
			off := l.k.offset()
			shake = max(shake, math.Abs(off-last))
			last = off
			r := l.ref.At(l.k.at(l.k.time), "")
			uncertainty = max(uncertainty, r.Uncertainty)
			if math.Abs(off) > r.Uncertainty {
				worst = max(worst, math.Abs(off)/r.Uncertainty)
			}
		}
		l.run(1800)
		t.Logf("seed %d: moved by %.2g s in a second at the most, uncertainty %.2g s", seed, shake, uncertainty)
		if worst > 0 {
			t.Errorf("seed %d: off by %.1f uncertainties", seed, worst)
		}
		if shake > uncertainty/30 {
			t.Errorf("seed %d: moved by %g s in a second, uncertainty %g s", seed, shake, uncertainty)
		}
		if l.owner.Steps() != 1 {
			t.Errorf("%d steps", l.owner.Steps())
		}
	}
}

// TestSuspectWhileSlewing: what was to remove an offset is taken back when
// nobody knows the time any more.
func TestSuspectWhileSlewing(t *testing.T) {
	sim := quiet()
	sim.Faults = []gpstest.Fault{{From: 14, Command: "gps leap -1"}}
	l := newLoop(t, sim, 0.008)
	l.run(13)
	if rate := l.k.rate * 1e6; rate > -400 {
		t.Fatalf("slews by %g ppm, want some -500", rate)
	}
	l.run(20)
	if s := l.ref.At(l.k.at(l.k.time), "").State; s != gpspps.StateSuspect {
		t.Fatal(s)
	}
	if rate := l.k.rate * 1e6; math.Abs(rate+42) > 20 {
		t.Errorf("runs on by %g ppm, the oscillator is 42 fast", rate)
	}
	asked := l.k.asked
	l.run(100)
	if l.k.asked != asked {
		t.Errorf("set %d times while suspect", l.k.asked-asked)
	}
}

// BenchmarkTick is what the clock's owner costs once a second while locked.
func BenchmarkTick(b *testing.B) {
	l := newLoop(nil, quiet(), 0)
	l.servers = 4
	l.run(120)
	mono, _, _ := l.k.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.owner.Tick(mono)
	}
}
