package gpspps_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

func TestLocksAndIsHonest(t *testing.T) {
	for _, c := range []struct {
		name       string
		sim        func(int64) *gpstest.Sim
		rms        float64 // of the live estimate, seconds, systematic lateness included
		pulseError float64
	}{
		{"quiet", quiet, 5e-6, 20e-6},
		{"pi", pi, 10e-6, 20e-6},
		{"emulated", emulated, 1.5e-3, 20e-6},
	} {
		t.Run(c.name, func(t *testing.T) {
			inside, all, early, earlyAll, final, finalAll := 0, 0, 0, 0, 0, 0
			square := 0.0
			for seed := range int64(30) {
				w := newWorld(t, c.sim(seed), gpspps.Config{PulseError: c.pulseError})
				if s := w.until(gpspps.StateLocked, 20); s > 10 {
					t.Fatalf("seed %d: locked after %d s, want 10 at the most", seed, s)
				}
				locked := w.n
				w.each = func(n int, now int64) {
					r := w.ref.At(now, "")
					w.honest(r)
					if r.State != gpspps.StateLocked {
						return
					}
					e := w.off(r)
					all++
					square += e * e
					if math.Abs(e) <= r.Uncertainty {
						inside++
					}
					if n < locked+20 {
						earlyAll++
						if math.Abs(e) <= r.Uncertainty {
							early++
						}
					}
					if f := w.ref.At(now-33e9, ""); f.State == gpspps.StateLocked {
						if !f.Final {
							t.Fatalf("33 s back is not final")
						}
						w.honest(f)
						finalAll++
						if math.Abs(w.off(f)) <= f.Uncertainty {
							final++
						}
					}
				}
				w.run(200)
			}
			share := func(a, b int) float64 { return float64(a) / float64(b) }
			rms := math.Sqrt(square / float64(all))
			t.Logf("rms %.2g s, 95 %% covers %.3f, in the first 20 s %.3f, final %.3f, of %d", rms, share(inside, all), share(early, earlyAll), share(final, finalAll), all)
			if all < 30*180 || finalAll < 30*140 {
				t.Errorf("locked in %d, final in %d of 6000 seconds", all, finalAll)
			}
			if share(inside, all) < 0.95 || share(early, earlyAll) < 0.9 || share(final, finalAll) < 0.95 {
				t.Errorf("the uncertainty covers too little")
			}
			if rms > c.rms {
				t.Errorf("rms %g s, want %g at the most", rms, c.rms)
			}
		})
	}
}

// TestEstimator measures the filters themselves, without the allowance for
// what no filter can see.
func TestEstimator(t *testing.T) {
	var live, late, frequency float64
	n := 0
	for seed := range int64(10) {
		sim := quiet(seed)
		sim.LatencyS = 0
		w := newWorld(t, sim, gpspps.Config{})
		w.run(120)
		w.each = func(i int, now int64) {
			e := w.off(w.ref.At(now, ""))
			live += e * e
			e = w.off(w.ref.At(now-40e9, ""))
			late += e * e
			e = w.ref.Info(now).FrequencyPPM - sim.FrequencyPPM(i)
			frequency += e * e
			n++
		}
		w.run(600)
	}
	rms := func(s float64) float64 { return math.Sqrt(s / float64(n)) }
	t.Logf("live %.3g s, final %.3g s, frequency %.3g ppm", rms(live), rms(late), rms(frequency))
	// A pulse alone is 400 ns.
	if rms(live) > 130e-9 || rms(late) > 80e-9 || rms(frequency) > 0.03 {
		t.Errorf("rms live %g s, final %g s, frequency %g ppm", rms(live), rms(late), rms(frequency))
	}
}

