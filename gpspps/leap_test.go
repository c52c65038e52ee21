package gpspps_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

const untilLeap = 600 // seconds of a leapWorld before midnight

// leapWorld is a world in which a month ends with a leap second.
type leapWorld struct {
	*world
	change            int    // the truth
	announced         int    // by the receiver
	names             string // how the receiver calls the inserted second: 59, 60 or 0
	deaf              bool   // the receiver does not make it
	told, made        int    // how many servers announce it, and make it
	from, to          int    // seconds in which it is announced
	wrong             int    // readings given out that were wrong, provisional ones
	notUsable, usable int    // seconds after midnight without and with a usable reading
	lastUnusable      int
	reasons           map[string]bool
}

var midnight = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

func newLeapWorld(t *testing.T, sim *gpstest.Sim, servers int) *leapWorld {
	sim.Start = midnight.Add(-untilLeap * time.Second)
	w := &leapWorld{world: newWorld(t, sim, gpspps.Config{}), names: "60", to: math.MaxInt, told: servers, made: servers, reasons: map[string]bool{}}
	w.right(servers)
	w.edit = func(n int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
		if f == nil {
			return p, f
		}
		f.Leap = 18
		if w.announced != 0 && n >= w.from && n < w.to && n < untilLeap {
			f.NextLeap = gpspps.NextLeap{Change: w.announced, At: midnight}
		}
		if w.deaf {
			return p, f
		}
		utc := w.utc(f.Time.UnixNano())
		if w.change == 1 && n == untilLeap {
			utc += map[string]int64{"59": 0, "60": 1e9, "0": 1e9}[w.names]
		}
		f.Time = time.Unix(0, utc).UTC()
		if f.Time.UnixNano() >= midnight.UnixNano() {
			f.Leap += w.change
		}
		return p, f
	}
	w.voting = func(i int, v *gpspps.Vote) {
		if i < w.made {
			at := w.truth(v.Mono)
			v.Time += w.utc(at) - at
		}
		if n := w.n - 1; i < w.told && n >= w.from && n < w.to && n < untilLeap {
			v.Leap = max(w.change, -1)
			if v.Leap == 0 {
				v.Leap = 1 // for nothing
			}
		}
	}
	w.each = func(n int, now int64) {
		r := w.ref.At(now, "")
		usable := r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover
		if n >= untilLeap {
			w.reasons[r.Reason] = true
			if usable {
				w.usable++
			} else {
				w.notUsable++
				w.lastUnusable = n - untilLeap
			}
		}
		if usable && math.Abs(w.error(r)) > r.Bound {
			w.wrong++
		}
		if f := w.ref.At(now-int64(gpspps.FinalAfter)-1e9, ""); f.Final && (f.State == gpspps.StateLocked || f.State == gpspps.StateHoldover) {
			if e := w.error(f); math.Abs(e) > f.Bound {
				t.Fatalf("second %d: a final reading is %g s off, %s", n-33-untilLeap, e, f.State)
			}
		}
	}
	return w
}

// utc is UTC when it would be t without the leap second, as kernels count it.
func (w *leapWorld) utc(t int64) int64 {
	if t >= midnight.UnixNano()+int64(min(w.change, 0))*1e9 {
		return t - int64(w.change)*1e9
	}
	return t
}

func (w *leapWorld) error(r gpspps.Reading) float64 {
	return float64(r.True-w.utc(w.truth(r.Mono))) * 1e-9
}

