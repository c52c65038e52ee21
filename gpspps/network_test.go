package gpspps_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

func noReceiver() *gpstest.Sim {
	return &gpstest.Sim{Seed: 1, FreqPPM: 60, Faults: []gpstest.Fault{{Command: "gps off"}}}
}

func TestQuorum(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(3)
	w.wrong(0.08, 1)
	w.run(25)
	r := w.now()
	if r.State != gpspps.StateLocked || r.Source != gpspps.SourceQuorum || !r.Known {
		t.Fatalf("%+v", r)
	}
	if !strings.Contains(r.Reason, "3 of 4 servers agree") || !strings.Contains(r.Reason, "no fix, no pulse") {
		t.Errorf("reason %q", r.Reason)
	}
	if r.Uncertainty > r.Bound/3 || r.Bound > 0.012 {
		t.Errorf("± %g s, bound %g s", r.Uncertainty, r.Bound)
	}
	w.each = func(_ int, now int64) {
		for _, judged := range []string{"", "s0", "s1", "s2", "s3"} {
			r := w.ref.At(now, judged)
			if r.State != gpspps.StateLocked {
				t.Fatalf("judging %q: %s %s", judged, r.State, r.Reason)
			}
			w.honest(r)
			of := 3
			if judged == "" {
				of = 4
			}
			if !strings.Contains(r.Reason, fmt.Sprintf("of %d servers", of)) {
				t.Fatalf("judging %q: %s", judged, r.Reason)
			}
		}
	}
	w.run(300)
	// Votes age: an oscillator that may be 100 ppm off adds 0.1 ms a second.
	before := w.now().Bound
	w.servers, w.each = nil, nil
	w.run(100)
	if d := w.now().Bound - before; d < 0.007 || d > 0.013 {
		t.Errorf("the bound grew by %g s in 100 s", d)
	}
	w.run(850)
	if r := w.now(); r.State != gpspps.StateCold || r.Known {
		t.Errorf("16 minutes without votes: %+v", r)
	}
}

func TestQuorumLeavesTheJudgedOut(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(3)
	w.run(25)
	if r := w.now(); r.Source != gpspps.SourceQuorum {
		t.Fatalf("three servers make no quorum: %+v", r)
	}
	at := w.at(24.7)
	for _, s := range []string{"s0", "s1", "s2"} {
		if r := w.ref.At(at, s); r.Known {
			t.Errorf("two servers judge %s: %+v", s, r)
		}
	}
	if r := w.ref.At(at, "somebody else"); !r.Known {
		t.Errorf("three servers do not judge a fourth: %+v", r)
	}
	// Another address in its network may be the same machine.
	w.right(1)
	w.servers[3].group = "g0"
	w.run(25)
	if r := w.ref.At(w.at(49.7), "s0"); r.Known {
		t.Errorf("a server is judged by itself: %+v", r)
	}
}

func TestQuorumGroups(t *testing.T) {
	for _, c := range []struct {
		name      string
		group     [4]string
		upstream  [4]string
		want      bool
		servers   int
		countedAs string
	}{
		{name: "four networks", group: [4]string{"a", "b", "c", "d"}, want: true, countedAs: "of 4"},
		{name: "two share a network", group: [4]string{"a", "a", "b", "c"}, want: true, countedAs: "of 3"},
		{name: "all but one share a network", group: [4]string{"a", "a", "a", "b"}},
		{name: "two share an upstream", group: [4]string{"a", "b", "c", "d"}, upstream: [4]string{"x", "x"}, want: true, countedAs: "of 3"},
		{name: "a chain of both", group: [4]string{"a", "a", "b", "c"}, upstream: [4]string{"", "x", "x"}},
		{name: "no group is its own", want: true, countedAs: "of 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, noReceiver(), gpspps.Config{})
			w.right(4)
			for i := range w.servers {
				w.servers[i].group, w.servers[i].upstream = c.group[i], c.upstream[i]
			}
			w.run(25)
			r := w.now()
			if r.Known != c.want || !strings.Contains(r.Reason, c.countedAs) {
				t.Errorf("%v (%s), want %v (%s)", r.Known, r.Reason, c.want, c.countedAs)
			}
		})
	}
}

// TestQuorumOfHosts: two addresses of a server have one vote, and none when either
// is judged.
func TestQuorumOfHosts(t *testing.T) {
	w := newWorld(t, noReceiver(), gpspps.Config{})
	w.right(2)
	w.run(60)
	vote := func(server, host string) {
		w.run(1)
		mono := w.at(float64(w.n) - 0.5)
		w.ref.AddVote(gpspps.Vote{Server: server, Host: host, Group: "group of " + server, Mono: mono, Time: w.truth(mono), HalfWidth: 0.001})
	}
	known := func(judged string) bool { return w.ref.At(w.at(float64(w.n)-0.3), judged).Known }
	vote("s0/2", "s0")
	if known("") {
		t.Error("a server had two votes")
	}
	vote("c", "c")
	for judged, want := range map[string]bool{"": true, "another": true, "c": false, "s0": false, "s0/2": false, "s1": false} {
		if known(judged) != want {
			t.Errorf("judging %q: %v", judged, !want)
		}
	}
}

