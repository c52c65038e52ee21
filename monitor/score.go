package monitor

import (
	"math"
	"math/bits"
)

// The NTP Pool's score, so that a station's numbers compare with the pool's:
// every check moves the score by score*0.95 + step, then a cap may hold it
// down. It starts at 0; the fixed point of a constant step is 20 steps.
const (
	scoreDecay = 0.95
	noCap      = math.MaxFloat64

	stepNoReply = -5.0
	stepRate    = -3.5
	stepDeny    = -10.0
	capDeny     = -50.0
	stepError   = -4.0
	stepFar     = -4.0
	capFar      = -20.0
	stepStratum = -4.0
	stepHalf    = -2.0

	// Above these strata the pool's agent calls the reply an error, and its
	// scorer calls it poor; both cost the same.
	errorStratum = 10
	poorStratum  = 8
)

// poolStep is the step and the cap of the NTP Pool's scorer for one exchange,
// noCap where there is none. offset is in seconds and counts only if known.
//
// It follows what the pool's agent makes of a reply, not this package's
// verdicts: a reply its protocol library rejects is no reply, leap 3 alone
// costs nothing, stratum 0 and 16 are errors, a version or a receive time stamp
// that makes no sense is not looked at. The pool's line for stratum 0 without
// an error is left out: its agent always sends one. The caller keeps out
// exchanges that say nothing about the server.
func poolStep(x Exchange, offset float64, known bool) (step, limit float64) {
	switch {
	case x.Rejected || x.Outcome == OutcomeTimeout || x.Outcome == OutcomeRefused ||
		x.Outcome == OutcomeUnreachable || x.Outcome == OutcomeStray:
		return stepNoReply, noCap
	case x.Outcome == OutcomeRateLimited:
		return stepRate, noCap
	case x.Outcome == OutcomeDenied:
		return stepDeny, capDeny
	case x.T3 < x.T2:
		return stepNoReply, noCap
	}
	if x.Stratum == 0 || x.Stratum > errorStratum || !known {
		return stepError, noCap
	}
	away := math.Abs(offset)
	switch {
	case away > 3:
		return stepFar, capFar
	case x.Stratum >= poorStratum:
		return stepStratum, noCap
	case away > 0.750:
		return stepHalf, noCap
	case away > 0.100:
		return -2.308*away + 0.731, noCap
	case away > 0.025:
		return min(-6.667*away+1.167, 1), noCap
	}
	return 1, noCap
}

// poolScore is the score after a step.
func poolScore(score, step, limit float64) float64 {
	return min(score*scoreDecay+step, limit)
}

// lossWindow is the number of exchanges that Loss is a share of.
const lossWindow = 100

// lossCount remembers which of the last exchanges went without a usable reply.
type lossCount struct {
	lost    [2]uint64 // one bit an exchange, a ring of lossWindow
	n, next uint8
}

func (l *lossCount) add(lost bool) {
	word, bit := l.next/64, uint64(1)<<(l.next%64)
	l.lost[word] &^= bit
	if lost {
		l.lost[word] |= bit
	}
	l.next = (l.next + 1) % lossWindow
	l.n = min(l.n+1, lossWindow)
}

// share is lost / asked, 0..1; false before the first exchange.
func (l *lossCount) share() (float64, bool) {
	if l.n == 0 {
		return 0, false
	}
	return float64(bits.OnesCount64(l.lost[0])+bits.OnesCount64(l.lost[1])) / float64(l.n), true
}
