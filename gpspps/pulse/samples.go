package pulse

import "slices"

// kept is how many samples are looked at: some nine minutes of every other second.
const kept = 256

// samples are the newest of a row of measurements, ns.
type samples struct {
	ring [kept]int64
	n    int // in all
}

func (s *samples) add(v int64) {
	s.ring[s.n%kept] = v
	s.n++
}

// newest forgets all but the newest k.
func (s *samples) newest(k int) {
	var last samples
	for i := max(s.n-min(k, kept), 0); i < s.n; i++ {
		last.add(s.ring[i%kept])
	}
	*s = last
}

// len is how many there are.
func (s *samples) len() int { return min(s.n, kept) }

// middle is the median of the newest k and their spread: a standard deviation
// from the median distance to the median, for which outliers do not count.
func (s *samples) middle(k int) (median, spread float64) {
	k = min(k, s.len())
	if k == 0 {
		return 0, 0
	}
	var sorted [kept]int64
	part := sorted[:k]
	for i := range part {
		part[i] = s.ring[(s.n-k+i)%kept]
	}
	slices.Sort(part)
	m := part[k/2]
	for i, v := range part {
		part[i] = max(v-m, m-v)
	}
	slices.Sort(part)
	return float64(m), toSigma * float64(part[k/2])
}

// toSigma makes a standard deviation of a median deviation (normal distribution).
const toSigma = 1.4826
