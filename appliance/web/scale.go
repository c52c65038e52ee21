package web

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/gpspps"
)

// timeScale returns how many seconds the picture spans and the seconds from
// tick to tick.
func timeScale(oldest float64) (span, step float64) {
	for _, s := range [][2]float64{
		{60, 15}, {120, 30}, {300, 60}, {600, 120}, {900, 180}, {1200, 300}, {1800, 600}, {3600, 900}, {7200, 1800},
		{6 * 3600, 3600}, {12 * 3600, 2 * 3600}, {86400, 4 * 3600},
	} {
		if oldest <= s[0] {
			return s[0], s[1]
		}
	}
	days := math.Ceil(oldest / 86400)
	return days * 86400, max(1, math.Floor(days/5)) * 86400
}

// valueScale returns the value at the upper edge, seconds. It fits what was
// seen while locked, so that an outlier or a long holdover does not flatten the
// rest; a holdover may widen it ten times.
func valueScale(points []point) float64 {
	var settled, loose, drift []float64
	add := func(to []float64, v float64) []float64 {
		if finite(v) {
			to = append(to, math.Abs(v))
		}
		return to
	}
	for _, p := range points {
		switch gpspps.State(p.state) {
		case gpspps.StateLocked:
			settled = add(add(settled, p.offset), p.uncertainty)
		case gpspps.StateHoldover:
			loose = add(loose, p.offset)
			drift = add(drift, p.uncertainty)
		default:
			loose = add(add(loose, p.offset), p.uncertainty)
		}
	}
	top := quantile(settled, 0.995)
	widest := quantile(drift, 1)
	switch {
	case len(settled) > 0:
		top = max(top, min(widest, 10*top))
	case len(drift) > 0:
		top = widest
	default:
		top = quantile(loose, 0.995)
	}
	return niceAbove(max(1.1*top, 1e-9))
}

// quantile returns the value below which the share q of v lies, 0 for none.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[int(math.Round(q*float64(len(v)-1)))]
}

// niceAbove is the smallest number from v on whose half still reads well.
func niceAbove(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 6, 10} {
		if n := m * decade; v <= n*(1+1e-9) {
			return n
		}
	}
	return 10 * decade
}

// gapWidth is the distance from which two samples are not joined any more.
func gapWidth(points []point) float64 {
	var steps []float64
	for i := 1; i < len(points); i++ {
		steps = append(steps, points[i].x-points[i-1].x)
	}
	return max(5*quantile(steps, 0.5), 2*plotWidth/plotColumns)
}

// trimZeros turns `2.00 µs` into `2 µs`.
func trimZeros(s string) string {
	number, unit, _ := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + " " + unit
}

// short writes a coordinate with at most one decimal.
func short(v float64) string {
	s := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(s, ".0")
}
