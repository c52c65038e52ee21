package bench

import (
	"math"
	"slices"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// Accuracy is how far readings were from the truth, and how often it was
// inside of what they promised.
type Accuracy struct {
	Count       int
	RMS         float64 // seconds
	Sigma       float64 // standard error of RMS, from 20 parts of the run; 0 where it is not known
	Random      float64 // share inside of the random part of the uncertainty
	Uncertainty float64 // share inside of the uncertainty
	Bound       float64 // share inside of the bound
	MeanRandom  float64 // seconds
	MeanBound   float64 // seconds
}

// With is the accuracy of all readings of a and b.
func (a Accuracy) With(b Accuracy) Accuracy {
	n, m := float64(a.Count), float64(b.Count)
	mean := func(x, y float64) float64 { return (n*x + m*y) / (n + m) }
	if a.Count == 0 {
		return b
	}
	if b.Count == 0 {
		return a
	}
	return Accuracy{
		Count: a.Count + b.Count, RMS: math.Sqrt(mean(a.RMS*a.RMS, b.RMS*b.RMS)), Random: mean(a.Random, b.Random),
		Uncertainty: mean(a.Uncertainty, b.Uncertainty), Bound: mean(a.Bound, b.Bound),
		MeanRandom: mean(a.MeanRandom, b.MeanRandom), MeanBound: mean(a.MeanBound, b.MeanBound),
	}
}

// tally adds up to an Accuracy.
type tally struct {
	n, random, uncertainty, bound int
	square, width, most           float64
}

// add returns the size of the error, seconds.
func (t *tally) add(r gpspps.Reading, truth int64) float64 {
	e := math.Abs(float64(r.True-truth) * 1e-9)
	count := func(n *int, inside bool) {
		if inside {
			*n++
		}
	}
	t.n++
	t.square += e * e
	t.width += r.Random
	t.most += r.Bound
	count(&t.random, e <= r.Random)
	count(&t.uncertainty, e <= r.Uncertainty)
	count(&t.bound, e <= r.Bound)
	return e
}

func (t *tally) accuracy() Accuracy {
	if t.n == 0 {
		return Accuracy{}
	}
	n := float64(t.n)
	return Accuracy{
		Count: t.n, RMS: math.Sqrt(t.square / n), Random: float64(t.random) / n, Uncertainty: float64(t.uncertainty) / n,
		Bound: float64(t.bound) / n, MeanRandom: t.width / n, MeanBound: t.most / n,
	}
}

// middle is when in a second readings of the present are taken: pulses come at
// its start.
const middle = 500 * time.Millisecond

// feed gives the reference what it is delivered.
func feed(ref *gpspps.Reference, d gpstest.Delivery) {
	switch {
	case d.Pulse != nil:
		ref.AddPulse(*d.Pulse)
	case d.Fix != nil:
		ref.AddFix(*d.Fix)
	default:
		ref.Tick(d.At)
	}
}

// Locked is the accuracy of the present and of the smoothed past over n
// seconds, without the first skip. Readings of the present are taken in the
// middle of each second: that is the mean over it, as chronyd's error at the
// pulse is, whose polls fall anywhere in a second.
func (s Scenario) Locked(n, skip int, c gpspps.Config) (live, lagged Accuracy) {
	sim := s.Sim
	ref := gpspps.New(c)
	var present, past tally
	var squares [2][parts]square
	sim.Deliver(0, n, func(d gpstest.Delivery) {
		feed(ref, d)
		if d.Pulse != nil || d.Fix != nil || d.Second < skip {
			return
		}
		mono := sim.MonoAt(sim.Start.Add(time.Duration(d.Second)*time.Second + middle))
		if r := ref.At(mono, ""); r.State == gpspps.StateLocked {
			squares[0][(d.Second-skip)*parts/(n-skip)].add(present.add(r, sim.TrueAt(mono)))
		}
		mono -= int64(gpspps.FinalAfter + time.Second)
		if r := ref.At(mono, ""); r.Final && r.State == gpspps.StateLocked {
			squares[1][(d.Second-skip)*parts/(n-skip)].add(past.add(r, sim.TrueAt(mono)))
		}
	})
	live, lagged = present.accuracy(), past.accuracy()
	_, live.Sigma = total(squares[0])
	_, lagged.Sigma = total(squares[1])
	return live, lagged
}

// Holdover is the accuracy so long after each of many losses of the antenna:
// after the first skip seconds, every seconds apart, until n. The pulses come
// back at once, so that the next loss has a long lock before it.
func (s Scenario) Holdover(n, skip, every int, after []time.Duration, c gpspps.Config) []Accuracy {
	const away = 6 // seconds; it is noticed after three
	sim := s.Sim
	ref := gpspps.New(c)
	tallies := make([]tally, len(after))
	sim.Deliver(0, n, func(d gpstest.Delivery) {
		since := -1
		if d.Second >= skip {
			since = (d.Second - skip) % every
		}
		tick := d.Pulse == nil && d.Fix == nil
		if tick || since < 0 || since >= away {
			feed(ref, d)
		}
		if since != away-1 || !tick {
			return
		}
		for i, t := range after {
			mono := sim.MonoAt(sim.Start.Add(time.Duration(d.Second-away+1)*time.Second + t))
			if r := ref.At(mono, ""); r.State == gpspps.StateHoldover {
				tallies[i].add(r, sim.TrueAt(mono))
			}
		}
	})
	out := make([]Accuracy, len(after))
	for i := range tallies {
		out[i] = tallies[i].accuracy()
	}
	return out
}

// Settle is what ChronyResult.Settle is, of the reference: seconds after the
// first pulse, at most n; negative if never.
func (s Scenario) Settle(n int, c gpspps.Config) float64 {
	sim := s.Sim
	ref := gpspps.New(c)
	quiet, settled := 0, -1
	sim.Deliver(0, n, func(d gpstest.Delivery) {
		feed(ref, d)
		if d.Pulse != nil || d.Fix != nil || settled >= 0 {
			return
		}
		mono := sim.MonoAt(sim.Start.Add(time.Duration(d.Second)*time.Second + middle))
		r := ref.At(mono, "")
		if r.State != gpspps.StateLocked || math.Abs(float64(r.True-sim.TrueAt(mono)))*1e-9 >= Settled {
			quiet = 0
		} else if quiet++; quiet == settledFor {
			settled = d.Second - settledFor + 1
		}
	})
	return float64(settled)
}

// Start is how long it takes from the first fix and pulse, in seconds: until
// the reference is locked, and until its readings are and stay within a
// microsecond of the truth. The share of starts is 0..1; 1 is the worst.
type Start struct{ lock, settle []int }

// Starts begins that many times with other noise.
func (s Scenario) Starts(count int, c gpspps.Config) Start {
	const lasts, near = 60, 1e-6
	var out Start
	for seed := range count {
		sim := s.Seed(s.Sim.Seed + 1000 + int64(seed)).Sim
		ref := gpspps.New(c)
		lock, settle := lasts, 0
		sim.Deliver(0, lasts, func(d gpstest.Delivery) {
			feed(ref, d)
			if d.Pulse != nil || d.Fix != nil {
				return
			}
			mono := sim.MonoAt(sim.Start.Add(time.Duration(d.Second)*time.Second + middle))
			r := ref.At(mono, "")
			if r.State == gpspps.StateLocked {
				lock = min(lock, d.Second+1)
			}
			if r.State != gpspps.StateLocked || math.Abs(float64(r.True-sim.TrueAt(mono)))*1e-9 > near {
				settle = d.Second + 2
			}
		})
		out.lock, out.settle = append(out.lock, lock), append(out.settle, settle)
	}
	slices.Sort(out.lock)
	slices.Sort(out.settle)
	return out
}

// Lock is within how many seconds this share of the starts were locked.
func (s Start) Lock(share float64) int { return at(s.lock, share) }

// Settle is within how many seconds this share of the starts had settled.
func (s Start) Settle(share float64) int { return at(s.settle, share) }

func at(sorted []int, share float64) int {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
