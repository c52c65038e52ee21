package gpspps_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// pulseAlone is a station with a pulse and no receiver. Every reading of the present,
// and every final one, is held to what it promises.
func pulseAlone(t *testing.T, sim *gpstest.Sim, mark func(n int)) *world {
	t.Helper()
	w := newWorld(t, sim, gpspps.Config{PulseAlone: true})
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) { return p, nil }
	w.each = func(n int, now int64) {
		if mark != nil {
			mark(n)
		}
		w.honest(w.ref.At(now, ""))
		w.honest(w.ref.At(now-33e9, ""))
	}
	return w
}

// nearby is a pulse alone with a named server, and servers that vote.
func nearby(t *testing.T, sim *gpstest.Sim, s stratum1, servers int) *world {
	t.Helper()
	if s.interval == 0 {
		s.interval = 16
	}
	w := pulseAlone(t, sim, func(n int) { s.mark(n) })
	s.w = w
	w.right(servers)
	return w
}

// TestPulseAlone: whoever knows the second numbers the pulse, and then the pulse is
// as good as a receiver's.
func TestPulseAlone(t *testing.T) {
	ptp := func(w **world) func(n int) {
		return func(n int) {
			mono := (*w).at(float64(n) + 0.4)
			(*w).ref.AddMark(gpspps.Mark{Source: gpspps.SourcePTP, Mono: mono, Time: (*w).truth(mono) + 5e7, HalfWidth: 0.1})
		}
	}
	for _, c := range []struct {
		name   string
		world  func(t *testing.T, sim *gpstest.Sim) *world
		locks  int // seconds at the most; 0: never
		reason string
	}{
		{"a named server", func(t *testing.T, sim *gpstest.Sim) *world { return nearby(t, sim, stratum1{half: 200e-6}, 0) }, 40, ""},
		{"a named server that votes", func(t *testing.T, sim *gpstest.Sim) *world {
			return nearby(t, sim, stratum1{half: 200e-6, votes: true}, 0)
		}, 40, ""},
		{"a PTP clock", func(t *testing.T, sim *gpstest.Sim) *world {
			var w *world
			w = pulseAlone(t, sim, ptp(&w))
			return w
		}, 12, ""},
		{"three servers", func(t *testing.T, sim *gpstest.Sim) *world {
			return nearby(t, sim, stratum1{interval: 1 << 30, half: 1}, 3)
		}, 45, ""},
		{"two servers", func(t *testing.T, sim *gpstest.Sim) *world {
			return nearby(t, sim, stratum1{interval: 1 << 30, half: 1}, 2)
		}, 0,
			"pulses not numbered yet: nobody says which second they mark"},
		{"nobody", func(t *testing.T, sim *gpstest.Sim) *world { return pulseAlone(t, sim, nil) }, 0,
			"pulses not numbered yet: nobody says which second they mark"},
		{"a named server that hardly knows the second", func(t *testing.T, sim *gpstest.Sim) *world {
			w := pulseAlone(t, sim, nil)
			each := w.each
			w.each = func(n int, now int64) {
				mono := w.at(float64(n) + 0.3)
				w.ref.AddMark(gpspps.Mark{Source: gpspps.SourceNTP, Server: "far", Mono: mono, Time: w.truth(mono), HalfWidth: 0.3})
				each(n, now)
			}
			return w
		}, 0, "pulses not numbered yet: the time of the named reference (± 300"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range int64(5) {
				sim := quiet(seed)
				sim.LatencyS = 0
				w := c.world(t, sim)
				if c.locks == 0 {
					w.run(900)
					if r := w.now(); r.Source == gpspps.SourcePPS || w.ref.Confirmed() || !strings.Contains(r.Reason, c.reason) {
						t.Fatalf("%+v", r)
					}
					continue
				}
				for w.now().Source != gpspps.SourcePPS {
					if w.run(1); w.n > c.locks {
						t.Fatalf("not locked to the pulse within %d s: %+v", c.locks, w.now())
					}
				}
				took := w.n
				if took < 6 {
					t.Errorf("numbered after %d s", took)
				}
				each, worst := w.each, 0.0
				w.each = func(n int, now int64) {
					each(n, now)
					r := w.ref.At(now-33e9, "")
					if n > took+120 {
						worst = max(worst, math.Abs(w.off(r)))
					}
					if r = w.ref.At(now, ""); r.State != gpspps.StateLocked || r.Source != gpspps.SourcePPS || n > took+60 && r.Bound > 80e-6 {
						t.Fatalf("second %d: %+v", n, r)
					}
				}
				w.run(900)
				if worst > 300e-9 {
					t.Errorf("seed %d: final readings are up to %g s off", seed, worst)
				}
				if seed == 0 {
					t.Logf("locked after %d s, then up to %.0f ns off", took, worst*1e9)
				}
			}
		})
	}
}

