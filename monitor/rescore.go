package monitor

// Rescore counts the NTP Pool's score anew from exchanges that were kept, in their
// order. The zero value has seen none.
type Rescore struct {
	score float64
	n     int
	run   uint64
	known bool // from where the score began
}

// FromZero says that the first exchange to come is the first of its run.
func (s *Rescore) FromZero() { s.known = true }

// rescoreSure is after how many exchanges it does not matter by more than a point
// where the score began.
const rescoreSure = 90

// Add takes an exchange of a run of the station, which begins at 0, and gives the
// score after it; ok is false as long as that is not known. offset is the server's,
// seconds, and counts only if it was measured against a usable reference.
func (s *Rescore) Add(run uint64, x Exchange, offset float64, measured, usable bool) (score float64, ok bool) {
	if s.n > 0 && run != s.run {
		s.score, s.known = 0, true
	}
	s.run = run
	s.n++
	if usable && tells(x.Outcome) && (measured || x.Outcome != OutcomeOK) {
		step, limit := poolStep(x, offset, measured)
		s.score = poolScore(s.score, step, limit)
	}
	return s.score, s.known || s.n >= rescoreSure
}

// tells says whether an outcome says something of the server.
func tells(o Outcome) bool {
	switch o {
	case OutcomeSendError, OutcomeResolveError, OutcomeClockStepped, OutcomeInternal:
		return false
	}
	return true
}