func TestFinalDoesNotChange(t *testing.T) {
	sim := pi(3)
	sim.Faults = []gpstest.Fault{{To: 60, Command: "gps off"}, {From: 100, To: 130, Command: "gps off"}, {From: 200, To: 220, Command: "pulse off"}, {From: 260, To: 300, PulseShiftS: 0.003}}
	w := newWorld(t, sim, gpspps.Config{})
	w.right(4)
	sources := map[gpspps.Source]int{}
	kept := map[int64][2]gpspps.Reading{}
	w.each = func(n int, now int64) {
		at := now - 33e9
		if n < 40 {
			return
		}
		sources[w.ref.At(at, "").Source]++
		kept[at] = [2]gpspps.Reading{w.ref.At(at, ""), w.ref.At(at, "s1")}
		if n < 60 {
			return
		}
		for at, was := range kept {
			if now-at > 590e9 {
				delete(kept, at)
				continue
			}
			for i, judged := range []string{"", "s1"} {
				if r := w.ref.At(at, judged); r != was[i] || !r.Final {
					t.Fatalf("second %d: a final reading %d s back was %+v and is %+v", n, (now-at)/1e9, was[i], r)
				}
			}
		}
	}
	w.run(500)
	if sources[gpspps.SourceQuorum] < 15 || sources[gpspps.SourceGPSPPS] < 300 {
		t.Errorf("sources %v", sources)
	}
	if r := w.ref.At(w.at(500)-20e9, ""); r.Final {
		t.Error("20 s back is final already")
	}
}

func TestColdAndNumbering(t *testing.T) {
	sim := quiet(1)
	sim.LeapUTC = false
	sim.Faults = []gpstest.Fault{{From: 0, To: 10, Command: "gps off"}, {From: 0, To: 20, Command: "pulse off"}}
	w := newWorld(t, sim, gpspps.Config{})
	if r := w.ref.At(1, ""); r.Known || r.State != gpspps.StateCold {
		t.Errorf("before anything: %+v", r)
	}
	w.run(9)
	w.want(gpspps.StateCold, "no fix, no pulse")
	w.run(4)
	w.want(gpspps.StateNumbering, "no pulse")
	r := w.now()
	if !r.Known || r.Source != gpspps.SourceGPS || r.Bound < 1 || math.Abs(w.off(r)) > 1 {
		t.Errorf("fixes alone: %+v, %g s off", r, w.off(r))
	}
	w.run(10)
	w.want(gpspps.StateNumbering, "pulses not numbered yet")
	w.run(10)
	w.want(gpspps.StateNumbering, "leap seconds unconfirmed")
	if r := w.now(); r.Known || r.Source != gpspps.SourceNone {
		t.Errorf("unproven: %+v", r)
	}
	w.run(15*60 - 30)
	w.want(gpspps.StateNumbering, "leap seconds unconfirmed")
	w.run(30)
	w.want(gpspps.StateLocked, "")
	if r := w.now(); r.Reason != "" || r.Source != gpspps.SourceGPSPPS {
		t.Errorf("locked: %+v", r)
	}
}

