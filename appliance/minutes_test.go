package main

import (
	"context"
	"math"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	diary "github.com/truechimer/truechimer/monitor/journal"
)

// TestMinutesOutlastARestart: what pulses were like before a start is shown after it, with
// a gap where the station was off, and is not taken for knowledge of the time.
func TestMinutesOutlastARestart(t *testing.T) {
	const (
		lasts = 40 * time.Minute
		off   = 2 * time.Hour
	)
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
	var before, after []status.Minute
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		w.atEnd = func(s *station) { before = s.minutes() }
		live(t, w, p, lasts)
	})
	if len(before) < 38 {
		t.Fatalf("%d minutes", len(before))
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		w.begun = w.begun.Add(-lasts - off)
		seconds, known := 0, false
		w.made = func(s *station) {
			if got := s.minutes(); len(got) > 0 {
				t.Errorf("%d minutes before the journal is open", len(got))
			}
		}
		w.each = func(s status.Status) {
			if seconds++; seconds == 5 && s.Reference.State == "locked" {
				t.Error("locked after five seconds")
			}
		}
		w.atEnd = func(s *station) {
			after = s.minutes()
			err := s.diary.ReferenceHours(context.Background(), diary.Query{}, func(h *diary.ReferenceHour) error {
				known = known || h.Minutes >= 38 && h.Pulses > 2000 && h.Mean == h.Mean && h.Frequency == h.Frequency && h.States("locked") > 20
				return nil
			})
			if err != nil || !known {
				t.Errorf("the hour before is not rolled up: %v", err)
			}
		}
		live(t, w, p, lasts)
	})
	gaps := 0
	for i, m := range after {
		if m.Mean == nil && m.State == "locked" || m.Age < 0 || math.Abs(float64(m.Time.Sub(epoch))/1e9+m.Age-(2*lasts+off).Seconds()) > 2 {
			t.Fatalf("minute %d: %+v", i, m)
		}
		if i == 0 {
			continue
		}
		switch apart := after[i-1].Age - m.Age; {
		case apart > 3600:
			gaps++
		case apart < 1 || apart > 240:
			t.Errorf("%g s from one to the next", apart)
		}
	}
	if n := len(after); gaps != 1 || n < 72 || n > 82 {
		t.Errorf("%d minutes with %d gaps", n, gaps)
	}
}

// TestEarlierMinutes: a clock that was years off when they were written makes nothing of
// them, and a day later they are forgotten.
func TestEarlierMinutes(t *testing.T) {
	now := epoch
	at := func(d time.Duration) diary.Minute {
		return diary.Minute{Time: now.Add(d), Pulses: 60, Offsets: diary.Offsets{Mean: 1e-7, Jitter: 2e-8}, Uncertainty: math.NaN(), State: "locked"}
	}
	silent := at(-time.Hour)
	silent.Pulses = 0
	var e earlier
	e.set([]diary.Minute{at(-30 * 365 * 24 * time.Hour), at(-25 * time.Hour), at(-2 * time.Hour), silent, at(-time.Minute), at(time.Hour), at(9e8 * time.Second)})
	list := e.minutes(now, now.Add(-10*time.Minute))
	if len(list) != 1 || list[0].Age != 7200 || *list[0].Mean != float64(float32(1e-7)) || list[0].Uncertainty != nil || list[0].Pulses != 60 {
		t.Errorf("%+v", list)
	}
	if size := reflect.TypeFor[earlierMinute]().Size() * diary.MostEarlier; size > 60<<10 {
		t.Errorf("%d bytes for a day", size)
	}
	if e.minutes(now.Add(40*365*24*time.Hour), now); e.list != nil {
		t.Error("they are kept for ever")
	}
}
