package journal

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// sampleMinute is the minute of a number, which its pulses and its mean tell.
func sampleMinute(i int) Minute {
	f := float64(float32(i)) / 1024
	return Minute{
		Time: day.Add(time.Duration(i) * time.Minute), Source: "gps+pps", State: "locked", Locked: i % 61, Pulses: i,
		Offsets: Offsets{Mean: f, Least: -f - 1, Greatest: f + 1, Jitter: 0.25}, Uncertainty: 0.5, Bound: 2, Frequency: -3.5, Temperature: 48.25,
		Holdover: time.Duration(i) * time.Second, Satellites: i%20 - 1,
	}
}

func sameMinute(got *Minute) bool {
	want := sampleMinute(got.Pulses)
	want.Session = got.Session
	return *got == want
}

// minuteNumbers are those of the minutes there are.
func minuteNumbers(t testing.TB, s *store, note string) (list []int) {
	t.Helper()
	_, err := s.pass(context.Background(), Query{}, visitor{minute: func(m *Minute) error {
		if !sameMinute(m) {
			t.Fatalf("%s: a wrong minute: %+v", note, *m)
		}
		list = append(list, m.Pulses)
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", note, err)
	}
	return list
}

// TestMinuteCut cuts the power as TestCut does, of a journal with minutes among its
// records: of both there is a beginning of what was written, with all that was flushed.
func TestMinuteCut(t *testing.T) {
	var (
		c       = newCard()
		s       = testStore(t, c, 1)
		flushed = map[int]int{}
		n, sure int
		m       int
	)
	for minute := range 40 {
		own := sampleMinute(m)
		if err := s.addMinute(&own); err != nil {
			t.Fatal(err)
		}
		m++
		for range minute * 7 % 40 {
			rec := sample(n)
			if err := s.add(&rec); err != nil {
				t.Fatal(err)
			}
			n++
		}
		flushed[len(c.log)] = sure
		if err := s.flush(false); err != nil {
			t.Fatal(err)
		}
		sure = m - len(s.records.minutes)
		flushed[len(c.log)] = sure
	}
	if sure < 30 {
		t.Fatalf("%d minutes are flushed", sure)
	}
	next := uint64(2)
	shown := cuts(nil, c.log, 2, 6, func(one cut) {
		how := fmt.Sprintf("cut after %d deeds, %s", one.after, one.how)
		before := at(flushed, one.after)
		next++
		s := testStore(t, one.card, next)
		got := minuteNumbers(t, s, how)
		if !unbroken(got) || len(got) > m || before > 0 && (len(got) == 0 || got[len(got)-1] < before-1) || !unbroken(numbers(t, s, how)) {
			t.Fatalf("%s: %d were flushed; there are %v", how, before, got)
		}
		end := 0
		if len(got) > 0 {
			end = got[len(got)-1] + 1
		}
		for i := range 20 {
			own := sampleMinute(end + i)
			if err := s.addMinute(&own); err != nil {
				t.Fatal(how, err)
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(how, err)
		}
		next++
		if after := minuteNumbers(t, testStore(t, one.card, next), how+", then gone on"); !unbroken(after) || after[len(after)-1] != end+19 {
			t.Fatalf("%s: then there are %v", how, after)
		}
	})
	t.Logf("%d states after %d deeds", shown, len(c.log))
	if shown < 500 {
		t.Errorf("%d states, want 500", shown)
	}
}

// TestMinuteFormat holds what lies on the card, and what is exported of it, against
// files of this version, and reads beside what it does not know.
func TestMinuteFormat(t *testing.T) {
	c := newCard()
	s := testStore(t, c, 1)
	nan := math.NaN()
	list := []Minute{
		sampleMinute(60),
		{Time: day.Add(time.Minute), State: "holdover", Source: "gps+pps", Offsets: unknownOffsets(), Uncertainty: 1e-5, Bound: 2e-5, Frequency: nan, Temperature: nan, Holdover: 90 * time.Second, Satellites: -1},
		{Mono: 30e9, State: "cold", Source: "none", Offsets: unknownOffsets(), Uncertainty: nan, Bound: nan, Frequency: nan, Temperature: nan, Satellites: 0},
	}
	for i := range list {
		if err := s.addMinute(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	h := hours{s: s}
	for _, err := range []error{s.flush(true), h.roll(day.Add(3 * time.Hour).UnixNano()), s.close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden := newCard()
	compare := func(name string, got []byte) []byte {
		t.Helper()
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is written another way than before:\n%q\nwant\n%q", name, got, want)
		}
		return want
	}
	for _, name := range []string{"x-000", "h-000"} {
		golden.files[name] = make([]byte, len(c.files[name]))
		copy(golden.files[name], compare("minutes-"+name, bytes.TrimRight(c.files[name], "\x00")))
	}
	j := &Journal{}
	j.store.Store(testStore(t, golden, 2))
	ctx := context.Background()
	for _, f := range []Format{CSV, JSON} {
		var minutes, hours bytes.Buffer
		if err := errors.Join(j.ExportMinutes(ctx, &minutes, "=m", f, Query{Undated: true}), j.ExportReferenceHours(ctx, &hours, "=m", f, Query{})); err != nil {
			t.Fatal(err)
		}
		compare("minutes."+string(f), minutes.Bytes())
		compare("reference-hours."+string(f), hours.Bytes())
		refused := errors.New("refused")
		if err := j.ExportMinutes(ctx, refusing{refused}, "m", f, Query{}); !errors.Is(err, refused) {
			t.Error(err)
		}
	}
	if j.ExportMinutes(ctx, io.Discard, "m", "xml", Query{}) == nil || j.ExportReferenceHours(ctx, io.Discard, "m", "xml", Query{}) == nil {
		t.Error("no such format")
	}

	// A kind that is not known is stepped over, by its length: so does a program from
	// before there were minutes.
	s = testStore(t, golden, 3)
	if err := s.records.add(200, nil, 3, func([]byte, uint16) {}); err != nil {
		t.Fatal(err)
	}
	own := sampleMinute(7)
	if err := errors.Join(s.addMinute(&own), s.flush(true)); err != nil {
		t.Fatal(err)
	}
	j.store.Store(s)
	n := 0
	found, err := j.Minutes(ctx, Query{}, func(m *Minute) error { n++; return nil })
	if err != nil || n != 3 || found != (Found{Records: 3}) {
		t.Errorf("%d minutes, %+v, %v", n, found, err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	// A later version's segment is left alone; damage costs what it hit.
	later := golden.copied()
	later.files["x-000"][4] = version + 1
	reseal(later.files["x-000"][:slotSize])
	s = testStore(t, later, 4)
	own = sampleMinute(8)
	if err := errors.Join(s.addMinute(&own), s.flush(true)); err != nil {
		t.Fatal(err)
	}
	if got := minuteNumbers(t, s, "beside a later version's"); len(got) != 1 || got[0] != 8 {
		t.Errorf("%v", got)
	}
	if err := s.records.rotate(); err != nil {
		t.Fatal(err)
	}
	later.files["x-001"][slotSize+20] ^= 1
	s = testStore(t, later, 5)
	if got := minuteNumbers(t, s, "a damaged one"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// ownMinute puts what the reference was like in the minute that ends now.
func (s *station) ownMinute(pulses int, mean float64) {
	s.j.PutMinute(Minute{
		Mono: s.mono() - 30e9, Source: "gps+pps", State: "locked", Locked: 60, Pulses: pulses, Satellites: 9,
		Offsets:     Offsets{Mean: mean, Least: mean - 1e-7, Greatest: mean + 1e-7, Jitter: 2e-8},
		Uncertainty: 1e-6, Bound: 3e-6, Frequency: 5, Temperature: 50,
	})
}

// TestMinuteDates starts a station that does not know the time, and one that never
// does: minutes are dated as exchanges are, and of runs before this one the newest can
// be had.
func TestMinuteDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard()
		run := func(knows int, minutes int) *station {
			s := start(t, c, knows == 0)
			for i := range minutes {
				s.known.Store(i >= knows)
				time.Sleep(time.Minute)
				s.ownMinute(60, 0)
			}
			return s
		}
		begun := time.Now()
		run(10, 20).stop()
		time.Sleep(time.Hour)
		never := run(1000, 5)
		never.stop()
		time.Sleep(time.Hour)
		s := run(0, 2*minutesWait)
		defer s.stop()
		time.Sleep(10 * time.Minute)
		list, err := s.j.Earlier(context.Background())
		if err != nil || len(list) != 20 {
			t.Fatalf("%d minutes, %v", len(list), err)
		}
		for i, m := range list {
			if want := begun.Add(time.Duration(i)*time.Minute + 30*time.Second); m.Time.Sub(want).Abs() > time.Second || m.DatedLater != (i < 10) {
				t.Errorf("minute %d: %+v, want %s", i, m, want)
			}
		}
		dated, all := 0, 0
		if _, err := s.j.Minutes(context.Background(), Query{From: begun}, func(*Minute) error { dated++; return nil }); err != nil {
			t.Error(err)
		}
		if _, err := s.j.Minutes(context.Background(), Query{Undated: true}, func(*Minute) error { all++; return nil }); err != nil {
			t.Error(err)
		}
		if dated != 20+2*minutesWait || all != dated+5 {
			t.Errorf("%d with a date, %d in all", dated, all)
		}
	})
	j := &Journal{}
	if _, err := j.Earlier(context.Background()); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
	if _, err := j.Minutes(context.Background(), Query{}, nil); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
}

// TestEarlierIsBounded: however many minutes there are, a day of them is had.
func TestEarlierIsBounded(t *testing.T) {
	s := testStore(t, newCard(), 1)
	s.records.most = 200
	const n = 4*MostEarlier + 99
	for i := range n {
		m := sampleMinute(i % 60)
		m.Time = day.Add(time.Duration(i) * time.Minute)
		if err := s.addMinute(&m); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			if err := s.flush(true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.flush(true); err != nil {
		t.Fatal(err)
	}
	s.session++ // as the next run sees them
	j := &Journal{}
	j.store.Store(s)
	list, err := j.Earlier(context.Background())
	if err != nil || len(list) != MostEarlier {
		t.Fatalf("%d, %v", len(list), err)
	}
	for i, m := range list[1:] {
		if m.Time.Sub(list[i].Time) != time.Minute {
			t.Fatalf("%s comes after %s", m.Time, list[i].Time)
		}
	}
	if size := reflect.TypeFor[Minute]().Size(); size*2*minutesMost > 256<<10 {
		t.Errorf("%d bytes wait for a card that takes none", size*2*minutesMost)
	}
	if last := list[len(list)-1].Time; !last.Equal(day.Add((n - 1) * time.Minute)) {
		t.Errorf("the last is of %s", last)
	}
}

// TestReferenceHours counts what hours of minutes were, where there are servers and
// where there are none.
func TestReferenceHours(t *testing.T) {
	for _, servers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, newCard(), true)
			defer s.stop()
			begun := time.Now()
			for minute := range 145 {
				if servers {
					s.ask("a", 0)
				}
				time.Sleep(time.Minute)
				switch {
				case minute >= 60 && minute < 90: // the second hour has half of them
				case minute == 5:
					s.j.PutMinute(Minute{
						Mono: s.mono() - 30e9, Source: "gps+pps", State: "holdover", Holdover: 70 * time.Second, Satellites: -1,
						Offsets: unknownOffsets(), Uncertainty: 5e-6, Bound: math.NaN(), Frequency: math.NaN(), Temperature: math.NaN(),
					})
				default:
					s.ownMinute(50, float64(minute%60)*1e-9)
				}
			}
			var list []ReferenceHour
			err := s.j.ReferenceHours(context.Background(), Query{}, func(h *ReferenceHour) error { list = append(list, *h); return nil })
			if err != nil || len(list) != 2 {
				t.Fatalf("%d, %v", len(list), err)
			}
			near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }
			h := list[0]
			if !h.Hour.Equal(begun) || h.Minutes != 60 || h.Pulses != 59*50 || h.Locked != 59*time.Minute || h.Holdover != 70*time.Second ||
				h.States("locked") != 59 || h.States("holdover") != 1 || h.States("odd") != 0 ||
				!near(h.Mean, (1770-5)*1e-9/59) || !near(h.Jitter, 2e-8) || !near(h.Least, -1e-7) || !near(h.Greatest, 1.59e-7) ||
				!near(h.Uncertainty, 5e-6) || !near(h.Bound, 3e-6) || h.Frequency != 5 || h.Temperature != 50 {
				t.Errorf("servers: %v: %+v", servers, h)
			}
			if h := list[1]; h.Minutes != 30 || h.Holdover != 0 || !near(h.Uncertainty, 1e-6) || !near(h.Least, 30e-9-1e-7) {
				t.Errorf("servers: %v: %+v", servers, h)
			}
			n := 0
			if err := s.j.ReferenceHours(context.Background(), Query{From: begun.Add(time.Hour)}, func(*ReferenceHour) error { n++; return nil }); err != nil || n != 1 {
				t.Errorf("%d from the second on, %v", n, err)
			}
		})
	}
}

// TestMinutesAndTrouble has a card refuse to be written for an hour, so that a segment is
// given up, and for a day: of the first nothing is lost, of the second the newest hours are
// there.
func TestMinutesAndTrouble(t *testing.T) {
	for _, c := range []struct {
		hours, least, most int
	}{{1, 120, 120}, {24, 60 + minutesMost, 60 + 2*minutesMost}} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, newCard(), true)
			minutes := func(n int) {
				for range n {
					time.Sleep(time.Minute)
					s.ownMinute(60, 0)
				}
			}
			fail := func(f func(what, name string) error) {
				s.card.mu.Lock()
				defer s.card.mu.Unlock()
				s.card.fail = f
			}
			minutes(30)
			fail(func(what, _ string) error {
				if what == "sync" || what == "make" {
					return syscall.EIO
				}
				return nil
			})
			minutes(60 * c.hours)
			fail(nil)
			minutes(30)
			s.stop()
			s = start(t, s.card, true)
			defer s.stop()
			var last time.Time
			n := 0
			_, err := s.j.Minutes(context.Background(), Query{}, func(m *Minute) error {
				if !m.Time.After(last) {
					t.Errorf("%s comes after %s", m.Time, last)
				}
				n, last = n+1, m.Time
				return nil
			})
			if err != nil || n < c.least || n > c.most {
				t.Errorf("%d minutes after %d hours, %v", n, c.hours, err)
			}
		})
	}
}

// TestMinuteRows: the names in CSV are those in JSON.
func TestMinuteRows(t *testing.T) {
	m, h := sampleMinute(1), ReferenceHour{Hour: day}
	for _, c := range []struct {
		row    any
		names  []string
		fields []string
	}{
		{newMinuteRow("", &m), minuteColumns, new(minuteRow).fields(nil)},
		{newReferenceHourRow("", &h), referenceHourColumns, new(referenceHourRow).fields(nil)},
	} {
		b, err := json.Marshal(c.row)
		var object map[string]any
		if err = errors.Join(err, json.Unmarshal(b, &object)); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.names {
			if _, ok := object[name]; !ok {
				t.Errorf("JSON has no %s", name)
			}
		}
		delete(object, "states")
		if extra := len(c.fields) - len(c.names); len(object) != len(c.names) || extra != 0 && extra != len(states)-1 {
			t.Errorf("%d names in JSON, %d in CSV, %d values", len(object), len(c.names), len(c.fields))
		}
		if w := csv.NewWriter(io.Discard); w.Write(c.fields) != nil {
			t.Error("no CSV")
		}
	}
}
