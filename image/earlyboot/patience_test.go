package main

import (
	"errors"
	"testing"
	"time"
)

// life runs a watch second by second from `from` on, until the end of each
// stretch; record is what its boot record holds.
type life struct {
	t      *testing.T
	w      *watch
	now    time.Duration
	record int
	broken bool // the record cannot be written
	stores int
	fed    bool // in the last second
	hungry int  // seconds not fed
}

func newLife(t *testing.T, record int) *life {
	const boot = 20 * time.Second // init's start, since the kernel's
	return &life{t: t, w: newWatch(boot, record), now: boot, record: record}
}

// run lets d pass, with a sign of life every 5 s or with none.
func (l *life) run(d time.Duration, alive bool) {
	for end := l.now + d; l.now < end; {
		l.now += time.Second
		if alive && l.now/time.Second%5 == 0 {
			l.w.sign(l.now)
		}
		feed, n, ok := l.w.next(l.now)
		if !feed && l.record <= l.w.hung {
			l.t.Fatalf("at %v: left to the watchdog with %d in the record", l.now, l.record)
		}
		if l.fed = feed; !feed {
			l.hungry++
		}
		if ok {
			l.stores++
			if l.broken {
				l.w.wasKept(n, errors.New("read-only"))
				continue
			}
			l.record = n
			l.w.wasKept(n, nil)
		}
	}
}

func (l *life) expect(fed bool, record, stores int) {
	l.t.Helper()
	if l.fed != fed || l.record != record || l.stores != stores {
		l.t.Errorf("at %v: fed %v, %d in the record, written %d times; want %v, %d, %d",
			l.now, l.fed, l.record, l.stores, fed, record, stores)
	}
}

func TestPatience(t *testing.T) {
	l := newLife(t, 0)
	l.run(patience, false)
	l.expect(true, 0, 0)
	l.run(time.Second, false) // the record is written first
	l.expect(true, 1, 1)
	l.run(time.Second, false)
	l.expect(false, 1, 1)
	l.run(time.Hour, false)
	l.expect(false, 1, 1)
	if l.hungry != 3601 {
		t.Errorf("not fed in %d seconds", l.hungry)
	}
}

func TestALivingApplianceIsFed(t *testing.T) {
	l := newLife(t, 0)
	l.run(30*24*time.Hour, true)
	l.expect(true, 0, 0)
	if l.hungry != 0 {
		t.Errorf("not fed in %d seconds", l.hungry)
	}
}

// It came back before the watchdog bit: the reset that did not come is not counted.
func TestComingBack(t *testing.T) {
	l := newLife(t, 1)
	l.run(patience+5*time.Second, false)
	l.expect(false, 2, 1)
	l.run(10*time.Second, true)
	l.expect(true, 1, 2)
	l.run(patience+10*time.Second, false)
	l.expect(false, 2, 3)
}

// Four resets in a row for a station that never lives, then it stays up.
func TestResetsAreBounded(t *testing.T) {
	record := 0
	for boot := 1; boot <= 6; boot++ {
		l := newLife(t, record)
		l.run(24*time.Hour, false)
		if safe := boot > safeAfter; l.fed != safe || l.w.safe != safe {
			t.Errorf("boot %d: fed %v, safe %v", boot, l.fed, l.w.safe)
		}
		record = l.record
	}
	if record != safeAfter {
		t.Errorf("%d resets counted", record)
	}
	// More than it may ever be, from another release.
	l := newLife(t, 1_000_000)
	l.run(time.Hour, false)
	l.expect(true, 1_000_000, 0)
}

// A station that lives for less than an hour each time is no better.
func TestResetsOfAShortLivedStationAreBounded(t *testing.T) {
	record := 0
	for boot := 1; boot <= safeAfter; boot++ {
		l := newLife(t, record)
		l.run(50*time.Minute, true)
		l.run(time.Hour, false)
		l.expect(false, boot, 1)
		record = l.record
	}
	// The safe start is told apart from the next one by its page alone, which
	// stays up whatever becomes of it.
	l := newLife(t, record)
	if !l.w.safe {
		t.Error("not safe")
	}
	l.run(50*time.Minute, true)
	l.run(24*time.Hour, false)
	l.expect(true, 0, 1)
}

