// Package bench measures the reference: how far its readings are from the
// truth, and whether their uncertainty says so, with noise that is known. It
// takes no part in a station.
package bench

import (
	"bufio"
	"fmt"
	"io"
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
		s.Start, s.Mono, s.LeapUTC, s.FreqPPM = start, 7e9, true, 12.5
	}
	return list
}

// Seed is the scenario with other noise of the same kind.
func (s Scenario) Seed(seed int64) Scenario {
	s.Sim.Seed = seed
	return s
}

// Second is the noise of one second, as any clock would be fed with it.
type Second struct {
	Clock float64 // the free clock minus true time, seconds
	Late  float64 // of the pulse's stamp by a perfect clock, seconds
	Pulse bool    // false: none came
}

// Record is the noise of the first n seconds.
func (s Scenario) Record(n int) []Second {
	sim := s.Sim
	out := make([]Second, n)
	for i := range out {
		at := sim.Start.Add(time.Duration(i) * time.Second)
		out[i].Clock = sim.ErrorAt(at)
		if pulses, _ := sim.Second(i); len(pulses) > 0 {
			out[i].Pulse, out[i].Late = true, float64(pulses[0].Mono-sim.MonoAt(at))*1e-9
		}
	}
	return out
}

// Write writes one line a second: clock and lateness in seconds, or a dash
// where no pulse came.
func Write(w io.Writer, noise []Second) error {
	b := bufio.NewWriter(w)
	for _, x := range noise {
		if x.Pulse {
			fmt.Fprintf(b, "%.12e %.9e\n", x.Clock, x.Late)
		} else {
			fmt.Fprintf(b, "%.12e -\n", x.Clock)
		}
	}
	return b.Flush()
}
