package update

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

// inSteps is a release by the default steps from a time on.
func inSteps(t *testing.T, version string, k kind, start time.Time) *release {
	t.Helper()
	return newRelease(t, version, k, 1, func(m *artifact.Manifest) {
		m.Rollout = &artifact.Rollout{Start: start.Unix(), Steps: artifact.DefaultSteps()}
	})
}

// signedAnew is the same release, with another manifest.
func signedAnew(t *testing.T, r *release, change func(*artifact.Rollout)) *release {
	t.Helper()
	m, err := artifact.Parse(r.manifest)
	if err != nil {
		t.Fatal(err)
	}
	wave := *m.Rollout
	again := *r
	again.publish(t, func(m *artifact.Manifest) {
		m.Rollout = &wave
		change(&wave)
	})
	if again.sum == r.sum {
		t.Fatal("it is the same manifest")
	}
	return &again
}

// station is the id of one that is in the step of that number for a version.
func station(step int, version string) string {
	m := artifact.Manifest{Channel: "stable", Version: version}
	wave := artifact.Rollout{Steps: artifact.DefaultSteps()}
	for i := 0; ; i++ {
		id := fmt.Sprintf("%032x", i)
		if at, _ := wave.Due(m.Bucket(id)); at.Unix() == wave.Steps[step].After {
			return id
		}
	}
}

// ago is what the world's clock showed a time after its beginning.
func ago(d time.Duration) time.Time { return built.Add(d) }

// TestRolloutSteps: a station takes a release when its step has come, and not
// before; it fetches nothing until then.
func TestRolloutSteps(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	next := inSteps(t, "1.1.0", good, ago(2*time.Hour))
	for step, due := range []time.Duration{2 * time.Hour, 26 * time.Hour, 50 * time.Hour, 98 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], first)
			w.id = station(step, "1.1.0")
			w.publish(next)
			if how := w.live(due - time.Minute); how != outlived || w.publisher.request != 0 {
				t.Fatalf("step %d: %s after %d requests: %+v", step, how, w.publisher.request, w.engine.Status())
			}
			at := ago(due).Format("2006-01-02 15:04")
			if s := w.engine.Status(); s.State != StateIdle || s.Candidate != "1.1.0" ||
				s.Summary != "Version 1.1.0 reaches some stations after others: this one takes it from "+at+" UTC on." {
				t.Errorf("step %d: %+v", step, s)
			}
			if how := w.live(8 * time.Hour); how != restarted {
				t.Fatalf("step %d: %s: %+v", step, how, w.engine.Status())
			}
			if w.live(time.Hour); w.committed() != next {
				t.Errorf("step %d: %+v", step, w.engine.Status())
			}
		})
	}
}

// TestPausedAndResumed: nobody takes what is held back; with the same version
// signed anew it goes on.
func TestPausedAndResumed(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	next := inSteps(t, "1.1.0", good, built)
	held := signedAnew(t, next, func(r *artifact.Rollout) { r.Paused = ago(time.Hour).Unix() })
	on := signedAnew(t, next, func(r *artifact.Rollout) { r.Start = ago(20 * 24 * time.Hour).Unix() })
	for _, synced := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], first)
			w.id, w.synced = station(1, "1.1.0"), synced
			w.publish(next)
			w.publisher.offer(held)
			if how := w.live(20 * 24 * time.Hour); how != outlived || w.publisher.request != 0 {
				t.Fatalf("%s: %+v", how, w.engine.Status())
			}
			if s := w.engine.Status(); s.Summary != "Version 1.1.0 is held back by its publisher for now." {
				t.Errorf("%+v", s)
			}
			w.publisher.offer(on)
			if how := w.live(23 * time.Hour); how != outlived {
				t.Fatalf("too early: %+v", w.engine.Status())
			}
			// Without a date, what ran since the last check before a restart is not counted.
			if how := w.live(24 * time.Hour); how != restarted {
				t.Fatalf("%s: %+v", how, w.engine.Status())
			}
			if w.live(time.Hour); w.committed().version != "1.1.0" {
				t.Errorf("%+v", w.engine.Status())
			}
		})
	}
}

