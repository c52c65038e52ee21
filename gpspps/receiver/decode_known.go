package receiver

import (
	"math"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// known is what a receiver said that holds for longer than an epoch.
type known struct {
	leapCount      int // 0 not said
	leapAt         int64
	leapUTC        bool // it comes from satellites
	leapUTCAt      int64
	next           gpspps.NextLeap
	nextAt         int64
	seen           int // satellites
	seenAt         int64
	jammed         [3]bool // by MON-HW, MON-RF, SEC-SIG
	spoofed        [2]bool // by NAV-STATUS, SEC-SIG
	jamAt, spoofAt int64
	antenna        Antenna
	antennaAt      int64
	antennaStays   bool // it is told when it changes, and not again
	tp             ubx.TP
	tpSaid         bool
}

// How long, ns.
const (
	leapAge  = int64(5 * time.Minute) // a count, to be passed on, and that it is proven
	freshAge = int64(10 * time.Second)
)

// leap notes a count of leap seconds and whether it comes from satellites;
// there have been some since GPS time began.
func (k *known) leap(n int, utc bool, mono int64) {
	k.leapCount, k.leapAt = max(n, 0), mono
	k.leapUTC, k.leapUTCAt = utc && n > 0, mono
}

// count notes a count of leap seconds, if it is one, to tell the time by. It is
// no proof: cold receivers call that of their firmware valid.
func (k *known) count(n int, mono int64) {
	if n > 0 {
		k.leapUTC = k.leapUTC && k.leapCount == n
		k.leapCount, k.leapAt = n, mono
	}
}

// between is the count of leap seconds by which a time of the week and the UTC
// of it differ; 0 if they are not one time.
func between(tow ubx.TOW, utc time.Time) int {
	const week = 7 * 24 * time.Hour
	d := (tow - utc.Sub(gpsEpoch)%week + week) % week
	n := d.Round(time.Second)
	if n > time.Minute || max(d-n, n-d) > 2*time.Millisecond {
		return 0
	}
	return int(n / time.Second)
}

// gpsEpoch is when GPS time began.
var gpsEpoch = time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)

// sawtooth is what the fix about t knows of the pulse after it.
func (k *known) sawtooth(t time.Time) float64 {
	const week = 7 * 24 * time.Hour
	if !k.tpSaid || !k.tp.ErrorOK {
		return 0
	}
	next := t.Truncate(time.Second).Add(time.Second)
	if !k.tp.UTC {
		if k.leapCount == 0 {
			return 0
		}
		next = next.Add(time.Duration(k.leapCount) * time.Second)
	}
	if next.Sub(gpsEpoch)%week != k.tp.TOW.Round(time.Millisecond)%week {
		return 0
	}
	// A receiver's error is a tick of its clock at most.
	if math.Abs(k.tp.Error) > 1e-6 {
		return 0
	}
	return -k.tp.Error
}

// fill puts what holds for longer than an epoch into a fix.
func (k *known) fill(f *gpspps.Fix) {
	if k.leapCount != 0 && f.Mono-k.leapAt <= leapAge {
		f.Leap, f.LeapUTC = k.leapCount, k.leapUTC && f.Mono-k.leapUTCAt <= leapAge
	}
	if k.next.Change != 0 && f.Mono-k.nextAt <= leapAge && f.Time.Before(k.next.At) {
		f.NextLeap = k.next
	}
	if f.Mono-k.jamAt <= freshAge {
		f.Jammed = k.jammed[0] || k.jammed[1] || k.jammed[2]
	}
	if f.Mono-k.spoofAt <= freshAge {
		f.Spoofed = k.spoofed[0] || k.spoofed[1]
	}
	if !f.Time.IsZero() {
		f.Sawtooth = k.sawtooth(f.Time)
	}
}
