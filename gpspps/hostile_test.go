package gpspps_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// gps counts the seconds in which verdicts would be given by the receiver, and
// fails if they could be wrong.
func (w *world) gps(seconds int) (usable int) {
	w.t.Helper()
	each := w.each
	w.each = func(n int, now int64) {
		if each != nil {
			each(n, now)
		}
		r := w.ref.At(now, "")
		w.honest(r)
		if r.Source == gpspps.SourceGPSPPS && (r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover) {
			usable++
		}
	}
	w.run(seconds)
	w.each = each
	return usable
}

// TestColdStartWithAWrongLeapCount: one leap second too few, for ever. Without
// any server nobody could know; a single one that says otherwise is enough to
// doubt.
func TestColdStartWithAWrongLeapCount(t *testing.T) {
	for _, servers := range []int{1, 2, 3, 5} {
		sim := quiet(1)
		sim.LeapUTC = false
		sim.Faults = []gpstest.Fault{{Command: "gps leap -1"}}
		w := newWorld(t, sim, gpspps.Config{})
		w.right(servers)
		if n := w.gps(3 * 3600); n != 0 || w.ref.Confirmed() {
			t.Errorf("%d servers: judged by the receiver for %d s", servers, n)
		}
		r := w.now()
		whom := map[int]string{1: "the only server", 2: "2 servers", 3: "3 servers", 5: "5 servers"}[servers]
		if !strings.Contains(r.Reason, "leap seconds unconfirmed: the receiver is 1 s ahead of "+whom) {
			t.Errorf("%d servers: %q", servers, r.Reason)
		}
	}
}

// TestLoneServerMayBeWrong: one that is wrong by what no leap second explains
// keeps nobody from a lock.
func TestLoneServerMayBeWrong(t *testing.T) {
	for _, offset := range []float64{0.08, 100} {
		sim := quiet(1)
		sim.LeapUTC = false
		w := newWorld(t, sim, gpspps.Config{})
		w.wrong(offset, 1)
		w.run(920)
		w.want(gpspps.StateLocked, "")
		w.honest(w.now())
	}
}

// TestPulseUnconfirmed: pulses on the wrong edge of a signal 100 ms wide, from
// the start.
func TestPulseUnconfirmed(t *testing.T) {
	sim := quiet(1)
	sim.FixDelayS = 0.3
	sim.Faults = []gpstest.Fault{{PulseShiftS: 0.1}}
	w := newWorld(t, sim, gpspps.Config{})
	w.right(3)
	if n := w.gps(600); n != 0 {
		t.Errorf("judged by the wrong edge for %d s", n)
	}
	w.want(gpspps.StateLocked, "pulse unconfirmed: the receiver is ")
}

// TestMessagesNearASecondLate: which pulse they belong to is a matter of luck.
func TestMessagesNearASecondLate(t *testing.T) {
	for _, c := range []struct{ delay, jitter float64 }{{0.85, 0.3}, {0.95, 0.1}, {0.97, 0.06}, {0.92, 0.01}} {
		for seed := range int64(5) {
			sim := quiet(seed)
			sim.FixDelayS, sim.FixJitterS = c.delay, c.jitter
			w := newWorld(t, sim, gpspps.Config{})
			if n := w.gps(2000); n != 0 {
				t.Errorf("%+v: judged for %d s", c, n)
			}
			w.want(gpspps.StateNumbering, "its second is ambiguous")
		}
	}
	// Always later than a second looks like the next second's in time: only
	// servers can tell.
	sim := quiet(1)
	sim.FixDelayS, sim.FixJitterS = 1.05, 0.01
	w := newWorld(t, sim, gpspps.Config{})
	w.right(3)
	if n := w.gps(2000); n != 0 {
		t.Errorf("more than a second late: judged for %d s", n)
	}
}

