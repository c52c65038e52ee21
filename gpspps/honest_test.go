package gpspps_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

const day = 86400

// board is what happens to an honest station: its processor has work to do for
// a while, which heats the crystal and has interrupts wait, the room warms and
// cools, the receiver loses its fix, is restarted, or sees reflections.
type board struct {
	w    *world
	rng  *rand.Rand
	heat float64 // ppm by which the work has the crystal run slower
	want float64 // what that tends to
	busy int     // second in which the work ends
	late float64 // seconds by which interrupts wait meanwhile
	next int     // second in which work comes next
}

func newBoard(w *world) *board {
	b := &board{w: w, rng: rand.New(rand.NewPCG(9, uint64(w.sim.Seed)))}
	b.next = 300 + b.rng.IntN(3600)
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		for i := range p {
			p[i].Mono += int64(b.late * 1e9)
		}
		return p, f
	}
	return b
}

// live lets second n pass.
func (b *board) live(n int, now int64) {
	if n == b.next {
		b.want, b.late = 0.4*b.rng.Float64(), 12e-6*b.rng.Float64()
		b.busy = n + 60 + b.rng.IntN(1800)
		b.next = b.busy + 600 + b.rng.IntN(6*3600)
	}
	if n == b.busy {
		b.want, b.late = 0, 0
	}
	if n%5 != 0 {
		return
	}
	// The crystal follows the processor within some three minutes.
	if d := (b.want - b.heat) * 5 / 180; math.Abs(d) > 1e-4 {
		b.heat += d
		b.w.bend(now, b.heat)
	}
}

// misfortunes are what receivers suffer in so many days.
func misfortunes(rng *rand.Rand, days int) (list []gpstest.Fault) {
	for at := 3600; at < days*day; at += 600 + rng.IntN(6*3600) {
		f := gpstest.Fault{From: at, To: at + 5 + rng.IntN(120)}
		switch rng.IntN(7) {
		case 0:
			f.Command = "gps off" // restarted
			list = append(list, gpstest.Fault{From: f.To, To: f.To + 60, Command: "gps sats 2"})
		case 1:
			f.Command = "gps sats 2"
		case 2:
			f.Command, f.To = "gps off", at+rng.IntN(7200) // the antenna is pulled
		case 3:
			f.Command = "pulse off"
		case 4:
			f.NorthM = 80 * rng.Float64()
		case 5:
			f.NorthM = 400 * rng.Float64() // a bad reflection
		case 6:
			f.Jammed, f.To = true, at+1+rng.IntN(60)
		}
		list = append(list, f)
	}
	return list
}

// TestHonestDays: nothing that happens to an honest receiver and its board may
// be taken for an attack.
func TestHonestDays(t *testing.T) {
	for i, c := range []struct {
		name string
		sim  func(int64) *gpstest.Sim
	}{{"quiet", quiet}, {"pi", pi}, {"emulated", emulated}} {
		t.Run(c.name, func(t *testing.T) {
			sim := c.sim(int64(70 + i))
			sim.ThermalPPB, sim.ThermalPeriodS = 300, 4*3600
			sim.MissP, sim.LostP, sim.DoubleP, sim.FixMissP = 0.002, 0.001, 0.001, 0.002
			sim.Lat, sim.Lon, sim.PositionM = -33.9, 18.4, 4
			sim.Faults = misfortunes(rand.New(rand.NewPCG(5, uint64(i))), honestDays)
			w := newWorld(t, sim, gpspps.Config{})
			w.right(4)
			for i := range w.servers {
				w.servers[i].interval = 64
			}
			b := newBoard(w)
			states := map[gpspps.State]int{}
			w.each = func(n int, now int64) {
				b.live(n, now)
				r := w.ref.At(now, "")
				w.honest(r)
				if r.State == gpspps.StateSuspect && states[r.State] < 5 {
					t.Errorf("second %d: suspect: %s", n, r.Reason)
				}
				states[r.State]++
			}
			w.run(honestDays * day)
			t.Logf("%d days, seconds: %v", honestDays, states)
			if states[gpspps.StateLocked] < honestDays*day*8/10 {
				t.Errorf("locked for %d s of %d days", states[gpspps.StateLocked], honestDays)
			}
			if _, ok := w.ref.Antenna(); !ok {
				t.Error("the antenna was not surveyed")
			}
		})
	}
}
