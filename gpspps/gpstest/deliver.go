package gpstest

import (
	"math/rand/v2"
	"sort"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// When what a second brings is delivered, seconds after it.
const (
	fixTakes = 0.3 // from a burst's first byte to its end, at 9600 baud
	tickAt   = 0.7 // a station looks at what has come in, once a second
)

// Delivery is one thing that a station gets or does: a pulse, a fix, or a tick
// where both are nil.
type Delivery struct {
	Second int   // it belongs to
	At     int64 // the station's CLOCK_MONOTONIC when it is delivered, ns
	Pulse  *gpspps.Pulse
	Fix    *gpspps.Fix
}

// Deliver gives all of the seconds from <= n < to in the order in which a
// station gets them, with a tick 0.7 s after each. What comes while it stands
// still comes after it, and there are no ticks meanwhile: pulses with the stamps
// that the kernel gave them, fixes with that of when they were read.
func (s *Sim) Deliver(from, to int, do func(Delivery)) {
	var waiting []Delivery
	still := 0
	for n := from; n < to; n++ {
		pulses, fix := s.Second(n)
		for i := range pulses {
			waiting = append(waiting, Delivery{Second: n, At: pulses[i].Mono, Pulse: &pulses[i]})
		}
		if fix != nil {
			waiting = append(waiting, Delivery{Second: n, At: fix.Mono + int64(fixTakes*1e9), Fix: fix})
		}
		if still == 0 && s.BatchS > 0 && rand.New(rand.NewPCG(uint64(s.Seed), streamSecond+^uint64(n))).Float64() < s.BatchP {
			still = s.BatchS
		}
		if still > 1 {
			still--
			continue
		}
		tick := Delivery{Second: n, At: s.MonoAt(s.Start.Add(time.Duration(n)*time.Second + time.Duration(tickAt*1e9)))}
		sort.SliceStable(waiting, func(i, j int) bool { return waiting[i].At < waiting[j].At })
		late := waiting[:0]
		for _, d := range waiting {
			if d.At > tick.At {
				late = append(late, d)
				continue
			}
			if still > 0 && d.Fix != nil {
				d.Fix.Mono = tick.At
			}
			do(d)
		}
		waiting, still = late, 0
		do(tick)
	}
}
