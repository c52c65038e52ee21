package pulse

import (
	"fmt"
	"math"
)

const (
	// needed is how many stamps between two watched edges make a result: four
	// minutes of pulses.
	needed = 120
	// recent is how many of the newest are held against the others.
	recent = 32
	// mostLate is the latest interrupt that is believed, seconds.
	mostLate = 200e-6
	// mostSpread is the most by which the stamps may differ from second to
	// second, seconds: more is the pulse that wanders, or a machine that is
	// emulated, and nothing to be calibrated.
	mostSpread = 25e-6
	// mostGap is the longest that two readings of the line may take, seconds. Two
	// that took longer are left out: the machine did something else just then, if
	// it is not always as slow.
	mostGap = 20e-6
	// pathLate is what readings do not show either: the way from the pin to
	// where they are made, seconds (satpulse found up to a microsecond on a
	// Raspberry Pi 5, by a PTP clock).
	pathLate = 1e-6
	// medianOfMean is how much less sure a median is than a mean (normal
	// distribution).
	medianOfMean = 1.2533
	// sameSecond is how far from a second apart neighbours may be, ns.
	sameSecond = 1_000_000
)

// Second is what is known of one pulse.
type Second struct {
	Stamp   int64    // the kernel's, CLOCK_MONOTONIC ns
	Watched bool     // the line was read when it came
	Seen    Crossing // by that; the zero value: it was not seen
}

// Lateness finds how late the kernel stamps the pulses of a line.
//
// A stamp in a second in which the line was watched may be disturbed by the
// watching, or helped by it: on a Raspberry Pi 5 it keeps the link to the GPIO
// chip awake. So the line is watched every other second, and a stamp is held
// against the middle between the edges seen a second before and after. How late
// the watched ones are is found as well, since they are used, too.
type Lateness struct {
	last    [2]Second // the newest last
	quiet   samples   // lateness of the stamps between two watched edges, ns
	watched samples   // lateness of the stamps of watched edges, ns
	gaps    samples   // how long the two readings around an edge took, ns
	tried   int       // how many edges were watched for
	blind   int       // how many of the last ones gave nothing
	restart string
}

// Result is what Lateness has found.
type Result struct {
	Known    bool    // the figures mean something
	Declined string  // why there will be none; empty: there are, or they are being measured
	Restart  string  // why it was begun anew last; empty: never
	Late     float64 // how late the stamp of an edge is that was not watched, median, seconds
	Watched  float64 // the same for edges that were
	Spread   float64 // standard deviation of single stamps, outliers left out, seconds
	Error    float64 // half-width of a 95 % interval around Late and Watched, seconds
	Count    int     // stamps that it was found from
}

// Add takes the next pulse.
func (l *Lateness) Add(s Second) {
	first, middle := l.last[0], l.last[1]
	l.last[0], l.last[1] = middle, s
	if !s.Watched {
		return
	}
	l.tried++
	if l.blind++; l.blind > needed && l.quiet.len() >= needed {
		*l = Lateness{restart: "the edges are not seen any more when the line is read"}
	}
	if s.Seen == (Crossing{}) {
		return
	}
	l.gaps.add(s.Seen.Gap)
	if !s.sharp() {
		return
	}
	l.watched.add(s.Stamp - s.Seen.At)
	if first.sharp() && !middle.Watched && neighbours(first, middle) && neighbours(middle, s) {
		l.quiet.add(middle.Stamp - (first.Seen.At + (s.Seen.At-first.Seen.At)/2))
		l.blind = 0
		l.compare()
	}
}

// sharp says whether the edge was seen well enough to be held against a stamp.
func (s Second) sharp() bool {
	return s.Seen != (Crossing{}) && float64(s.Seen.Gap) <= mostGap*1e9
}

func neighbours(a, b Second) bool {
	d := b.Stamp - a.Stamp - 1e9
	return -sameSecond < d && d < sameSecond
}

// compare begins anew when the newest differ from those before: the processor
// runs at another speed, or something else has changed that nobody told of.
func (l *Lateness) compare() {
	if l.quiet.n%recent != 0 || l.quiet.len() < needed {
		return
	}
	all, wide := l.quiet.middle(kept)
	now, spread := l.quiet.middle(recent)
	moved := math.Abs(now - all)
	switch {
	case moved > 1e3+6*medianOfMean*max(wide, spread)/math.Sqrt(recent):
		l.restart = fmt.Sprintf("interrupts come %.1f µs late, no longer %.1f", now/1e3, all/1e3)
	case spread > 1e3+4*wide:
		l.restart = fmt.Sprintf("interrupts vary by %.1f µs, no longer %.1f", spread/1e3, wide/1e3)
	default:
		return
	}
	l.quiet.newest(recent)
	l.watched.newest(recent)
	l.gaps.newest(recent)
	l.tried = recent
}

// Result judges what has come in.
func (l *Lateness) Result() Result {
	late, spread := l.quiet.middle(kept)
	watched, _ := l.watched.middle(kept)
	gap, _ := l.gaps.middle(kept)
	n := l.quiet.len()
	r := Result{
		Late: late * 1e-9, Watched: watched * 1e-9, Spread: spread * 1e-9,
		Count: n, Restart: l.restart, Error: math.Inf(1),
	}
	if l.tried < needed {
		return r
	}
	switch {
	case gap*1e-9 > mostGap:
		r.Declined = fmt.Sprintf("this machine reads the line only every %.0f µs", gap/2e3)
	case l.watched.n < l.tried/2, n < needed && l.tried > 3*needed:
		r.Declined = fmt.Sprintf("the pulse was seen %d times in %d when the line was read, it comes too unevenly or too briefly", l.watched.n, l.tried)
	case n < needed:
		return r
	case r.Spread > mostSpread:
		r.Declined = fmt.Sprintf("the stamps vary by %.0f µs from second to second", spread/1e3)
	default:
		// Where in its duration a reading is made, nobody knows; it is the same
		// for all of them.
		r.Error = 2*medianOfMean*r.Spread/math.Sqrt(float64(n)) + gap*1e-9/2 + pathLate
		if v := min(r.Late, r.Watched); v < -r.Error {
			r.Declined = fmt.Sprintf("the stamps come %.1f µs before the edge, which cannot be", -v*1e6)
		} else if v := max(r.Late, r.Watched); v > mostLate {
			r.Declined = fmt.Sprintf("the stamps come %.0f µs after the edge, which is no interrupt", v*1e6)
		}
	}
	r.Known = r.Declined == ""
	return r
}