func TestLeapProof(t *testing.T) {
	for _, c := range []struct {
		name         string
		leap         string
		right, wrong int
		offset       float64
		hook         bool
		want         gpspps.State // after 60 s
		reason       string
	}{
		{name: "three servers confirm", right: 3, want: gpspps.StateLocked},
		{name: "two do not", right: 2, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed"},
		{name: "no majority", right: 2, wrong: 2, offset: 3, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed"},
		{name: "a liar does no harm", right: 3, wrong: 1, offset: 1, want: gpspps.StateLocked},
		{name: "stored count", hook: true, want: gpspps.StateLocked},
		{name: "one leap second too few", leap: "gps leap -1", right: 3, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed: the receiver is 1 s ahead of 3 servers"},
		{name: "one too many", leap: "gps leap 1", right: 4, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed: the receiver is 1 s behind 4 servers"},
		{name: "never heard of leap seconds", leap: "gps leap -18", right: 3, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed: the receiver is 18 s ahead of 3 servers"},
		{name: "the network outvotes a stored count", leap: "gps leap -1", hook: true, right: 3, want: gpspps.StateNumbering, reason: "1 s ahead"},
		{name: "a second late", leap: "gps late", right: 3, want: gpspps.StateNumbering, reason: "leap seconds unconfirmed: the receiver is 1 s behind 3 servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := quiet(2)
			sim.LeapUTC = false
			sim.Faults = []gpstest.Fault{{To: 30, Command: "gps off"}}
			if c.leap != "" {
				sim.Faults = append(sim.Faults, gpstest.Fault{From: 30, Command: c.leap})
			}
			conf := gpspps.Config{}
			if c.hook {
				conf.ConfirmUTC = func(gpspps.Fix) bool { return true }
			}
			w := newWorld(t, sim, conf)
			w.right(c.right)
			w.wrong(c.offset, c.wrong)
			w.each = func(_ int, now int64) { w.honest(w.ref.At(now, "")) }
			w.run(60)
			r := w.now()
			if r.Source == gpspps.SourceQuorum {
				// Nothing but the quorum may be locked then, and it is right.
				r.State = gpspps.StateNumbering
			}
			if r.State != c.want || (c.reason != "" && !strings.Contains(r.Reason, c.reason)) {
				t.Fatalf("%s (%q), want %s (%q)", r.State, r.Reason, c.want, c.reason)
			}
			if c.want == gpspps.StateNumbering && c.right > 2 {
				// Neither does patience help against the network.
				w.run(20 * 60)
				if r := w.now(); w.ref.Confirmed() || !strings.Contains(r.Reason, c.reason) {
					t.Fatalf("after 20 minutes: %s from %s (%q)", r.State, r.Source, r.Reason)
				}
			}
		})
	}
}

func TestPulsesDoubledMissingAndLost(t *testing.T) {
	sim := pi(4)
	sim.MissP, sim.DoubleP, sim.LostP, sim.FixMissP = 0.05, 0.05, 0.02, 0.03
	sim.Faults = []gpstest.Fault{{From: 400, To: 500, Command: "pulse double"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.until(gpspps.StateLocked, 300)
	locked := 0
	w.each = func(_ int, now int64) {
		r := w.ref.At(now, "")
		w.honest(r)
		if r.State == gpspps.StateLocked {
			locked++
		}
	}
	was := w.ref.Info(0).Counters
	from := w.n
	w.run(1000)
	missing, extra := uint64(0), uint64(0)
	for n := from; n < w.n; n++ {
		pulses, _ := sim.Second(n)
		real := 0
		for _, p := range pulses {
			if d := sim.TrueAt(p.Mono) - start.UnixNano() - int64(n)*1e9; d < 5e7 {
				real++
			} else {
				extra++
			}
		}
		if real == 0 {
			missing++
		}
	}
	c := w.ref.Info(0).Counters
	if locked < 970 {
		t.Errorf("locked in %d of 1000 seconds", locked)
	}
	if d := int64(c.PulsesMissing-was.PulsesMissing) - int64(missing); d < -2 || d > 2 {
		t.Errorf("%d pulses missing, counted %d", missing, c.PulsesMissing-was.PulsesMissing)
	}
	if d := int64(c.PulsesDoubled-was.PulsesDoubled) - int64(extra); d < -2 || d > 2 {
		t.Errorf("%d pulses too many, counted %d", extra, c.PulsesDoubled-was.PulsesDoubled)
	}
}

func TestDoubledFromTheStartIsNotLocked(t *testing.T) {
	sim := quiet(5)
	sim.Faults = []gpstest.Fault{{From: 0, To: 60, Command: "pulse double"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.each = func(_ int, now int64) { w.honest(w.ref.At(now, "")) }
	w.run(55)
	w.want(gpspps.StateNumbering, "more than one pulse a second")
	w.run(5)
	w.until(gpspps.StateLocked, 20)
	w.run(60)
}

func TestGarbage(t *testing.T) {
	sim := quiet(6)
	w := newWorld(t, sim, gpspps.Config{Build: start.AddDate(0, -1, 0)})
	for n := range 20 {
		mono := w.at(float64(n))
		w.ref.AddPulse(gpspps.Pulse{Mono: mono})
		w.ref.AddFix(gpspps.Fix{Mono: mono + 3e8, Valid: true, LeapUTC: true, Time: time.Date(2003, 1, 1, 0, 0, n, 0, time.UTC)})
		w.ref.AddFix(gpspps.Fix{Mono: mono + 4e8, Valid: true, LeapUTC: true, Time: time.Date(9999, 1, 1, 0, 0, n, 0, time.UTC)})
		w.ref.AddFix(gpspps.Fix{Mono: mono + 5e8, Checksum: 3, Mode: 1})
		w.ref.Tick(mono + 7e8)
	}
	w.n = 20
	w.want(gpspps.StateNumbering, "no fix")
	c := w.ref.Info(0).Counters
	if c.Fixes != 60 || c.FixesImplausible != 40 || c.FixesInvalid != 20 || c.Checksum != 60 || c.PulsesUnnumbered != 20 {
		t.Errorf("counters %+v", c)
	}
	w.run(30)
	w.want(gpspps.StateLocked, "")
	// Damaged bursts between good ones change nothing.
	w.each = func(_ int, now int64) {
		w.ref.AddFix(gpspps.Fix{Mono: now, Checksum: 1, Mode: 1})
		w.ref.AddFix(gpspps.Fix{Mono: now, Valid: true, Time: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)})
		w.ref.AddVote(gpspps.Vote{Server: "x", Mono: now, Time: math.MinInt64, HalfWidth: math.NaN()})
		w.ref.AddVote(gpspps.Vote{Server: "y", Mono: now, Time: math.MaxInt64, HalfWidth: 0.1})
		r := w.ref.At(now, "")
		w.honest(r)
		if r.State != gpspps.StateLocked {
			t.Fatalf("%s: %s", r.State, r.Reason)
		}
	}
	w.run(60)
}

// TestHostileNumbers feeds what no hardware would give: nothing may crash or lock.
func TestHostileNumbers(t *testing.T) {
	r := gpspps.New(gpspps.Config{})
	rng := rand.New(rand.NewPCG(9, 9))
	odd := []int64{0, 1, -1, 1e9, -1e18, 1e18, math.MaxInt64 / 4}
	for range 20000 {
		m := odd[rng.IntN(len(odd))] + rng.Int64N(5e9)
		switch rng.IntN(5) {
		case 0:
			r.AddPulse(gpspps.Pulse{Mono: m})
		case 1:
			r.AddFix(gpspps.Fix{Mono: m, Valid: rng.IntN(2) == 0, Time: time.Unix(rng.Int64N(5e9), 0)})
		case 2:
			r.AddVote(gpspps.Vote{Server: string(rune('a' + rng.IntN(26))), Mono: m, Time: rng.Int64(), HalfWidth: rng.Float64()})
		case 3:
			r.Tick(m)
		case 4:
			if x := r.At(m, "a"); x.State == gpspps.StateLocked && x.Source == gpspps.SourceGPSPPS {
				t.Fatalf("locked on noise: %+v", x)
			}
			r.Info(m)
		}
	}
}

// TestCoarseReceiver: its pulse moves slowly away from the second and steps
// back, by its clock's granularity, and the stamps are finer than that.
func TestCoarseReceiver(t *testing.T) {
	for _, half := range []float64{11e-9, 100e-9, 500e-9} {
		sim := quiet(12)
		sim.WhiteS, sim.SawtoothS = 20e-9, half
		w := newWorld(t, sim, gpspps.Config{})
		w.run(30)
		if n := w.gps(1000); n != 1000 {
			t.Errorf("± %g s: judged for %d of 1000 s", half, n)
		}
		w.want(gpspps.StateLocked, "")
		if c := w.ref.Info(0).Counters; c.PulsesUsed < 1000 {
			t.Errorf("± %g s: %d pulses used", half, c.PulsesUsed)
		}
	}
}

// TestBouncingPulse: a second edge shortly after each pulse is none.
func TestBouncingPulse(t *testing.T) {
	w := newWorld(t, quiet(11), gpspps.Config{})
	w.run(60)
	was := w.ref.Info(0).Counters
	for range 60 {
		w.run(1)
		// The pulse itself came 0.7 s before the tick.
		w.ref.AddPulse(gpspps.Pulse{Mono: w.ref.Info(0).LastPulse + 3e3})
	}
	c := w.ref.Info(0).Counters
	if c.PulsesDoubled-was.PulsesDoubled != 60 || c.PulsesUsed-was.PulsesUsed > 60 {
		t.Errorf("doubled %d, used %d of 60", c.PulsesDoubled-was.PulsesDoubled, c.PulsesUsed-was.PulsesUsed)
	}
	w.want(gpspps.StateLocked, "")
}
