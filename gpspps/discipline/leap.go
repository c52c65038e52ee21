package discipline

import (
	"math"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

const (
	taiLessGPS = 19 // seconds, for ever (IS-GPS-200, 3.3.4: GPS time began when TAI was 19 s ahead of UTC)

	// leapNear is how far from true time a clock may be whose kernel is to make
	// a leap second, seconds: it makes it by its own time.
	leapNear = 0.25
	// leapHold is how long before and after a leap second the clock is left
	// alone: kernel and reference do not make it in the same instant.
	leapHold = 2 * time.Second
	// A kernel whose clock was set forgets when its leap second was to be, and
	// takes another order only once it has seen for a second that there is none.
	leapAgain = 3 * time.Second
)

// planned is a leap second that the kernel has been told to make.
type planned struct {
	change int
	mono   int64 // when it will be
	made   bool
}

// stepped is called after any step of the clock.
func (o *Owner) stepped(mono int64) {
	if !o.leaping(mono) {
		o.leap = planned{}
		o.rearm = mono + int64(leapAgain)
	}
}

// plan has the kernel make the leap second that receiver and servers agree on,
// on the day that it ends. What one of them takes back is taken back.
func (o *Owner) plan(mono int64, r gpspps.Reading, l gpspps.Leap, sure bool) {
	var want planned
	left := l.Next.At.Sub(time.Unix(0, r.True))
	if sure && l.Agreed() && left > 0 && left <= 24*time.Hour && math.Abs(o.offset) < leapNear && mono >= o.rearm {
		want = planned{change: l.Next.Change, mono: mono + int64(left) + int64(min(l.Next.Change, 0))*1e9}
	}
	if want.change != o.leap.change {
		o.log.Info("leap second at the end of the UTC day", "change", want.change, "instead_of", o.leap.change)
	}
	o.leap = want
}

// leapPast ends what was planned.
func (o *Owner) leapPast(mono int64) {
	if o.leap.change == 0 || mono < o.leap.mono {
		return
	}
	if !o.leap.made {
		o.log.Warn("the kernel has not made the leap second", "change", o.leap.change)
	}
	o.leap = planned{}
}

// leaping says whether a planned leap second is so near that nothing must be
// done to the clock.
func (o *Owner) leaping(mono int64) bool {
	return o.leap.change != 0 && math.Abs(float64(mono-o.leap.mono)) < float64(leapHold)
}

// made says whether a step of the clock, by seconds, was the planned leap second.
func (o *Owner) made(mono int64, by float64) bool {
	if !o.leaping(mono) || math.Abs(by+float64(o.leap.change)) > foreignStep {
		return false
	}
	o.leap.made = true
	o.log.Info("the kernel has made the leap second", "change", o.leap.change)
	return true
}

// setTAI keeps CLOCK_TAI right. The kernel itself counts the leap seconds that
// it makes.
func (o *Owner) setTAI(mono int64, is, gpsLessUTC int) {
	k, ok := o.kernel.(Settable)
	want := gpsLessUTC + taiLessGPS
	if !ok || gpsLessUTC == 0 || o.watching() {
		return
	}
	if is != want {
		if o.tai == want {
			o.foreign.adjusted++
			o.noted(mono, "something else has changed TAI less UTC", "s", float64(is-want))
			if o.foreign.yielded {
				return
			}
		}
		if o.failed("setting TAI less UTC", k.SetTAI(want)) {
			return
		}
		o.log.Info("TAI less UTC", "seconds", want, "was", is)
	}
	o.tai = want
}
