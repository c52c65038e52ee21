//go:build soak

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

// TestUpdatePowerCuts takes about an hour.
func TestUpdatePowerCuts(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	u.throughCuts("1.0.0", 50)
}

// TestBadUpdates: whatever is wrong with a release, the old version is back by
// itself; after three tries a newer one is awaited, and taken.
func TestBadUpdates(t *testing.T) {
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	good := "1.0.0"
	for i, bad := range []struct {
		name   string
		change func(*parts)
	}{
		{"panics", broken(u.pair, "panic")},
		{"hangs", broken(u.pair, "hang")},
		{"shows no page", func(made *parts) {
			u.replaceProgram(made, "user/appliance")
			made.board.Cmdline = append(made.board.Cmdline[:len(made.board.Cmdline):len(made.board.Cmdline)], "truechimer.trial=60s")
		}},
		{"cannot verify metadata", nil},
	} {
		o := u.optionsOf(fmt.Sprintf("1.%d.0", 2*i+1), u.host.url)
		if bad.change == nil {
			// Nobody answers at the port of a host that has just closed it.
			o = u.optionsOf(o.Version, "http://"+guestView+":9")
		}
		u.releaseOf(o, bad.change)
		began := time.Now()
		u.becomes(good, 3*updateLimit, func(st *status.Status) bool {
			return idle(st) && st.Update.Blocked != nil && *st.Update.Blocked == o.Version
		})
		t.Logf("a release that %s is blocked after %v", bad.name, time.Since(began).Round(time.Second))
		good = fmt.Sprintf("1.%d.0", 2*i+2)
		u.release(good, nil)
		u.becomes(good, updateLimit, idle)
	}
}
