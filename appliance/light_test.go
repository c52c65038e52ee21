package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/led"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
)

// TestPatternOf: every state of the reference and of the updater has its light.
func TestPatternOf(t *testing.T) {
	want := map[gpspps.State]led.Pattern{
		gpspps.StateCold: led.Acquiring, gpspps.StateNumbering: led.Acquiring, gpspps.StateLocked: led.Locked,
		gpspps.StateHoldover: led.Holdover, gpspps.StateSuspect: led.Fault,
	}
	updates := map[update.State]bool{
		update.StateFetching: true, update.StateVerifying: true, update.StateWriting: true, update.StateRestart: true, update.StateTrial: true,
	}
	for _, r := range status.States {
		for _, u := range status.UpdateStates {
			light := want[gpspps.State(r)]
			if updates[update.State(u)] {
				light = led.Updating
			}
			if got := patternOf(update.State(u), gpspps.State(r)); got != light || light == "" {
				t.Errorf("%s, %s: %s, want %s", r, u, got, light)
			}
		}
	}
}

// TestLight: a station shows what it is.
func TestLight(t *testing.T) {
	for _, c := range []struct {
		lack lack
		safe bool
		want led.Pattern
	}{
		{lack{hostless: true}, false, led.Locked},
		{lack{hostless: true, mute: true, unlinked: true}, false, led.Acquiring},
		{lack{hostless: true}, true, led.Fault},
	} {
		p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile)), safe: c.safe})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(c.lack)
			w.atEnd = func(s *station) {
				if got := s.pattern(); got != c.want {
					t.Errorf("%+v, safe mode %t: %s, want %s", c.lack, c.safe, got, c.want)
				}
			}
			live(t, w, p, 10*time.Minute)
		})
	}
}
