package gpspps

// smoother is room for one pass over the knots of FinalAfter: it is used every
// second.
type smoother struct{ steps []step }

// step is one of the filter's, from a knot to the next: the motion, and what it
// did with the phase measured there.
type step struct {
	motion
	k        [3]float64 // gain
	e        float64    // innovation, seconds
	variance float64    // of the innovation; 0: there was none
}

// smooth is the estimate at knots[0] with everything up to the last knot taken
// in: one pass of the same filter forward, and one back in which what it was
// surprised by is gathered (Bryson and Frazier's smoother, which needs no
// inverse). All knots belong to one run. p gives paper time between instants.
func (m *smoother) smooth(knots []knot, p *paper) state {
	model := knots[len(knots)-1].model
	s := knots[0].s
	m.steps = m.steps[:0]
	for i := 1; i < len(knots); i++ {
		dt := p.between(knots[i-1].at, knots[i].at)
		s = s.predict(dt, model)
		x := step{motion: motion{dt: dt}}
		if model.drift != 0 {
			x.motion = moved(dt, driftLasts)
		}
		if k := knots[i]; k.r > 0 {
			z := k.z + float64(k.base-knots[0].base)*1e-9
			x.variance, x.e = s.pxx+k.r, z-s.x
			x.k = [3]float64{s.pxx / x.variance, s.pxy / x.variance, s.pxd / x.variance}
			s = s.update(z, k.r)
		}
		m.steps = append(m.steps, x)
	}
	var a adjoint
	for i := len(m.steps) - 1; i >= 0; i-- {
		a.measure(&m.steps[i])
		a.move(&m.steps[i].motion)
	}
	return a.apply(knots[0].s)
}

// adjoint is what the future says of a state: by how much to correct it, in
// units of one over its covariance, and how sure that is.
type adjoint struct {
	l [3]float64
	m [3][3]float64
}

// measure goes back over a measurement.
func (a *adjoint) measure(s *step) {
	if s.variance == 0 {
		return
	}
	var g [3]float64
	all, sure := 0.0, 0.0
	for i := range 3 {
		for j := range 3 {
			g[i] += a.m[i][j] * s.k[j]
		}
		all += s.k[i] * a.l[i]
		sure += s.k[i] * g[i]
	}
	a.l[0] -= all + s.e/s.variance
	for i := range 3 {
		a.m[0][i] -= g[i]
		a.m[i][0] -= g[i]
	}
	a.m[0][0] += sure + 1/s.variance
}

// move goes back in time.
func (a *adjoint) move(c *motion) {
	a.l[2] = c.dx*a.l[0] + c.dy*a.l[1] + c.keep*a.l[2]
	a.l[1] += c.dt * a.l[0]
	for i := range 3 {
		r := &a.m[i]
		r[2] = c.dx*r[0] + c.dy*r[1] + c.keep*r[2]
		r[1] += c.dt * r[0]
	}
	for j := range 3 {
		a.m[2][j] = c.dx*a.m[0][j] + c.dy*a.m[1][j] + c.keep*a.m[2][j]
		a.m[1][j] += c.dt * a.m[0][j]
	}
}

// apply corrects a state.
func (a *adjoint) apply(s state) state {
	p := [3][3]float64{{s.pxx, s.pxy, s.pxd}, {s.pxy, s.pyy, s.pyd}, {s.pxd, s.pyd, s.pdd}}
	var by [3]float64
	var pm, less [3][3]float64
	for i := range 3 {
		for j := range 3 {
			by[i] += p[i][j] * a.l[j]
			for k := range 3 {
				pm[i][j] += p[i][k] * a.m[k][j]
			}
		}
	}
	for i := range 3 {
		for j := range 3 {
			for k := range 3 {
				less[i][j] += pm[i][k] * p[k][j]
			}
		}
	}
	out := s
	out.x, out.y, out.d = s.x-by[0], s.y-by[1], s.d-by[2]
	out.pxx, out.pxy, out.pxd = s.pxx-less[0][0], s.pxy-less[0][1], s.pxd-less[0][2]
	out.pyy, out.pyd, out.pdd = s.pyy-less[1][1], s.pyd-less[1][2], s.pdd-less[2][2]
	// Rounding can take a variance below nothing where almost nothing is left.
	if !(out.pxx > 0) || !(out.pyy > 0) || out.pdd < 0 {
		out.pxx, out.pxy, out.pxd, out.pyy, out.pyd, out.pdd = s.pxx, s.pxy, s.pxd, s.pyy, s.pyd, s.pdd
	}
	return out
}
