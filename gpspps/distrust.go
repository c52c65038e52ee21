package gpspps

import (
	"math"
	"time"
)

const (
	sayLeast = 3           // fixes more that say a warning than that do not, until it is believed
	calm     = time.Minute // without a warning until it is over

	reasonJammed  = "the receiver says that it is being jammed"
	reasonSpoofed = "the receiver says that its signals are not the satellites'"
)

// warning is something that a receiver says of its own signals. It flickers
// near the limits of what it can tell.
type warning struct {
	first, last int64 // instants of the first and the newest fix of this spell that said so; 0 none
	count       int
	on          bool
}

// hear takes what one fix says.
func (w *warning) hear(said bool, mono int64) {
	switch {
	case said:
		if w.count == 0 && !w.on {
			w.first = mono
		}
		w.count = min(w.count+1, sayLeast)
		w.last = mono
		w.on = w.on || w.count == sayLeast
	case w.on && mono-w.last >= int64(calm):
		*w = warning{}
	case !w.on && w.count > 0:
		w.count--
	}
}

// listen takes what a fix says beside the time.
func (r *Reference) listen(f Fix) {
	r.jammed.hear(f.Jammed, f.Mono)
	r.spoofed.hear(f.Spoofed, f.Mono)
	if f.Valid {
		r.locate(f)
	}
}

// distrust looks for what speaks against a lock, other than fixes and pulses
// that stay away.
func (r *Reference) distrust() {
	switch {
	case r.spoofed.on:
		r.forsake(r.spoofed.first, reasonSpoofed)
	case r.jammed.on:
		r.forsake(r.jammed.first, reasonJammed)
	case r.antenna.moved:
		r.forsake(r.antenna.farSince, reasonElsewhere)
	default:
		r.keepsPace()
	}
}

// barred says why no lock can be made for now, whatever fixes and pulses claim.
func (r *Reference) barred() string {
	switch {
	case r.spoofed.on:
		return reasonSpoofed
	case r.jammed.on:
		return reasonJammed
	case r.antenna.moved:
		return reasonElsewhere
	case r.antenna.farSince != 0:
		return "the antenna may be somewhere else than surveyed"
	}
	return ""
}

// untrue says why the receiver, which is heard, is not to be believed; empty:
// nothing is known against it.
func (r *Reference) untrue() string {
	if r.phase == StateCold {
		return ""
	}
	switch {
	case r.spoofed.on:
		return reasonSpoofed
	case r.antenna.moved:
		return reasonElsewhere + ": until people say that it was moved, or servers have agreed with it for six hours"
	}
	return ""
}

// forsake leaves pulses that came in place but were wrong since the instant
// from: holdover lives on what was known before it.
func (r *Reference) forsake(from int64, reason string) {
	k, _ := r.knew(from - int64(backDate))
	k.past = r.tests.experience()
	since := max(k.at, r.lockedAt, r.now-int64(backMost))
	// What was final remains what it was, and with it the knots it was read from.
	keep := len(r.knots)
	for keep > 0 && r.knots[keep-1].run == r.est.run && r.knots[keep-1].at > since {
		keep--
	}
	r.knots = r.knots[:keep]
	r.held, r.heldAt, r.moved, r.movedAt = k, from, 0, from
	r.phase, r.reason = StateHoldover, reason
	r.mark(since)
}

// knew is the newest knot of the present run that had seen nothing of what
// came after the instant before, and whether there is one; else the oldest.
func (r *Reference) knew(before int64) (k knot, ok bool) {
	for i := len(r.knots) - 1; i >= 0 && r.knots[i].run == r.est.run; i-- {
		k = r.knots[i]
		saw := k.at
		if k.smoothed {
			saw += int64(FinalAfter + 2*time.Second) // smoothing waits for a tick
		}
		if saw <= before {
			return k, true
		}
	}
	return k, false
}

// lateBy is how late an edge comes by the knot k carried on, seconds.
func (r *Reference) lateBy(k knot, mono int64) float64 {
	out := Reading{Mono: mono}
	r.fill(&out, k)
	_, late := whole(out.True)
	return late
}

// systematic is how late pulses may come every time, seconds.
func (r *Reference) systematic(k knot) float64 { return r.c.PulseError + lateTimes*k.jitter }

// doubt has the bound be wider for a while: pulses are followed that are d
// seconds from where the oscillator put them, and either may be right.
func (r *Reference) doubt(d float64, span time.Duration) {
	if d = math.Abs(d); d >= r.doubted() {
		r.unsure, r.unsureUntil = d, r.now+int64(span)
	}
}

// doubted is by how much the bound is wider, seconds.
func (r *Reference) doubted() float64 {
	if r.now >= r.unsureUntil {
		return 0
	}
	return r.unsure
}

// room is how far from where the station's own clock puts them, dt seconds on,
// edges may be that came all the while: what the bound has room for beside the
// lateness of the pulses before, and what the oscillator wanders.
func (r *Reference) room(dt float64) float64 {
	k := r.held
	return (boundTimes-1)*r.systematic(k) + boundTimes*normal95*math.Sqrt(k.s.pxx) + math.Abs(dt)*r.c.HoldoverPPM*1e-6
}
