package gpspps_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// world is a station in virtual time: a simulated receiver, a clock whose rate
// can be steered, servers that vote, and the reference under test.
type world struct {
	t       *testing.T
	sim     *gpstest.Sim
	ref     *gpspps.Reference
	n       int // the next second
	servers []server
	rng     *rand.Rand

	// steering, piecewise: the station's clock gains rate from paper on.
	paper, added []float64
	rate         []float64

	each func(n int, now int64) // after every tick
	// edit may change what the receiver does in a second; stamps are of the
	// free clock.
	edit       func(n int, pulses []gpspps.Pulse, fix *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix)
	voting     func(server int, v *gpspps.Vote) // may change what a server says
	standStill int                              // no ticks before this second
	late       []event                          // that come after the tick of their second
}

// event is something that comes in at an instant of the steered clock.
type event struct {
	at int64
	do func()
}

// server votes every interval seconds.
type server struct {
	name, group, upstream string
	offset, half          float64 // seconds
	interval              int
	steady                bool // its path is lopsided, and hardly anything else
}

func newWorld(t *testing.T, sim *gpstest.Sim, c gpspps.Config) *world {
	t.Helper()
	if sim.Start.IsZero() {
		sim.Start = start
	}
	if sim.Mono == 0 {
		sim.Mono = 7e9
	}
	return &world{t: t, sim: sim, ref: gpspps.New(c), rng: rand.New(rand.NewPCG(1, uint64(sim.Seed)))}
}

// right adds n servers that tell the truth.
func (w *world) right(n int) {
	for range n {
		i := len(w.servers)
		w.servers = append(w.servers, server{name: fmt.Sprint("s", i), group: fmt.Sprint("g", i), half: 0.008, interval: 16})
	}
}

func (w *world) wrong(offset float64, n int) {
	w.right(n)
	for i := len(w.servers) - n; i < len(w.servers); i++ {
		w.servers[i].offset = offset
	}
}

// clock is the steered clock when the free one shows mono.
func (w *world) clock(mono int64) int64 {
	at := float64(mono-w.sim.Mono) * 1e-9
	i := sort.SearchFloat64s(w.paper, at) - 1
	if i < 0 {
		return mono
	}
	return mono + int64(math.Round((w.added[i]+(at-w.paper[i])*w.rate[i])*1e9))
}

// free is its inverse.
func (w *world) free(mono int64) int64 {
	p := mono
	for range 8 {
		p += mono - w.clock(p)
	}
	return p
}

func (w *world) steer(mono int64, ppm float64) {
	w.bend(mono, ppm)
	w.ref.Steered(mono, ppm)
}

// bend changes the clock's rate and tells nobody, as heat does.
func (w *world) bend(mono int64, ppm float64) {
	p := w.free(mono)
	at := float64(p-w.sim.Mono) * 1e-9
	w.paper = append(w.paper, at)
	w.added = append(w.added, float64(mono-p)*1e-9)
	w.rate = append(w.rate, ppm*1e-6)
}

// truth is the true time at an instant of the steered clock.
func (w *world) truth(mono int64) int64 { return w.sim.TrueAt(w.free(mono)) }

// at is the steered clock at a time after the start.
func (w *world) at(s float64) int64 {
	return w.clock(w.sim.MonoAt(w.sim.Start.Add(time.Duration(s * 1e9))))
}

