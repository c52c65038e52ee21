package main

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

var keptAt = time.Date(2027, 2, 3, 4, 5, 6, 0, time.UTC)

func quietNotes() *notes { return newNotes(nil, slog.New(slog.DiscardHandler)) }

// keptReading is one in a lock at a time after keptAt.
func keptReading(after time.Duration) gpspps.Reading {
	return gpspps.Reading{Mono: 1e12 + int64(after), True: keptAt.UnixNano() + int64(after), Known: true, Source: gpspps.SourceGPSPPS, State: gpspps.StateLocked}
}

func keptFile(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, keptName))
	if err != nil {
		return ""
	}
	return string(b)
}

func TestKeptRoundTrip(t *testing.T) {
	want := kept{Good: keptAt, Frequency: -17.251, FrequencyError: 0.012, GPSLessUTC: 18}
	b, err := want.bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseKept(b, oldestDate)
	if err != nil || got != want {
		t.Errorf("%+v, %v, of %s", got, err, b)
	}
	if len(b) > keptMost/2 {
		t.Errorf("%d bytes", len(b))
	}
	for i := range b {
		c := append([]byte(nil), b...)
		c[i] ^= 1
		if _, err := parseKept(c, oldestDate); err == nil && i != len(b)-1 {
			t.Errorf("byte %d is wrong, and it is taken: %q", i, c)
		}
		if i < len(b)-1 {
			if _, err := parseKept(b[:i], oldestDate); err == nil {
				t.Errorf("the first %d bytes are taken", i)
			}
		}
	}
}

func TestHostileKept(t *testing.T) {
	for _, k := range []kept{
		{Good: keptAt, Frequency: 501}, {Good: keptAt, FrequencyError: 11}, {Good: keptAt, FrequencyError: -1},
		{Good: keptAt, GPSLessUTC: 5}, {Good: keptAt, GPSLessUTC: 1e6}, {Good: keptAt, GPSLessUTC: -18},
		{Good: keptAt.AddDate(30, 0, 0)}, {Good: time.Unix(0, 0)}, {},
	} {
		b, err := k.bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseKept(b, oldestDate); err == nil {
			t.Errorf("%+v is taken", got)
		}
	}
}

func FuzzParseKept(f *testing.F) {
	b, _ := kept{Good: keptAt, Frequency: -17.251, FrequencyError: 0.012, GPSLessUTC: 18}.bytes()
	f.Add(b)
	f.Add([]byte(keptHead + " 00000000\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKept(b, oldestDate)
		if err != nil {
			if k != (kept{}) {
				t.Fatalf("%+v and %v", k, err)
			}
			return
		}
		again, err := k.bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseKept(again, oldestDate); err != nil || got != k {
			t.Fatalf("%+v becomes %+v, %v", k, got, err)
		}
		if p := k.pivot(oldestDate); p.Before(oldestDate) || p.After(oldestDate.AddDate(keptYears, 0, 0)) {
			t.Fatal(p)
		}
		k.confirms(gpspps.Fix{Leap: 18, Time: keptAt})
	})
}

func TestKeptConfirms(t *testing.T) {
	k := kept{Good: keptAt, GPSLessUTC: 18}
	for _, c := range []struct {
		k    kept
		leap int
		at   time.Time
		want bool
	}{
		{k, 18, keptAt.Add(time.Hour), true},
		{k, 18, time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC), true},
		{k, 18, time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC), false}, // there may have been one
		{k, 17, keptAt.Add(time.Hour), false},
		{k, 0, keptAt.Add(time.Hour), false},
		{k, 18, keptAt.Add(-time.Hour), false},
		{kept{Good: keptAt}, 0, keptAt.Add(time.Hour), false},
		{kept{Good: time.Date(2027, 12, 31, 23, 0, 0, 0, time.UTC), GPSLessUTC: 18}, 18, time.Date(2027, 12, 31, 23, 59, 0, 0, time.UTC), true},
		{kept{Good: time.Date(2027, 12, 31, 23, 0, 0, 0, time.UTC), GPSLessUTC: 18}, 18, time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC), false},
	} {
		if got := c.k.confirms(gpspps.Fix{Leap: c.leap, Time: c.at}); got != c.want {
			t.Errorf("%+v, %d at %s: %v", c.k, c.leap, c.at, got)
		}
	}
}

