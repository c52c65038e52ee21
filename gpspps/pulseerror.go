package gpspps

import "math"

// errorFrom is a PulseError and the instant from which on it was told.
type errorFrom struct {
	at int64
	s  float64
}

// errorStep is how much smaller a PulseError must be to be worth noting.
const errorStep = 0.98

// SetPulseError tells Config.PulseError anew for the pulses from now on, seconds;
// to be called with each pulse where it may change. A greater one counts at once,
// a smaller one when no reading can be made of the pulses before it any more:
// after eleven minutes.
func (r *Reference) SetPulseError(seconds float64) {
	if !(seconds > 0) || math.IsInf(seconds, 1) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pulseErrors) == 0 {
		r.pulseErrors = append(r.pulseErrors, errorFrom{math.MinInt64, r.c.PulseError})
	}
	// It stands for those no greater, too.
	list, from := r.pulseErrors, r.now
	for len(list) > 0 && list[len(list)-1].s <= seconds {
		from = list[len(list)-1].at
		list = list[:len(list)-1]
	}
	if len(list) == 0 || seconds < errorStep*list[len(list)-1].s {
		list = append(list, errorFrom{from, seconds})
	}
	for len(list) > 1 && list[1].at <= r.now-int64(history) {
		list = append(list[:0], list[1:]...)
	}
	r.pulseErrors = list
	r.c.PulseError = list[0].s
}
