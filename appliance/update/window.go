package update

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
)

// Window is when in a day a station may restart by itself to try a release, by
// the clock on the wall. The zero Window, and any that begins when it ends, is the
// whole day.
type Window struct {
	From, To time.Duration // since midnight, whole minutes below a day; To before From: it ends the day after
}

// Any says whether the window is the whole day.
func (w Window) Any() bool { return w.From == w.To }

func (w Window) sound() bool {
	in := func(d time.Duration) bool { return d >= 0 && d < 24*time.Hour && d%time.Minute == 0 }
	return in(w.From) && in(w.To)
}

// String is as in "02:00 and 05:00".
func (w Window) String() string {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour%24, d/time.Minute%60) }
	return clock(w.From) + " and " + clock(w.To)
}

// length is how long the window is on a day of 24 hours.
func (w Window) length() time.Duration { return (w.To - w.From + 24*time.Hour) % (24 * time.Hour) }

// of is a station's own part of the window. It begins at a minute that follows
// from the station's id, so that a fleet does not restart at once, and ends with
// the window, but for short windows at least room later.
func (w Window) of(station string, room time.Duration) Window {
	free := w.length() - min(room, w.length()/2)
	if w.Any() || free < time.Minute {
		return w
	}
	sum := sha256.Sum256([]byte("window\n" + station))
	minute := time.Duration(binary.BigEndian.Uint64(sum[:])%uint64(free/time.Minute)) * time.Minute
	w.From = (w.From + minute) % (24 * time.Hour)
	return w
}

// opens is when the window is open next, which is now if it is. It looks at what
// the clock shows at each coming minute: on days on which that jumps, a window may
// be shorter, longer, twice or not at all.
func (w Window) opens(now time.Time, zone *time.Location) time.Time {
	at := now
	for range 3 * 24 * 60 { // a zone may skip a day
		if w.holds(at.In(zone)) {
			return at
		}
		at = at.Truncate(time.Minute).Add(time.Minute)
	}
	return at
}

// holds says whether what the clock shows lies in the window.
func (w Window) holds(wall time.Time) bool {
	of := time.Duration(wall.Hour())*time.Hour + time.Duration(wall.Minute())*time.Minute
	return w.Any() || (of-w.From+24*time.Hour)%(24*time.Hour) < w.length()
}