// TestExtraEdges: noise, reflections and receivers set to another rate.
func TestExtraEdges(t *testing.T) {
	for name, at := range map[string][]float64{
		"2 Hz": {0.5}, "5 Hz": {0.2, 0.4, 0.6, 0.8}, "10 Hz": {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9},
		"ringing": {1e-3}, "1 ms early": {-1e-3}, "two early": {-2e-3, -1e-3}, "5 µs early": {-5e-6},
		"50 µs early": {-50e-6}, "10 ms early": {-10e-3},
	} {
		for _, from := range []int{0, 200} {
			for _, sim := range []func(int64) *gpstest.Sim{quiet, emulated} {
				w := newWorld(t, sim(1), gpspps.Config{})
				w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
					for _, d := range at {
						if n >= from {
							p = append(p, gpspps.Pulse{Mono: p[0].Mono + int64(d*1e9)})
						}
					}
					return p, f
				}
				n := w.gps(1000)
				if from == 0 && n != 0 {
					t.Errorf("%s from the start: judged for %d s", name, n)
				}
				if from > 0 && n < 980 {
					t.Errorf("%s later: judged for %d of 1000 s", name, n)
				}
			}
		}
	}
}

// TestSuspended: the process stood still. The kernel kept the last 16 edges;
// of the sentences it kept the first few seconds' worth, which come all at once
// and look as if they had just been said.
func TestSuspended(t *testing.T) {
	for _, length := range []int{10, 600, 1500} {
		for _, cold := range []bool{false, true} {
			w := newWorld(t, pi(int64(length)), gpspps.Config{})
			if cold {
				w.run(3)
			} else {
				w.run(300)
			}
			from, to := w.n, w.n+length
			var late []gpspps.Fix
			w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
				switch {
				case n >= from && n < to:
					if n < from+5 {
						late = append(late, *f)
					}
					if n < to-16 {
						p = nil
					}
					return p, nil
				}
				return p, f
			}
			w.standStill = to
			w.run(length)
			now := w.at(float64(to) - 0.3)
			for _, f := range late {
				f.Mono = now
				w.ref.AddFix(f)
			}
			w.standStill = 0
			w.gps(60)
			w.want(gpspps.StateLocked, "")
			if a := w.off(w.now()); math.Abs(a) > 20e-6 {
				t.Errorf("%d s: %g s off", length, a)
			}
		}
	}
}

// TestAbsurdVotes: none of them may be taken for a number, nor shut out others.
func TestAbsurdVotes(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(3)
	halves := []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, 1.5, 1e300}
	times := []int64{math.MinInt64, math.MaxInt64, 0, -1}
	w.each = func(n int, now int64) {
		for i, h := range halves {
			for j, at := range times {
				for k, mono := range []int64{now, now + 3600e9, now - 3600e9, math.MinInt64, math.MaxInt64} {
					// A liar with many names in one network.
					w.ref.AddVote(gpspps.Vote{Server: fmt.Sprint("liar ", i, j, k), Group: "liar", Mono: mono, Time: at, HalfWidth: h})
				}
			}
		}
		r := w.ref.At(now, "")
		w.honest(r)
		if n > 25 && (!r.Known || r.Bound < 1e-3 || !strings.HasPrefix(r.Reason, "3 of 4 servers agree")) {
			t.Fatalf("%+v", r)
		}
	}
	w.run(200)
}

// TestClaimsOfPerfection: servers that say they are exact and are not. Their
// votes are as wide as any server's at least, so that two who happen to be
// wrong alike do not outvote the third by less than that.
func TestClaimsOfPerfection(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	for _, offset := range []float64{0.9e-3, -0.9e-3, 0.5e-3} {
		w.wrong(offset, 1)
		w.servers[len(w.servers)-1].half = 0
	}
	w.run(30)
	known := 0
	w.each = func(_ int, now int64) {
		r := w.ref.At(now, "")
		w.honest(r)
		if r.Known {
			known++
		}
	}
	w.run(300)
	if known < 290 {
		t.Errorf("a quorum for %d s", known)
	}
}

// TestTwoOfThreeCollude: what is not promised. A majority is believed; a
// minority, of however many names, is not.
func TestTwoOfThreeCollude(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(1)
	w.wrong(0.3, 2)
	w.run(60)
	if r := w.now(); !r.Known || math.Abs(w.off(r)-0.3) > 0.02 {
		t.Errorf("%+v, %g s off: a majority was not believed", r, w.off(r))
	}
	w = newWorld(t, noReceiver(), gpspps.Config{})
	w.right(3)
	w.wrong(0.3, 20)
	for i := 3; i < len(w.servers); i++ {
		w.servers[i].group = "one network"
	}
	w.gps(300)
	if r := w.now(); !r.Known {
		t.Errorf("one network's servers were counted singly: %+v", r)
	}
}

