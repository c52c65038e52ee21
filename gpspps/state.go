package gpspps

import "math"

// state is phase, frequency and the frequency's drift with their covariance: x
// is true time less paper time less a whole base, seconds; y its rate, s/s; d
// how that changes, 1/s.
type state struct {
	x, y, d                      float64
	pxx, pxy, pxd, pyy, pyd, pdd float64
}

// motion is how a state moves in dt seconds: the drift is forgotten meanwhile,
// as one that lasts so many seconds, and has made so much of y and x by then.
type motion struct{ dt, dy, dx, keep float64 }

func moved(dt, lasts float64) motion {
	gone := -math.Expm1(-math.Abs(dt) / lasts)
	dy := math.Copysign(lasts*gone, dt)
	return motion{dt: dt, dy: dy, dx: lasts * (math.Abs(dt) - math.Abs(dy)), keep: 1 - gone}
}

// alone is x after dt seconds without pulses. The drift of the last minutes
// tells of the next ones, less of the next hour: where a heater goes on and off,
// to trust in it for long makes an hour's holdover twice as bad.
func (s state) alone(dt float64) float64 { return s.x + s.y*dt + s.d*moved(dt, driftAlone).dx }

func (s state) predict(dt float64, m model) state {
	q, a := m.walk*m.walk, math.Abs(dt)
	if m.drift == 0 {
		return state{
			x:   s.x + s.y*dt,
			y:   s.y,
			pxx: s.pxx + 2*dt*s.pxy + dt*dt*s.pyy + q*a*a*a/3 + whitePhase*a,
			pxy: s.pxy + dt*s.pyy + q*dt*a/2,
			pyy: s.pyy + q*a,
		}
	}
	c := moved(dt, driftLasts)
	xy := s.pxy + dt*s.pyy + c.dx*s.pyd
	xd := s.pxd + dt*s.pyd + c.dx*s.pdd
	yd := s.pyd + c.dy*s.pdd
	// The integrals of a drift that walks; where it is forgotten, what is left
	// of it is a walk of the frequency.
	w, f := m.drift*m.drift, a/driftLasts
	return state{
		x:   s.x + s.y*dt + c.dx*s.d,
		y:   s.y + c.dy*s.d,
		d:   c.keep * s.d,
		pxx: s.pxx + dt*s.pxy + c.dx*s.pxd + dt*xy + c.dx*xd + q*a*a*a/3 + whitePhase*a + w*math.Pow(a, 5)/20/(1+0.15*f*f),
		pxy: xy + c.dy*xd + q*dt*a/2 + w*a*a*a*dt/8/(1+f*f/4),
		pxd: c.keep*xd + w*a*a*a/6/(1+f*f*f/3),
		pyy: s.pyy + c.dy*s.pyd + c.dy*yd + q*a + w*a*a*a/3/(1+f*f/3),
		pyd: c.keep*yd + w*a*dt/2/(1+f*f),
		pdd: c.keep*c.keep*s.pdd + w*a/(1+2*f),
	}
}

// update takes in a measured phase z of variance r.
func (s state) update(z, r float64) state {
	v := s.pxx + r
	kx, ky, kd := s.pxx/v, s.pxy/v, s.pxd/v
	e := z - s.x
	return state{
		x:   s.x + kx*e,
		y:   s.y + ky*e,
		d:   s.d + kd*e,
		pxx: (1 - kx) * s.pxx,
		pxy: (1 - kx) * s.pxy,
		pxd: (1 - kx) * s.pxd,
		pyy: s.pyy - ky*s.pxy,
		pyd: s.pyd - ky*s.pxd,
		pdd: s.pdd - kd*s.pxd,
	}
}