// TestKeptRarely: a card wears out.
func TestKeptRarely(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "truechimer")
	m := remember(dir, oldestDate, quietNotes())
	if !math.IsNaN(m.frequency()) {
		t.Error("a frequency out of nothing")
	}
	info := gpspps.Info{FrequencyPPM: 42, FrequencyUncertaintyPPM: 0.01}
	writes, last := 0, ""
	at := time.Duration(0)
	live := func(d time.Duration, each func()) {
		for end := at + d; at < end; at += 10 * time.Second {
			each()
			m.tick(keptReading(at), info, gpspps.Leap{GPSLessUTC: 18})
			if now := keptFile(t, dir); now != last {
				writes++
				last = now
			}
		}
	}
	live(14*time.Minute, func() {})
	if writes != 0 {
		t.Error("written before it is settled")
	}
	live(2*time.Minute, func() {})
	if writes != 1 {
		t.Errorf("written %d times", writes)
	}
	live(23*time.Hour, func() {})
	if writes != 1 {
		t.Errorf("written %d times in a day of nothing new", writes)
	}
	live(2*time.Hour, func() {})
	if writes != 2 {
		t.Errorf("written %d times after a day", writes)
	}
	live(24*time.Hour, func() { info.FrequencyPPM += 0.001 })
	if writes < 10 || writes > 26 {
		t.Errorf("written %d times in a day of changes", writes)
	}
	live(time.Hour, func() {})
	before := keptFile(t, dir)
	info.FrequencyPPM++
	live(time.Minute, func() {})
	if keptFile(t, dir) != before {
		t.Error("written twice in an hour")
	}
	m.end()
	again := remember(dir, oldestDate, quietNotes())
	if f := again.frequency(); math.Abs(f-info.FrequencyPPM) > 1e-3 || again.at.GPSLessUTC != 18 || again.at.Good.Sub(keptAt.Add(at)).Abs() > time.Minute {
		t.Errorf("%+v", again.at)
	}
	// A start that does not get far writes nothing.
	before = keptFile(t, dir)
	again.tick(keptReading(at+time.Hour), info, gpspps.Leap{})
	again.end()
	if keptFile(t, dir) != before {
		t.Error("written after a second of lock")
	}
}

// TestKeptIsNotBelievedBlindly: what is unproven is not kept, and what most
// servers contradict is forgotten.
func TestKeptIsNotBelievedBlindly(t *testing.T) {
	dir := t.TempDir()
	m := remember(dir, oldestDate, quietNotes())
	for name, spoil := range map[string]func(*gpspps.Reading, *gpspps.Info){
		"suspect":   func(r *gpspps.Reading, _ *gpspps.Info) { r.State = gpspps.StateSuspect },
		"holdover":  func(r *gpspps.Reading, _ *gpspps.Info) { r.State = gpspps.StateHoldover },
		"quorum":    func(r *gpspps.Reading, _ *gpspps.Info) { r.Source = gpspps.SourceQuorum },
		"unknown":   func(r *gpspps.Reading, _ *gpspps.Info) { r.Known = false },
		"vague":     func(_ *gpspps.Reading, i *gpspps.Info) { i.FrequencyUncertaintyPPM = 20 },
		"no number": func(_ *gpspps.Reading, i *gpspps.Info) { i.FrequencyPPM = math.NaN() },
	} {
		for at := time.Duration(0); at < time.Hour; at += 10 * time.Second {
			r, i := keptReading(at), gpspps.Info{FrequencyPPM: 42, FrequencyUncertaintyPPM: 0.01}
			spoil(&r, &i)
			m.tick(r, i, gpspps.Leap{})
		}
		m.end()
		if keptFile(t, dir) != "" {
			t.Errorf("%s is kept", name)
		}
	}

	b, _ := kept{Good: keptAt.AddDate(3, 0, 0), Frequency: 5, GPSLessUTC: 18}.bytes()
	if err := os.WriteFile(filepath.Join(dir, keptName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	m = remember(dir, oldestDate, quietNotes())
	r := keptReading(0)
	r.Source = gpspps.SourceQuorum
	m.tick(r, gpspps.Info{}, gpspps.Leap{})
	if keptFile(t, dir) != "" || !math.IsNaN(m.frequency()) {
		t.Error("a last good time that is still to come is kept")
	}
}

// TestKeptOnABadCard: no card is worth a failure.
func TestKeptOnABadCard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, "/proc/truechimer"} {
		m := remember(dir, oldestDate, quietNotes())
		for at := time.Duration(0); at < time.Hour; at += 10 * time.Second {
			m.tick(keptReading(at), gpspps.Info{FrequencyPPM: 42, FrequencyUncertaintyPPM: 0.01}, gpspps.Leap{})
		}
		m.end()
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keptName), make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	n := quietNotes()
	if m := remember(dir, oldestDate, n); !m.at.Good.IsZero() || len(n.logged) != 1 {
		t.Errorf("%+v, %v", m.at, n.logged)
	}
}