func TestQuorumIsNotLedAstray(t *testing.T) {
	for _, c := range []struct {
		name         string
		right, wrong int
		offset       float64
		want         bool
	}{
		{"a liar just outside", 2, 1, 0.012, true},
		{"two liars of five", 3, 2, 0.5, true},
		{"half of them lie", 2, 2, 0.5, false},
		{"nobody agrees", 1, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, noReceiver(), gpspps.Config{})
			w.right(c.right)
			w.wrong(c.offset, c.wrong)
			known := 0
			w.each = func(n int, now int64) {
				r := w.ref.At(now, "")
				w.honest(r)
				if r.Known && n > 25 {
					known++
				}
			}
			w.run(600)
			if (known > 500) != c.want || (!c.want && known != 0) {
				t.Errorf("known in %d seconds, want %v", known, c.want)
			}
		})
	}
}

func TestQuorumYieldsToGPS(t *testing.T) {
	sim := quiet(3)
	sim.Faults = []gpstest.Fault{{From: 0, To: 60, Command: "gps off"}, {From: 200, To: 400, Command: "gps off"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.right(4)
	quorum := 0
	w.each = func(n int, now int64) {
		r := w.ref.At(now, "")
		w.honest(r)
		if r.Source == gpspps.SourceQuorum {
			quorum++
			if n > 75 {
				t.Fatalf("second %d: a quorum after GPS", n)
			}
		}
	}
	w.run(100)
	w.want(gpspps.StateLocked, "")
	if r := w.now(); r.Source != gpspps.SourceGPSPPS || quorum < 40 {
		t.Errorf("source %s, quorum for %d s", r.Source, quorum)
	}
	// The past stays what it was.
	if r := w.ref.At(w.at(50), ""); r.Source != gpspps.SourceQuorum || !r.Final {
		t.Errorf("50 s after the start: %+v", r)
	}
	w.run(200)
	w.want(gpspps.StateHoldover, "")
}

func TestVeto(t *testing.T) {
	// A spoofer drags time away while fixes and pulses stay consistent.
	sim := emulated(4)
	sim.TailP = 0 // three late pulses in a row would make it a holdover
	sim.Faults = []gpstest.Fault{{From: 300, To: 1200, PulseRamp: 6e-5}}
	sim.FixDelayS = 0.3
	// An oscillator that may do the same: only servers can tell.
	w := newWorld(t, sim, gpspps.Config{HoldoverPPM: 100})
	w.right(5)
	w.wrong(0.4, 1)
	w.run(300)
	w.want(gpspps.StateLocked, "")
	if v := w.ref.Info(0).Counters.Vetoes; v != 0 {
		t.Fatalf("%d vetoes without a reason", v)
	}
	worst := 0.0
	w.each = func(_ int, now int64) {
		if r := w.ref.At(now, ""); r.State == gpspps.StateLocked {
			worst = max(worst, math.Abs(w.off(r)))
		}
	}
	w.until(gpspps.StateSuspect, 800)
	w.want(gpspps.StateSuspect, "reference disputed: GPS")
	r := w.now()
	if !strings.Contains(r.Reason, "ms behind ") || !strings.Contains(r.Reason, "servers (± ") {
		t.Errorf("reason %q does not name both sides", r.Reason)
	}
	t.Logf("caught after %d s, %g s off: %s", w.n-300, w.off(r), r.Reason)
	// Servers whose own intervals are 8 ms wide cannot show less.
	if worst > 0.030 {
		t.Errorf("served as locked with %g s of error", worst)
	}
	if v := w.ref.Info(0).Counters.Vetoes; v != 1 {
		t.Errorf("%d vetoes", v)
	}
	w.run(1200 - w.n)
	w.want(gpspps.StateSuspect, "")
	w.until(gpspps.StateLocked, 200)
	w.run(300)
	w.want(gpspps.StateLocked, "")
	w.honest(w.now())
}

func TestJumpIsNotFollowed(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault gpstest.Fault
		says  string
	}{
		{"leap second", gpstest.Fault{Command: "gps leap -1"}, "1 s ahead"},
		{"a second late", gpstest.Fault{Command: "gps late"}, "1 s back"},
		{"spoofed by two minutes", gpstest.Fault{ShiftS: 120}, "120 s ahead"},
		{"a date years ahead", gpstest.Fault{ShiftS: 1024 * 7 * 86400}, "619315200 s ahead"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := quiet(5)
			c.fault.From, c.fault.To = 100, 300
			sim.Faults = []gpstest.Fault{c.fault}
			w := newWorld(t, sim, gpspps.Config{})
			w.each = func(_ int, now int64) {
				r := w.ref.At(now, "")
				w.honest(r)
				if r.Known && math.Abs(w.off(r)) > 0.01 {
					t.Fatalf("%s followed: %g s off", r.State, w.off(r))
				}
			}
			w.run(100)
			w.want(gpspps.StateLocked, "")
			w.run(6)
			w.want(gpspps.StateSuspect, c.says)
			w.run(190)
			w.want(gpspps.StateSuspect, c.says)
			w.run(25)
			w.want(gpspps.StateLocked, "")
			if c := w.ref.Info(0).Counters; c.FixesImplausible < 195 {
				t.Errorf("%d fixes counted as implausible", c.FixesImplausible)
			}
		})
	}
	t.Run("a week that rolled over is before the build", func(t *testing.T) {
		sim := quiet(5)
		sim.Faults = []gpstest.Fault{{From: 100, ShiftS: -1024 * 7 * 86400}}
		w := newWorld(t, sim, gpspps.Config{})
		w.run(110)
		w.want(gpspps.StateHoldover, "nothing that makes sense")
	})
}

