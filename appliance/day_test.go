package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// initsPatience is how long init waits for a sign of life before it leaves the
// board to the hardware watchdog: patience in image/earlyboot/patience.go, which
// TestInitsPatience compares.
const initsPatience = 2 * time.Minute

func TestInitsPatience(t *testing.T) {
	source, err := os.ReadFile("../image/earlyboot/patience.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "\tpatience = 2 * time.Minute\n") {
		t.Error("init waits for another time than this test of the appliance believes")
	}
}

const dayFile = `[[server]]
address = "192.0.2.1"
interval = "64s"
[[server]]
address = "198.51.100.1"
[[server]]
address = "203.0.113.1"
[[server]]
name = "named"
address = "ntp.example.net"
`

// TestADayOfNothing: whatever a station lacks is a state to show and no reason
// to fall silent, by which init would have it reset.
func TestADayOfNothing(t *testing.T) {
	readOnly := func(t *testing.T) string {
		// Nothing can be made here, by root neither.
		return "/proc/truechimer"
	}
	full := func(t *testing.T) string {
		dir := t.TempDir()
		// What is written through this link finds no space left on the device.
		if err := os.Symlink("/dev/full", filepath.Join(dir, "config.toml.new")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		lack   lack
		perm   func(*testing.T) string
		state  string
		notice string
		right  int // servers
		update string
	}{
		"no GPS":           {lack: lack{mute: true}, perm: (*testing.T).TempDir, state: "locked quorum", notice: "No receiver is heard", right: 4, update: "idle fresh"},
		"no network":       {lack: lack{unlinked: true}, perm: (*testing.T).TempDir, state: "locked gps+pps", notice: "The network is not ready: eth0 has no carrier", update: "waiting unknown"},
		"no DNS":           {lack: lack{nameless: true}, perm: (*testing.T).TempDir, state: "locked gps+pps", right: 3, update: "idle fresh"},
		"no update host":   {lack: lack{hostless: true}, perm: (*testing.T).TempDir, state: "locked gps+pps", right: 4, update: "waiting unknown"},
		"a read-only card": {perm: readOnly, state: "locked gps+pps", notice: "could not be kept", right: 4, update: "waiting unknown"},
		"a full /perm":     {perm: full, state: "locked gps+pps", notice: "no space left on device", right: 4, update: "idle fresh"},
	} {
		t.Run(name, func(t *testing.T) {
			p := updatable(t, &platform{station: true, perm: c.perm(t), bootDevice: card(t, []byte(dayFile))})
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				if !c.lack.hostless {
					r := tuftest.New(epoch)
					offer(t, r, "1.2.0")
					w.releases = r
				}
				s, j := live(t, w, p, 24*time.Hour)
				if again := len(j.lines("begun anew")); w.pause >= initsPatience || w.pause > 2*lifeEvery || w.signs < 17_000 || again != 0 {
					t.Errorf("%d signs of life, %v without one, %d parts begun anew", w.signs, w.pause, again)
				}
				right := 0
				for _, v := range s.Servers {
					if v.Verdict == "ok" {
						right++
					}
				}
				state := s.Reference.State + " " + s.Reference.Source
				notices := strings.Join(s.Notices, "|")
				if state != c.state || right != c.right || len(s.Servers) != 4 || !strings.Contains(notices, c.notice) || c.notice == "" && notices != "" {
					t.Errorf("after a day: %s (%s), %d of %d servers are right, notices %q", state, s.Reference.Reason, right, len(s.Servers), notices)
				}
				if got := s.Update.State + " " + s.Update.Freshness; got != c.update || w.restarts.Load() != 0 {
					t.Errorf("after a day: updates %s (%s), want %s; %d restarts", got, s.Update.Summary, c.update, w.restarts.Load())
				}
				t.Logf("%d signs of life, at most %v without one; %s; %s; %s", w.signs, w.pause, state, notices, s.Update.Summary)
			})
		})
	}
}

// TestAStationThatHangs falls silent: the test above would notice.
func TestAStationThatHangs(t *testing.T) {
	for _, what := range []string{"clock", "page"} {
		p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.what = what
			time.AfterFunc(time.Hour+10*time.Minute, func() { close(w.freed) })
			live(t, w, p, time.Hour+11*time.Minute)
			if w.pause < initsPatience {
				t.Errorf("the %s is stuck, and the longest silence is %v", what, w.pause)
			}
		})
	}
}

// TestSafeMode serves the page and does nothing else: no receiver, no clock, no
// server, and not what the file on the card says.
func TestSafeMode(t *testing.T) {
	p := &platform{station: true, safe: true, perm: "/proc/truechimer", bootDevice: card(t, []byte(dayFile))}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		s, j := live(t, w, p, 6*time.Hour)
		if w.signs < 4300 || w.pause > 2*lifeEvery || len(j.lines("begun anew")) != 0 {
			t.Errorf("%d signs of life, %v without one", w.signs, w.pause)
		}
		if !s.Station.SafeMode || s.Summary != advice.ByID(advice.SafeMode).Sentence+"." || len(s.Servers) != 0 || len(s.Notices) != 1 || s.Notices[0] != safeNotice {
			t.Errorf("it says %q, %q, safe mode %v, %d servers", s.Summary, s.Notices, s.Station.SafeMode, len(s.Servers))
		}
		if s.Update.State != "off" || s.Update.Summary != "In safe mode nothing is updated." || w.restarts.Load() != 0 {
			t.Errorf("updates: %+v", s.Update)
		}
		if w.opened.Load() != 0 || w.diff != 0 || s.Reference.State != "cold" {
			t.Errorf("opened %d ports and lines, stepped the clock by %d, reference %s", w.opened.Load(), w.diff, s.Reference.State)
		}
	})
}