// TestStationTakesOverWhatWasKept: the second start locks a cold receiver at
// once by the count of leap seconds, runs at the right rate before that, and
// does not believe a date from before the first.
func TestStationTakesOverWhatWasKept(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), build: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b, _ := kept{Good: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC), Frequency: 42, FrequencyError: 0.1, GPSLessUTC: 18}.bytes()
	if err := os.WriteFile(filepath.Join(p.perm, keptName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		shift  int
		leap   int
		locked bool
		reason string
	}{
		{"the count", 0, 18, true, ""},
		{"another count", 0, 17, false, "leap seconds unconfirmed"},
		{"no count", 0, 0, false, "leap seconds unconfirmed"},
		{"a month ago", -30 * 86400, 18, false, "already seen a later one"},
	} {
		s := testStation(t, p, stopped{})
		sim := &gpstest.Sim{Seed: 1, Start: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Mono: 7e9, WhiteS: 1e-7, Faults: []gpstest.Fault{{ShiftS: c.shift}}}
		var mono int64
		for n := range 60 {
			sim.Run(n, n+1, s.ref.AddPulse, func(f gpspps.Fix) {
				f.Leap = c.leap
				s.ref.AddFix(f)
			})
			mono = sim.MonoAt(sim.Start.Add(time.Duration(n)*time.Second + 700*time.Millisecond))
			s.ref.Tick(mono)
		}
		if r := s.ref.At(mono, ""); (r.State == gpspps.StateLocked) != c.locked || !strings.Contains(r.Reason, c.reason) {
			t.Errorf("%s: %s (%s)", c.name, r.State, r.Reason)
		}
		if f := s.memory.frequency(); f != 42 {
			t.Errorf("frequency %g ppm", f)
		}
		if !s.inbox.pivot.Equal(p.build) {
			t.Errorf("pivot %s", s.inbox.pivot)
		}
	}
	old := kept{Good: time.Date(2046, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got := old.pivot(p.build); !got.Equal(time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("pivot %s", got)
	}
}

func TestClockStatus(t *testing.T) {
	o := discipline.Status{
		Steps: 1, Told: discipline.Condition{EstError: 1e-6, MaxError: 2e-6, Synced: true, Leap: 1}, TAI: 37,
		ForeignSteps: 2, ForeignAdjustments: 3, Foreign: "why", ForeignAt: 5e9,
	}
	l := gpspps.Leap{GPSLessUTC: 18, Next: gpspps.NextLeap{Change: 1, At: keptAt}, Receiver: true, Network: true}
	c := clock(o, l, 7e9)
	if !c.Steered || !c.Synchronized || *c.EstimatedError != 1e-6 || *c.GreatestError != 2e-6 || c.Steps != 1 || *c.GPSLessUTC != 18 || *c.TAILessUTC != 37 ||
		c.ForeignSteps != 2 || c.ForeignAdjustments != 3 || *c.Foreign != "why" || *c.ForeignAge != 2 {
		t.Errorf("%+v", c)
	}
	if n := c.Leap; n == nil || n.Change != 1 || !n.At.Equal(keptAt) || !n.Receiver || !n.Servers || !n.Ordered {
		t.Errorf("%+v", n)
	}
	c = clock(discipline.Status{Observing: true, Yielded: true}, gpspps.Leap{}, 7e9)
	if c.Steered || c.Synchronized || c.EstimatedError != nil || c.GPSLessUTC != nil || c.TAILessUTC != nil || c.Leap != nil || c.Foreign != nil || c.ForeignAge != nil {
		t.Errorf("%+v", c)
	}
	if contested(discipline.Status{Yielded: true}) == "" || contested(discipline.Status{}) != "" {
		t.Error("who else sets the clock is not told, or for nothing")
	}
}
