package update

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // for machines that have no zones of their own

	"github.com/truechimer/truechimer/image/artifact"
)

// TestInTheWindow: a release is fetched at once and tried at night, by the clock
// of the station's zone, each station at a minute of its own.
func TestInTheWindow(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.1.0", good, 2)
	kiritimati, err := time.LoadLocation("Pacific/Kiritimati")
	if err != nil {
		t.Fatal(err)
	}
	minutes := map[int]bool{}
	for _, c := range []struct {
		w        Window
		zone     *time.Location
		from, to time.Duration // from noon, in UTC
		words    string
	}{
		{DefaultPolicy().Window, nil, 14 * time.Hour, 17 * time.Hour, "between 02:00 and 05:00 UTC"},
		{DefaultPolicy().Window, kiritimati, 0, 3 * time.Hour, ""}, // it is two in the morning there
		{Window{23 * time.Hour, time.Hour}, time.UTC, 11 * time.Hour, 13 * time.Hour, "between 23:00 and 01:00 UTC"},
		{Window{11 * time.Hour, 12 * time.Hour}, time.UTC, 23 * time.Hour, 24 * time.Hour, "between 11:00 and 12:00 UTC"},
	} {
		for id := range 5 {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.id, w.window, w.zone = fmt.Sprint(id), c.w, c.zone
				w.publish(next)
				var fetched time.Duration
				begin := time.Now()
				w.publisher.served = func() { fetched = time.Since(begin) }
				if how := w.live(30 * time.Hour); how != restarted {
					t.Fatalf("%s: %+v", how, w.engine.Status())
				}
				d := time.Since(begin)
				if d < c.from || d >= c.to || fetched == 0 || fetched > 5*time.Minute {
					t.Errorf("%v: fetched after %v, restarted after %v", c.w, fetched, d)
				}
				minutes[int(d/time.Minute)] = true
				if w.live(time.Hour); w.committed() != next || w.trials["1.1.0"] != 1 {
					t.Errorf("%+v", w.engine.Status())
				}
			})
			if c.words == "" {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.id, w.window, w.zone = fmt.Sprint(id), c.w, c.zone
				w.publish(next)
				if how := w.live(10 * time.Hour); how != outlived {
					t.Fatal(how)
				}
				if s := w.engine.Status(); s.Summary != "Version 1.1.0 is taken "+c.words+"." || s.State != StateIdle || s.Candidate != "1.1.0" {
					t.Errorf("%+v", s)
				}
				if w.record().Phase != PhaseStaging || w.record().Release.Tries != 0 {
					t.Errorf("%+v", w.record())
				}
			})
		}
	}
	if len(minutes) < 15 {
		t.Errorf("20 stations restarted in %d minutes", len(minutes))
	}
}

// TestRetriesInTheWindow: the first retry comes an hour later, whatever the hour,
// and the last one in the window again.
func TestRetriesInTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		w.window = Window{2 * time.Hour, 3 * time.Hour}
		w.publish(newRelease(t, "1.1.0", silent, 1))
		for try := 1; try <= 3; try++ {
			begin := time.Now()
			if how := w.live(60 * time.Hour); how != restarted || w.record().Release.Tries != try {
				t.Fatalf("try %d: %s: %+v", try, how, w.engine.Status())
			}
			now, _ := w.Now()
			if in := now.Hour() == 2; in != (try != 2) {
				t.Errorf("try %d at %v", try, now)
			}
			if d := time.Since(begin); try == 2 && (d < time.Hour || d > 2*time.Hour) {
				t.Errorf("the first retry after %v", d)
			}
			w.live(time.Hour)
		}
	})
}

// TestPausedBeforeTheWindow: what is on the card already is not tried once it is
// held back.
func TestPausedBeforeTheWindow(t *testing.T) {
	next := inSteps(t, "1.1.0", good, built)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		w.id, w.window = station(0, "1.1.0"), DefaultPolicy().Window
		w.publish(next)
		fetched := false
		w.publisher.served = func() { fetched = true }
		done := make(chan how)
		go func() { done <- w.live(40 * time.Hour) }()
		time.Sleep(13 * time.Hour) // it is one in the morning
		w.publisher.offer(signedAnew(t, next, func(r *artifact.Rollout) { r.Paused = 1 }))
		if how := <-done; how != outlived || !fetched {
			t.Errorf("%s, fetched: %v, %+v", how, fetched, w.engine.Status())
		}
	})
}

// TestWindowInVain: a clock that stands still, or a network that is switched off
// at night, holds a release up for three days.
func TestWindowInVain(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	for name, c := range map[string]struct {
		synced bool
		clock  time.Time
	}{"noon for ever": {true, built}, "no date": {false, time.Time{}}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], first)
			w.window, w.synced, w.clock = DefaultPolicy().Window, c.synced, c.clock
			w.publish(next)
			begin := time.Now()
			if how := w.live(100 * time.Hour); how != restarted {
				t.Fatalf("%s: %s: %+v", name, how, w.engine.Status())
			}
			if d := time.Since(begin); d < 72*time.Hour || d > 75*time.Hour {
				t.Errorf("%s: after %v", name, d)
			}
			if s := string(w.perm.m[waitedName]); !strings.Contains(s, `"ready":0`) {
				t.Errorf("%s: a retry would not wait again: %s", name, s)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], first)
		w.window = DefaultPolicy().Window
		w.publish(next)
		begin := time.Now()
		done := make(chan how)
		var took time.Duration
		go func() {
			how := w.live(120 * time.Hour)
			took = time.Since(begin)
			done <- how
		}()
		for range 5 { // from noon on
			time.Sleep(13 * time.Hour)
			w.publisher.fail(errOffline)
			time.Sleep(5 * time.Hour)
			w.publisher.fail(nil)
			time.Sleep(6 * time.Hour)
		}
		if how := <-done; how != restarted {
			t.Fatalf("%s: %+v", how, w.engine.Status())
		}
		if took < 72*time.Hour || took > 85*time.Hour {
			t.Errorf("after %v", took)
		}
	})
}

// TestWindowOptions refuses a window that is no part of a day.
func TestWindowOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		var whole Options
		w.options = func(o *Options) { whole = *o }
		w.live(time.Second)
		for _, bad := range []Window{{-time.Minute, 0}, {0, 24 * time.Hour}, {time.Second, 0}} {
			o := whole
			o.Window = &bad
			if _, err := New(o); err == nil {
				t.Errorf("%+v", bad)
			}
		}
		if p := (Policy{Window: Window{}}).atLeast(DefaultPolicy()); p.Window != DefaultPolicy().Window || p.WindowWait != DefaultPolicy().WindowWait {
			t.Errorf("%+v", p)
		}
	})
}