// run lives through seconds of time.
func (w *world) run(seconds int) {
	for range seconds {
		n := w.n
		w.n++
		events := w.late
		pulses, fix := w.sim.Second(n)
		if w.edit != nil {
			pulses, fix = w.edit(n, pulses, fix)
		}
		for _, p := range pulses {
			p.Mono = w.clock(p.Mono)
			events = append(events, event{p.Mono, func() { w.ref.AddPulse(p) }})
		}
		if fix != nil {
			f := *fix
			f.Mono = w.clock(f.Mono)
			events = append(events, event{f.Mono + 3e8, func() { w.ref.AddFix(f) }})
		}
		for i, s := range w.servers {
			if (n+3*i)%s.interval != 0 {
				continue
			}
			mono := w.at(float64(n) + 0.2 + 0.01*float64(i))
			// The truth is anywhere in the interval of an honest server.
			off := s.half * 0.9 * (2*w.rng.Float64() - 1)
			if s.steady {
				off = s.half*0.1*float64(i%9-4) + 3e-4*w.rng.NormFloat64()
			}
			v := gpspps.Vote{
				Server: s.name, Group: s.group, Upstream: s.upstream, Mono: mono, HalfWidth: s.half,
				Time: w.truth(mono) + int64((s.offset+off)*1e9),
			}
			if w.voting != nil {
				w.voting(i, &v)
			}
			events = append(events, event{mono + 2e7, func() { w.ref.AddVote(v) }})
		}
		now := w.at(float64(n) + 0.7)
		if n+1 >= w.standStill {
			events = append(events, event{now, func() { w.ref.Tick(now) }})
		}
		sort.SliceStable(events, func(i, j int) bool { return events[i].at < events[j].at })
		w.late = nil
		for _, e := range events {
			if e.at > now {
				w.late = append(w.late, e)
				continue
			}
			e.do()
		}
		if w.each != nil {
			w.each(n, now)
		}
	}
}

// now is a reading of the present.
func (w *world) now() gpspps.Reading { return w.ref.At(w.at(float64(w.n)-0.3), "") }

// off is reading minus truth, seconds.
func (w *world) off(r gpspps.Reading) float64 { return float64(r.True-w.truth(r.Mono)) * 1e-9 }

func (w *world) until(state gpspps.State, most int) int {
	w.t.Helper()
	for i := range most {
		if w.now().State == state {
			return i
		}
		w.run(1)
	}
	w.t.Fatalf("not %s within %d s: %s (%s)", state, most, w.now().State, w.now().Reason)
	return 0
}

func (w *world) want(state gpspps.State, reason string) {
	w.t.Helper()
	r := w.now()
	if r.State != state || !strings.Contains(r.Reason, reason) {
		w.t.Fatalf("second %d: state %s (%q), want %s (%q)", w.n, r.State, r.Reason, state, reason)
	}
}

// honest fails if a reading that verdicts would be given with is outside its bound.
func (w *world) honest(r gpspps.Reading) {
	w.t.Helper()
	if r.State != gpspps.StateLocked && r.State != gpspps.StateHoldover {
		return
	}
	if !r.Known || r.Bound < 2.999999*r.Uncertainty || !(r.Uncertainty > 0) || !(r.Random >= 0) || r.Random > r.Uncertainty {
		w.t.Fatalf("second %d: a %s reading without numbers: %+v", w.n, r.State, r)
	}
	if e := math.Abs(w.off(r)); e > r.Bound {
		w.t.Fatalf("second %d, seed %d: %s (%s) %g s off, bound %g s", w.n, w.sim.Seed, r.State, r.Source, e, r.Bound)
	}
}

// Receivers and oscillators to test with.
func quiet(seed int64) *gpstest.Sim {
	return &gpstest.Sim{Seed: seed, FreqPPM: 17.3, RWFM: 1e-9, WFM: 1e-10, WhiteS: 400e-9, LatencyS: 4e-6, LeapUTC: true}
}

func pi(seed int64) *gpstest.Sim {
	return &gpstest.Sim{Seed: seed, FreqPPM: -8, RWFM: 2e-9, ThermalPPB: 60, WhiteS: 300e-9, JitterS: 2e-6, TailP: 0.05, TailS: 10e-6, LatencyS: 5e-6, SawtoothS: 11e-9, LeapUTC: true}
}

// emulated is a pulse out of a virtual machine on a busy host.
func emulated(seed int64) *gpstest.Sim {
	return &gpstest.Sim{Seed: seed, FreqPPM: 30, RWFM: 3e-9, LatencyS: 300e-6, JitterS: 700e-6, TailP: 0.03, TailS: 10e-3, LeapUTC: true}
}
