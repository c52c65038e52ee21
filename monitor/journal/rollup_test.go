package journal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// rollups are all there are.
func (s *station) rollups(q Query) (list []Rollup) {
	s.t.Helper()
	if err := s.j.Rollups(context.Background(), q, func(r *Rollup) error { list = append(list, *r); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// TestRollups counts what hours of exchanges were, exactly, over a restart in the
// middle of one and a night without power.
func TestRollups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, newCard(), true)
		begun := time.Now() // 2000-01-01 00:00, a full hour
		stopped := false
		for minute := range 3 * 60 {
			switch {
			case minute%10 == 9:
				s.j.Put(s.silence("a"))
			case minute == 0 || minute == 125:
				x, r := s.exchange("a", 0)
				x.Outcome, r.Verdict, r.Provisional = monitor.OutcomeSendError, monitor.NotJudged, false
				s.j.Put(x, r)
			default:
				s.ask("a", time.Duration(minute-30)*time.Millisecond)
			}
			s.ask("b", time.Duration(minute%3)*time.Second)
			if minute == 90 && !stopped {
				time.Sleep(40 * time.Second)
				s.stop()
				s = start(t, s.card, true)
				time.Sleep(20 * time.Second)
				continue
			}
			time.Sleep(time.Minute)
		}
		s.stop()
		time.Sleep(21 * time.Hour)
		s = start(t, s.card, true)
		defer s.stop()
		time.Sleep(10 * time.Minute)

		list := s.rollups(Query{})
		if len(list) != 6 {
			t.Fatalf("%d roll-ups: %+v", len(list), list)
		}
		for i, want := range []struct {
			id                              string
			sent, received, judged, ok, not uint32
			offset                          Spread // ms
		}{
			{"a", 59, 53, 53, 59, 1, Spread{-29, 0, 28}},
			{"b", 60, 60, 60, 60, 0, Spread{0, 1000, 2000}},
			{"a", 60, 54, 54, 60, 0, Spread{30, 59, 88}},
			{"b", 60, 60, 60, 60, 0, Spread{0, 1000, 2000}},
			{"a", 59, 53, 53, 59, 1, Spread{90, 120, 148}},
			{"b", 60, 60, 60, 60, 0, Spread{0, 1000, 2000}},
		} {
			r := list[i]
			got := Spread{r.Offset.Min / 1e6, r.Offset.Median / 1e6, r.Offset.Max / 1e6}
			if r.Target.ID != want.id || !r.Hour.Equal(begun.Add(time.Duration(i/2)*time.Hour)) || r.Sent != want.sent || r.Received != want.received ||
				r.Judged != want.judged || r.Verdicts(monitor.OK) != want.ok || r.Verdicts(monitor.NotJudged) != want.not ||
				r.Timed != want.judged || r.Delay != (Spread{20e6, 20e6, 20e6}) || got != want.offset {
				t.Errorf("roll-up %d: %+v, want %+v", i, r, want)
			}
		}
		if list := s.rollups(Query{Target: "b", From: begun.Add(time.Hour), To: begun.Add(2 * time.Hour)}); len(list) != 1 || list[0].Target.ID != "b" {
			t.Errorf("%+v", list)
		}
	})
}

// TestRollupCut cuts the power while an hour is rolled up: it is there whole or not
// at all, and whole after the next start.
func TestRollupCut(t *testing.T) {
	c := newCard()
	s := testStore(t, c, 1)
	s.records.most = 40
	for i := range 400 {
		rec := sample(i % 7)
		rec.Target.ID = fmt.Sprintf("%s %02d", rec.Target.ID, i%10)
		rec.Time = day.Add(time.Duration(i) * time.Second)
		if err := s.add(&rec); err != nil {
			t.Fatal(err)
		}
	}
	later := day.Add(2 * time.Hour).UnixNano()
	h := hours{s: s}
	if err := s.flush(true); err != nil {
		t.Fatal(err)
	}
	files, from := c.copied().files, len(c.log)
	if err := h.roll(later); err != nil {
		t.Fatal(err)
	}
	if err := s.rollups.flush(true); err != nil {
		t.Fatal(err)
	}
	count := func(s *store) (n int, sent uint32) {
		j := &Journal{}
		j.store.Store(s)
		if err := j.Rollups(context.Background(), Query{}, func(r *Rollup) error { n++; sent += r.Sent; return nil }); err != nil {
			t.Fatal(err)
		}
		return n, sent
	}
	if n, sent := count(s); n != 70 || sent != 400 {
		t.Fatalf("%d roll-ups of %d", n, sent)
	}
	next := uint64(1)
	shown := cuts(files, c.log[from:], 0, 4, func(one cut) {
		next++
		s := testStore(t, one.card, next)
		s.records.most = 40
		if n, sent := count(s); n != 0 && (n != 70 || sent != 400) {
			t.Fatalf("%s: %d roll-ups of %d", one.how, n, sent)
		}
		h := hours{s: s}
		h.begin()
		if err := h.roll(later); err != nil {
			t.Fatal(one.how, err)
		}
		if err := s.rollups.flush(true); err != nil {
			t.Fatal(one.how, err)
		}
		if n, sent := count(s); n != 70 || sent != 400 {
			t.Fatalf("%s, then done anew: %d roll-ups of %d", one.how, n, sent)
		}
	})
	t.Logf("%d states", shown)
	if shown < 100 {
		t.Errorf("%d states, want 100", shown)
	}
}

func TestMedians(t *testing.T) {
	for _, c := range []struct {
		of   []int64
		want int64
	}{{nil, 0}, {[]int64{5}, 5}, {[]int64{9, 1}, 5}, {[]int64{3, 1, 2}, 2}, {[]int64{-4, -1, -2, -3}, -3}} {
		if got := median(slices.Clone(c.of)); got != c.want {
			t.Errorf("median(%v) = %d, want %d", c.of, got, c.want)
		}
	}
}