func TestLeapSeconds(t *testing.T) {
	for _, c := range []struct {
		name                        string
		change, announced           int
		names                       string
		deaf                        bool
		servers, told, made         int
		from, to                    int
		wrong, unusable, until, gps int // at the most: readings, seconds, seconds after midnight; and the count
		reason                      string
		suspect                     bool // for ever
	}{
		{name: "inserted, second 60", change: 1, announced: 1, names: "60", servers: 4, told: 4, made: 4, gps: 19},
		{name: "inserted, 59 twice", change: 1, announced: 1, names: "59", servers: 4, told: 4, made: 4, gps: 19},
		{name: "deleted", change: -1, announced: -1, servers: 4, told: 4, made: 4, gps: 17},
		{name: "inserted, a minority of servers do not know", change: 1, announced: 1, servers: 5, told: 3, made: 3, gps: 19},
		{name: "inserted, the receiver cannot announce it", change: 1, servers: 4, told: 4, made: 4, wrong: 1, unusable: 8, until: 8, gps: 19, reason: "the servers alone announced"},
		{name: "deleted, the receiver cannot announce it", change: -1, servers: 4, told: 4, made: 4, wrong: 1, unusable: 8, until: 8, gps: 17, reason: "the servers alone announced"},
		{name: "inserted, no servers", change: 1, announced: 1, wrong: 1, unusable: 8, until: 8, gps: 19, reason: "the receiver alone announced"},
		{name: "deleted, no servers", change: -1, announced: -1, wrong: 1, unusable: 8, until: 8, gps: 17, reason: "the receiver alone announced"},
		{name: "inserted, the servers do not announce it", change: 1, announced: 1, servers: 4, made: 4, wrong: 1, unusable: 40, until: 40, gps: 19, reason: "the receiver alone announced"},
		{name: "inserted, nobody announces it", change: 1, servers: 4, made: 4, wrong: 4, unusable: 40, until: 40, gps: 19, reason: "the receiver alone made"},
		{name: "deleted, nobody announces it", change: -1, servers: 4, made: 4, wrong: 4, unusable: 40, until: 40, gps: 17, reason: "the receiver alone made"},
		{name: "inserted, nobody announces it, no servers", change: 1, wrong: 4, unusable: 910, until: 910, gps: 19, reason: "the receiver alone made"},
		{name: "inserted, the receiver stays behind", change: 1, deaf: true, servers: 4, told: 4, made: 4, wrong: 1, suspect: true, reason: "the servers alone announced"},
		{name: "none, the receiver announces one", announced: 1, servers: 4, wrong: 1, unusable: 40, until: 40, gps: 18},
		{name: "none, the servers announce one", servers: 4, told: 4, wrong: 1, unusable: 40, until: 40, gps: 18},
		{name: "none, the receiver announces one, no servers", announced: 1, wrong: 1, unusable: 910, until: 910, gps: 18},
		{name: "none, taken back", announced: 1, servers: 4, told: 4, to: 400, gps: 18},
		{name: "none, everybody announces one", announced: 1, servers: 4, told: 4, wrong: 60, unusable: 100, until: 120, gps: 18},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newLeapWorld(t, quiet(1), c.servers)
			w.change, w.announced, w.deaf, w.told, w.made = c.change, c.announced, c.deaf, c.told, c.made
			if c.names != "" {
				w.names = c.names
			}
			if c.to != 0 {
				w.to = c.to
			}
			w.run(untilLeap + 1200)
			t.Logf("%d provisional readings wrong, %d s without a usable one, the last %d s after midnight", w.wrong, w.notUsable, w.lastUnusable)
			if c.suspect {
				if r := w.now(); r.State != gpspps.StateSuspect {
					t.Errorf("%s (%s)", r.State, r.Reason)
				}
			} else if r := w.now(); r.State != gpspps.StateLocked || math.Abs(w.error(r)) > r.Bound {
				t.Errorf("afterwards %s (%s), %g s off", r.State, r.Reason, w.error(r))
			} else if w.notUsable > c.unusable || w.lastUnusable > c.until {
				t.Errorf("%d s without a usable reading until %d s after midnight, want %d and %d", w.notUsable, w.lastUnusable, c.unusable, c.until)
			}
			if w.wrong > c.wrong {
				t.Errorf("%d provisional readings were wrong, want %d", w.wrong, c.wrong)
			}
			if got := w.ref.Leap().GPSLessUTC; got != c.gps {
				t.Errorf("GPS less UTC is taken for %d, want %d", got, c.gps)
			}
			found := c.reason == ""
			for r := range w.reasons {
				found = found || strings.Contains(r, c.reason)
			}
			if !found {
				t.Errorf("reasons %v", w.reasons)
			}
		})
	}
}

// TestLeapAnnounced: who announces what, and when it counts.
func TestLeapAnnounced(t *testing.T) {
	w := newLeapWorld(t, quiet(2), 4)
	w.change, w.announced, w.from, w.to = 1, 1, 100, 400
	w.run(100)
	if l := w.ref.Leap(); l.Next.Change != 0 || l.Agreed() || l.GPSLessUTC != 18 {
		t.Errorf("before: %+v", l)
	}
	w.run(40)
	if l := w.ref.Leap(); !l.Agreed() || l.Next.Change != 1 || !l.Next.At.Equal(midnight) {
		t.Errorf("announced: %+v", l)
	}
	w.told = 0
	w.run(40)
	if l := w.ref.Leap(); l.Agreed() || !l.Receiver || l.Next.Change != 1 {
		t.Errorf("taken back by the servers: %+v", l)
	}
	w.told = 4
	w.run(40)
	if !w.ref.Leap().Agreed() {
		t.Error("not announced again")
	}
	w.announced = 0
	w.run(90)
	if l := w.ref.Leap(); l.Agreed() || l.Receiver || !l.Network {
		t.Errorf("taken back by the receiver: %+v", l)
	}
	w.announced = -1
	w.run(10)
	if l := w.ref.Leap(); l.Agreed() || l.Next.Change != -1 {
		t.Errorf("contradictory: %+v", l)
	}
}

