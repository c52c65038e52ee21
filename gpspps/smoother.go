package gpspps

// smooth is the estimate at knots[0] with everything up to the last knot taken
// in: one pass of the same filter forward and one of Rauch, Tung and Striebel
// back. All knots belong to one run. between gives paper time between instants.
func smooth(knots []knot, between func(from, to int64) float64) state {
	walk := knots[len(knots)-1].walk
	filtered := make([]state, len(knots))
	predicted := make([]state, len(knots))
	dts := make([]float64, len(knots))
	filtered[0] = knots[0].s
	for i := 1; i < len(knots); i++ {
		dts[i] = between(knots[i-1].at, knots[i].at)
		predicted[i] = filtered[i-1].predict(dts[i], walk)
		filtered[i] = predicted[i]
		if k := knots[i]; k.r > 0 {
			filtered[i] = predicted[i].update(k.z+float64(k.base-knots[0].base)*1e-9, k.r)
		}
	}
	s := filtered[len(knots)-1]
	for i := len(knots) - 2; i >= 0; i-- {
		s = back(filtered[i], predicted[i+1], s, dts[i+1])
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
