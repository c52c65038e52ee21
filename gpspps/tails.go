package gpspps

import "math"

// An interrupt that is held back stamps a pulse late, never early. So a pulse
// is either of the noise, which has two sides and a spread, or of a tail, which
// has one. How many are and how late they are in the mean is learnt from the
// pulses themselves (expectation and maximisation, with old pulses forgotten).
const (
	tailForget = 1.0 / 1024
	tailFirst  = 0.02  // share that is expected before there is evidence
	tailLate   = 6     // standard deviations of the noise that they are then late by
	tailLeast  = 0.001 // of the pulses may always be of a tail
	tailMost   = 0.2   // more is no tail, but the noise itself
)

type tails struct {
	share float64 // of the pulses, 0..1
	late  float64 // the share times the mean lateness, seconds
}

// clean is how probable it is that a pulse which is late by so much (seconds,
// negative: early) is of the noise, whose variance is v. It learns from it.
func (t *tails) clean(late, v float64) float64 {
	deviation := math.Sqrt(v)
	if t.share == 0 {
		t.share, t.late = tailFirst, tailFirst*tailLate*deviation
	}
	p := 1.0
	if late > 0 {
		mean := max(t.late/t.share, deviation)
		noise := (1 - t.share) / (math.Sqrt(2*math.Pi) * deviation) * math.Exp(-late*late/(2*v))
		tail := t.share / mean * math.Exp(-late/mean)
		p = noise / (noise + tail)
		if !(noise+tail > 0) {
			p = 0
		}
	}
	share := t.share + tailForget*(1-p-t.share)
	t.late += tailForget * ((1-p)*late - t.late)
	t.share = min(max(share, tailLeast), tailMost)
	t.late = max(t.late, t.share*deviation)
	return p
}
