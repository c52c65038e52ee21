package gpspps

import "sort"

// maxSegments bounds the memory of the steering. One change in 4 s makes it
// reach back about half an hour, further than any instant that is asked for.
const maxSegments = 512

// paper is the timescale of the oscillator left alone: CLOCK_MONOTONIC less
// what steering its frequency has added to it. The estimator works on it, so
// that the station's own doings never look like a moving oscillator.
type paper struct {
	segments []segment
	before   float64 // mean rate before the first segment, of those forgotten
}

type segment struct {
	mono  int64   // from this instant on
	added float64 // seconds that steering had added to CLOCK_MONOTONIC by then
	rate  float64 // seconds added per second of CLOCK_MONOTONIC
}

// steer notes that from mono on the clock runs ppm fast by intent.
func (p *paper) steer(mono int64, ppm float64) {
	if n := len(p.segments); n > 0 && mono < p.segments[n-1].mono {
		mono = p.segments[n-1].mono
	}
	f := ppm * 1e-6
	s := segment{mono: mono, added: p.added(mono), rate: f / (1 + f)}
	if len(p.segments) >= maxSegments {
		// A holdover may have begun hours ago and still asks.
		a, b := p.segments[0], p.segments[maxSegments/4]
		if b.mono > a.mono {
			p.before = (b.added - a.added) / seconds(a.mono, b.mono)
		}
		p.segments = append(p.segments[:0], p.segments[maxSegments/4:]...)
	}
	p.segments = append(p.segments, s)
}

// added is how much steering has added to CLOCK_MONOTONIC until mono, seconds.
func (p *paper) added(mono int64) float64 {
	i := sort.Search(len(p.segments), func(i int) bool { return p.segments[i].mono > mono }) - 1
	if i < 0 {
		if len(p.segments) == 0 {
			return 0
		}
		return p.segments[0].added - seconds(mono, p.segments[0].mono)*p.before
	}
	s := p.segments[i]
	return s.added + float64(mono-s.mono)*1e-9*s.rate
}

// between is the time from one instant to another on the paper timescale, seconds.
func (p *paper) between(from, to int64) float64 {
	return float64(to-from)*1e-9 - (p.added(to) - p.added(from))
}
