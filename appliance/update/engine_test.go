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