// TestLeapInHoldover: the antenna is lost before the leap second that was
// announced, and comes back after it.
func TestLeapInHoldover(t *testing.T) {
	for _, change := range []int{1, -1} {
		sim := quiet(3)
		sim.Faults = []gpstest.Fault{{From: untilLeap - 200, To: untilLeap + 200, Command: "gps off"}}
		w := newLeapWorld(t, sim, 4)
		w.change, w.announced = change, change
		w.run(untilLeap + 190)
		if w.wrong != 0 || w.now().State != gpspps.StateHoldover || math.Abs(w.error(w.now())) > w.now().Bound {
			t.Errorf("%d readings wrong, %s, %g s off", w.wrong, w.now().State, w.error(w.now()))
		}
		w.run(60)
		if w.wrong != 0 || w.now().State != gpspps.StateLocked || w.ref.Leap().GPSLessUTC != 18+change {
			t.Errorf("%d readings wrong, %s (%s), %+v", w.wrong, w.now().State, w.now().Reason, w.ref.Leap())
		}
	}
}

// TestLeapUntold: the antenna is lost over the end of a quarter, and nobody announced a
// leap second. Nothing contradicts anything; the bound is a second wider until somebody
// has spoken, and no reading is wrong.
func TestLeapUntold(t *testing.T) {
	for _, c := range []struct {
		change, servers int
		back            int // second after midnight in which the antenna is
		until           int // the bound is wider, at the most
	}{
		{0, 4, 600, 60}, {1, 4, 600, 60}, {-1, 4, 600, 60},
		{0, 0, 600, 620}, {1, 0, 600, 1520}, {-1, 0, 600, 1520},
	} {
		sim := quiet(3)
		sim.Faults = []gpstest.Fault{{From: untilLeap - 200, To: untilLeap + c.back, Command: "gps off"}}
		w := newLeapWorld(t, sim, c.servers)
		w.change, w.told, w.made = c.change, 0, c.servers
		each, wide, until := w.each, 0, 0
		w.each = func(n int, now int64) {
			each(n, now)
			r := w.ref.At(now, "")
			if r.State == gpspps.StateHoldover && r.Bound > 1 {
				wide, until = wide+1, n-untilLeap
				if !strings.HasSuffix(r.Reason, "; nobody has said whether the quarter ended with a leap second") {
					t.Errorf("%+v", r)
				}
			}
			if n < untilLeap+c.back && r.State == gpspps.StateSuspect && (c.change == 0 || c.servers == 0) {
				t.Fatalf("%+v, second %d: %+v", c, n-untilLeap, r)
			}
		}
		w.run(untilLeap + 1800)
		t.Logf("%+v: the bound was wider for %d s, until %d s after midnight; %d s without a usable reading, until %d", c, wide, until, w.notUsable, w.lastUnusable)
		if r := w.now(); w.wrong != 0 || wide == 0 || until > c.until || r.State != gpspps.StateLocked || r.Bound > 1e-3 || math.Abs(w.error(r)) > r.Bound {
			t.Errorf("%+v: %d readings wrong; %+v", c, w.wrong, r)
		}
	}
}

// TestLeapOfQuorum: without a receiver, votes from before a leap second are not
// carried on beyond it.
func TestLeapOfQuorum(t *testing.T) {
	for _, change := range []int{1, -1} {
		sim := quiet(4)
		sim.Faults = []gpstest.Fault{{Command: "gps off"}}
		w := newLeapWorld(t, sim, 5)
		w.change = change
		w.run(untilLeap + 120)
		if r := w.now(); w.wrong != 0 || r.Source != gpspps.SourceQuorum || math.Abs(w.error(r)) > r.Bound {
			t.Errorf("%d readings wrong; %+v", w.wrong, r)
		}
	}
}

