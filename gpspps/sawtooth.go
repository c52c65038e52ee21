package gpspps

import "math"

const (
	sawtoothMost   = 1e-6  // seconds; no receiver's clock is as coarse
	sawtoothLeast  = 1e-10 // seconds; a smaller change tells nothing
	sawtoothForget = 1.0 / 4096
	sawtoothProof  = 3 // standard deviations of what chance does
)

// sawtooth is what a receiver says of the pulse to come, and whether that makes
// the pulses any steadier. Receivers have been sold that say it with the wrong
// sign, or of another pulse; so it is used where it has shown to help.
type sawtooth struct {
	second int64   // that the announced pulse marks
	late   float64 // seconds
	helps  bool
	gain   float64 // by how much it makes squared second differences smaller, s^2
	chance float64 // the sum of the squares of what makes up the gain, s^4
}

// announce takes what a valid fix says of the next pulse.
func (s *sawtooth) announce(f Fix) {
	if f.Sawtooth == 0 || !(math.Abs(f.Sawtooth) <= sawtoothMost) || f.Time.Nanosecond() != 0 {
		return
	}
	s.second, s.late = f.Time.Unix()+1, f.Sawtooth
}

// of is what was said of the pulse that marks the second, seconds.
func (s *sawtooth) of(second int64) (late float64, said bool) {
	if s.second != second {
		return 0, false
	}
	return s.late, true
}

// judge looks at the newest three phases: are they nearer to a line with what
// the receiver said of them?
func (s *sawtooth) judge(w *window, jitter float64) {
	n := len(w.list)
	if n < 3 {
		return
	}
	a, b, c := w.list[n-3], w.list[n-2], w.list[n-1]
	if !a.said || !b.said || !c.said || c.second-a.second != 2 {
		return
	}
	change := a.saw - 2*b.saw + c.saw
	if math.Abs(change) < sawtoothLeast {
		return
	}
	// A pulse held up by an interrupt says nothing of the receiver.
	most := 4 * math.Sqrt(6) * jitter
	without := min(math.Abs(a.z-2*b.z+c.z), most)
	with := min(math.Abs(a.z-2*b.z+c.z+change), most)
	gain := without*without - with*with
	s.gain += gain - sawtoothForget*s.gain
	s.chance += gain*gain - sawtoothForget*s.chance
	switch deviation := math.Sqrt(s.chance); {
	case s.gain > sawtoothProof*deviation:
		s.helps = true
	case s.gain < deviation:
		s.helps = false
	}
}
