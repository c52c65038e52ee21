package pulselog

import "math"

const (
	octaves = 15             // intervals of 1, 2, 4 ... 16,384 s
	ringLen = 1<<octaves + 1 // seconds that the longest of them needs
	// forget is over how many second differences the mean is, at the most: a day's.
	// What is older counts less and less.
	forget = 86400
	// enough is how many of them tell something, and that they must be as many as the
	// interval has seconds: then three intervals at the least were seen.
	enough = 16
)

// Deviation is the Allan deviation over an interval.
type Deviation struct {
	Interval  int // seconds
	Deviation float64
	Count     int // second differences that it is the mean of, forget at the most
}

// allan counts the overlapping Allan deviation of the instants at which seconds began
// (NIST Special Publication 1065, section 5.2.4), one pulse after the other: with each
// a second difference of the phase ends at every interval. Phases are whole nanoseconds, so
// that nothing is rounded however long it runs. A pulse that is missing leaves out the
// differences that it is in.
type allan struct {
	ring   []int64 // phase at a second, ns, absent: none
	second int64   // of the newest pulse
	mono   int64   // its instant
	begun  bool
	sums   [octaves]sum
}

type sum struct {
	squares float64 // s^2
	n       int
}

const absent = math.MinInt64

// add takes the pulse at an instant, CLOCK_MONOTONIC ns.
func (a *allan) add(mono int64) {
	if !a.begun {
		if a.ring == nil {
			a.ring = make([]int64, ringLen)
		}
		for i := range a.ring {
			a.ring[i] = absent
		}
		a.begun, a.second, a.mono = true, 0, mono
		a.ring[0] = 0
		return
	}
	apart := mono - a.mono
	steps := (apart + 5e8) / 1e9
	if steps <= 0 {
		return
	}
	if steps >= ringLen {
		a.begun = false // nothing before it is in the ring any more
		a.add(mono)
		return
	}
	phase := a.ring[a.second%ringLen] + apart - steps*1e9
	for i := int64(1); i < steps; i++ {
		a.ring[(a.second+i)%ringLen] = absent
	}
	a.second, a.mono = a.second+steps, mono
	a.ring[a.second%ringLen] = phase
	for k := range a.sums {
		m := int64(1) << k
		if a.second < 2*m {
			break
		}
		middle, first := a.ring[(a.second-m)%ringLen], a.ring[(a.second-2*m)%ringLen]
		if middle == absent || first == absent {
			continue
		}
		d := float64(phase-2*middle+first) / 1e9
		s := &a.sums[k]
		if s.n >= forget {
			s.squares -= s.squares / forget
			s.n--
		}
		s.squares += d * d
		s.n++
	}
}

func (a *allan) deviations() (out []Deviation) {
	for k, s := range a.sums {
		m := 1 << k
		if s.n < max(enough, min(m, forget)) {
			continue
		}
		out = append(out, Deviation{Interval: m, Deviation: math.Sqrt(s.squares/(2*float64(s.n))) / float64(m), Count: s.n})
	}
	return out
}
