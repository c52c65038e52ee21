package update

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestBadReleases tries releases that are no good: three times, an hour and a day
// apart, and then only a newer one.
func TestBadReleases(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.0.2", good, 2)
	for _, bad := range []struct {
		kind   kind
		reason string
	}{
		{panics, "did not come far"}, {hangs, "did not come far"}, {silent, "its page does not answer"},
		{lost, "it has no network, no time server has answered"}, {blind, "cannot verify what the update host says"},
		{liar, `calls itself "9.9.9"`},
	} {
		release := newRelease(t, "1.0.1", bad.kind, 2)
		for _, l := range loaders {
			t.Run(fmt.Sprintf("%s/%s", bad.kind, l), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, l, first)
					w.publish(release)
					for try := 1; try <= 3; try++ {
						begin := time.Now()
						if how := w.live(30 * time.Hour); how != restarted {
							t.Fatalf("try %d: %s: %+v", try, how, w.engine.Status())
						}
						least := []time.Duration{0, time.Hour, 24 * time.Hour}[try-1]
						if d := time.Since(begin); d < least || d > least+7*time.Hour {
							t.Errorf("try %d came after %v", try, d)
						}
						if r := w.record(); r.Phase != PhaseArmed || r.Release.Tries != try {
							t.Errorf("try %d: %+v", try, r)
						}
						begin = time.Now()
						if how := w.live(time.Hour); how != restarted || w.committed() != first {
							t.Fatalf("try %d: %s", try, how)
						}
						if d := time.Since(begin); d > trialTime {
							t.Errorf("the way back took %v", d)
						}
					}
					if how := w.live(100 * time.Hour); how != outlived || w.trials["1.0.1"] != 3 {
						t.Fatalf("%s after %d trials", how, w.trials["1.0.1"])
					}
					s := w.engine.Status()
					if s.Blocked != "1.0.1" || !strings.Contains(s.Summary, bad.reason) || s.Failure != "" {
						t.Errorf("%+v", s)
					}
					w.publish(next)
					if how := w.live(8 * time.Hour); how != restarted {
						t.Fatalf("%s: %+v", how, w.engine.Status())
					}
					if how := w.live(time.Hour); how != outlived || w.committed() != next || w.record().Blocked != "" {
						t.Errorf("%s: %+v", how, w.engine.Status())
					}
				})
			})
		}
	}
}

// TestOutage takes the internet away during a trial: before the try, the new
// system need not do better; after it, the release is tried again.
func TestOutage(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.0.1", good, 2)
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprintf("before the try: %v", before), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publish(next)
				if before {
					w.publisher.served = func() { w.publisher.err = errOffline }
				}
				if how := w.live(8 * time.Hour); how != restarted {
					t.Fatal(how)
				}
				w.publisher.fail(errOffline)
				w.live(time.Hour)
				if got := w.committed() == next; got != before {
					t.Fatalf("committed: %v", got)
				}
				if before {
					return
				}
				w.publisher.fail(nil)
				w.live(8 * time.Hour)
				w.live(time.Hour)
				if w.committed() != next || w.trials["1.0.1"] != 2 {
					t.Errorf("%d trials: %+v", w.trials["1.0.1"], w.engine.Status())
				}
			})
		})
	}
}

// failing is a boot control that fails.
type failing struct {
	bootctl.Control
	try, commit func() error
}

func (f failing) TryOnce(s bootfs.Slot) (string, error) {
	if f.try != nil {
		if err := f.try(); err != nil {
			return "", err
		}
	}
	return f.Control.TryOnce(s)
}

func (f failing) Commit(s bootfs.Slot) error {
	if f.commit != nil {
		if err := f.commit(); err != nil {
			return err
		}
	}
	return f.Control.Commit(s)
}

// TestBootControlFails lets arming and committing fail.
func TestBootControlFails(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 2), newRelease(t, "1.0.1", good, 2)
	broken := errors.New("broken")
	once := func(err error) func() error {
		n := 0
		return func() error {
			if n++; n == 1 {
				return err
			}
			return nil
		}
	}
	always := func() error { return broken }
	for name, c := range map[string]struct {
		try, commit func() error
		trials      int
		committed   bool
	}{
		"arming, always":     {always, nil, 0, false},
		"arming, once":       {once(broken), nil, 1, true},
		"committing, once":   {nil, once(broken), 1, true},
		"committing, untidy": {nil, once(bootctl.ErrUntidy), 1, true},
		"committing, always": {nil, always, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publish(next)
				w.control = func(b bootctl.Control) bootctl.Control { return failing{b, c.try, c.commit} }
				for range 12 {
					w.live(40 * time.Hour)
				}
				if got := w.committed() == next; got != c.committed || w.trials["1.0.1"] != c.trials {
					t.Errorf("committed: %v, %d trials: %+v", got, w.trials["1.0.1"], w.engine.Status())
				}
				if s := w.engine.Status(); !c.committed && s.Blocked != "1.0.1" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