// A safe start ends with the power once its page has answered, and not before.
func TestSafeStartEndsWithThePower(t *testing.T) {
	l := newLife(t, safeAfter)
	l.w.begin(l.now) // init listens for signs
	l.run(time.Hour, false)
	l.expect(true, safeAfter, 0)
	l.run(10*time.Second, true)
	l.expect(true, 0, 1)
	l.run(24*time.Hour, false)
	l.expect(true, 0, 1)
	if l.hungry != 0 {
		t.Errorf("not fed in %d seconds", l.hungry)
	}
	if l = newLife(t, l.record); l.w.safe {
		t.Error("the next start is a safe one too")
	}
}

func TestAHealthyHourForgets(t *testing.T) {
	l := newLife(t, safeAfter-1)
	l.run(healthyAfter, true)
	l.expect(true, safeAfter-1, 0)
	l.run(5*time.Second, true)
	l.expect(true, 0, 1)
	l.run(24*time.Hour, true)
	l.expect(true, 0, 1)
	l.run(time.Hour, false)
	l.expect(false, 1, 2)
}

// The hour has to be one without a pause: what lives for a moment is not healthy.
func TestOnlyAnUnbrokenHourForgets(t *testing.T) {
	l := newLife(t, safeAfter-1)
	for n := range 5 { // the watchdog does not bite, for once
		l.run(50*time.Minute, true)
		l.expect(true, safeAfter-1, 2*n)
		l.run(2*patience, false)
		l.expect(false, safeAfter, 2*n+1)
		l.run(10*time.Second, true)
	}
	l.expect(true, safeAfter-1, 10)
	l.run(healthyAfter+10*time.Second, true)
	l.expect(true, 0, 11)
}

// What cannot be counted is never left to the watchdog.
func TestResetsThatCannotBeCounted(t *testing.T) {
	l := newLife(t, 0)
	l.broken = true
	l.run(24*time.Hour, false)
	l.expect(true, 0, 1)
	l.run(2*time.Hour, true)
	l.run(24*time.Hour, false)
	l.expect(true, 0, 1)
	if l.hungry != 0 {
		t.Errorf("not fed in %d seconds", l.hungry)
	}

	// Nor while a slow card has not answered, however long it takes.
	w := newWatch(0, 1)
	asked := 0
	for now := time.Duration(0); now < 24*time.Hour; now += time.Second {
		feed, n, ok := w.next(now)
		if !feed {
			t.Fatalf("at %v: not fed before the record was written", now)
		}
		if ok {
			asked++
			if n != 2 {
				t.Errorf("to keep: %d", n)
			}
		}
	}
	if asked != 1 {
		t.Errorf("the card was asked %d times", asked)
	}
	// It lived again when the card answered at last: the record is put right.
	w.sign(24 * time.Hour)
	w.wasKept(2, nil)
	if feed, n, ok := w.next(24*time.Hour + 1); !feed || n != 1 || !ok {
		t.Errorf("fed %v, keep %d, %v", feed, n, ok)
	}
	// Silent again before that is done: fed until the record counts it anew.
	late := 25 * time.Hour
	if feed, _, ok := w.next(late); !feed || ok {
		t.Errorf("fed %v, asked %v, while the record is being written", feed, ok)
	}
	w.wasKept(1, nil)
	if feed, n, ok := w.next(late + 1); !feed || n != 2 || !ok {
		t.Errorf("fed %v, keep %d, %v", feed, n, ok)
	}
}

func TestRegardless(t *testing.T) {
	l := newLife(t, 2)
	l.w.regardless = true
	l.run(24*time.Hour, false)
	l.run(2*time.Hour, true)
	l.expect(true, 2, 0)
	if l.hungry != 0 {
		t.Errorf("not fed in %d seconds", l.hungry)
	}
}
