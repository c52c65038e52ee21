// Package bench measures the reference: how far its readings are from the
// truth, and whether their uncertainty says so, with noise that is known. It
// takes no part in a station.
package bench

import (
	"fmt"
	"math"
	"time"

	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// Scenario is an oscillator and a pulse with their noise.
type Scenario struct {
	Name string
	Says string // what it is, for people
	Sim  gpstest.Sim
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Scenarios are those that other clocks have been measured with, one pulse a
// second for 100,000 s.
func Scenarios() []Scenario {
	list := []Scenario{
		{"A", "white 400 ns, frequency walks 1e-9", gpstest.Sim{WhiteS: 400e-9, RWFM: 1e-9}},
		{"B", "white 300 ns, 5 % late by 4 µs, sawtooth ± 21 ns", gpstest.Sim{WhiteS: 300e-9, RWFM: 1e-9, TailP: 0.05, TailS: 4e-6, SawtoothS: 21e-9, Announced: 1}},
		{"C", "as A with half the walk, 100 ppb each hour", gpstest.Sim{WhiteS: 400e-9, RWFM: 5e-10, ThermalPPB: 100}},
		{"D", "white 30 ns, frequency walks 3e-10", gpstest.Sim{WhiteS: 30e-9, RWFM: 3e-10}},
	}
	for i := range list {
		s := &list[i].Sim
		s.Start, s.Mono, s.LeapUTC, s.FreqPPM, s.Seed = start, 7e9, true, 12.5, int64(i+1)
	}
	return list
}

// Seed is the scenario with other noise of the same kind.
func (s Scenario) Seed(seed int64) Scenario {
	s.Sim.Seed = seed
	return s
}

// Trace is the noise of the first n seconds, and the clock for so many more.
func (s Scenario) Trace(n, after int) Trace {
	sim := s.Sim
	t := Trace{Name: s.Name, Clock: make([]float64, n+after), Late: make([]float64, n)}
	for i := range t.Clock {
		at := sim.Start.Add(time.Duration(i) * time.Second)
		t.Clock[i] = sim.ErrorAt(at)
		if i >= n {
			continue
		}
		t.Late[i] = math.NaN()
		if pulses, _ := sim.Second(i); len(pulses) > 0 {
			t.Late[i] = float64(pulses[0].Mono-sim.MonoAt(at)) * 1e-9
		}
	}
	return t
}

// Same is an error where a pulse that the reference is given in this scenario
// is another than those of a trace, by a nanosecond or more: chronyd is told
// the same whole nanoseconds.
func (s Scenario) Same(t Trace) error {
	sim := s.Sim
	given := make([]bool, len(t.Late))
	var wrong error
	// One second more, in which the last pulse may still come.
	sim.Deliver(0, len(t.Late)+1, func(d gpstest.Delivery) {
		if d.Pulse == nil || d.Second >= len(t.Late) || wrong != nil {
			return
		}
		nanos, ok := t.Stamp(d.Second)
		if got := d.Pulse.Mono - sim.Mono - int64(d.Second)*int64(time.Second); !ok || got != nanos || given[d.Second] {
			wrong = fmt.Errorf("scenario %s, second %d: the reference is given a pulse at %d ns, the trace has %d ns (%v)", s.Name, d.Second, got, nanos, ok)
		}
		given[d.Second] = true
	})
	for n := range given {
		if _, ok := t.Stamp(n); ok && !given[n] && wrong == nil {
			wrong = fmt.Errorf("scenario %s, second %d: the reference is given no pulse, the trace has one", s.Name, n)
		}
	}
	return wrong
}
