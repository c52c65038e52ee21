package discipline_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

var midnight = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

const untilLeap = 600 // seconds of a leapLoop before midnight

// leapLoop is a loop in which June ends with a leap second that the receiver,
// if it can, and the servers announce in the seconds from <= n < to.
func leapLoop(t *testing.T, change int, announces bool, from, to int) *loop {
	sim := quiet()
	sim.Start = midnight.Add(-untilLeap * time.Second)
	l := newLoop(t, sim, 0.003)
	l.servers = 4
	utc := func(t int64) int64 { return t - leapt(t, change)*1e9 }
	l.fix = func(n int, f *gpspps.Fix) {
		label := f.Time
		f.Time = time.Unix(0, utc(label.UnixNano())).UTC()
		if change == 1 && n == untilLeap {
			f.Time = label // 23:59:60
		}
		if announces {
			f.Leap = 18 + int(leapt(label.UnixNano(), change))
			if n >= from && n < to && n < untilLeap {
				f.NextLeap = gpspps.NextLeap{Change: change, At: midnight}
			}
		}
	}
	l.vote = func(n int, v *gpspps.Vote) {
		v.Time = utc(v.Time)
		if n >= from && n < to && n < untilLeap {
			v.Leap = change
		}
	}
	return l
}

// leapt is by how much UTC has fallen behind at a time that does not know of
// the leap second, ns since the Unix epoch.
func leapt(t int64, change int) int64 {
	if t >= midnight.UnixNano()+int64(min(change, 0))*1e9 {
		return int64(change)
	}
	return 0
}

// wrong is CLOCK_REALTIME less UTC, seconds.
func (l *loop) wrong(change int) float64 {
	return l.k.offset() + float64(leapt(l.k.sim.Start.UnixNano()+int64(toDuration(l.k.time)), change))
}

func TestLeapSecond(t *testing.T) {
	const never = math.MaxInt
	for _, c := range []struct {
		name      string
		change    int
		announces bool
		to        int
		before    func(l *loop, n int)
		ordered   bool // the kernel was told to make it
		steps     int
		foreign   int
		settled   int // seconds after midnight
		tai       int
		log       string
	}{
		{name: "inserted", change: 1, announces: true, to: never, ordered: true, settled: 1, tai: 38},
		{name: "deleted", change: -1, announces: true, to: never, ordered: true, settled: 0, tai: 36},
		{name: "inserted, the receiver cannot announce it", change: 1, to: never, steps: 1, settled: 70},
		{name: "deleted, the receiver cannot announce it", change: -1, to: never, steps: 1, settled: 70},
		{name: "taken back, and yet inserted", change: 1, announces: true, to: 400, steps: 1, settled: 80, tai: 38},
		{
			name: "inserted, the clock was set before", change: 1, announces: true, to: never, ordered: true, foreign: 1, settled: 1, tai: 38,
			before: func(l *loop, n int) {
				if n == untilLeap-100 {
					l.k.shove(20e3)
				}
			},
		},
		{
			name: "inserted, the kernel forgets", change: 1, announces: true, to: never, steps: 1, settled: 10, tai: 38,
			before: func(l *loop, n int) {
				if n == untilLeap-1 {
					l.k.leap = 0
				}
			},
			ordered: true, log: "the kernel has not made the leap second",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := leapLoop(t, c.change, c.announces, 0, c.to)
			ordered, settled := false, 0
			l.each = func(n int) {
				if c.before != nil {
					c.before(l, n)
				}
				l.k.time = float64(n) + 0.9
				l.k.Now() // whatever it makes of midnight
				ordered = ordered || n == untilLeap-3 && l.k.order == c.change
				off := math.Abs(l.wrong(c.change))
				if n > untilLeap-1 && off > 0.5 {
					settled = n + 1 - untilLeap
				}
				if n > 60 && l.k.synced && off > l.k.most+0.2*500e-6 && (n < untilLeap-2 || n > untilLeap+2) {
					t.Errorf("second %d: %g s off, at the most %g s are reported", n-untilLeap, off, l.k.most)
				}
			}
			l.run(untilLeap + 300)
			s := l.owner.Status()
			t.Logf("more than half a second off until %d s after midnight", settled)
			if ordered != c.ordered {
				t.Errorf("ordered %v", ordered)
			}
			if s.Steps != c.steps || s.ForeignSteps != c.foreign || s.ForeignAdjustments != 0 || settled > c.settled {
				t.Errorf("%+v; settled after %d s", s, settled)
			}
			if off := l.wrong(c.change); math.Abs(off) > 10e-6 || !l.k.synced || l.k.order != 0 {
				t.Errorf("afterwards %g s off, synchronised %v, order %d", off, l.k.synced, l.k.order)
			}
			if l.k.tai != c.tai || s.TAI != c.tai {
				t.Errorf("TAI less UTC %d, by the owner %d, want %d", l.k.tai, s.TAI, c.tai)
			}
			if !strings.Contains(l.log.String(), c.log) {
				t.Errorf("log: %s", &l.log)
			}
		})
	}
}

// TestLeapOrder: given only on the last day, taken back when one of the two
// does, or when the reference is suspect.
func TestLeapOrder(t *testing.T) {
	l := leapLoop(t, 1, true, 100, 300)
	l.run(90)
	if l.k.order != 0 {
		t.Error("ordered before it was announced")
	}
	l.run(60)
	if l.k.order != 1 || l.k.leap != midnight.UnixNano() {
		t.Errorf("order %d for %d", l.k.order, l.k.leap)
	}
	l.run(240)
	if l.k.order != 0 {
		t.Error("not taken back")
	}
	if c := strings.Count(l.log.String(), "leap second at the end of the UTC day"); c != 2 {
		t.Errorf("said %d times: %s", c, &l.log)
	}

	l = leapLoop(t, 1, true, 0, math.MaxInt)
	l.run(100)
	if l.k.order != 1 {
		t.Error("not ordered")
	}
	l.k.sim.Faults = append(l.k.sim.Faults, suspectFrom(100))
	l.run(100)
	if l.k.order != 0 || l.k.synced {
		t.Errorf("suspect: order %d, synchronised %v", l.k.order, l.k.synced)
	}

	// Two days before.
	l = leapLoop(t, 1, true, 0, math.MaxInt)
	l.k.sim.Start = midnight.Add(-48 * time.Hour)
	l.k.diff -= int64(48*time.Hour) - untilLeap*1e9
	l.run(100)
	if l.k.order != 0 {
		t.Error("ordered two days before")
	}
	if n := l.ref.Leap(); n.Next.Change != 1 || !n.Receiver {
		t.Errorf("%+v", n)
	}
}

// TestTAI: set when the count of leap seconds is proven, and kept.
func TestTAI(t *testing.T) {
	l := newLoop(t, quiet(), 0)
	l.fix = func(_ int, f *gpspps.Fix) { f.Leap = 18 }
	l.run(5)
	if l.k.tai != 0 {
		t.Error("set before it was proven")
	}
	l.run(60)
	if l.k.tai != 37 || l.owner.Status().TAI != 37 {
		t.Errorf("TAI less UTC is %d", l.k.tai)
	}
	l.k.tai = 0
	l.run(2)
	if s := l.owner.Status(); l.k.tai != 37 || s.ForeignAdjustments != 1 || !strings.Contains(s.Foreign, "TAI") {
		t.Errorf("TAI less UTC is %d; %+v", l.k.tai, s)
	}
	l = newLoop(t, quiet(), 0)
	l.run(60)
	if l.k.tai != 0 {
		t.Errorf("TAI less UTC is %d, by whom?", l.k.tai)
	}
}
