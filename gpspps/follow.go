package gpspps

import (
	"math"
	"slices"
)

const (
	edgesLeast = 6    // pulses to begin with
	diffuse    = 1e-2 // s^2; phase variance of one who knows nothing
	mostJitter = 2e-2 // seconds; no lock on worse pulses
	// A frequency so many times OscillatorPPM is a step of the pulses' between
	// two edges, not the oscillator's; no clock is steered by so much either.
	mostPPM    = 6
	heldWander = 1e-6 // s/s; by how much the frequency may have moved in holdover
)

// engage begins to follow the numbered train. It says why if it does not.
func (r *Reference) engage() (why string) {
	edges := r.train.from(r.evidence())
	if len(edges) < edgesLeast {
		return reasonUnnumbered
	}
	e := estimator{run: r.est.run + 1, zs: newWindow()}
	first := edges[0]
	e.base = (r.fixes.offset+first.count)*1e9 - first.mono
	measure := func(x edge) float64 { return r.phaseOf(x, e.base) }
	for _, x := range r.train.edges {
		e.zs.add(phase{second: r.fixes.offset + x.count, z: measure(x)})
	}
	e.jitter = e.zs.jitter(false)

	t, z := make([]float64, len(edges)), make([]float64, len(edges))
	for i, x := range edges {
		t[i] = r.paper.between(first.mono, x.mono)
		z[i] = measure(x)
	}
	in := inliers(t, z, e.jitter)
	used := 0
	for _, ok := range in {
		if ok {
			used++
		}
	}
	// What was proven is what the newest edges say.
	current := !slices.Contains(in[len(in)-edgesLeast/2:], false)
	if used < edgesLeast*2/3 || used*2 < len(edges) || !current || e.jitter > mostJitter {
		return reasonUnsteady
	}
	y, pyy := 0.0, math.Pow(r.c.OscillatorPPM*1e-6, 2)
	if r.phase == StateHoldover {
		y, pyy = r.held.s.y, min(r.held.s.pyy+heldWander*heldWander, pyy)
	}
	e.begin(first.mono, e.base, state{x: z[0], y: y, pxx: diffuse, pyy: pyy})
	var knots []knot
	taken := 0
	for i, x := range edges {
		if !in[i] {
			continue
		}
		e.advance(x.mono, r.paper.between(e.at, x.mono))
		v := e.take(z[i], false)
		e.second, e.used = r.fixes.offset+x.count, x.mono
		knots = append(knots, e.knot(z[i], v))
		taken++
	}
	if !r.plausible(e.bank[e.best].y) {
		return reasonUnsteady
	}
	r.counters.PulsesUsed += uint64(taken)
	r.knots = append(r.knots, knots...)
	r.est = e
	last := edges[len(edges)-1]
	r.due = r.fixes.offset + last.count
	if !r.c.PulseAlone {
		r.delay, _ = r.fixes.delay()
	}
	r.phase, r.reason, r.after, r.ever = StateLocked, "", "", true
	r.lockedAt, r.goodFix = r.now, r.now
	if r.moved != 0 {
		r.tests.interrupt()
	}
	r.jump, r.odd, r.oddCount, r.moved = 0, 0, 0, 0
	r.against, r.with, r.round = 0, 0, r.now
	return ""
}

// plausible says whether an oscillator may be off by the frequency y.
func (r *Reference) plausible(y float64) bool {
	return math.Abs(y) <= mostPPM*r.c.OscillatorPPM*1e-6
}

// evidence is the instant from which on the train's edges count for a lock.
func (r *Reference) evidence() int64 {
	from := max(r.train.since, r.fixes.began-1e9)
	if r.phase == StateHoldover {
		from = max(from, r.heldAt, r.movedAt)
	}
	return from
}

// phaseOf is where the edge puts true time on the paper timescale: true time
// less paper time less base, seconds.
func (r *Reference) phaseOf(x edge, base int64) float64 {
	return float64((r.fixes.offset+x.count)*1e9-x.mono-base)*1e-9 + r.paper.added(x.mono)
}

// follow takes a pulse while locked.
func (r *Reference) follow(mono int64) {
	own := r.own(mono)
	n, rest := whole(own.True)
	if math.Abs(rest) > edgeGate || n <= r.est.second || mono <= r.est.at {
		r.counters.PulsesDoubled++
		return
	}
	e := &r.est
	added := r.paper.added(mono)
	z := float64(n*1e9-mono-e.base)*1e-9 + added
	e.advance(mono, r.paper.between(e.at, mono))
	late, said := r.saw.of(n)
	e.zs.add(phase{n, z, late, said})
	r.saw.judge(&e.zs, e.jitter)
	e.jitter = e.zs.jitter(r.saw.helps)
	if r.saw.helps {
		z += late
	}
	s := Sample{Mono: mono, Offset: math.NaN(), Residual: e.bank[e.best].x - z, Uncertainty: own.Uncertainty, State: r.shown()}
	if r.diffSet {
		s.Offset = float64(mono+r.diff-(n-r.leaps.by(mono))*1e9) * 1e-9
	}
	r.sample(s)
	if n > r.due+1 {
		r.counters.PulsesMissing += uint64(n - r.due - 1)
	}
	r.due = max(r.due, n)
	if v := e.take(z, true); v > 0 {
		e.second, e.used = n, mono
		r.counters.PulsesUsed++
		r.knots = append(r.knots, e.knot(z, v))
		if seconds(r.lockedAt, mono) >= testAge {
			r.tests.take(start{n, mono, added, e.base, e.bank[e.best]})
		}
	}
}

// account counts the pulses that should have come by now.
func (r *Reference) account() {
	if r.phase != StateLocked && r.phase != StateHoldover {
		return
	}
	own := r.own(r.now)
	if !own.Known || own.Bound > secondsAgree {
		return
	}
	const late = 3e8 // ns a pulse may take from its source to here
	n := (own.True - late) / 1e9
	if n > r.due {
		r.counters.PulsesMissing += uint64(n - r.due)
		r.due = n
	}
}
