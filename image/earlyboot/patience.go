package main

import "time"

const (
	// patience is how long the appliance may be silent before the watchdog is
	// left to reset the board; long enough for a start on a slow card and for
	// gokrazy to restart a crashed process many times.
	patience = 2 * time.Minute
	// hungResetsAtMost is how many resets in a row for a silent appliance are
	// tried. After them the board stays up: a reboot loop helps nobody, and
	// what still runs may still be reached.
	hungResetsAtMost = 3
	// healthyAfter is how long the appliance must have lived for the resets
	// before to be forgotten.
	healthyAfter = time.Hour
)

// watch decides whether the hardware watchdog is fed. It has no clock and
// touches nothing: instants are times since boot that never decrease.
//
// The board is left to the watchdog only when the boot record already counts
// the reset that will follow. What cannot be counted cannot be bounded.
type watch struct {
	regardless bool // fed whatever happens: signs cannot be heard or resets not counted
	hung       int  // resets in a row for a silent appliance, before this boot
	kept       int  // what the boot record says
	keeping    bool // the record is being written

	heard time.Duration // the last sign of life
	since time.Duration // since when life has had no pause longer than patience
}

// newWatch begins to be patient now. hung is what the boot record says.
func newWatch(now time.Duration, hung int) *watch {
	return &watch{hung: hung, kept: hung, heard: now, since: now}
}

// sign says that the appliance was heard of.
func (w *watch) sign(now time.Duration) {
	if now-w.heard > patience {
		w.since = now
	}
	w.heard = now
}

// next says whether to feed the watchdog now, and, where ok, what number of
// resets the boot record is to hold. wasKept has to be told how that went
// before another number is asked for.
func (w *watch) next(now time.Duration) (feed bool, keep int, ok bool) {
	if w.regardless {
		return true, 0, false
	}
	silent := now-w.heard > patience
	if !silent && now-w.since > healthyAfter {
		w.hung = 0
	}
	keep = w.hung
	if silent && w.hung < hungResetsAtMost {
		keep++
		feed = w.kept != keep || w.keeping
	} else {
		feed = true
	}
	ok = w.kept != keep && !w.keeping
	w.keeping = w.keeping || ok
	return feed, keep, ok
}

// wasKept says whether the boot record now holds the number.
func (w *watch) wasKept(n int, err error) {
	w.keeping = false
	if err != nil {
		w.regardless = true
		return
	}
	w.kept = n
}
