package gpspps

// smoother is room for one pass over the knots of FinalAfter: it is used every
// second.
type smoother struct {
	filtered, predicted []state
	dts                 []float64
}

// smooth is the estimate at knots[0] with everything up to the last knot taken
// in: one pass of the same filter forward and one of Rauch, Tung and Striebel
// back. All knots belong to one run. p gives paper time between instants.
func (m *smoother) smooth(knots []knot, p *paper) state {
	walk := knots[len(knots)-1].walk
	m.filtered = append(m.filtered[:0], knots[0].s)
	m.predicted = append(m.predicted[:0], state{})
	m.dts = append(m.dts[:0], 0)
	for i := 1; i < len(knots); i++ {
		dt := p.between(knots[i-1].at, knots[i].at)
		s := m.filtered[i-1].predict(dt, walk)
		m.dts, m.predicted = append(m.dts, dt), append(m.predicted, s)
		if k := knots[i]; k.r > 0 {
			s = s.update(k.z+float64(k.base-knots[0].base)*1e-9, k.r)
		}
		m.filtered = append(m.filtered, s)
	}
	s := m.filtered[len(knots)-1]
	for i := len(knots) - 2; i >= 0; i-- {
		s = back(m.filtered[i], m.predicted[i+1], s, m.dts[i+1])
	}
	return s
}

// back is one step of the smoother: f filtered here, p predicted from it for
// the next knot dt later, n smoothed there.
func back(f, p, n state, dt float64) state {
	det := p.pxx*p.pyy - p.pxy*p.pxy
	if !(det > 0) {
		return f
	}
	// Gain C = F_P * Phi' * P^-1, Phi = [1 dt; 0 1].
	a11, a12 := f.pxx+dt*f.pxy, f.pxy
	a21, a22 := f.pxy+dt*f.pyy, f.pyy
	c11 := (a11*p.pyy - a12*p.pxy) / det
	c12 := (a12*p.pxx - a11*p.pxy) / det
	c21 := (a21*p.pyy - a22*p.pxy) / det
	c22 := (a22*p.pxx - a21*p.pxy) / det
	dx, dy := n.x-p.x, n.y-p.y
	d11, d12, d22 := n.pxx-p.pxx, n.pxy-p.pxy, n.pyy-p.pyy
	s := state{
		x:   f.x + c11*dx + c12*dy,
		y:   f.y + c21*dx + c22*dy,
		pxx: f.pxx + c11*(c11*d11+c12*d12) + c12*(c11*d12+c12*d22),
		pxy: f.pxy + c11*(c21*d11+c22*d12) + c12*(c21*d12+c22*d22),
		pyy: f.pyy + c21*(c21*d11+c22*d12) + c22*(c21*d12+c22*d22),
	}
	// Rounding can take a variance below nothing where almost nothing is left.
	if !(s.pxx > 0) || !(s.pyy > 0) {
		s.pxx, s.pxy, s.pyy = f.pxx, f.pxy, f.pyy
	}
	return s
}
