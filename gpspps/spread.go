package gpspps

import (
	"math"
	"slices"
)

const (
	// A quiet Pi stamps within some 400 ns, and a coarse receiver's pulse steps
	// by as much every few seconds. Differences of neighbours do not show that:
	// until differences over longer do, no pulse is taken for better than this.
	leastJitter   = 250e-9 // seconds
	finestJitter  = 10e-9  // seconds; nor ever for better than this
	jitterUnknown = 2e-3   // seconds; until three second differences are there
	jitterWindow  = 128    // pulses
	farApart      = 8      // pulses between the phases that show steps
	farEnough     = 64     // differences over so many that tell of them
	farMore       = 1.5    // times the spread of neighbours: not chance
)

// phase is one measured phase, used for the spread of the pulses only.
type phase struct {
	second int64
	z      float64 // seconds, as stamped
	saw    float64 // seconds to add for the receiver's sawtooth
	said   bool    // by the receiver
}

// window is the recent phases, newest last, and room to sort their differences.
type window struct {
	list []phase
	room []float64
}

func newWindow() window {
	return window{make([]phase, 0, jitterWindow), make([]float64, 0, jitterWindow)}
}

// add takes one phase. Of two edges in a second the later one counts: the first
// was rejected.
func (w *window) add(p phase) {
	if n := len(w.list); n > 0 && w.list[n-1].second == p.second {
		w.list = w.list[:n-1]
	}
	if len(w.list) >= jitterWindow {
		w.list = append(w.list[:0], w.list[1:]...)
	}
	w.list = append(w.list, p)
}

// jitter is the standard deviation of white noise on the phases, seconds. It
// must not come out too small. It counts the receiver's sawtooth as taken out
// if corrected.
func (w *window) jitter(corrected bool) float64 {
	near, n := w.spread(1, corrected)
	if n == 0 {
		return jitterUnknown
	}
	far, m := w.spread(farApart, corrected)
	if m < farEnough {
		return cautious(math.Max(near, leastJitter), n)
	}
	if far > farMore*near {
		near, n = far, m
	}
	return math.Max(cautious(near, n), finestJitter)
}

// cautious is the spread s from n differences, which may have come out too
// small by luck: the fewer, the more it counts for.
func cautious(s float64, n int) float64 {
	f := 1 / float64(max(n, 1))
	return s * (1 + 4*f + 40*f*f)
}

// spread is the standard deviation of white noise on the phases, from the
// median of n second differences of phases that are gap seconds apart: offset,
// frequency and single outliers drop out. n is 0, and s a guess, if there are not
// enough.
func (w *window) spread(gap int, corrected bool) (s float64, n int) {
	d, l := w.room[:0], w.list
	for i := 2 * gap; i < len(l); i++ {
		a, b, c := l[i-2*gap], l[i-gap], l[i]
		if c.second-b.second != int64(gap) || b.second-a.second != int64(gap) {
			continue
		}
		x := a.z - 2*b.z + c.z
		if corrected {
			x += a.saw - 2*b.saw + c.saw
		}
		d = append(d, math.Abs(x))
	}
	if len(d) < 3 {
		return jitterUnknown, 0
	}
	const gauss = 1.4826 // standard deviation per median absolute deviation
	return gauss * middle(d) / math.Sqrt(6), len(d)
}

// median sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

// middle is the upper median of v, which it reorders (C. A. R. Hoare's search:
// sorting takes several times as long).
func middle(v []float64) float64 {
	k, lo, hi := len(v)/2, 0, len(v)-1
	for lo < hi {
		pivot := v[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// inliers tells which of the points (t, z) lie on the line that most of them
// make (Theil and Sen's estimate), so that a first pulse that came late does
// not become what all others are measured by.
func inliers(t, z []float64, jitter float64) []bool {
	in := make([]bool, len(t))
	var slopes []float64
	for i := range t {
		for j := i + 1; j < len(t); j++ {
			slopes = append(slopes, (z[j]-z[i])/(t[j]-t[i]))
		}
	}
	if len(slopes) == 0 {
		for i := range in {
			in[i] = true
		}
		return in
	}
	m := median(slopes)
	rest := make([]float64, len(t))
	for i := range t {
		rest[i] = z[i] - m*t[i]
	}
	mid := median(slices.Clone(rest))
	for i := range rest {
		in[i] = math.Abs(rest[i]-mid) <= 4*jitter
	}
	return in
}
