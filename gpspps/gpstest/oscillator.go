package gpstest

import (
	"math"
	"math/rand/v2"
)

// Oscillator is the error of a clock that runs freely, in the usual model of
// oscillators: a frequency error that walks, white frequency noise on top, and
// the slow swing of the room's temperature. The zero value is a perfect one.
// Not safe for use by several goroutines.
type Oscillator struct {
	FreqPPM        float64 // frequency error at the start, 1e-6; positive gains
	RWFM           float64 // random walk of the frequency, (s/s)/sqrt(s); 1e-9 is a Pi's crystal in a room
	WFM            float64 // white frequency noise, s/sqrt(s)
	FlickerFM      float64 // flicker of the frequency: the floor of the Allan deviation, s/s
	DriftPPBDay    float64 // ageing, 1e-9 a day; positive: gains more and more
	ThermalPPB     float64 // amplitude of the swing of temperature, 1e-9
	ThermalPeriodS float64 // its period, seconds; 0 means one hour
	Seed           int64

	rng   *rand.Rand
	walk  float64               // s/s, the part of the frequency that walks, at the last knot
	slow  [flickerParts]float64 // s/s, what makes up the flicker
	phase []float64             // seconds, clock minus true time at whole seconds since the start
}

// Flicker is the sum of parts that each forget after a time of its own. With
// these times a factor of four apart, the Allan deviation of the sum is the
// standard deviation of one part, from some seconds to a day.
const (
	flickerParts = 10
	flickerRatio = 4
	flickerFirst = 0.5 // seconds
)

// flicker moves the parts on by a second and is their sum, s/s.
func (o *Oscillator) flicker(first bool) float64 {
	sum, memory := 0.0, flickerFirst
	for i := range o.slow {
		keep := math.Exp(-1 / memory)
		if first {
			keep = 0
		}
		o.slow[i] = keep*o.slow[i] + math.Sqrt(1-keep*keep)*o.FlickerFM*o.rng.NormFloat64()
		sum += o.slow[i]
		memory *= flickerRatio
	}
	return sum
}

// Error is the clock minus true time, seconds, t seconds after the start; at
// the start it is 0. Before the start the clock ran at its first frequency.
// Between whole seconds it is interpolated.
func (o *Oscillator) Error(t float64) float64 {
	if t <= 0 {
		return t * o.FreqPPM * 1e-6
	}
	whole := math.Floor(t)
	n := int(whole)
	o.grow(n + 1)
	return o.phase[n] + (t-whole)*(o.phase[n+1]-o.phase[n])
}

// FrequencyAt is the mean frequency error in the second n after the start, s/s.
func (o *Oscillator) FrequencyAt(n int) float64 {
	return o.Error(float64(n+1)) - o.Error(float64(n))
}

func (o *Oscillator) grow(n int) {
	if o.rng == nil {
		o.rng = rand.New(rand.NewPCG(uint64(o.Seed), streamOscillator))
		o.phase = append(o.phase, 0)
	}
	period := o.ThermalPeriodS
	if period == 0 {
		period = 3600
	}
	for len(o.phase) <= n {
		k := float64(len(o.phase) - 1)
		// One step of the two-state model: the exact joint noise of phase and
		// frequency when the frequency walks during the second.
		a, b, c := o.rng.NormFloat64(), o.rng.NormFloat64(), o.rng.NormFloat64()
		step := o.FreqPPM*1e-6 + o.walk + o.RWFM*(a/2+b/(2*math.Sqrt(3))) + o.WFM*c
		o.walk += o.RWFM * a
		if o.FlickerFM != 0 {
			step += o.flicker(k == 0)
		}
		step += o.DriftPPBDay * 1e-9 / 86400 * (k + 0.5)
		if o.ThermalPPB != 0 {
			w := 2 * math.Pi / period
			step += o.ThermalPPB * 1e-9 / w * (math.Cos(w*k) - math.Cos(w*(k+1)))
		}
		o.phase = append(o.phase, o.phase[len(o.phase)-1]+step)
	}
}

// Streams of random numbers that must not be the same for one seed.
const (
	streamOscillator = iota + 1
	streamReceiver
	streamSecond // the last: second n takes streamSecond + n
)