// TestHostileLeap: what a receiver announces is bounded.
func TestHostileLeap(t *testing.T) {
	for name, n := range map[string]gpspps.NextLeap{
		"two seconds":         {Change: 2, At: midnight},
		"many":                {Change: math.MinInt, At: midnight},
		"in the past":         {Change: 1, At: midnight.AddDate(0, -1, 0)},
		"in the month":        {Change: 1, At: midnight.AddDate(0, 0, 14)},
		"not at midnight":     {Change: 1, At: midnight.Add(time.Second)},
		"in years":            {Change: 1, At: midnight.AddDate(5, 0, 0)},
		"never":               {Change: 1},
		"when time overflows": {Change: 1, At: time.Unix(math.MaxInt64, 0)},
	} {
		w := newLeapWorld(t, quiet(5), 4)
		edit := w.edit
		w.edit = func(k int, p []gpspps.Pulse, f *gpspps.Fix) ([]gpspps.Pulse, *gpspps.Fix) {
			f.NextLeap, f.Leap = n, 18
			if k > 60 {
				f.Leap = 255
			}
			_, _ = edit(k, p, nil)
			return p, f
		}
		w.told = 0
		w.run(120)
		if l := w.ref.Leap(); l.Next.Change != 0 || l.GPSLessUTC != 18 {
			t.Errorf("%s: %+v", name, l)
		}
		if w.now().State != gpspps.StateLocked {
			t.Errorf("%s: %s", name, w.now().State)
		}
	}
}

// TestLeapWhateverHappens: antennas and pulses are lost around midnight, and
// anybody announces anything. As long as the receiver and the servers make what
// leap second there is, no final reading is wrong.
func TestLeapWhateverHappens(t *testing.T) {
	provisional, locked := 0, 0
	for seed := range int64(60) {
		rng := rand.New(rand.NewPCG(7, uint64(seed)))
		sim := []func(int64) *gpstest.Sim{quiet, pi, emulated}[rng.IntN(3)](seed)
		for range rng.IntN(3) {
			from := untilLeap - 60 + rng.IntN(120)
			sim.Faults = append(sim.Faults, gpstest.Fault{From: from, To: from + 1 + rng.IntN(60), Command: []string{"gps off", "pulse off", "gps sats 1", "gps garbage"}[rng.IntN(4)]})
		}
		servers := rng.IntN(6)
		w := newLeapWorld(t, sim, servers)
		w.change, w.announced = rng.IntN(3)-1, rng.IntN(3)-1
		w.names = []string{"59", "60", "0"}[rng.IntN(3)]
		w.told = rng.IntN(servers + 1)
		w.from, w.to = rng.IntN(2)*590, untilLeap-rng.IntN(2)*rng.IntN(30)
		t.Logf("seed %d: change %d, announced %d, %d servers, %d told, names %s, %v, from %d to %d", seed, w.change, w.announced, servers, w.told, w.names, sim.Faults, w.from, w.to)
		w.run(untilLeap + 300)
		provisional += w.wrong
		if w.wrong > 6 {
			t.Errorf("seed %d: %d provisional readings wrong", seed, w.wrong)
		}
		if w.now().State == gpspps.StateLocked {
			locked++
			if e := w.error(w.now()); math.Abs(e) > w.now().Bound {
				t.Errorf("seed %d: %g s off", seed, e)
			}
		}
	}
	t.Logf("%d provisional readings wrong, locked %d times after 300 s", provisional, locked)
}

// TestLeapOfNamed: the reference is a server that a person named, which makes
// the leap second as the other servers do. With a receiver beside it that makes
// it, too, nothing contradicts anything.
func TestLeapOfNamed(t *testing.T) {
	for _, receiver := range []bool{false, true} {
		sim := quiet(6)
		if !receiver {
			sim.Faults = []gpstest.Fault{{Command: "gps off"}}
		} else {
			sim.Faults = []gpstest.Fault{{From: untilLeap + 60, Command: "gps sats 1"}}
		}
		w := newLeapWorld(t, sim, 5)
		w.change = 1
		each := w.each
		w.each = func(n int, now int64) {
			if n%8 == 0 {
				at := now - 1e8
				w.ref.AddMark(gpspps.Mark{Source: gpspps.SourceNTP, Mono: at, Time: w.utc(w.truth(at)), HalfWidth: 1e-3})
			}
			each(n, now)
		}
		w.run(untilLeap + 400)
		t.Logf("receiver %v: %d readings wrong, %d s without a usable one, the last %d s after midnight", receiver, w.wrong, w.notUsable, w.lastUnusable)
		r := w.now()
		usable := r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover
		if !usable || math.Abs(w.error(r)) > r.Bound || w.wrong > 10 {
			t.Errorf("receiver %v: %d readings wrong; %+v", receiver, w.wrong, r)
		}
	}
}
