package gpspps_test

import (
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// TestWarnings: what the receiver says of its signals, for a moment and for longer.
func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name    string
		says    func(n int) bool // in the seconds after the first
		jammed  gpspps.State     // after a minute of that
		spoofed gpspps.State
	}{
		{"one fix in three", func(n int) bool { return n%3 == 0 }, gpspps.StateLocked, gpspps.StateLocked},
		{"two fixes", func(n int) bool { return n < 2 }, gpspps.StateLocked, gpspps.StateLocked},
		{"every fix", func(n int) bool { return true }, gpspps.StateHoldover, gpspps.StateSuspect},
		{"on and off every 20 s", func(n int) bool { return n/20%2 == 0 }, gpspps.StateHoldover, gpspps.StateSuspect},
	} {
		for _, spoofed := range []bool{false, true} {
			w := newWorld(t, pi(6), gpspps.Config{})
			w.run(100)
			w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
				if c.says(n - 100) {
					f.Jammed, f.Spoofed = !spoofed, spoofed
				}
				return p, f
			}
			w.run(60)
			if want := map[bool]gpspps.State{false: c.jammed, true: c.spoofed}[spoofed]; w.now().State != want {
				t.Errorf("%s, spoofed %v: %s (%s), want %s", c.name, spoofed, w.now().State, w.now().Reason, want)
			}
			w.edit = nil
			w.until(gpspps.StateLocked, 100)
		}
	}
	// From the start there is no lock, and the servers stand in.
	w := newWorld(t, pi(7), gpspps.Config{})
	w.sim.Faults = []gpstest.Fault{{Spoofed: true}}
	w.run(60)
	w.want(gpspps.StateSuspect, "not the satellites'")
	w.right(3)
	w.run(60)
	if r := w.now(); r.Source != gpspps.SourceQuorum || r.State != gpspps.StateLocked {
		t.Errorf("%+v", r)
	}
}

// TestOldLeapCountThatIsTold: a receiver that says which count it goes by.
func TestOldLeapCountThatIsTold(t *testing.T) {
	sim := quiet(8)
	sim.Faults = []gpstest.Fault{{To: 2000, Command: "gps leap -1"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		f.Leap = 18
		if n < 2000 {
			f.Leap = 17
		}
		return p, f
	}
	w.run(1990)
	w.want(gpspps.StateNumbering, "leap seconds unconfirmed: the receiver knows of 17, there have been 18")
	w.until(gpspps.StateLocked, 40)
	w.honest(w.now())
}

// TestFinalStaysWhenForsaken: what was believed too long was served as final,
// and is not rewritten when the pulses are found to have been wrong.
func TestFinalStaysWhenForsaken(t *testing.T) {
	sim := pi(9)
	sim.Lat, sim.Lon, sim.PositionM = 1, 2, 5
	sim.Faults = []gpstest.Fault{{From: 100, To: 160, Jammed: true}, {From: 400, To: 500, PulseRamp: 1e-6}, {From: 700, To: 900, NorthM: 3000}, {From: 1200, To: 1230, Spoofed: true}}
	w := newWorld(t, sim, gpspps.Config{Survey: &gpspps.Survey{Lat: 1, Lon: 2}})
	kept := map[int64]gpspps.Reading{}
	states := map[gpspps.State]int{}
	w.each = func(n int, now int64) {
		at := now - 33e9
		kept[at] = w.ref.At(at, "")
		states[kept[at].State]++
		for at, was := range kept {
			if now-at > 590e9 {
				delete(kept, at)
			} else if r := w.ref.At(at, ""); r != was {
				t.Fatalf("second %d: a final reading %d s back was %+v and is %+v", n, (now-at)/1e9, was, r)
			}
		}
	}
	w.run(60)
	clear(kept)
	w.run(1340)
	w.want(gpspps.StateLocked, "")
	if states[gpspps.StateSuspect] < 200 || states[gpspps.StateHoldover] < 100 {
		t.Errorf("states %v", states)
	}
}
