package gpspps_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// stratum1 is a named server nearby: its path is symmetric or not, within its half
// width, and its clock is right but for offset.
type stratum1 struct {
	w        *world
	interval int // seconds
	half     float64
	offset   func(n int) float64 // nil: none
	silent   func(n int) bool    // nil: never
	votes    bool                // it is watched as well
}

// named is a station that hears no receiver, and its reference.
func named(t *testing.T, s stratum1, sim *gpstest.Sim, c gpspps.Config) *world {
	t.Helper()
	sim.Faults = append(sim.Faults, gpstest.Fault{Command: "gps off"}, gpstest.Fault{Command: "pulse off"})
	w := newWorld(t, sim, c)
	s.w = w
	w.each = func(n int, now int64) { s.mark(n) }
	return w
}

func (s stratum1) mark(n int) {
	if n%s.interval != 0 || s.silent != nil && s.silent(n) {
		return
	}
	off := 0.0
	if s.offset != nil {
		off = s.offset(n)
	}
	mono := s.w.at(float64(n) + 0.3)
	half := s.half * (1 + 4*s.w.rng.ExpFloat64()*s.w.rng.Float64())
	m := gpspps.Mark{
		Source: gpspps.SourceNTP, Server: "nearby", Mono: mono, HalfWidth: half,
		Time: s.w.truth(mono) + int64((off+half*(2*s.w.rng.Float64()-1))*1e9),
	}
	s.w.ref.AddMark(m)
	if s.votes {
		s.w.ref.AddVote(gpspps.Vote{Server: "nearby", Group: "nearby", Mono: m.Mono, Time: m.Time, HalfWidth: half})
	}
}

// TestNamed: a stratum 1 nearby is as good as the way to it, in its bound, steered
// or not, while it is heard and for a quarter of an hour after.
func TestNamed(t *testing.T) {
	for name, steered := range map[string]bool{"free": false, "steered": true} {
		t.Run(name, func(t *testing.T) {
			for seed := range int64(20) {
				sim := quiet(seed)
				sim.ThermalPPB, sim.RWFM = 300, 3e-9
				s := stratum1{interval: 16, half: 200e-6, silent: func(n int) bool { return n > 1200 && n < 1900 || n > 3000 }}
				w := named(t, s, sim, gpspps.Config{})
				mark, widest := w.each, 0.0
				w.each = func(n int, now int64) {
					mark(n, now)
					r := w.ref.At(now, "")
					w.honest(r)
					w.honest(w.ref.At(now-33e9, ""))
					if n > 600 && n < 1200 {
						widest = max(widest, r.Bound)
						if r.State != gpspps.StateLocked || r.Source != gpspps.SourceNTP {
							t.Fatalf("second %d: %+v", n, r)
						}
					}
					if n > 1400 && n < 1900 && r.State != gpspps.StateHoldover {
						t.Fatalf("second %d, silent: %+v", n, r)
					}
					if steered && n%64 == 0 {
						if f := w.ref.Info(now).FrequencyPPM; !math.IsNaN(f) {
							w.steer(now, -f)
						}
					}
				}
				w.run(3000 + 16*60)
				if widest > 600e-6 {
					t.Errorf("seed %d: bound %g s with half widths of 200 us and more", seed, widest)
				}
				if r := w.now(); r.Known {
					t.Errorf("seed %d: after 16 minutes of silence: %+v", seed, r)
				}
			}
		})
	}
}

// TestNamedFrequency: what the clock is steered by comes out of the marks.
func TestNamedFrequency(t *testing.T) {
	sim := quiet(1)
	w := named(t, stratum1{interval: 16, half: 100e-6}, sim, gpspps.Config{})
	if w.run(20); !math.IsNaN(w.ref.Info(w.at(20)).FrequencyPPM) {
		t.Error("a rate after two marks")
	}
	w.run(900)
	if f := w.ref.Info(w.at(920)).FrequencyPPM; math.Abs(f-sim.FrequencyPPM(920)) > 0.5 {
		t.Errorf("%g ppm, %g is right", f, sim.FrequencyPPM(920))
	}
}