// TestWrongLeapIsCorrected: a receiver that was believed for want of servers
// hears the almanac late, and servers come up that say it is right now.
func TestWrongLeapIsCorrected(t *testing.T) {
	sim := quiet(6)
	sim.LeapUTC = false
	sim.Faults = []gpstest.Fault{{From: 0, To: 1200, Command: "gps leap -1"}}
	w := newWorld(t, sim, gpspps.Config{})
	w.run(1100)
	w.want(gpspps.StateLocked, "")
	if d := w.off(w.now()); math.Abs(d-1) > 1e-3 {
		t.Fatalf("%g s off, want the second nobody could know of", d)
	}
	w.right(3)
	w.run(90)
	w.want(gpspps.StateSuspect, "reference disputed")
	w.run(100)
	w.want(gpspps.StateLocked, "")
	w.honest(w.now())
}

// TestNeverLockedAndWrong is the property behind all others: whatever happens
// to the receiver, with servers to ask, a reading that may judge is in its bound.
func TestNeverLockedAndWrong(t *testing.T) {
	commands := []string{"gps off", "gps garbage", "gps late", "gps leap -1", "gps leap 1", "gps leap -18", "gps sats 2", "pulse off", "pulse double"}
	locked, all := 0, 0
	for seed := range int64(60) {
		sim := []func(int64) *gpstest.Sim{quiet, pi, emulated}[seed%3](seed)
		sim.LeapUTC = false
		w := newWorld(t, sim, gpspps.Config{})
		w.right(4)
		rng := w.rng
		for at := 0; at < 600; {
			length := 1 + rng.IntN(90)
			f := gpstest.Fault{From: at, To: at + length, Command: commands[rng.IntN(len(commands))]}
			switch rng.IntN(8) {
			case 0, 1:
				f.ShiftS, f.Command = rng.IntN(7)-3, ""
			case 2, 3:
				f.PulseShiftS, f.Command = []float64{0.03, -0.03, 0.2, 0.6}[rng.IntN(4)], ""
			}
			sim.Faults = append(sim.Faults, f)
			at += length + rng.IntN(60)
		}
		sim.MissP, sim.DoubleP, sim.FixMissP = 0.02*rng.Float64(), 0.02*rng.Float64(), 0.02*rng.Float64()
		w.each = func(n int, now int64) {
			r := w.ref.At(now, "")
			w.honest(r)
			w.honest(w.ref.At(now-15e9, "s1"))
			w.honest(w.ref.At(now-33e9, "s2"))
			all++
			if r.State == gpspps.StateLocked && r.Source == gpspps.SourceGPSPPS {
				locked++
			}
		}
		w.run(800)
	}
	t.Logf("locked to GPS in %d of %d seconds", locked, all)
	if locked < all/10 {
		t.Errorf("locked to GPS in %d of %d seconds: nothing was shown", locked, all)
	}
}

// TestVetoTakesThreeRounds: servers that share an upset for a moment, and for
// longer.
func TestVetoTakesThreeRounds(t *testing.T) {
	for _, c := range []struct {
		rounds  int
		suspect bool
	}{{1, false}, {2, false}, {3, true}} {
		w := newWorld(t, quiet(7), gpspps.Config{})
		w.right(4)
		for i := range w.servers {
			w.servers[i].interval = 1 << 30 // they vote when they are made to
		}
		w.run(60)
		suspects := 0
		round := func(offset float64) {
			for _, s := range w.servers[:3] {
				mono := w.at(float64(w.n) - 0.3)
				w.ref.AddVote(gpspps.Vote{Server: s.name, Group: s.group, Mono: mono, HalfWidth: s.half, Time: w.truth(mono) + int64(offset*1e9)})
			}
			if w.now().State == gpspps.StateSuspect {
				suspects++
			}
			w.run(30)
		}
		round(0)
		for range c.rounds {
			round(0.05)
		}
		if (suspects > 0) != c.suspect {
			t.Errorf("%d rounds against GPS: suspect %v", c.rounds, suspects > 0)
		}
		if c.suspect {
			round(0)
			round(0)
			w.want(gpspps.StateSuspect, "reference disputed")
			round(0)
			w.want(gpspps.StateLocked, "")
		}
	}
}
