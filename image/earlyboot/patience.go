package main

import "time"

const (
	// patience is how long the appliance may be silent before the watchdog is
	// left to reset the board; long enough for a start on a slow card and for
	// gokrazy to restart a crashed process many times.
	patience = 2 * time.Minute
	// safeAfter is how many resets in a row for a silent appliance make the next
	// start a safe one: with the page alone. No reset follows it: a reboot loop
	// helps nobody, and what still runs may still be reached.
	safeAfter = 4
	// healthyAfter is how long the appliance must have lived for the resets
	// before to be forgotten.
	healthyAfter = time.Hour
)

// watch decides whether the hardware watchdog is fed. It has no clock and
// touches nothing: instants are times since boot that never decrease.
//
// The board is left to the watchdog only when the boot record already counts
// the reset that will follow. What cannot be counted cannot be bounded. The
// count is one of resets without a healthy hour between them, which takes no
// date: a board without a clock knows how long it is up and nothing else.
//
// A safe start ends with the power: as soon as its page has answered, which is
// when a person can read that switching it off and on tries again, the count is
// taken back. Where not even the page answers, the next start is a safe one too.
type watch struct {
	regardless bool // fed whatever happens: signs cannot be heard or resets not counted
	safe       bool // this is a safe start; fed whatever happens too
	hung       int  // resets in a row for a silent appliance, before this boot
	kept       int  // what the boot record says
	keeping    bool // the record is being written

	heard time.Duration // the last sign of life
	since time.Duration // since when life has had no pause longer than patience
}

// newWatch begins to be patient now. hung is what the boot record says.
func newWatch(now time.Duration, hung int) *watch {
	return &watch{safe: hung >= safeAfter, hung: hung, kept: hung, heard: now, since: now}
}

// begin has the patience begin anew.
func (w *watch) begin(now time.Duration) {
	if now-w.heard > patience {
		w.since = now
	}
	w.heard = now
}

// sign says that the appliance was heard of.
func (w *watch) sign(now time.Duration) {
	w.begin(now)
	if w.safe {
		w.hung = 0
	}
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
	if silent && !w.safe {
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
