package gpspps_test

import (
	"math"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestOscillatorJumps: its rate changes by more than an oscillator can, all at
// once, as when a virtual machine is moved to another host. That looks like a
// spoofer's ramp until servers have shown whose pace it is.
func TestOscillatorJumps(t *testing.T) {
	const jump = 900
	for _, c := range []struct {
		name    string
		ppm     float64
		servers int
		most    int // seconds until it is locked again
	}{
		{"1 ppm, 4 servers", 1, 4, 1800},
		{"-1 ppm, 4 servers", -1, 4, 1800},
		{"-2 ppm, 4 unsteady servers", -2, 4, 6 * 3600},
		{"20 ppm, 3 servers", 20, 3, 600},
		{"1 ppm, nobody to ask", 1, 0, 25 * 3600},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, quiet(21), gpspps.Config{})
			w.right(c.servers)
			for i := range w.servers {
				w.servers[i].steady = !strings.Contains(c.name, "unsteady")
			}
			out, held := 0, 0
			w.each = func(_ int, now int64) {
				r := w.ref.At(now, "")
				w.honest(w.ref.At(now-33e9, ""))
				switch wrong := math.Abs(w.off(r)) > r.Bound; {
				case wrong && r.State == gpspps.StateLocked:
					out++
				case wrong && r.State == gpspps.StateHoldover:
					held++
				}
			}
			w.run(jump)
			w.want(gpspps.StateLocked, "")
			w.bend(w.at(float64(w.n)-0.3), c.ppm)
			in := w.until(gpspps.StateSuspect, 30)
			back := w.until(gpspps.StateLocked, c.most)
			t.Logf("suspect after %d s, locked again %d s later", in, back)
			w.run(1800)
			w.want(gpspps.StateLocked, "")
			w.honest(w.now())
			// Nothing of it is left.
			w.sim.Faults = []gpstest.Fault{{From: w.n, Command: "gps off"}}
			w.run(20)
			w.want(gpspps.StateHoldover, "no fix")
			// 20 ppm leave the bound before three pulses in a row are outside of
			// it; no final reading does.
			if out > 0 || held > 4 {
				t.Errorf("outside of its bound while locked for %d s, in holdover for %d s", out, held)
			}
		})
	}
}

// trusted lives through seconds in which something honest happens, and fails
// if that is taken for an attack.
func (w *world) trusted(what string, seconds int) {
	w.t.Helper()
	each, from := w.each, w.n
	w.each = func(n int, now int64) {
		if each != nil {
			each(n, now)
		}
		r := w.ref.At(now, "")
		w.honest(r)
		if r.State == gpspps.StateSuspect {
			w.t.Fatalf("%s: suspect after %d s: %s", what, n-from, r.Reason)
		}
	}
	w.run(seconds)
	w.want(gpspps.StateLocked, "")
}

// TestOscillatorIsHeated: by no more than crystals are, it is followed.
func TestOscillatorIsHeated(t *testing.T) {
	for name, ppm := range map[string]func(s float64) float64{
		"0.1 ppm a minute":        func(s float64) float64 { return 0.1 * min(s, 1200) / 60 },
		"0.5 ppm in some minutes": func(s float64) float64 { return 0.5 * (1 - math.Exp(-s/120)) },
		"a hop of 0.1 ppm":        func(float64) float64 { return -0.1 },
	} {
		for seed := range int64(4) {
			sim := quiet(seed)
			if seed%2 == 1 {
				sim = pi(seed)
			}
			w := newWorld(t, sim, gpspps.Config{})
			w.run(600)
			w.each = func(n int, now int64) {
				if n%2 == 0 {
					w.bend(now, ppm(float64(n-600)))
				}
			}
			w.trusted(name, 2400)
		}
	}
}

// TestInterruptsWaitLonger: a processor that is put to work takes its pulses
// later by a few microseconds, in a step or over a while.
func TestInterruptsWaitLonger(t *testing.T) {
	for name, late := range map[string]func(s float64) float64{
		"a step":          func(float64) float64 { return 12e-6 },
		"over a minute":   func(s float64) float64 { return 12e-6 * min(s/60, 1) },
		"back and forth":  func(s float64) float64 { return 12e-6 * math.Mod(math.Floor(s/30), 2) },
		"from one second": func(s float64) float64 { return 12e-6 * math.Mod(s, 2) },
	} {
		for seed := range int64(4) {
			sim := quiet(seed)
			if seed%2 == 1 {
				sim = pi(seed)
			}
			w := newWorld(t, sim, gpspps.Config{})
			w.run(600)
			w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
				p[0].Mono += int64(late(float64(n-600)) * 1e9)
				return p, f
			}
			w.trusted(name, 900)
		}
	}
}
