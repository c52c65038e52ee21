package nmea

import "time"

// week1024 is how far a receiver's date falls back when its 10-bit count of
// weeks overflows (IS-GPS-200, 20.3.3.3.1.1).
const week1024 = 1024 * 7 * 24 * time.Hour

// slack is how far before the pivot a date may lie: the pivot is the time of
// a build, on a machine whose clock or zone may be a little off, and taking a
// right date for a rolled over one costs 20 years.
const slack = 24 * time.Hour

// Resolve finds the day a receiver means. year is as it was sent: 0 to 99 from
// RMC, four digits from ZDA. pivot is a time known to be past.
//
// A two-digit year is that of the century which puts the day less than 1024
// weeks after the pivot, if there is one; otherwise the one from 1980 to 2079,
// as GPS time begins in 1980. A day that lies more than a day before the pivot
// then comes from a receiver whose count of weeks overflowed, and has as many
// times 1024 weeks added as are needed; weeks says how many. ok is false for a
// day no calendar has.
func Resolve(year, month, day int, pivot time.Time) (t time.Time, weeks int, ok bool) {
	if year < 0 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 {
		return time.Time{}, 0, false
	}
	short := year < 100
	if short {
		century := 2000
		if year >= 80 {
			century = 1900
		}
		if !pivot.IsZero() {
			for c := 1900; c <= 2200; c += 100 {
				d := date(c+year, month, day).Sub(pivot)
				if d >= -slack && d < week1024-slack {
					century = c
				}
			}
		}
		year += century
	}
	t = date(year, month, day)
	if t.Day() != day {
		return time.Time{}, 0, false // the 30th of February
	}
	if year < 1980 {
		return time.Time{}, 0, false // before GPS time began
	}
	if pivot.IsZero() {
		return t, 0, true
	}
	// t is the beginning of the day: that of the pivot itself lies at most a
	// day before it.
	for earliest := pivot.Add(-slack); t.Before(earliest); {
		t = t.Add(week1024)
		weeks += 1024
	}
	return t, weeks, true
}

func date(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}
