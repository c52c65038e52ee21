package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

// updateLimit is how long one attempt at an update may take, restarts included.
const updateLimit = 6 * time.Minute

// idle says that nothing is left to do.
func idle(st *status.Status) bool { return st.Update != nil && st.Update.State == "idle" }

// failed says that the release was tried and did not stay.
func failed(st *status.Status) bool {
	return st.Update != nil && (st.Update.Tries > 0 || st.Update.Blocked != nil)
}

// TestUpdate: a station updates itself over HTTP, real image to real image,
// while its power is cut, tries the new system and commits it. The next release
// panics, and the station is back where it was.
func TestUpdate(t *testing.T) {
	t.Parallel()
	u := startUpdated(t, boards.VMArm64, "1.0.0")
	u.becomes("1.0.0", bootLimit, nil)
	version := u.throughCuts("1.0.0", 3)
	committed := u.committed()
	t.Logf("%.1f MiB were fetched; slot %s is committed", float64(u.host.sent())/(1<<20), committed)

	u.release("2.0.0", broken(u.pair, "panic"))
	u.becomes(version, updateLimit, failed)
	u.says(`guest: first process of slot `+string(committed.Other())+`, mode panic`, 1, time.Second)
	if got := u.committed(); got != committed {
		t.Errorf("slot %s is committed", got)
	}
	// All of the appliance, the updater included, as it fetches, writes and reads back.
	const most = 32e6
	t.Logf("the appliance's resident memory was %.1f MB at the most", u.resident/1e6)
	if u.resident == 0 || u.resident > most {
		t.Errorf("resident memory %.0f, at most %.0f are allowed", u.resident, most)
	}
}

// broken makes a release whose first process is image/guest, in a mode.
func broken(p *pair, mode string) func(*parts) {
	return func(made *parts) {
		p.replaceProgram(made, "gokrazy/init")
		made.board.Cmdline = append(slices.Clone(made.board.Cmdline), "truechimer.trial=30s", "truechimer.test="+mode)
	}
}

// replaceProgram puts image/guest in the place of a program of a release.
func (p *pair) replaceProgram(made *parts, path string) {
	p.t.Helper()
	bin := p.t.TempDir()
	if err := compile(p.t.Context(), p.board.GOARCH, made.edition, bin, ownModule+"/image/guest"); err != nil {
		p.t.Fatal(err)
	}
	for i, e := range made.root {
		if e.Path != path {
			continue
		}
		t := &tree{}
		if err := t.file(path, filepath.Join(bin, "guest"), 0o755); err != nil {
			p.t.Fatal(err)
		}
		made.root[i] = t.list[0]
		return
	}
	p.t.Fatalf("the root has no %s", path)
}

// throughCuts has a station update itself again and again while its power is
// cut at random moments: it always boots the old system or the new one, and
// gets there in the end. It returns the version that runs then.
func (u *updated) throughCuts(old string, cuts int) string {
	u.t.Helper()
	seed := uint64(time.Now().UnixNano())
	u.t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for minor := 1; ; minor++ {
		next := fmt.Sprintf("1.%d.0", minor)
		u.release(next, nil)
		// From the page on, an update takes about half of this until the restart, and
		// the other half until the new system is committed.
		for took := time.Minute; cuts > 0; {
			wait := time.Duration(r.Int64N(int64(took)))
			select {
			case <-u.machine.done:
				u.t.Fatalf("QEMU ended: %v", u.machine.err)
			case <-time.After(wait):
			}
			u.again()
			cuts--
			st := u.answers()
			u.t.Logf("cut after %v, %d to go: version %s runs from slot %s: %s, %d tries", wait.Round(time.Millisecond), cuts, st.Station.Version, *st.Station.Slot, st.Update.State, st.Update.Tries)
			if v := st.Station.Version; v != old && v != next {
				u.t.Fatalf("version %s runs", v)
			}
			if st.Station.Version == next && idle(&st) {
				break
			}
		}
		// A cut while a release is on trial costs it one of its tries: three of
		// them, and only a newer one is taken.
		blocked := false
		u.becomes("", updateLimit, func(st *status.Status) bool {
			b := st.Update.Blocked
			blocked = b != nil && *b == next
			return idle(st) && (blocked || st.Station.Version == next)
		})
		if blocked {
			u.t.Logf("version %s was cut off three times on trial", next)
			continue
		}
		if old = next; cuts == 0 {
			return old
		}
	}
}
