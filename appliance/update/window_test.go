package update

import (
	"fmt"
	"testing"
	"time"
)

// TestWindowOpens looks for the next time that a window is open: on plain days,
// over midnight, and on days on which the clock is put forward or back.
func TestWindowOpens(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	apia, err := time.LoadLocation("Pacific/Apia")
	if err != nil {
		t.Fatal(err)
	}
	h := func(hour, minute int) time.Duration {
		return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	}
	night, midnight := Window{h(2, 0), h(5, 0)}, Window{h(23, 30), h(0, 30)}
	for _, c := range []struct {
		w         Window
		zone      *time.Location
		now, want string // UTC
	}{
		{night, time.UTC, "2026-11-23T12:00:30", "2026-11-24T02:00:00"},
		{night, time.UTC, "2026-11-23T01:59:59", "2026-11-23T02:00:00"},
		{night, time.UTC, "2026-11-23T02:00:00", "2026-11-23T02:00:00"},
		{night, time.UTC, "2026-11-23T04:59:59", "2026-11-23T04:59:59"},
		{night, time.UTC, "2026-11-23T05:00:00", "2026-11-24T02:00:00"},
		{midnight, time.UTC, "2026-12-31T23:29:00", "2026-12-31T23:30:00"},
		{midnight, time.UTC, "2027-01-01T00:29:59", "2027-01-01T00:29:59"},
		{midnight, time.UTC, "2027-01-01T00:30:00", "2027-01-01T23:30:00"},
		{Window{}, time.UTC, "2026-11-23T12:00:30", "2026-11-23T12:00:30"},
		{night, berlin, "2026-11-23T12:00:00", "2026-11-24T01:00:00"},
		// The 29th of March 2026: 02:00 is 03:00, at 01:00 UTC.
		{night, berlin, "2026-03-29T00:30:00", "2026-03-29T01:00:00"},
		{night, berlin, "2026-03-29T02:59:00", "2026-03-29T02:59:00"},
		{night, berlin, "2026-03-29T03:00:00", "2026-03-30T00:00:00"},
		{Window{h(2, 40), h(5, 0)}, berlin, "2026-03-29T00:30:00", "2026-03-29T01:00:00"},
		{Window{h(2, 0), h(3, 0)}, berlin, "2026-03-29T00:30:00", "2026-03-30T00:00:00"}, // there is none on that day
		// The 25th of October 2026: 03:00 is 02:00 again, at 01:00 UTC.
		{night, berlin, "2026-10-24T23:30:00", "2026-10-25T00:00:00"},
		{Window{h(2, 40), h(2, 50)}, berlin, "2026-10-25T00:45:00", "2026-10-25T00:45:00"},
		{Window{h(2, 40), h(2, 50)}, berlin, "2026-10-25T00:55:00", "2026-10-25T01:40:00"},
		{night, berlin, "2026-10-25T04:00:00", "2026-10-26T01:00:00"},
		// Samoa had no 30th of December 2011.
		{night, apia, "2011-12-29T16:00:00", "2011-12-30T12:00:00"},
	} {
		at := func(s string) time.Time {
			u, err := time.Parse("2006-01-02T15:04:05", s)
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		if got := c.w.opens(at(c.now), c.zone); !got.Equal(at(c.want)) {
			t.Errorf("%v in %v at %s: %v, want %s", c.w, c.zone, c.now, got.UTC(), c.want)
		}
	}
}

// TestOwnMinutes spreads a fleet over a window, each with time enough before its end.
func TestOwnMinutes(t *testing.T) {
	const stations, room = 20_000, 30 * time.Minute
	for _, c := range []struct {
		w    Window
		free int // minutes to begin in
	}{
		{Window{2 * time.Hour, 5 * time.Hour}, 150},
		{Window{23 * time.Hour, time.Hour}, 90},
		{Window{2 * time.Hour, 2*time.Hour + 20*time.Minute}, 10},
		{Window{2 * time.Hour, 2*time.Hour + time.Minute}, 1},
	} {
		count := map[time.Duration]int{}
		for i := range stations {
			own := c.w.of(fmt.Sprintf("%032x", i), room)
			if own.To != c.w.To || !own.sound() {
				t.Fatalf("%v: %v", c.w, own)
			}
			count[(own.From-c.w.From+24*time.Hour)%(24*time.Hour)]++
		}
		if len(count) != c.free {
			t.Errorf("%v: %d minutes, want %d", c.w, len(count), c.free)
		}
		for minute, n := range count {
			if even := stations / c.free; minute >= time.Duration(c.free)*time.Minute || n < even/2 || n > even*2 {
				t.Errorf("%v: %d stations %v after its beginning", c.w, n, minute)
			}
		}
	}
	if w := (Window{}).of("x", room); w != (Window{}) {
		t.Errorf("%v", w)
	}
}
