package update

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

// TestAsked: a check that somebody asks for comes at once, and takes nothing before its
// turn; an update that somebody asks for waits neither for the turn nor for the window,
// but for a publisher who holds it back.
func TestAsked(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	next := inSteps(t, "1.1.0", good, ago(48*time.Hour))
	held := newRelease(t, "1.1.0", good, 1, func(m *artifact.Manifest) {
		m.Rollout = &artifact.Rollout{Start: ago(0).Unix(), Paused: ago(0).Unix() + 1, Steps: artifact.DefaultSteps()}
	})
	for _, c := range []struct {
		name   string
		offer  *release
		update bool
		want   how
	}{
		{"a check", next, false, outlived}, {"an update", next, true, restarted}, {"an update that is held back", held, true, outlived},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, loaders[0], first)
			w.window = Window{From: 2 * time.Hour, To: 3 * time.Hour}
			w.publish(c.offer)
			time.AfterFunc(6*time.Minute, func() { // after the first check
				engine := w.engine
				if s := engine.Status(); s.State != StateIdle {
					t.Errorf("%s: before it %+v", c.name, s)
				}
				if c.update {
					engine.Update()
				} else {
					engine.Check()
				}
			})
			seen := w.publisher.asked
			if how := w.live(7 * time.Minute); how != c.want {
				t.Errorf("%s: %s, want %s: %+v", c.name, how, c.want, w.engine.Status())
			}
			if n := w.publisher.asked - seen; n < 2 {
				t.Errorf("%s: the list was fetched %d times", c.name, n)
			}
			if c.want == restarted {
				if w.live(time.Hour); w.committed() != c.offer {
					t.Errorf("%s: it does not run", c.name)
				}
			}
		})
	}
}
