package gpspps

import (
	"math"
	"slices"
)

// The oscillator is modelled as a random walk of frequency. How fast it walks
// is not known beforehand (a crystal in still air, a Pi under load, a virtual
// machine), so a bank of filters runs and the one whose predictions come true
// is used. Some of them know that temperature makes a frequency go one way for
// minutes: it has a drift, which is forgotten with time.
type model struct {
	walk  float64 // of the frequency, per root second
	drift float64 // how its drift changes, per second and root second; 0 it has none
}

var models = [...]model{
	{3e-11, 0}, {1e-10, 0}, {3e-10, 0}, {1e-9, 0}, {3e-9, 0}, {1e-8, 0}, {3e-8, 0}, {1e-7, 0}, {3e-7, 0}, {1e-6, 0},
	{3e-10, 5e-12}, {1e-9, 1.5e-11}, {3e-9, 5e-11},
}

const (
	driftLasts = 600 // seconds
	driftAlone = 120 // seconds it is trusted in without pulses
)

const (
	firstModel = 5          // index into models that is believed before there is evidence
	forget     = 0.9995     // of the evidence per pulse: a memory of some 2,000 s
	clearly    = 1          // by how much another filter's evidence must be greater
	whitePhase = 1e-20      // s^2 per s: white frequency noise of a good crystal, 1e-10 at 1 s
	leastClean = 0.01       // a pulse weighs no less than this share of others
	softNIS    = 9          // a squared normalised innovation beyond it weighs less
	hardNIS    = 16         // and beyond this nothing
	stepStays  = 3          // pulses in a row in a new place, fewer than make a holdover
	stepSpread = 6          // times the jitter that they are apart at the most
	stepForget = 1.0 / 3600 // of a step, a second
)

// knot is the estimate right after one pulse, and what the smoother needs.
type knot struct {
	at       int64 // CLOCK_MONOTONIC
	base     int64 // ns: true time is paper time + base + x
	run      int   // knots of one run follow each other without a new start
	s        state
	model    model
	jitter   float64 // of the pulses, robust standard deviation, seconds
	coarse   float64 // half of what the pulses have stepped by, seconds
	z, r     float64 // the measurement and its variance; r is 0 where the pulse was not used
	smoothed bool
	past     *experience // of one that a holdover lives on
}

// estimator is a bank of filters over one run of numbered pulses.
type estimator struct {
	bank   [len(models)]state
	proof  [len(models)]float64 // discounted log likelihood
	best   int
	base   int64
	at     int64
	run    int
	second int64 // UTC second of the newest pulse that was used
	used   int64 // its instant
	zs     window
	jitter float64
	tails  tails
	coarse float64 // half of what the pulses have stepped by, seconds; slowly forgotten
	step   float64 // by which the last pulses have been off, seconds
	away   int     // how many
}

// frequencySpread is the standard deviation of the oscillator's frequency from that
// of the filter in use, over all filters and by the evidence for each: which one is
// right is not known for sure.
func (e *estimator) frequencySpread() float64 {
	most := slices.Max(e.proof[:])
	square, all := 0.0, 0.0
	for i, s := range e.bank {
		w, d := math.Exp(e.proof[i]-most), s.y-e.bank[e.best].y
		square += w * (s.pyy + d*d)
		all += w
	}
	return math.Sqrt(square / all)
}

// begin makes all filters start from s at the instant at.
func (e *estimator) begin(at, base int64, s state) {
	e.at, e.base, e.best = at, base, firstModel
	for i := range e.bank {
		e.bank[i] = s
		e.bank[i].pdd = models[i].drift * models[i].drift * driftLasts / 2
		e.proof[i] = -0.5 * math.Abs(float64(i-firstModel))
	}
}

// advance moves the bank on by dt seconds to the instant at.
func (e *estimator) advance(at int64, dt float64) {
	for i, m := range models {
		e.bank[i] = e.bank[i].predict(dt, m)
	}
	e.at = at
	e.coarse -= stepForget * e.coarse * dt
}

// take updates every filter. It returns the variance used, 0 if the pulse was
// rejected. Robust: weigh and reject by the filter in use; not robust: believe.
func (e *estimator) take(z float64, robust bool) float64 {
	r := e.jitter * e.jitter
	if robust {
		if r = e.weigh(z); r == 0 {
			return 0
		}
	}
	for i := range e.bank {
		v := e.bank[i].pxx + r
		d := z - e.bank[i].x
		e.proof[i] = forget*e.proof[i] - 0.5*(math.Log(v)+math.Min(d*d/v, hardNIS))
		e.bank[i] = e.bank[i].update(z, r)
	}
	best := e.best
	for i := range e.proof {
		if e.proof[i] > e.proof[best] {
			best = i
		}
	}
	if e.proof[best] > e.proof[e.best]+clearly {
		e.best = best
	}
	return r
}

// weigh is the variance to use for a phase, 0 if it is to be rejected.
func (e *estimator) weigh(z float64) float64 {
	b, r := e.bank[e.best], e.jitter*e.jitter
	d := z - b.x
	nis := d * d / (b.pxx + r)
	clean := e.tails.clean(-d, b.pxx+r)
	if nis <= hardNIS {
		e.away = 0
		return r * max(nis/softNIS, 1/max(clean, leastClean), 1)
	}
	if !e.stepped(d) {
		return 0
	}
	for i := range e.bank {
		e.bank[i].pxx += d * d
	}
	return r
}

// stepped says whether the pulses have moved by as little as a coarse receiver
// moves them, and stay there. Somewhere in between is the truth, where they will
// be back: the pulses are followed, and the step is remembered.
func (e *estimator) stepped(d float64) bool {
	if e.away == 0 || math.Abs(d-e.step) > stepSpread*e.jitter {
		e.away, e.step = 0, d
	}
	e.away++
	if e.away < stepStays || math.Abs(e.step) > 2*sawtoothMost {
		return false
	}
	e.away = 0
	e.coarse = max(e.coarse, math.Abs(e.step)/2)
	return true
}

func (e *estimator) knot(z, r float64) knot {
	return knot{at: e.at, base: e.base, run: e.run, s: e.bank[e.best], model: models[e.best], jitter: e.jitter, coarse: e.coarse, z: z, r: r}
}
