package bench

import "math"

const (
	// correctionTimeRatio is chrony.conf's corrtimeratio, as it comes.
	correctionTimeRatio = 3
	// slewSeconds is the shortest slew of a clock, slewLimit the fastest, s/s
	// (chrony.conf's maxslewrate), both as they come.
	slewSeconds = 1
	slewLimit   = 83333.333e-6
)

// slew is the part of a correction that a real clock has not made yet. With -x
// chronyd's own correction is complete at once. With a clock it changes the
// clock's frequency for a while, which it derives (chrony.conf(5),
// corrtimeratio) from the standard deviation of the offset and the time
// between updates: an offset of that size takes corrtimeratio updates, smaller
// ones take longer, in inverse proportion. Only the clock is late by that:
// chronyd reckons with what is pending, so its estimates are the same.
// Times are in seconds of the trace.
type slew struct {
	last    float64 // of the last update
	pending float64 // at it: how much the clock is ahead of what chronyd believes, seconds
	rate    float64 // s/s, at which that shrinks
}

// at is what is pending at an instant after the last update, seconds.
func (s *slew) at(t float64) float64 {
	done := s.rate * (t - s.last)
	if math.Abs(done) >= math.Abs(s.pending) {
		return 0
	}
	return s.pending - done
}

// accrue adds a correction of an offset, seconds, known to sd.
func (s *slew) accrue(t, offset, sd, interval float64) {
	s.pending = s.at(t) + offset
	s.last = t
	area := correctionTimeRatio * 0.5 * sd * interval
	s.rate = 0
	if size := math.Abs(s.pending); size > 0 {
		duration := max(slewSeconds, area/size)
		s.rate = math.Copysign(min(size/duration, slewLimit), s.pending)
	}
}