// TestNamedFinal: what is final stays as it is.
func TestNamedFinal(t *testing.T) {
	jump := func(n int) float64 {
		if n > 700 && n < 1000 {
			return 0.075
		}
		return 0
	}
	w := named(t, stratum1{interval: 3, half: 300e-6, offset: jump}, quiet(2), gpspps.Config{})
	w.right(4)
	mark, kept := w.each, map[int64]gpspps.Reading{}
	w.each = func(n int, now int64) {
		mark(n, now)
		if n > 40 {
			if r := w.ref.At(now-33e9, ""); r.Final {
				kept[r.Mono] = r
			}
		}
		for _, age := range []int64{40e9, 100e9, 400e9, 600e9} {
			if old, ok := kept[now-age]; ok {
				if r := w.ref.At(old.Mono, ""); r != old {
					t.Fatalf("second %d: %+v became %+v", n, old, r)
				}
			}
		}
	}
	w.run(1500)
}

// TestNamedJumps: one that jumps is suspect within two of its marks, and nobody is
// judged by the time that it tells until then but by the old one.
func TestNamedJumps(t *testing.T) {
	for _, c := range []struct {
		name  string
		right int
		jump  float64
		back  int // second in which it is right again; 0: never
		still int // seconds until it is followed, 0: never
	}{
		{"with servers", 4, 0.075, 0, 0},
		{"and back", 4, 0.075, 900, 0},
		{"alone and back", 0, 0.075, 900, 0},
		{"alone", 0, -0.075, 0, 1000},
		{"a second", 4, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stratum1{interval: 16, half: 200e-6, votes: true, offset: func(n int) float64 {
				if n >= 600 && (c.back == 0 || n < c.back) {
					return c.jump
				}
				return 0
			}}
			w := named(t, s, quiet(3), gpspps.Config{})
			w.right(c.right)
			mark, noticed, followed := w.each, 0, 0
			w.each = func(n int, now int64) {
				mark(n, now)
				r := w.ref.At(now, "")
				switch {
				case n < 600 || c.back > 0 && n > c.back+4*16:
					if w.honest(r); n > 100 && r.State != gpspps.StateLocked {
						t.Fatalf("second %d: %+v", n, r)
					}
				case r.State == gpspps.StateSuspect && noticed == 0:
					noticed = n
				case r.State == gpspps.StateLocked && noticed > 0 && followed == 0:
					followed = n
				case r.State != gpspps.StateSuspect:
					if followed == 0 {
						w.honest(r)
					}
				}
				if f := w.ref.At(now-33e9, ""); followed == 0 {
					w.honest(f)
				}
			}
			w.run(600 + 1200)
			t.Logf("suspect in second %d, followed in %d: %+v", noticed, followed, w.now())
			if noticed == 0 || noticed > 600+2*16 {
				t.Errorf("noticed in second %d", noticed)
			}
			if want := c.back > 0; want != (w.now().State == gpspps.StateLocked && followed < c.back+4*16) && c.still == 0 {
				t.Errorf("in the end: %+v", w.now())
			}
			if c.still > 0 && (followed == 0 || followed < 600+900) {
				t.Errorf("followed in second %d", followed)
			}
		})
	}
}

// TestNamedIsFollowed where the servers say that it was wrong before.
func TestNamedIsFollowed(t *testing.T) {
	s := stratum1{interval: 16, half: 200e-6, offset: func(n int) float64 {
		if n < 600 {
			return 0.004 // less than the servers can tell
		}
		return 0
	}}
	w := named(t, s, quiet(4), gpspps.Config{})
	w.right(5)
	for i := range w.servers {
		w.servers[i].half = 0.0035
	}
	w.run(590)
	w.want(gpspps.StateSuspect, "reference disputed")
	w.run(400)
	w.want(gpspps.StateLocked, "")
	w.honest(w.now())
}

