package gpspps

import (
	"fmt"
	"time"
)

const (
	// What fails has often been going wrong for a while before it is noticed.
	backDate = 8 * time.Second
	// Nothing that has been given as final may change.
	backMost = FinalAfter - 2*time.Second

	holdMost  = 24 * time.Hour
	holdBound = 1.0 // seconds
)

// hold leaves the pulses and goes on with the oscillator, from a state before
// the instant of the last good input.
func (r *Reference) hold(cause int64, reason string) {
	var k knot
	found := false
	keep := len(r.knots)
	for i := len(r.knots) - 1; i >= 0 && r.knots[i].run == r.est.run; i-- {
		// A smoothed knot knows of what came after it.
		if found && r.knots[i].smoothed {
			break
		}
		k, keep, found = r.knots[i], i+1, true
		if k.at <= cause-int64(backDate) {
			break
		}
	}
	r.knots = r.knots[:keep]
	k.past = r.tests.experience()
	r.held, r.heldAt, r.moved, r.movedAt = k, cause, 0, cause
	r.phase, r.reason = StateHoldover, reason
	r.mark(max(k.at, r.lockedAt, r.now-int64(backMost)))
}

// watch looks after a lock.
func (r *Reference) watch() {
	switch {
	case !r.c.PulseAlone && seconds(r.goodFix, r.now) > silence:
		reason := reasonNoFix
		if seconds(r.fixes.last.Mono, r.now) <= silence {
			reason = "the receiver says nothing that makes sense"
		}
		r.hold(min(r.goodFix, r.est.used), reason)
	case seconds(r.est.used, r.now) > silence:
		reason := reasonNoPulse
		if seconds(r.train.last(), r.now) <= silence {
			reason = reasonMoved
		}
		r.hold(r.est.used, reason)
	case !r.plausible(r.est.bank[r.est.best].y):
		r.hold(r.est.used, reasonUnsteady)
	default:
		r.renumber()
	}
}

// carry looks after a holdover: it ends with a new lock or when it is worth
// nothing any more.
func (r *Reference) carry() {
	own := r.own(r.now)
	if own.Bound > holdBound {
		r.drop(fmt.Sprintf("holdover was given up: its bound passed %g s", holdBound))
		return
	}
	if r.now-r.heldAt > int64(holdMost) {
		r.drop(fmt.Sprintf("holdover was given up after %s", holdMost))
		return
	}
	if r.renumber() {
		return
	}
	told := r.c.PulseAlone || seconds(r.fixes.arrived, r.now) <= silence && r.fixes.last.Valid && r.fixes.began > 0
	pulses := r.train.last() > r.heldAt && seconds(r.train.last(), r.now) <= silence
	if !told || !pulses || r.jump != 0 {
		return
	}
	if ok, why := r.numbered(); !ok {
		r.reason = why
		return
	}
	if why := r.displaced(own.Bound); why != "" {
		r.reason = why
		return
	}
	if ok, why := r.proven(); !ok {
		r.reason = why
		return
	}
	moved := r.moved
	if why := r.engage(); why != "" {
		r.reason = why
		return
	}
	if moved != 0 {
		r.c.Log.Warn("the pulses are followed to where they moved", "seconds", moved)
	}
}

// drop gives up what was known and begins again.
func (r *Reference) drop(why string) {
	r.phase, r.reason, r.after = StateCold, "", why
	r.tests.interrupt()
	r.jump, r.odd, r.oddCount, r.moved = 0, 0, 0, 0
	r.disputed, r.against, r.with, r.solo = "", 0, 0, solo{}
	r.fixes.since = r.fixes.valid.Mono
	r.number()
}