// TestPulseAloneIsAsked: nobody has said that the pulse is UTC's.
func TestPulseAloneIsAsked(t *testing.T) {
	w := newWorld(t, quiet(1), gpspps.Config{})
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) { return p, nil }
	s := stratum1{w: w, interval: 16, half: 200e-6}
	w.each = func(n int, now int64) { s.mark(n) }
	w.right(4)
	w.run(1200)
	if r := w.now(); r.Source != gpspps.SourceNTP || w.ref.Confirmed() {
		t.Errorf("%+v", r)
	}
	// And where somebody has, no fix is taken.
	sim := quiet(1)
	sim.Faults = []gpstest.Fault{{ShiftS: 1}}
	w = newWorld(t, sim, gpspps.Config{PulseAlone: true})
	w.right(4)
	w.run(1200)
	if r := w.now(); r.Source != gpspps.SourcePPS || r.State != gpspps.StateLocked || w.ref.Info(r.Mono).Counters.Fixes != 0 {
		t.Errorf("%+v", r)
	}
	w.honest(w.now())
}

// TestPulseAloneOutOfPhase: a pulse that is not where they say it is not followed.
func TestPulseAloneOutOfPhase(t *testing.T) {
	for _, c := range []struct {
		late    float64
		servers int
		named   bool
		reason  string
	}{
		{0.1, 4, false, "pulse unconfirmed: the pulse is 100"},
		{-0.1, 4, false, " ahead of 4 servers"},
		{0.3, 4, false, "pulse unconfirmed: the pulse is 300"},
		{0.5, 4, false, "most servers"},
		{0.001, 0, true, " behind the named reference"},
		{0.0005, 0, true, " behind the named reference"}, // which marks do not exclude all the time
		{-0.4, 0, true, "ms ahead of the named reference"},
		{0.1, 4, true, "behind 4 servers"},
	} {
		t.Run(fmt.Sprint(c.late, c.servers, c.named), func(t *testing.T) {
			sim := quiet(2)
			sim.Faults = []gpstest.Fault{{PulseShiftS: c.late}}
			s := stratum1{interval: 1 << 30, half: 1}
			if c.named {
				s = stratum1{half: 200e-6}
			}
			w := nearby(t, sim, s, c.servers)
			w.run(1800)
			r := w.now()
			if r.State == gpspps.StateLocked && r.Source == gpspps.SourcePPS || w.ref.Confirmed() || !strings.Contains(r.Reason, c.reason) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestPulseAloneCarriesOn: the second stays known while nobody else knows it.
func TestPulseAloneCarriesOn(t *testing.T) {
	for _, servers := range []int{0, 3} {
		sim := quiet(3)
		sim.Faults = []gpstest.Fault{{From: 1500, To: 2100, Command: "pulse off"}}
		s := stratum1{half: 200e-6, silent: func(n int) bool { return servers > 0 || n > 300 }}
		w := nearby(t, sim, s, servers)
		w.voting = func(server int, v *gpspps.Vote) {
			if w.n > 300 {
				v.HalfWidth = 2 // is not taken
			}
		}
		w.run(290)
		w.want(gpspps.StateLocked, "")
		each := w.each
		w.each = func(n int, now int64) {
			each(n, now)
			want := gpspps.StateLocked
			if n > 1505 && n < 2100 {
				want = gpspps.StateHoldover
			}
			if r := w.ref.At(now, ""); r.Source != gpspps.SourcePPS || r.State != want && (n < 1500 || n > 2120) {
				t.Fatalf("second %d: %+v", n, r)
			}
		}
		w.run(2000)
		if c := w.ref.Info(w.at(2290)).Counters; c.PulsesMissing != 600 {
			t.Errorf("%d pulses missing", c.PulsesMissing)
		}
	}
}

// TestPulseAloneJumps: pulses that move are not followed as long as somebody knows
// better. Where nobody does, they are suspect, and believed after a quarter of an hour
// with a wider bound.
func TestPulseAloneJumps(t *testing.T) {
	const silent = 300 // since this second, the named server is
	for _, c := range []struct {
		name     string
		late     float64
		from, to int
		servers  int
		named    int // until this second
		suspect  bool
		end      gpspps.State
		reason   string
	}{
		{"with a named server", 0.075, 600, 0, 0, math.MaxInt, false, gpspps.StateHoldover, "ms late, and the named reference agrees with the station's own clock"},
		{"with servers", 0.075, 600, 0, 4, 0, false, gpspps.StateHoldover, "ms late, and 4 servers agree with the station's own clock"},
		{"and back", 0.075, 600, 900, 0, math.MaxInt, false, gpspps.StateLocked, ""},
		{"by a millisecond", -0.001, 600, 0, 0, math.MaxInt, false, gpspps.StateHoldover, "µs early, and the named reference agrees with the station's own clock"},
		{"by much", 0.35, 600, 0, 0, math.MaxInt, false, gpspps.StateHoldover, "ms late, and the named reference agrees"},
		{"alone", 0.075, 1300, 0, 0, silent, true, gpspps.StateLocked, ""},
		{"alone and back", 0.075, 1300, 1500, 0, silent, true, gpspps.StateLocked, ""},
		{"alone, by much", 0.35, 1300, 0, 0, silent, true, gpspps.StateLocked, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := quiet(4)
			sim.Faults = []gpstest.Fault{{From: c.from, To: c.to, PulseShiftS: c.late}}
			s := stratum1{half: 200e-6, silent: func(n int) bool { return n >= c.named }}
			w := nearby(t, sim, s, c.servers)
			each, left, suspect := w.each, 0, false
			w.each = func(n int, now int64) {
				each(n, now) // nothing is wrong and locked
				r := w.ref.At(now, "")
				if n >= c.from && r.State != gpspps.StateLocked && left == 0 {
					left = n
				}
				suspect = suspect || r.State == gpspps.StateSuspect
			}
			w.run(c.from + 960)
			w.want(c.end, c.reason)
			t.Logf("left the pulses in second %d, suspect %v, in the end %s ± %.2g s", left, suspect, w.now().State, w.now().Bound)
			if left == 0 || left > c.from+5 || suspect != c.suspect {
				t.Errorf("left the pulses in second %d, suspect: %v", left, suspect)
			}
		})
	}
}

// TestPulseAloneRuns: the pulse leaves slowly, as no oscillator's pace can tell, and the
// named reference does.
func TestPulseAloneRuns(t *testing.T) {
	sim := quiet(5)
	sim.Faults = []gpstest.Fault{{From: 600, PulseRamp: 0.15e-6}}
	s := stratum1{half: 50e-6}
	w := newWorld(t, sim, gpspps.Config{PulseAlone: true})
	s.w, s.interval = w, 16
	suspect, wrong := 0, 0
	w.each = func(n int, now int64) {
		s.mark(n)
		r := w.ref.At(now, "")
		if r.State == gpspps.StateSuspect && suspect == 0 {
			suspect = n
			if !strings.Contains(r.Reason, "reference disputed: the pulse (± ") || !strings.Contains(r.Reason, " behind the named reference (± ") {
				t.Errorf("%+v", r)
			}
		}
		if r.State == gpspps.StateLocked && n > 600 && math.Abs(w.off(r)) > 500e-6 {
			wrong++
		}
	}
	w.run(7200)
	t.Logf("suspect in second %d: %+v", suspect, w.now())
	if suspect == 0 || wrong != 0 {
		t.Errorf("suspect in second %d, wrong for %d s", suspect, wrong)
	}
	if w.now().State == gpspps.StateLocked {
		t.Errorf("%+v", w.now())
	}
}

// TestPulseAloneIsDisputed: servers outvote the pulse and whom it was numbered by, and
// a named reference that they do not believe disputes nothing.
func TestPulseAloneIsDisputed(t *testing.T) {
	lies := func(n int) float64 {
		if n < 600 {
			return 0
		}
		return 1
	}
	w := nearby(t, quiet(6), stratum1{half: 200e-6}, 0)
	w.run(60)
	w.want(gpspps.StateLocked, "")
	w.wrong(-0.05, 3)
	w.run(120)
	w.want(gpspps.StateSuspect, "reference disputed: the pulse (± ")
	w.want(gpspps.StateSuspect, "ahead of 3 of 3 servers")
	for i := range w.servers {
		w.servers[i].offset = 0
	}
	w.run(120)
	w.want(gpspps.StateLocked, "")

	for _, servers := range []int{0, 4} {
		w = nearby(t, quiet(6), stratum1{half: 200e-6, offset: lies}, servers)
		w.run(590)
		w.want(gpspps.StateLocked, "")
		each := w.each
		w.each = func(n int, now int64) {
			each(n, now)
			if r := w.ref.At(now, ""); (servers > 0 || n < 600+900) && (r.State != gpspps.StateLocked || r.Source != gpspps.SourcePPS) {
				t.Fatalf("second %d: %+v", n, r)
			}
		}
		w.run(1400)
		if servers == 0 { // its new time is believed by then, and nobody can tell
			w.want(gpspps.StateSuspect, "reference disputed: the pulse (± ")
		}
	}
}

// TestPulseAloneLeaps: servers and the named reference tell whether there was a leap
// second; until then nobody is judged.
func TestPulseAloneLeaps(t *testing.T) {
	for _, c := range []struct {
		name                string
		change              int
		servers, told, made int
		named               bool
		wrong               int
		unusable            int // seconds at the most
		reason              string
	}{
		{"inserted", 1, 4, 4, 4, false, 1, 30, "the servers announced a leap second"},
		{"deleted", -1, 4, 4, 4, false, 1, 30, "the servers announced a leap second"},
		{"inserted, with a named server", 1, 4, 4, 4, true, 1, 30, "the servers announced a leap second"},
		{"inserted, a minority does not make it", 1, 5, 4, 3, false, 1, 60, "the servers announced a leap second"},
		{"announced for nothing", 0, 4, 4, 0, false, 1, 70, "the servers announced a leap second"},
		{"inserted, nobody announces it", 1, 4, 0, 4, false, 2, 30, "nobody has said whether"},
		{"deleted, nobody announces it", -1, 4, 0, 4, false, 1, 30, "nobody has said whether"},
		{"inserted, the named server alone", 1, 0, 0, 0, true, 2, 60, "nobody has said whether"},
		{"deleted, the named server alone", -1, 0, 0, 0, true, 1, 60, "nobody has said whether"},
		{"none, the named server alone", 0, 0, 0, 0, true, 1, 60, "nobody has said whether"},
		{"none", 0, 4, 0, 0, false, 1, 30, "nobody has said whether"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newLeapWorld(t, quiet(7), c.servers)
			w.ref = gpspps.New(gpspps.Config{PulseAlone: true})
			w.change, w.told, w.made = c.change, c.told, c.made
			each := w.each
			w.each = func(n int, now int64) {
				if c.named && n%16 == 0 {
					mono := w.at(float64(n) + 0.3)
					w.ref.AddMark(gpspps.Mark{Source: gpspps.SourceNTP, Server: "nearby", Mono: mono, Time: w.utc(w.truth(mono)), HalfWidth: 200e-6})
				}
				each(n, now)
			}
			w.run(untilLeap + 900)
			t.Logf("%d readings wrong, not usable for %d s until second %d, %v", w.wrong, w.notUsable, w.lastUnusable, w.reasons)
			seen := false
			for reason := range w.reasons {
				seen = seen || strings.Contains(reason, c.reason)
			}
			if r := w.now(); r.State != gpspps.StateLocked || r.Source != gpspps.SourcePPS || math.Abs(w.error(r)) > r.Bound || !seen {
				t.Errorf("in the end: %+v", r)
			}
			if w.wrong > c.wrong || w.lastUnusable > c.unusable {
				t.Errorf("%d readings wrong, not usable until second %d", w.wrong, w.lastUnusable)
			}
		})
	}
}

// TestPulseAloneIsBelieved: of an honest pulse and honest servers, that come and go, no
// reading is wrong and none is suspect, steered or not, however noisy the pulse is.
func TestPulseAloneIsBelieved(t *testing.T) {
	for name, make := range map[string]func(int64) *gpstest.Sim{"quiet": quiet, "pi": pi, "emulated": emulated} {
		for seed := range int64(3) {
			sim := make(seed)
			sim.DoubleP, sim.MissP = 0.001, 0.01
			sim.Faults = []gpstest.Fault{{From: 3000, To: 3600, Command: "pulse off"}, {From: 9000, To: 9010, Command: "pulse off"}, {From: 12000, To: 16000, Command: "pulse off"}}
			silent := func(n int) bool { return n > 5000 && n < 8000 || n > 11000 && n < 15000 }
			w := nearby(t, sim, stratum1{half: 200e-6, silent: silent, votes: seed == 1}, 2*int(seed))
			each, locked := w.each, 0
			w.each = func(n int, now int64) {
				each(n, now)
				if f := w.ref.Info(now).FrequencyPPM; seed > 0 && n%97 == 0 && math.Abs(f) < 400 {
					w.steer(now, -f)
				}
				r := w.ref.At(now, "")
				if r.State == gpspps.StateSuspect {
					t.Fatalf("%s, seed %d, second %d: %+v", name, seed, n, r)
				}
				if r.Source == gpspps.SourcePPS && r.State == gpspps.StateLocked {
					locked++
				}
			}
			w.run(20000)
			w.want(gpspps.StateLocked, "")
			if locked < 14900 {
				t.Errorf("%s, seed %d: locked for %d s", name, seed, locked)
			}
		}
	}
}

// TestPulseAloneHostile: whatever comes, nothing is out of bounds.
func TestPulseAloneHostile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 10))
	r := gpspps.New(gpspps.Config{PulseAlone: true})
	mono, midnight := int64(1e12), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range 100_000 {
		mono += []int64{1e9, 1e9 + 1000, 5e8, rng.Int64N(1e10)}[rng.IntN(20)/6]
		at := midnight - 1e13 + mono + rng.Int64N(3)*rng.Int64N(2e9)/2
		switch rng.IntN(8) {
		case 0:
			r.AddMark(gpspps.Mark{Source: gpspps.SourcePTP, Mono: mono - rng.Int64N(1e9), Time: at, HalfWidth: rng.Float64() * 0.5})
		case 1:
			r.AddVote(gpspps.Vote{Server: fmt.Sprint(rng.IntN(5)), Mono: mono, Time: at, HalfWidth: rng.Float64(), Leap: rng.IntN(3) - 1})
		case 2:
			r.AddFix(gpspps.Fix{Mono: mono, Time: start, Valid: true})
		case 3:
			r.Tick(mono)
			if g := r.At(mono-rng.Int64N(700e9), ""); g.Known && !(g.Bound >= 0 && g.Uncertainty >= 0) {
				t.Fatalf("%d: %+v", i, g)
			}
			r.Leap()
		default:
			r.AddPulse(gpspps.Pulse{Mono: mono})
		}
	}
}
