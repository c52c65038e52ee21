package health

import (
	"fmt"
	"math"
	"strconv"
)

// unit is one step of the scale in which people read lengths of time. A unit
// is used from the length from on.
type unit struct {
	name       string
	size, from float64 // seconds
}

var units = []unit{
	{"years", 31557600, 2 * 31557600},
	{"d", 86400, 2 * 86400},
	{"h", 3600, 2 * 3600},
	{"min", 60, 2 * 60},
	{"s", 1, 1},
	{"ms", 1e-3, 1e-3},
	{"µs", 1e-6, 1e-6},
	{"ns", 1e-9, 0},
}

// Seconds writes the size of a length of time, in seconds, with so many
// significant digits in the unit that suits it: 1.2e-05 becomes `12 µs`. The
// sign is dropped; what is not a number or not finite is `unknown`.
func Seconds(v float64, digits int) string { return quantity(v, digits, math.Round) }

// Within is Seconds rounded up to two digits, for a promise that must hold.
func Within(v float64) string { return quantity(v, 2, math.Ceil) }

// Signed is Seconds with the sign in front, `+` or `−`; 0 has none.
func Signed(v float64, digits int) string {
	s := Seconds(v, digits)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0), s == "0 ns":
		return s
	case v < 0:
		return "−" + s
	}
	return "+" + s
}

func quantity(v float64, digits int, round func(float64) float64) string {
	v = math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v > 1e12: // beyond every time stamp that NTP or a receiver can carry
		return "over 30000 years"
	case v < 5e-12: // no clock here resolves as much
		return "0 ns"
	}
	// Rounding comes first, so that 999.96 µs becomes 1.00 ms and not 1000 µs.
	// The hair taken off keeps 12 µs, which binary cannot hold, from becoming 13.
	step := math.Pow(10, math.Floor(math.Log10(v))-float64(digits-1))
	v = round(v/step*(1-1e-12)) * step
	u := units[len(units)-1]
	for _, c := range units {
		if v*(1+1e-9) >= c.from {
			u = c
			break
		}
	}
	n := v / u.size
	decimals := digits - 1 - int(math.Floor(math.Log10(n*(1+1e-9))))
	decimals = min(max(decimals, 0), 2)
	return strconv.FormatFloat(n, 'f', decimals, 64) + " " + u.name
}

// Span writes how long something has lasted, in seconds: `8 s`, `4 min 12 s`,
// `3 h 5 min`, `2 d 4 h`. Below 0 and what is no number is `unknown`.
func Span(v float64) string {
	const limit = 100 * 365 * 86400
	if !(v >= 0) || v > limit {
		return "unknown"
	}
	s := int64(v)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}
