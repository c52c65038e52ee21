package update

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestHeld has stations that must not update: nobody is asked, nothing is written.
func TestHeld(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	for name, c := range map[string]struct {
		change func(*Options)
		says   string
	}{
		"on hold":     {func(o *Options) { o.Hold, o.Metadata, o.Files = "No update host.", nil, nil }, "No update host."},
		"safe mode":   {func(o *Options) { o.System.Safe = true }, "safe mode"},
		"rescue":      {func(o *Options) { o.System.Rescue = true }, "cannot be started"},
		"no release":  {func(o *Options) { o.System.Version = "development" }, `"development"`},
		"not a whole": {func(o *Options) { o.System.Version = "1.0" }, `"1.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.publish(next)
				w.options = c.change
				if how := w.live(24 * time.Hour); how != outlived || w.publisher.asked > 0 || w.card.ops > 0 {
					t.Fatalf("%s, asked %d times, %d writes", how, w.publisher.asked, w.card.ops)
				}
				if s := w.engine.Status(); s.State != StateOff || !strings.Contains(s.Summary, c.says) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestHeldOnTrial finishes a trial though updates have been switched off meanwhile.
func TestHeldOnTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
		w := newWorld(t, loaders[0], first)
		w.publish(next)
		w.live(8 * time.Hour)
		asked := w.publisher.asked
		w.options = func(o *Options) { o.Hold, o.Metadata, o.Files = "Updates are switched off.", nil, nil }
		w.live(time.Hour)
		if s := w.engine.Status(); w.committed() != next || s.State != StateOff || w.publisher.asked != asked {
			t.Errorf("%+v", s)
		}
	})
}

// TestLeave: another engine takes over between two attempts, and neither in the
// middle of one nor of a trial.
func TestLeave(t *testing.T) {
	for name, hold := range map[string]string{"at work": "", "on hold": "No update host."} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
				w := newWorld(t, loaders[0], first)
				leave := make(chan struct{})
				w.options = func(o *Options) { o.Leave, o.Hold = leave, hold }
				go func() {
					time.Sleep(time.Hour)
					close(leave)
				}()
				began := time.Now()
				if how := w.live(24 * time.Hour); how != left || time.Since(began).Truncate(time.Second) != time.Hour {
					t.Fatalf("%s after %v", how, time.Since(began))
				}
				if hold != "" {
					return
				}
				// A release that is being installed and a trial come to their ends.
				w.publish(next)
				installing := make(chan struct{})
				w.publisher.served = func() { close(installing) }
				w.options = func(o *Options) { o.Leave = installing }
				if how := w.live(24 * time.Hour); how != restarted {
					t.Fatalf("while it is installed: %s", how)
				}
				w.publisher.served = nil
				w.options = func(o *Options) { o.Leave = leave }
				if how := w.live(24 * time.Hour); how != left || w.committed() != next {
					t.Fatalf("on trial: %s, committed %s", how, w.committed().version)
				}
			})
		})
	}
}

// TestForeignTrial starts the other slot without the engine's doing: it is neither
// committed nor written to.
func TestForeignTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
		w := newWorld(t, loaders[2], first)
		w.publish(next)
		w.live(8 * time.Hour)
		w.destroyRecord()
		w.perm.m = map[string][]byte{}
		before := w.card.ops
		if how := w.live(time.Hour); how != restarted || w.committed() != first {
			t.Fatalf("%s: %+v", how, w.engine.Status())
		}
		if s := w.engine.Status(); s.State != StateOff || !strings.Contains(s.Summary, "slot a is the one to boot") || w.card.ops-before > 2 {
			t.Errorf("%d writes: %+v", w.card.ops-before, s) // 2: the loader's own
		}
		// It is fetched, written and tried as if it were new.
		w.live(8 * time.Hour)
		w.live(time.Hour)
		if w.committed() != next {
			t.Errorf("%+v", w.engine.Status())
		}
	})
}

// TestPointerEdited repairs a pointer file that a person edited, and only when it
// is needed.
func TestPointerEdited(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	for _, l := range loaders[:2] {
		for _, when := range []string{"before", "on trial"} {
			t.Run(string(l)+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, l, first)
					if when == "before" {
						w.editPointer()
						w.live(8 * time.Hour)
						if !w.pointerBroken() {
							t.Fatal("it was repaired without a need")
						}
					}
					w.publish(next)
					if how := w.live(8 * time.Hour); how != restarted {
						t.Fatalf("%s: %+v", how, w.engine.Status())
					}
					if when == "on trial" {
						w.editPointer()
					}
					if how := w.live(time.Hour); how != outlived || w.committed() != next {
						t.Fatalf("%s: %+v", how, w.engine.Status())
					}
				})
			})
		}
	}
}

// TestSecondCopy loses the state partition's record: the floors on /perm hold.
func TestSecondCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		next := newRelease(t, "1.1.0", good, 1)
		w.publish(next)
		w.publisher.floor.Issued = built.Add(time.Hour)
		w.live(8 * time.Hour)
		w.live(time.Hour)
		want := w.record().Floors
		w.destroyRecord()
		w.live(time.Hour)
		if got := w.publisher.trust.Floor; got != want.Metadata || got.Targets == 0 || w.committed() != next {
			t.Errorf("floor %+v, want %+v", got, want.Metadata)
		}
		// And the other way round.
		w.publish(newRelease(t, "1.0.9", good, 1)) // has the metadata's versions rise
		w.live(8 * time.Hour)
		higher := w.record().Floors.Metadata
		w.perm.m[floorsName] = []byte(`{"floors":{"epoch":-4}}`)
		w.live(time.Hour)
		if got := w.publisher.trust.Floor; got != higher || higher.Targets != want.Metadata.Targets+1 {
			t.Errorf("floor %+v, want %+v", got, higher)
		}
	})
}

// TestAnchor has an operator's root metadata take the image's place until one of
// them has been believed.
func TestAnchor(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	own := func(b string) func(*Options) { return func(o *Options) { o.OwnRoot = []byte(b) } }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], first)
		begins := func(want string) {
			t.Helper()
			w.live(time.Hour)
			if got := string(w.publisher.trust.Initial); got != want {
				t.Errorf("began with %q, want %q", got, want)
			}
		}
		w.publisher.fail(tuf.ErrSignature)
		w.options = own("wrong")
		begins("wrong")
		w.options = nil
		begins("root")
		w.options = own("mine")
		begins("mine")
		w.publisher.fail(nil)
		begins("mine") // and believes it
		w.options = own("another")
		begins("")
		w.options = nil
		begins("")
		w.options = own("mine")
		begins("mine")
		w.destroyRecord()
		w.options = own("another")
		begins("") // /perm remembers it as well

		w = newWorld(t, loaders[0], first)
		begins("root") // and believes it
		w.options = own("mine")
		begins("root")
	})
}

// TestClock is the rule for the date that metadata is judged by.
func TestClock(t *testing.T) {
	first := newRelease(t, "1.0.0", good, 1)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		clock  time.Time
		synced bool
		issued time.Time
		want   time.Time
		fresh  Freshness
	}{
		"1970, not set":         {time.Unix(0, 0), false, time.Time{}, built, FreshUnknown},
		"1970, set":             {time.Unix(0, 0), true, time.Time{}, built, Fresh},
		"2099, not set":         {built.AddDate(73, 0, 0), false, time.Time{}, built, FreshUnknown},
		"2099, set":             {built.AddDate(73, 0, 0), true, time.Time{}, built.AddDate(73, 0, 0), Fresh},
		"issued later":          {built, false, built.Add(9 * day), built.Add(9 * day), FreshUnknown},
		"issued later, set":     {built.Add(day), true, built.Add(9 * day), built.Add(9 * day), Fresh},
		"issued earlier, set":   {built.Add(day), true, built.Add(-9 * day), built.Add(day), Fresh},
		"issued and not synced": {built.Add(99 * day), false, built.Add(9 * day), built.Add(9 * day), FreshUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, loaders[0], first)
				w.clock, w.synced = c.clock, c.synced
				w.options = func(o *Options) { o.System.Floor.Issued = c.issued }
				begin := time.Now()
				w.live(time.Hour)
				if got := w.publisher.trust.Now; !got.Equal(c.want) {
					t.Errorf("judged by %v, want %v", got, c.want)
				}
				if s := w.engine.Status(); s.Freshness != c.fresh || w.publisher.asked != 1 {
					t.Errorf("asked %d times after %v: %+v", w.publisher.asked, time.Since(begin), s)
				}
				// Neither the clock nor the time of the image becomes a floor.
				if got := w.record().Floors.Metadata.Issued; !got.IsZero() {
					t.Errorf("the floor rose to %v", got)
				}
			})
		})
	}
}

// TestClockWaits waits for a date, but not for ever.
func TestClockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		next := newRelease(t, "1.1.0", good, 1)
		w.publish(next)
		w.synced = false
		if w.live(30*time.Minute) != outlived || w.publisher.asked != 0 {
			t.Fatal("it did not wait for a date")
		}
		if how := w.live(time.Hour); how != restarted {
			t.Errorf("%s: %+v", how, w.engine.Status())
		}
		if w.live(time.Hour); w.committed() != next {
			t.Errorf("%+v", w.engine.Status())
		}
	})
}

// TestSuperseded offers another release while one is being written.
func TestSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, next, after := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", panics, 1), newRelease(t, "1.2.0", good, 1)
		w := newWorld(t, loaders[0], first)
		w.publish(next)
		w.releases["1.2.0"] = after
		w.publisher.served = func() {
			w.publisher.served = nil
			w.publisher.offers = after
		}
		w.live(8 * time.Hour)
		w.live(time.Hour)
		if w.committed() != after || w.trials["1.1.0"] != 0 {
			t.Errorf("%v: %+v", w.trials, w.engine.Status())
		}
	})
}

// TestRestartFails asks for a restart until there is one.
func TestRestartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		w.publish(newRelease(t, "1.1.0", good, 1))
		n := 0
		w.options = func(o *Options) {
			ask := o.Restart
			o.Restart = func(argument string) error {
				if n++; n < 4 {
					return errors.New("not now")
				}
				return ask(argument)
			}
		}
		if how := w.live(8 * time.Hour); how != restarted || n != 4 || w.argument != "0 tryboot" {
			t.Errorf("%s, %q after %d", how, w.argument, n)
		}
		if w.record().Release.Tries != 1 {
			t.Errorf("%+v", w.record())
		}
	})
}

// TestOptions refuses what an engine cannot work with.
func TestOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		var whole Options
		w.options = func(o *Options) { whole = *o }
		w.live(time.Second)
		for name, change := range map[string]func(*Options){
			"control": func(o *Options) { o.Control = nil }, "state": func(o *Options) { o.State = nil }, "boot": func(o *Options) { o.Boot = nil },
			"active": func(o *Options) { o.RootActive = nil }, "inactive": func(o *Options) { o.RootInactive = nil },
			"metadata": func(o *Options) { o.Metadata = nil }, "files": func(o *Options) { o.Files = nil }, "store": func(o *Options) { o.Store = nil },
			"health": func(o *Options) { o.Health = nil }, "restart": func(o *Options) { o.Restart = nil }, "clock": func(o *Options) { o.Clock = nil },
			"slot": func(o *Options) { o.System.Slot = "" },
		} {
			o := whole
			change(&o)
			if e, err := New(o); err == nil {
				t.Errorf("without %s: %v", name, e.Status())
			}
		}
	})
}

// TestPolicy makes nothing quicker than it is by default.
func TestPolicy(t *testing.T) {
	d := DefaultPolicy()
	fast := Policy{Poll: time.Second, Tries: []time.Duration{0, 0, 0, 0, 0}, HealthWithin: time.Second, Spread: 9}
	got := fast.atLeast(d)
	if got.Poll != d.Poll || len(got.Tries) != 3 || got.Tries[2] != d.Tries[2] || got.HealthWithin != d.HealthWithin || got.Spread != 0.5 {
		t.Errorf("%+v", got)
	}
	slow := Policy{Poll: 48 * time.Hour, Tries: []time.Duration{time.Minute}}.atLeast(d)
	if slow.Poll != 48*time.Hour || slow.Tries[0] != time.Minute || slow.Tries[1] != d.Tries[1] || slow.Retry != d.Retry {
		t.Errorf("%+v", slow)
	}
}

// TestBootControlSilent cannot tell which slot is committed: it asks again, and
// does nothing meanwhile.
func TestBootControlSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, loaders[0], newRelease(t, "1.0.0", good, 1))
		w.publish(newRelease(t, "1.1.0", good, 1))
		n := 0
		w.control = func(b bootctl.Control) bootctl.Control {
			return silentControl{b, func() error {
				if n++; n < 5 {
					return errors.New("no answer")
				}
				return nil
			}}
		}
		if w.live(time.Hour) != outlived || w.publisher.asked != 0 || !strings.Contains(w.engine.Status().Failure, "no answer") {
			t.Fatalf("%+v", w.engine.Status())
		}
		if how := w.live(8 * time.Hour); how != restarted {
			t.Errorf("%s: %+v", how, w.engine.Status())
		}
	})
}

type silentControl struct {
	bootctl.Control
	err func() error
}

func (s silentControl) Current() (bootctl.State, error) {
	if err := s.err(); err != nil {
		return bootctl.State{Running: bootfs.SlotA}, err
	}
	return s.Control.Current()
}

// TestEnds ends an engine at any moment: Run returns nil at once, and the bubble
// knows of no goroutine that stays.
func TestEnds(t *testing.T) {
	first, next := newRelease(t, "1.0.0", good, 1), newRelease(t, "1.1.0", good, 1)
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{0, time.Second, 3 * time.Minute, 3*time.Minute + time.Nanosecond, 30 * time.Minute} {
			w := newWorld(t, loaders[0], first)
			w.publish(next)
			w.publisher.fail(context.DeadlineExceeded)
			if how := w.live(d); how != outlived {
				t.Errorf("%v: %s", d, how)
			}
		}
	})
}
