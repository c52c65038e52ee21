package nmea

import (
	"testing"
	"time"
)

var pivot = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestResolve(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := []struct {
		name             string
		year, month, day int
		pivot            string
		want             string
		weeks            int
	}{
		{"today", 26, 11, 23, "2026-11-01", "2026-11-23", 0},
		{"the day of the pivot", 26, 11, 1, "2026-11-01", "2026-11-01", 0},
		{"the day before, by a builder's clock", 26, 10, 31, "2026-11-01", "2026-10-31", 0},
		{"rolled over by one period, as receivers did in April 2019", 99, 8, 22, "2019-01-01", "2019-04-07", 1024},
		{"the same with four digits", 1999, 8, 22, "2019-01-01", "2019-04-07", 1024},
		{"two periods", 1987, 4, 10, "2026-01-01", "2026-07-10", 2048},
		{"rolled over to just before the pivot's year", 2007, 4, 9, "2026-01-01", "2026-11-23", 1024},
		{"a station that has lain on a shelf for 15 years", 41, 6, 1, "2026-01-01", "2041-06-01", 0},
		{"for 30 years", 56, 6, 1, "2026-01-01", "2056-06-01", 0},
		{"next century", 3, 2, 1, "2099-12-01", "2103-02-01", 0},
		{"the eighties of this century", 85, 1, 1, "2080-01-01", "2085-01-01", 0},
		{"last day of a century, by a builder's clock", 99, 12, 31, "2100-01-01", "2099-12-31", 0},
		{"three periods, not the eighties of this century", 84, 1, 1, "2026-01-01", "2042-11-16", 3072},
		{"no pivot", 26, 11, 23, "", "2026-11-23", 0},
		{"no pivot, last century", 99, 8, 22, "", "1999-08-22", 0},
		{"leap day", 28, 2, 29, "2026-01-01", "2028-02-29", 0},
	}
	for _, tt := range tests {
		var pivot time.Time
		if tt.pivot != "" {
			pivot = day(tt.pivot)
		}
		got, weeks, ok := Resolve(tt.year, tt.month, tt.day, pivot)
		if !ok || !got.Equal(day(tt.want)) || weeks != tt.weeks {
			t.Errorf("%s: %s + %d weeks, %v; want %s + %d", tt.name, got.Format(time.DateOnly), weeks, ok, tt.want, tt.weeks)
		}
	}
	for _, d := range [][3]int{{26, 2, 29}, {26, 13, 1}, {26, 0, 1}, {26, 1, 0}, {26, 4, 31}, {1979, 1, 1}, {0x7fffffff, 1, 1}, {-1, 1, 1}} {
		if got, _, ok := Resolve(d[0], d[1], d[2], pivot); ok {
			t.Errorf("%v is taken for %v", d, got)
		}
	}
}

// TestResolveFindsEveryDay: whatever the receiver's overflow, a true date from
// the pivot on is found as long as the receiver's error is whole periods and
// less than one period has passed since the pivot.
func TestResolveFindsEveryDay(t *testing.T) {
	for d := 0; d < 1024*7; d += 11 {
		truth := pivot.AddDate(0, 0, d)
		for lost := 0; lost <= 2; lost++ {
			said := truth.Add(-time.Duration(lost) * week1024)
			got, weeks, ok := Resolve(said.Year(), int(said.Month()), said.Day(), pivot)
			if !ok || !got.Equal(truth) || weeks != 1024*lost {
				t.Fatalf("%v said as %v: got %v", truth, said, got)
			}
			got, _, ok = Resolve(said.Year()%100, int(said.Month()), said.Day(), pivot)
			if !ok || !got.Equal(truth) {
				t.Fatalf("%v said as %s: got %v", truth, said.Format("060102"), got)
			}
		}
	}
}