// TestQuorumWhileSteered: votes age on the oscillator's own scale, whatever
// is done to the clock meanwhile.
func TestQuorumWhileSteered(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(4)
	for i := range w.servers {
		w.servers[i].interval = 128
	}
	w.run(130)
	known := 0
	ppm := 500.0
	w.each = func(n int, now int64) {
		if n%200 == 0 {
			ppm = -ppm
			w.steer(now, ppm)
		}
		for _, back := range []int64{0, 20e9, 60e9} {
			r := w.ref.At(now-back, "")
			w.honest(r)
			if r.Known {
				known++
			}
		}
	}
	w.run(3000)
	if known < 8900 {
		t.Errorf("known %d times", known)
	}
}

// FuzzReference takes a byte string for a course of events. Whatever comes:
// no crash, and no reading that is not a number.
func FuzzReference(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5})
	var course []byte
	for range 60 {
		course = append(course, 0, 125, 1, 30, 2, 0, 3, 95)
	}
	f.Add(course)
	f.Add(append(course, 0, 250, 0, 250, 1, 255, 4, 9, 5, 200, 6, 77, 7, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		ref := gpspps.New(gpspps.Config{Survey: &gpspps.Survey{}})
		mono := int64(5e9)
		finite := func(what string, v ...float64) {
			for _, x := range v {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("%s is %g", what, x)
				}
			}
		}
		for i := 0; i+1 < len(b) && i < 4000; i += 2 {
			mono += int64(b[i+1]) * 8e6
			utc := start.Add(toWhole(mono - 5e9))
			switch b[i] % 8 {
			case 0:
				ref.AddPulse(gpspps.Pulse{Mono: mono})
			case 1:
				lat := float64(int8(b[i])) // some are no places, and 0 is the antenna's
				ref.AddFix(gpspps.Fix{Mono: mono, Time: utc, Valid: true, LeapUTC: b[i] > 128, Used: -1, Seen: -1,
					Jammed: b[i] == 25, Spoofed: b[i] == 33, Leap: int(b[i]) % 20,
					Position: gpspps.Position{Known: b[i] > 64, Lat: lat, Lon: 2 * lat, Accuracy: lat}})
			case 2:
				ref.Tick(mono)
			case 3:
				ref.AddVote(gpspps.Vote{Server: fmt.Sprint(b[i+1] % 5), Mono: mono, Time: utc.UnixNano(), HalfWidth: float64(b[i+1]) / 100})
			case 4:
				ref.AddFix(gpspps.Fix{Mono: mono - int64(b[i+1])*1e8, Time: utc.AddDate(0, 0, int(b[i+1])-9), Valid: true})
			case 5:
				ref.AddPulse(gpspps.Pulse{Mono: mono - int64(b[i+1])*1e7})
			case 6:
				ref.Steered(mono, float64(b[i+1])-128)
			case 7:
				ref.SetRealtime(utc.UnixNano() - mono)
				if b[i] == 255 {
					ref.Moved()
				}
			}
			for _, at := range []int64{mono, mono - 20e9, mono - 700e9, mono + 3600e9} {
				r := ref.At(at, "1")
				finite("a reading", r.Uncertainty, r.Bound)
				if usable := r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover; usable && (!r.Known || r.Bound < r.Uncertainty || r.Uncertainty <= 0) {
					t.Fatalf("%+v", r)
				}
			}
		}
		for _, s := range ref.Samples(600) {
			if !math.IsNaN(s.Residual) {
				finite("a sample", s.Residual, s.Uncertainty)
			}
		}
		if ppm := ref.Info(mono).FrequencyPPM; math.IsInf(ppm, 0) {
			t.Fatal("infinite frequency")
		}
	})
}

// toWhole cuts to whole seconds.
func toWhole(ns int64) time.Duration { return time.Duration(ns).Truncate(time.Second) }