// TestNamedIsDisputed: most servers against it.
func TestNamedIsDisputed(t *testing.T) {
	w := named(t, stratum1{interval: 16, half: 200e-6, votes: true, offset: func(int) float64 { return 0.075 }}, quiet(5), gpspps.Config{})
	w.right(3)
	w.run(120)
	w.want(gpspps.StateSuspect, "reference disputed: the named reference")
	if c := w.ref.Info(w.at(120)).Counters.Vetoes; c != 1 {
		t.Errorf("%d vetoes", c)
	}
	// Two alone have no say.
	w = named(t, stratum1{interval: 16, half: 200e-6, offset: func(int) float64 { return 0.075 }}, quiet(5), gpspps.Config{})
	w.right(2)
	w.run(120)
	w.want(gpspps.StateLocked, "")
}

// TestNamedJudgesNobodyByItself.
func TestNamedJudgesNobodyByItself(t *testing.T) {
	w := named(t, stratum1{interval: 16, half: 200e-6, votes: true}, quiet(6), gpspps.Config{})
	w.run(120)
	at := w.at(110)
	if r := w.ref.At(at, "nearby"); r.Known {
		t.Errorf("by itself: %+v", r)
	}
	if r := w.ref.At(at, "another"); r.Source != gpspps.SourceNTP {
		t.Errorf("%+v", r)
	}
	w.right(4)
	w.run(120)
	if r := w.ref.At(w.at(230), "nearby"); r.Source != gpspps.SourceQuorum {
		t.Errorf("by itself, with others: %+v", r)
	}
}

// TestNamedStandsBehindGPS, and proves the second that a receiver names.
func TestNamedStandsBehindGPS(t *testing.T) {
	sim := quiet(7)
	sim.LeapUTC = false // the receiver proves nothing
	sim.Faults = []gpstest.Fault{{To: 200, Command: "gps off"}}
	w := newWorld(t, sim, gpspps.Config{})
	s := stratum1{w: w, interval: 16, half: 200e-6}
	w.each = func(n int, now int64) { s.mark(n) }
	w.run(190)
	if r := w.now(); r.Source != gpspps.SourceNTP || !strings.Contains(r.Reason, "receiver: ") {
		t.Errorf("%+v", r)
	}
	w.run(60)
	if r := w.now(); r.Source != gpspps.SourceGPSPPS || r.State != gpspps.StateLocked {
		t.Errorf("%+v", r)
	}
	// One that is a second off is contradicted.
	sim = quiet(8)
	sim.LeapUTC = false
	w = newWorld(t, sim, gpspps.Config{})
	s = stratum1{w: w, interval: 16, half: 200e-6, offset: func(int) float64 { return -1 }}
	w.each = func(n int, now int64) { s.mark(n) }
	w.run(120)
	if r := w.now(); r.Source != gpspps.SourceNTP || !strings.Contains(r.Reason, "1 s ahead of the named reference") {
		t.Errorf("%+v", r)
	}
}

// TestNamedHostile: whatever marks come, what is kept and the time it takes are bounded.
func TestNamedHostile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	r := gpspps.New(gpspps.Config{})
	mono := int64(1e12)
	odd := []float64{math.NaN(), math.Inf(1), -1, 0, 1e-9, 0.4, 3}
	for i := range 200_000 {
		mono += rng.Int64N(2e9) - 2e8
		m := gpspps.Mark{Source: gpspps.SourcePTP, Mono: mono, Time: start.UnixNano() + mono + rng.Int64N(3e8), HalfWidth: odd[rng.IntN(len(odd))]}
		switch rng.IntN(40) {
		case 0:
			m.Time = rng.Int64()
		case 1:
			m.Mono = rng.Int64N(1 << 50)
		case 2:
			m.Server = "another"
		}
		if m.Mono > mono {
			m.Mono = mono
		}
		r.AddMark(m)
		if i%500 == 0 {
			r.Tick(mono)
			if g := r.At(mono-rng.Int64N(700e9), ""); g.Known && !(g.Bound >= 0 && g.Uncertainty >= 0) {
				t.Fatalf("%+v", g)
			}
		}
	}
}
