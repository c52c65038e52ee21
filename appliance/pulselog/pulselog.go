// Package pulselog remembers what pulses were like: minute by minute for a day, and,
// for as long as the process runs, how steady the station's clock is over them, as its
// Allan deviation. Its memory does not grow, and what a pulse costs is the same always.
package pulselog

import (
	"math"
	"slices"
	"sync"

	"github.com/truechimer/truechimer/gpspps"
)

const (
	kept   = 24 * 60 // minutes
	minute = int64(60e9)
	// Window is over how many pulses RMS is.
	Window = 600
	// farthest is how far from the estimate a pulse may be to say anything of the
	// clock, seconds: what is further is another edge.
	farthest = 0.01
)

// Minute is what the pulses of a minute were like.
type Minute struct {
	Mono        int64   // CLOCK_MONOTONIC at its middle, ns
	Pulses      int     // that were held against the estimate
	Mean        float64 // of pulse minus estimate, seconds; NaN: there was none
	Jitter      float64 // RMS of it around Mean, seconds; NaN: fewer than two
	Least       float64 // seconds; NaN: there was none
	Greatest    float64
	Uncertainty float64 // the greatest, seconds; NaN not known
	State       gpspps.State
}

// Log is what is remembered. The zero value remembers nothing yet; its methods may be
// called from several goroutines.
type Log struct {
	mu    sync.Mutex
	last  int64 // instant of the newest pulse, CLOCK_MONOTONIC ns
	apart int64 // from the one before it, ns; 0 not known

	minutes [kept]bin
	n       int // that were begun, ever

	newest  float64 // pulse minus estimate, seconds
	squares [Window]float64
	pulses  int // that were held against the estimate, ever

	allan allan
}

// bin is a minute being counted.
type bin struct {
	number      int64 // of the minute
	pulses      int
	sum, square float64
	least       float32
	greatest    float32
	uncertainty float64
	state       gpspps.State
}

// Add takes pulses, the oldest first. Those that were taken before are left out.
func (l *Log) Add(list []gpspps.Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range list {
		if s.Mono > l.last {
			l.add(s)
		}
	}
}

func (l *Log) add(s gpspps.Sample) {
	l.apart = 0
	if l.last != 0 {
		l.apart = s.Mono - l.last
	}
	l.last = s.Mono
	number := s.Mono / minute
	if l.n == 0 || l.at(l.n-1).number != number {
		*l.at(l.n) = bin{number: number, uncertainty: math.NaN()}
		l.n++
	}
	b := l.at(l.n - 1)
	b.state = s.State
	if !(s.Uncertainty <= b.uncertainty) && s.Uncertainty >= 0 {
		b.uncertainty = s.Uncertainty
	}
	if !(math.Abs(s.Residual) <= farthest) {
		return
	}
	if r := float32(s.Residual); b.pulses == 0 {
		b.least, b.greatest = r, r
	} else {
		b.least, b.greatest = min(b.least, r), max(b.greatest, r)
	}
	b.pulses++
	b.sum += s.Residual
	b.square += s.Residual * s.Residual
	l.newest = s.Residual
	l.squares[l.pulses%Window] = s.Residual * s.Residual
	l.pulses++
	if s.State == gpspps.StateLocked {
		l.allan.add(s.Mono)
	}
}

func (l *Log) at(i int) *bin { return &l.minutes[i%kept] }

// Minutes are those of the last day in which there was a pulse, the oldest first. The
// last one is not over yet.
func (l *Log) Minutes() []Minute {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Minute
	for i := max(0, l.n-kept); i < l.n; i++ {
		if m := l.at(i).minute(); l.last-m.Mono <= kept*minute {
			out = append(out, m)
		}
	}
	return out
}

// Minute is that with a number, of the last two in which there was a pulse: of others it has no pulses. Minutes
// are numbered by CLOCK_MONOTONIC, from 0 on.
func (l *Log) Minute(number int64) Minute {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := l.n - 1; i >= max(0, l.n-2); i-- {
		if b := l.at(i); b.number == number {
			return b.minute()
		}
	}
	none := bin{number: number, uncertainty: math.NaN()}
	return none.minute()
}

func (b *bin) minute() Minute {
	nan := math.NaN()
	m := Minute{Mono: b.number*minute + minute/2, Pulses: b.pulses, Mean: nan, Jitter: nan, Least: nan, Greatest: nan, Uncertainty: b.uncertainty, State: b.state}
	n := float64(b.pulses)
	if n > 0 {
		m.Mean, m.Least, m.Greatest = b.sum/n, float64(b.least), float64(b.greatest)
	}
	if n > 1 {
		m.Jitter = math.Sqrt(max(0, (b.square-n*m.Mean*m.Mean)/(n-1)))
	}
	return m
}

// Recent is what the last pulses were like.
type Recent struct {
	Last     float64 // the newest pulse minus the estimate, seconds; positive: the clock was ahead of it
	RMS      float64 // of that over Window pulses, or as many as there were, seconds
	Interval float64 // from the pulse before the newest one to it, seconds; 0 not known
}

// Recent is false before the first pulse.
func (l *Log) Recent() (Recent, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pulses == 0 {
		return Recent{}, false
	}
	sum, n := 0.0, min(l.pulses, Window)
	for _, v := range l.squares[:n] {
		sum += v
	}
	return Recent{Last: l.newest, RMS: math.Sqrt(sum / float64(n)), Interval: float64(l.apart) / 1e9}, true
}

// Allan is the overlapping Allan deviation of the station's monotonic clock, which runs
// at the rate that the system's clock is steered to, over the pulses while it was
// locked.
func (l *Log) Allan() []Deviation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.allan.deviations())
}
