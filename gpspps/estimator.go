package gpspps

import "math"

// The oscillator is modelled as a random walk of frequency. How fast it walks
// is not known beforehand (a crystal in still air, a Pi under load, a virtual
// machine), so a bank of filters runs and the one whose predictions come true
// is used. Frequency per root second.
var walks = [...]float64{3e-11, 1e-10, 3e-10, 1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6}

const (
	firstWalk  = 5     // index into walks that is believed before there is evidence
	forget     = 0.998 // of the evidence per pulse: a memory of some 500 s
	clearly    = 1     // by how much another filter's evidence must be greater
	whitePhase = 1e-20 // s^2 per s: white frequency noise of a good crystal, 1e-10 at 1 s
	softNIS    = 4     // a squared normalised innovation beyond it weighs less
	hardNIS    = 16    // and beyond this nothing
)

// state is phase and frequency with their covariance: x is true time less
// paper time less a whole base, seconds; y its rate.
type state struct {
	x, y, pxx, pxy, pyy float64
}

func (s state) predict(dt, walk float64) state {
	q := walk * walk
	a := math.Abs(dt)
	return state{
		x:   s.x + s.y*dt,
		y:   s.y,
		pxx: s.pxx + 2*dt*s.pxy + dt*dt*s.pyy + q*a*a*a/3 + whitePhase*a,
		pxy: s.pxy + dt*s.pyy + q*dt*a/2,
		pyy: s.pyy + q*a,
	}
}

// update takes in a measured phase z of variance r.
func (s state) update(z, r float64) state {
	v := s.pxx + r
	kx, ky := s.pxx/v, s.pxy/v
	e := z - s.x
	return state{
		x:   s.x + kx*e,
		y:   s.y + ky*e,
		pxx: (1 - kx) * s.pxx,
		pxy: (1 - kx) * s.pxy,
		pyy: s.pyy - ky*s.pxy,
	}
}

// knot is the estimate right after one pulse, and what the smoother needs.
type knot struct {
	at       int64 // CLOCK_MONOTONIC
	base     int64 // ns: true time is paper time + base + x
	run      int   // knots of one run follow each other without a new start
	s        state
	walk     float64
	jitter   float64 // of the pulses, robust standard deviation, seconds
	z, r     float64 // the measurement and its variance; r is 0 where the pulse was not used
	smoothed bool
	past     *experience // of one that a holdover lives on
}

// estimator is a bank of filters over one run of numbered pulses.
type estimator struct {
	bank   [len(walks)]state
	proof  [len(walks)]float64 // discounted log likelihood
	best   int
	base   int64
	at     int64
	run    int
	second int64 // UTC second of the newest pulse that was used
	used   int64 // its instant
	zs     window
	jitter float64
}

// begin makes all filters start from s at the instant at.
func (e *estimator) begin(at, base int64, s state) {
	e.at, e.base, e.best = at, base, firstWalk
	for i := range e.bank {
		e.bank[i] = s
		e.proof[i] = -0.5 * math.Abs(float64(i-firstWalk))
	}
}

// advance moves the bank on by dt seconds to the instant at.
func (e *estimator) advance(at int64, dt float64) {
	for i, w := range walks {
		e.bank[i] = e.bank[i].predict(dt, w)
	}
	e.at = at
}

// take updates every filter. It returns the variance used, 0 if the pulse was
// rejected. Robust: weigh and reject by the filter in use; not robust: believe.
func (e *estimator) take(z float64, robust bool) float64 {
	r := e.jitter * e.jitter
	if robust {
		b := e.bank[e.best]
		d := z - b.x
		nis := d * d / (b.pxx + r)
		if nis > hardNIS {
			return 0
		}
		if nis > softNIS {
			r *= nis / softNIS
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

func (e *estimator) knot(z, r float64) knot {
	return knot{at: e.at, base: e.base, run: e.run, s: e.bank[e.best], walk: walks[e.best], jitter: e.jitter, z: z, r: r}
}
