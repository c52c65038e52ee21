package update

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestUpdate takes a station from release to release and slot to slot, on each loader.
func TestUpdate(t *testing.T) {
	var list []*release
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0-preview", "1.2.0"} {
		list = append(list, newRelease(t, v, good, 3))
	}
	for _, l := range loaders {
		t.Run(string(l), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, l, list[0])
				if w.live(time.Hour) != outlived || w.publisher.request != 0 {
					t.Fatal("something was done without a newer release")
				}
				for _, r := range list[1:] {
					w.publish(r)
					before := w.publisher.bytes
					if how := w.live(8 * time.Hour); how != restarted {
						t.Fatalf("%s: %s, %+v", r.version, how, w.engine.Status())
					}
					if how := w.live(20 * time.Minute); how != outlived {
						t.Fatalf("%s: %s, %+v", r.version, how, w.engine.Status())
					}
					if got := w.committed(); got != r {
						t.Fatalf("%s is committed, want %s: %+v", got.version, r.version, w.engine.Status())
					}
					if got := w.publisher.bytes - before; got >= int64(len(r.pack)) {
						t.Errorf("%d bytes were fetched of %d", got, len(r.pack))
					}
					if rec := w.record(); rec.Phase != PhaseIdle || rec.Floors.Version != r.version || w.trials[r.version] != 1 {
						t.Errorf("%s: %+v, %d trials", r.version, rec, w.trials[r.version])
					}
				}
			})
		})
	}
}

// TestNothingToInstall: that there is no release for the station yet, or that it
// is the one that runs, is no failure, and is asked no more often.
func TestNothingToInstall(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	for says, offer := range map[string]*release{
		"There is no release for rpi in the channel stable yet.": nil,
		"This is the newest version.":                            first,
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publisher.offers = offer
				if how := w.live(24 * time.Hour); how != outlived {
					t.Fatal(how)
				}
				now, _ := w.Now()
				if s := w.engine.Status(); s.State != StateIdle || s.Summary != says || s.Failure != "" || s.Next.Before(now) || s.Next.After(now.Add(6*time.Hour)) {
					t.Errorf("%+v", s)
				}
				if w.publisher.asked != 4 || w.publisher.request != 0 {
					t.Errorf("the host was asked %d times in a day, and for %d pieces", w.publisher.asked, w.publisher.request)
				}
			})
		})
	}
}
