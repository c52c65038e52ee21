package gpstest

import "math"

// AllanDeviation is the overlapping Allan deviation of the phases x, which are
// interval seconds apart, over m intervals; NaN without enough of them. The
// phases are in seconds, the result is a frequency, s/s (NIST Special
// Publication 1065, section 5.2.4).
func AllanDeviation(x []float64, interval float64, m int) float64 {
	n := len(x) - 2*m
	if m < 1 || n < 1 {
		return math.NaN()
	}
	sum := 0.0
	for i := range n {
		d := x[i+2*m] - 2*x[i+m] + x[i]
		sum += d * d
	}
	return math.Sqrt(sum/(2*float64(n))) / (float64(m) * interval)
}

// TimeDeviation is the time deviation of the phases x over m of their
// intervals, seconds: how steady means over m phases are, each with its
// neighbours (NIST Special Publication 1065, sections 5.2.5 and 5.2.6). NaN
// without enough phases.
func TimeDeviation(x []float64, m int) float64 {
	n := len(x) - 3*m + 1
	if m < 1 || n < 1 {
		return math.NaN()
	}
	second := func(i int) float64 { return x[i+2*m] - 2*x[i+m] + x[i] }
	window := 0.0
	for i := range m {
		window += second(i)
	}
	sum := window * window
	for i := 1; i < n; i++ {
		window += second(i+m-1) - second(i-1)
		sum += window * window
	}
	return math.Sqrt(sum/(6*float64(n))) / float64(m)
}
