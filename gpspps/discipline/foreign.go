package discipline

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	// foreignStep is a change of CLOCK_REALTIME against CLOCK_MONOTONIC that no
	// reading of the two is wrong by, seconds. The kernel tells of smaller ones.
	foreignStep = 1e-3
	leastStep   = 1e-5 // seconds; one that nobody does on purpose, and none by the readings of a quiet machine

	// Two that set one clock make it useless to both. Whoever sets it so many
	// times in so long means it, and may have it until he leaves it alone.
	foreignMost = 10
	foreignSpan = time.Hour
)

// foreign is what something else did to the clock.
type foreign struct {
	stepped  int
	adjusted int
	recent   []int64 // when it last did, oldest first
	yielded  bool    // the clock is left to it
	last     string
	lastAt   int64 // CLOCK_MONOTONIC, ns
}

// set says whether the kernel noticed that the clock was set.
func (o *Owner) set() bool {
	k, ok := o.kernel.(Watched)
	return ok && k.WasSet()
}

func (o *Owner) read() (s Settings, ok bool) {
	k, ok := o.kernel.(Settable)
	if !ok {
		return s, false
	}
	s, err := k.Read()
	return s, !o.failed("reading what the clock is set to", err)
}

// watch looks for steps of the clock, moved ns in all, that are not the owner's.
func (o *Owner) watch(mono, moved int64, set bool) {
	by := float64(moved) * 1e-9
	if math.Abs(by) <= leastStep || !set && math.Abs(by) <= foreignStep || o.made(mono, by) {
		return
	}
	o.foreign.stepped++
	o.noted(mono, "something else has stepped the clock", "seconds", by)
	o.stepped(mono)
}

// compare looks whether the clock is still set as the owner set it, and sets it
// so again.
func (o *Owner) compare(mono int64, s Settings) {
	moved := math.Abs(s.PPM-o.ppm) > 2*stepPPM // a kernel may round
	if o.watching() {
		if moved {
			o.ppm, o.level = s.PPM, s.PPM
			o.ref.Steered(mono, s.PPM) // it is the truth all the same
			o.foreign.lastAt = mono
		}
		o.resume(mono, s)
		return
	}
	lies := s.Leap != o.told.Leap || s.Synced && !o.told.Synced
	if o.leaping(mono) || !moved && !lies && !s.Other {
		return
	}
	o.foreign.adjusted++
	if moved || s.Other {
		o.noted(mono, "something else has changed the clock's rate", "ppm", s.PPM-o.ppm)
	} else {
		o.noted(mono, "something else has changed what the clock says of itself", "leap", float64(s.Leap))
	}
	if o.foreign.yielded {
		o.compare(mono, s)
		return
	}
	if moved || s.Other {
		o.ref.Steered(mono, s.PPM)
		o.setRate(mono, o.ppm, o.level)
	}
	o.tell(o.told)
}

// noted counts what something else did, and leaves the clock to it if that goes
// on and on.
func (o *Owner) noted(mono int64, what, unit string, amount float64) {
	f := &o.foreign
	if !f.yielded {
		o.log.Warn(what, unit, amount)
	}
	f.last, f.lastAt = fmt.Sprintf("%s (%.3g %s)", what, amount, unit), mono
	if o.watching() {
		return
	}
	f.recent = slices.DeleteFunc(f.recent, func(at int64) bool { return mono-at > int64(foreignSpan) })
	f.recent = append(f.recent, mono)
	if len(f.recent) >= foreignMost {
		f.yielded, f.recent = true, nil
		o.leap, o.told = planned{}, Condition{}
		o.log.Error("something else keeps setting the clock: it is watched, not steered, until it has been left alone for a while", "for", foreignSpan)
	}
}

// resume takes the clock back once nobody else has set it for long enough.
func (o *Owner) resume(mono int64, s Settings) {
	if f := &o.foreign; f.yielded && mono-f.lastAt >= int64(foreignSpan) {
		f.yielded = false
		o.log.Info("nothing else sets the clock any more: it is steered again")
		o.begin(mono, s)
	}
}
