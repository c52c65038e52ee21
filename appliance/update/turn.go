package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

// turn is when this station takes a release: not before its bucket of the
// manifest's rollout is due, and to restart only in the window.
//
// Both go by a date, and dates can be false, or not be there at all. The date is
// the later of two. One is the reference, as for expiry: a clock that was set
// counts, but none before the image was built or the newest targets were signed.
// The other one needs no clock: what was the date, but for the clock's, when the
// station saw the release first, which is surely past, and how long the station
// has run since. So it never is ahead of a true clock, and it gets there even if
// there is no clock, or somebody holds the clock back. Where the clock is set to
// the future the station takes a release sooner than its turn: one that is signed,
// newer and on offer, nothing else. That is all that a false date gains.
//
// A window cannot be told without a date, nor when a false one says each time that
// it is closed. It is waited for as long as Policy.WindowWait while the station
// runs, and then goes without: a release may mend a hole.
type turn struct {
	wait waited
	// counted is until when wait is complete.
	counted time.Time
	// staged is the manifest whose release has been written whole since the start.
	staged artifact.Sum
	// next is when to look again; zero: with the next check.
	next time.Time
}

// waited is what a station remembers of a release that it does not take yet, on
// /perm. If that is lost the waiting begins again.
type waited struct {
	Version string        `json:"version"`
	From    time.Time     `json:"from"`  // some time before the station saw it first
	Turn    time.Duration `json:"turn"`  // how long the station has run since, while it was not its turn
	Ready   time.Duration `json:"ready"` // and how long while it was, and the window was waited for, since the last try
	Due     bool          `json:"due"`   // it is its turn
}

// waitedName is the file on /perm.
const waitedName = "waited.json"

// maxWaited is longer than any rollout, and far from what overflows.
const maxWaited = 10 * 366 * 24 * time.Hour

// loadWaited is what is remembered; the zero waited where that is nothing sound.
func (e *Engine) loadWaited() waited {
	b, err := e.o.Store.Load(waitedName)
	var w waited
	if err == nil && (len(b) > maxWaitedFile || json.Unmarshal(b, &w) != nil || !w.sound()) {
		err = errors.New("it is damaged")
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			e.o.Log.Warn("how long a release was waited for is not known", "error", err)
		}
		return waited{}
	}
	return w
}

const maxWaitedFile = 1 << 10 // bytes

func (w waited) sound() bool {
	in := func(d time.Duration) bool { return d >= 0 && d <= maxWaited }
	return isVersion(w.Version) && in(w.Turn) && in(w.Ready) && w.From.Year() >= 1 && w.From.Year() <= 9999
}

// note counts the time that has passed while a release is waited for.
func (e *Engine) note(m *artifact.Manifest) {
	t := &e.turn
	if t.wait.Version == "" {
		t.wait = e.loadWaited()
	}
	if t.wait.Version != m.Version {
		t.wait, t.counted = waited{Version: m.Version, From: e.proven()}, time.Now()
	}
	part := &t.wait.Turn
	if t.wait.Due {
		part = &t.wait.Ready
	}
	*part = min(*part+time.Since(t.counted), maxWaited)
	t.counted = time.Now()
}

// remember keeps what note counts.
func (e *Engine) remember() {
	b, err := json.Marshal(e.turn.wait)
	if err == nil {
		err = e.o.Store.Save(waitedName, b)
	}
	if err != nil {
		e.o.Log.Warn("remembering how long a release is waited for", "error", err)
	}
}

// date is what the turn goes by, see turn.
func (e *Engine) date() time.Time {
	now, _ := e.reference()
	if known := e.turn.wait.From.Add(e.turn.wait.Turn + e.turn.wait.Ready); known.After(now) {
		now = known
	}
	return now
}

// proven is a date that is past, whatever a clock says: the image was built, and
// what the publisher's offline keys signed last was made.
func (e *Engine) proven() time.Time {
	at := e.o.System.Build
	if f := e.floor(); f.Issued.After(at) {
		at = f.Issued
	}
	return at
}

// isDue says whether it is this station's turn to take a release, and keeps in
// words when it will be.
func (e *Engine) isDue(m *artifact.Manifest) bool {
	e.note(m)
	at, ok := m.Rollout.Due(m.Bucket(e.o.System.ID))
	e.turn.wait.Due = ok && (e.hurry.Load() || !e.date().Before(at))
	if e.turn.wait.Due {
		return true
	}
	if ok {
		e.later(m, fmt.Sprintf("reaches some stations after others: this one takes it from %s on%s.", at.In(e.zone()).Format("2006-01-02 15:04 MST"), e.within(at)))
	} else {
		e.later(m, "is held back by its publisher for now.")
	}
	e.remember()
	return false
}

// mayRestart says whether the station may restart now to try a release, and keeps
// in words when it may.
func (e *Engine) mayRestart(m *artifact.Manifest) bool {
	w := e.window()
	if r := e.mem.now.Release; w.Any() || e.hurry.Load() || r != nil && r.Version == m.Version && r.Tries == 1 {
		return true // the first retry is to tell soon whether the release or the power was to blame
	}
	now, synced := e.o.Clock.Now()
	at := w.of(e.o.System.ID, e.o.Policy.WindowRoom).opens(now, e.zone())
	if synced && !at.After(now) {
		return true
	}
	e.note(m)
	left := e.o.Policy.WindowWait - e.turn.wait.Ready
	if left <= 0 {
		e.o.Log.Warn("the window for restarts has been waited for in vain", "version", m.Version)
		return true
	}
	e.turn.next = time.Now().Add(left)
	if synced {
		e.turn.next = time.Now().Add(min(left, at.Sub(now)))
		e.later(m, fmt.Sprintf("is taken%s.", e.within(at)))
	} else {
		e.later(m, fmt.Sprintf("is taken%s, once this station knows the date, or in %d hours.", e.within(now), (left+time.Hour-1)/time.Hour))
	}
	e.remember()
	return false
}

// turnUsed is called when a try begins: the next one, should there be one, waits
// for the window anew.
func (e *Engine) turnUsed() {
	if w := &e.turn.wait; w.Ready > 0 {
		w.Turn, w.Ready = min(w.Turn+w.Ready, maxWaited), 0
		e.remember()
	}
}

// within names the window, as it is at a time.
func (e *Engine) within(at time.Time) string {
	w := e.window()
	if w.Any() {
		return ""
	}
	return fmt.Sprintf(" between %s %s", w, at.In(e.zone()).Format("MST"))
}

// later keeps in words when a release is taken.
func (e *Engine) later(m *artifact.Manifest, words string) {
	e.s.set(func(s *Status) { s.Later = fmt.Sprintf("Version %s %s", m.Version, words) })
}

func (e *Engine) window() Window {
	if e.o.Window != nil {
		return *e.o.Window
	}
	return e.o.Policy.Window
}

func (e *Engine) zone() *time.Location {
	if e.o.Zone == nil {
		return time.UTC
	}
	return e.o.Zone
}
