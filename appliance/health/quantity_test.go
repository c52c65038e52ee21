package health

import (
	"math"
	"testing"
)

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0, 3, "0 ns"},
		{1e-15, 3, "0 ns"},
		{4.2e-11, 2, "0.04 ns"},
		{2.31e-7, 3, "231 ns"},
		{9.996e-7, 3, "1.00 µs"},
		{1.2e-5, 2, "12 µs"},
		{9.9996e-4, 3, "1.00 ms"},
		{0.08012, 3, "80.1 ms"},
		{-0.08012, 2, "80 ms"},
		{1, 3, "1.00 s"},
		{119, 3, "119 s"},
		{120, 2, "2.0 min"},
		{7200, 2, "2.0 h"},
		{3 * 86400, 2, "3.0 d"},
		{26 * 31557600, 3, "26.0 years"},
		{math.NaN(), 3, "unknown"},
		{math.Inf(-1), 3, "unknown"},
		{math.MaxFloat64, 1, "over 30000 years"},
	} {
		if got := Seconds(c.v, c.digits); got != c.want {
			t.Errorf("Seconds(%g, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

func TestSigned(t *testing.T) {
	for v, want := range map[float64]string{
		0.08: "+80 ms", -2.31e-7: "−230 ns", 0: "0 ns", math.Copysign(0, -1): "0 ns",
	} {
		if got := Signed(v, 2); got != want {
			t.Errorf("Signed(%g) = %q, want %q", v, got, want)
		}
	}
	if got := Signed(math.NaN(), 2); got != "unknown" {
		t.Errorf("Signed(NaN) = %q", got)
	}
}

// A promise is never rounded to less than what is known.
func TestWithinNeverPromisesMore(t *testing.T) {
	for v, want := range map[float64]string{
		12e-6: "12 µs", 12.01e-6: "13 µs", 1.19e-5: "12 µs", 9.91e-4: "1.0 ms", 0.025: "25 ms", 3e-7: "300 ns",
	} {
		if got := Within(v); got != want {
			t.Errorf("Within(%g) = %q, want %q", v, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 s", 8.9: "8 s", 252: "4 min 12 s", 3600: "1 h 0 min", 98765: "1 d 3 h", -1: "unknown", 1e300: "unknown",
	} {
		if got := Span(v); got != want {
			t.Errorf("Span(%g) = %q, want %q", v, got, want)
		}
	}
	if got := Span(math.NaN()); got != "unknown" {
		t.Errorf("Span(NaN) = %q", got)
	}
}