// TestSignedAnewIsNoOtherRelease: tries count on, and what is blocked stays so.
func TestSignedAnewIsNoOtherRelease(t *testing.T) {
	first, bad := newRelease(t, "1.0.0", good, 1), inSteps(t, "1.1.0", silent, built)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], first)
		w.id = station(0, "1.1.0")
		w.publish(bad)
		for try := 1; try <= 3; try++ {
			if how := w.live(30 * time.Hour); how != restarted || w.record().Release.Tries != try {
				t.Fatalf("try %d: %s: %+v", try, how, w.record())
			}
			if how := w.live(time.Hour); how != restarted {
				t.Fatalf("try %d: %s", try, how)
			}
			w.publisher.offer(signedAnew(t, bad, func(r *artifact.Rollout) { r.Start -= int64(try) }))
			if try != 1 {
				continue
			}
			// Held back, not even a retry is taken.
			w.publisher.offer(signedAnew(t, bad, func(r *artifact.Rollout) { r.Paused = 1 }))
			if how := w.live(30 * time.Hour); how != outlived || w.record().Release.Tries != 1 {
				t.Fatalf("%s: %+v", how, w.record())
			}
			if s := w.engine.Status().Summary; !strings.HasPrefix(s, "Version 1.1.0 was tried once and failed: ") || !strings.HasSuffix(s, " is held back by its publisher for now.") {
				t.Error(s)
			}
			w.publisher.offer(signedAnew(t, bad, func(r *artifact.Rollout) { r.Start -= 9 }))
		}
		for n := range 3 {
			if how := w.live(50 * time.Hour); how != outlived || w.trials["1.1.0"] != 3 || w.engine.Status().Blocked != "1.1.0" {
				t.Fatalf("%s after %d trials: %+v", how, w.trials["1.1.0"], w.engine.Status())
			}
			w.publisher.offer(signedAnew(t, bad, func(r *artifact.Rollout) { r.Start -= int64(10 + n) }))
		}
	})
}

// TestNoDate: what a station without a date, or with a false one, does about the
// steps. It is never long before its turn by a true clock, unless the clock is
// ahead; and it gets there.
func TestNoDate(t *testing.T) {
	const day = 24 * time.Hour
	first := newRelease(t, "1.0.0", good, 1)
	for name, c := range map[string]struct {
		synced bool
		clock  time.Time // stands still; zero: it is right
		issued time.Duration
		due    time.Duration // from the world's beginning
	}{
		"not set":               {false, time.Time{}, 0, 4 * day},
		"not set, 2099":         {false, ago(73 * 365 * day), 0, 4 * day},
		"held back in the past": {true, time.Unix(0, 0), 0, 4 * day},
		"standing still":        {true, ago(time.Hour), 0, 4 * day},
		"issued late":           {false, time.Time{}, day, 3 * day},
		"ahead":                 {true, ago(73 * 365 * day), 0, 0}, // nothing but sooner
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.id, w.synced, w.clock = station(3, "1.1.0"), c.synced, c.clock
				w.publish(inSteps(t, "1.1.0", good, built))
				w.publisher.floor.Issued = ago(c.issued)
				begin := time.Now()
				if how := w.live(8 * day); how != restarted {
					t.Fatalf("%s: %+v", how, w.engine.Status())
				}
				if d := time.Since(begin); d < c.due || d > c.due+9*time.Hour {
					t.Errorf("taken after %v, want %v", d, c.due)
				}
			})
		})
	}
}

// TestWaitingOutlivesRestarts: a station that has no date and is switched off
// every evening takes a release in the end, outside of a window that it cannot tell.
func TestWaitingOutlivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		w.id, w.synced, w.window = station(1, "1.1.0"), false, DefaultPolicy().Window
		w.publish(inSteps(t, "1.1.0", good, built))
		days := 0
		for days = range 100 {
			if w.live(8*time.Hour) == restarted {
				break
			}
			if s := w.engine.Status(); days == 10 && !strings.Contains(s.Summary, "Version 1.1.0 is taken between 02:00 and 05:00 UTC, once this station knows the date, or in ") {
				t.Errorf("%+v", s)
			}
		}
		// A day for its step and three for the window, of which some hours count each day.
		if days < 11 || days > 30 {
			t.Errorf("after %d days: %+v", days, w.engine.Status())
		}
	})
}

// TestDamagedWaiting begins to wait again; so does a station for another release.
func TestDamagedWaiting(t *testing.T) {
	for _, damaged := range []string{
		`{"version":"1.0.9","from":"2026-11-23T12:00:00Z","turn":86400000000000000}`, // of another release
		"", "{", "null", `{"version":"1.1.0","from":"2026-11-23T12:00:00Z","turn":-1}`, `{"version":"x"}`,
		`{"version":"1.1.0","from":"2026-11-23T12:00:00Z","ready":9223372036854775807}`, strings.Repeat(" ", 2000),
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
			w.id, w.synced = station(1, "1.1.0"), false
			w.publish(inSteps(t, "1.1.0", good, built))
			w.perm.m[waitedName] = []byte(damaged)
			begin := time.Now()
			if how := w.live(40 * time.Hour); how != restarted || time.Since(begin) < 24*time.Hour {
				t.Errorf("%q: %s after %v", damaged, how, time.Since(begin))
			}
		})
	}
}
