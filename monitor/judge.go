package monitor

import (
	"fmt"
	"math"
	"time"
)

const (
	// streakForOff is how many exchanges in a row it takes to call a server off,
	// streakGap how far apart they must be at least, ns.
	streakForOff = 3
	streakGap    = int64(2 * time.Second)

	// lossesForUnreachable is how many requests in a row must fail before a
	// server is unreachable. Fewer leave the verdict as it was: one lost packet
	// says nothing about the server.
	lossesForUnreachable = 3
)

// nothingAnswers is the reason when the station suspects itself.
const nothingAnswers = "nothing answers: the fault is probably on this station's side"

// record is one exchange and what is known for judging it.
type record struct {
	x       Exchange
	r       Reading
	settled bool // no other reading is waited for
	open    bool // a failure of which it is not yet known whether it is the station's
	void    bool // the station's own fault, found out later: says nothing about the server
}

// judgement is a verdict and the values it rests on; what Result points to.
type judgement struct {
	verdict                Verdict
	assured, provisional   bool
	reason                 string
	measured, timed, strat bool
	offsetInterval                 // if measured
	rtt                    float64 // if timed
	stratum                uint8   // if strat
	at                     int64   // ns since the Unix epoch; 0 unknown
}

// state is what a target's past exchanges leave for judging the next one. It
// holds no pointer: a copy is a snapshot to go on from.
type state struct {
	score  float64
	scored bool
	loss   lossCount

	side    int8  // of the limit on which the last intervals lay wholly; 0 none
	streak  uint8 // how many of them in a row, those too close together not counted
	counted int64 // Mono of the last one counted

	failed   int       // requests in a row without any reply
	answered bool      // there was a reply, ever
	kept     judgement // the last one that a failure does not replace at once
}

// step judges one exchange and moves the state past it.
//
// Verdicts: a reply that says itself that it is no time (unsynchronized,
// denied, rate_limited) or that cannot be one (invalid) is taken at its word at
// once. A proper reply is ok when the best estimate is within the limit, off
// when it is the third in a row whose whole interval is outside on the same
// side, doubtful in between. Whatever is the station's own fault is not_judged,
// touches neither score nor loss, and ends a streak; so does every reply that
// is not outside. A failure neither adds to a streak nor ends it until there
// are enough of them to call the server unreachable.
func (s *state) step(rec *record, limit float64) judgement {
	x := &rec.x
	j := judgement{provisional: rec.open || x.Outcome == OutcomeOK && !rec.r.Final, at: x.Mono + x.Diff}
	if rec.r.Known {
		j.at = rec.r.True
	}
	switch {
	case rec.void:
		return s.ownFault(j, nothingAnswers)
	case x.Outcome == OutcomeOK:
		return s.reply(rec, limit, j)
	}
	switch x.Outcome {
	case OutcomeTimeout, OutcomeRefused, OutcomeUnreachable:
		return s.failure(rec, j)
	case OutcomeUnsynchronized:
		j.verdict, j.reason = Unsynchronized, orElse(x.Detail, "the server says that it does not know the time")
		if own, theirs := checkStamps(*x); own == "" && theirs == "" {
			j.timed, j.rtt = true, max(x.Delay(), 0)
		}
		j.strat, j.stratum = true, x.Stratum
		return s.said(rec, j, false)
	case OutcomeDenied:
		j.verdict, j.reason = Denied, orElse(x.Detail, "the server refuses to serve this station")
		return s.said(rec, j, true)
	case OutcomeRateLimited:
		j.verdict, j.reason = RateLimited, orElse(x.Detail, "the server wants fewer requests")
		return s.said(rec, j, true)
	case OutcomeInvalid:
		j.verdict, j.reason = Invalid, orElse(x.Detail, "the reply is none that an NTP server gives")
		return s.said(rec, j, true)
	case OutcomeSendError:
		return s.ownFault(j, reasonOf("this station could not send", x.Detail))
	case OutcomeResolveError:
		return s.ownFault(j, reasonOf("this station could not resolve the name", x.Detail))
	case OutcomeClockStepped:
		return s.ownFault(j, "this station's clock was stepped during the exchange")
	}
	return s.ownFault(j, reasonOf("an internal error of this station", x.Detail))
}

// reply judges a proper reply by its interval.
func (s *state) reply(rec *record, limit float64, j judgement) judgement {
	x, r := &rec.x, rec.r
	own, theirs := checkStamps(*x)
	if own != "" {
		return s.ownFault(j, own)
	}
	j.strat, j.stratum = true, x.Stratum
	if theirs != "" {
		j.verdict, j.reason = Invalid, theirs
		return s.said(rec, j, true)
	}
	s.heard()
	s.loss.add(false)
	j.timed, j.rtt = true, max(x.Delay(), 0)
	if r.Known && finite(r.Bound) && finite(r.Uncertainty) {
		j.measured, j.offsetInterval = true, measure(*x, r)
	}
	if why := checkReading(r); why != "" {
		return s.ownFault(j, why)
	}
	s.addScore(x, j.offset, true)

	side := j.outside(limit)
	switch {
	case side == 0:
		s.endStreak()
	case side != s.side:
		s.side, s.streak, s.counted = side, 1, x.Mono
	case x.Mono-s.counted >= streakGap:
		s.streak, s.counted = min(s.streak+1, streakForOff), x.Mono
	}
	switch {
	case side != 0 && s.streak >= streakForOff:
		j.verdict = Off
		j.reason = fmt.Sprintf("%s, more than %s: no path can explain it", aheadBehind(j.offset), people(limit))
	case side != 0:
		j.verdict = Doubtful
		j.reason = fmt.Sprintf("%s, more than %s, and the path cannot explain it: seen in %d of the %d exchanges in a row that it takes",
			aheadBehind(j.offset), people(limit), s.streak, streakForOff)
	case math.Abs(j.offset) <= limit:
		j.verdict = OK
		j.assured = math.Abs(j.offset)+j.bound <= limit
	default:
		j.verdict = Doubtful
		j.reason = fmt.Sprintf("%s, more than %s, but the path and the reference leave %s open",
			aheadBehind(j.offset), people(limit), people(j.bound))
	}
	s.kept = j
	return j
}

// said takes a reply that needs no reference to be judged.
func (s *state) said(rec *record, j judgement, lost bool) judgement {
	x := &rec.x
	s.heard()
	s.endStreak()
	s.loss.add(lost)
	if checkReading(rec.r) == "" {
		own, _ := checkStamps(*x)
		s.addScore(x, between(x.ServerTime(), rec.r.True), own == "" && x.T2 != 0)
	}
	s.kept = j
	return j
}

// failure takes a request that brought no NTP reply.
func (s *state) failure(rec *record, j judgement) judgement {
	x := &rec.x
	s.loss.add(true)
	why := checkReading(rec.r)
	if why == "" {
		s.addScore(x, 0, false)
	}
	s.failed++
	refused := x.Outcome == OutcomeRefused
	switch {
	case s.failed >= lossesForUnreachable || refused && !s.answered:
		s.endStreak()
		j.verdict, j.reason = Unreachable, fmt.Sprintf("no reply to the last %d requests", s.failed)
		if refused {
			j.verdict, j.reason = Refused, "nothing listens there: the port is closed"
		}
		return j
	case !s.answered:
		j.verdict = NotJudged
		j.reason = fmt.Sprintf("no answer yet: %d of the %d requests that it takes", s.failed, lossesForUnreachable)
		return j
	case why != "" && s.kept.needsReference():
		return s.ownFault(j, why)
	}
	// What is shown stays that of the last reply, its instant included.
	open := rec.open
	j = s.kept
	j.provisional = j.provisional || open
	note := "no reply to the last request"
	if s.failed > 1 {
		note = fmt.Sprintf("no reply to the last %d requests", s.failed)
	}
	if j.reason != "" {
		note = j.reason + "; " + note
	}
	j.reason = note
	return j
}

// ownFault is the verdict when the station is to blame.
func (s *state) ownFault(j judgement, reason string) judgement {
	s.endStreak()
	j.verdict, j.reason = NotJudged, reason
	s.kept = j
	return j
}

func (s *state) heard() { s.failed, s.answered = 0, true }

func (s *state) endStreak() { s.side, s.streak = 0, 0 }

func (s *state) addScore(x *Exchange, offset float64, known bool) {
	step, limit := poolStep(*x, offset, known)
	s.score, s.scored = poolScore(s.score, step, limit), true
}

func (j *judgement) needsReference() bool {
	return j.verdict == OK || j.verdict == Doubtful || j.verdict == Off
}

// result is the judgement for t as the world sees it.
func (j *judgement) result(t Target, s *state) Result {
	res := Result{
		Target: t, Verdict: j.verdict, Assured: j.assured, Provisional: j.provisional, Reason: j.reason,
	}
	// One allocation for all that is pointed to.
	v := &struct {
		offset, uncertainty, bound, rtt, score, loss float64
		stratum                                      int
	}{
		j.offset, j.uncertainty, j.bound, j.rtt, s.score, 0, int(j.stratum),
	}
	if j.measured {
		res.Offset, res.Uncertainty, res.Bound = &v.offset, &v.uncertainty, &v.bound
	}
	if j.timed {
		res.RTT = &v.rtt
	}
	if j.strat {
		res.Stratum = &v.stratum
	}
	if s.scored {
		res.Score = &v.score
	}
	if share, ok := s.loss.share(); ok {
		v.loss, res.Loss = share, &v.loss
	}
	if j.at != 0 {
		res.Last = time.Unix(0, j.at).UTC()
	}
	return res
}

func aheadBehind(offset float64) string {
	if offset < 0 {
		return people(-offset) + " behind"
	}
	return people(offset) + " ahead"
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func reasonOf(what, detail string) string {
	if detail == "" {
		return what
	}
	return what + ": " + detail
}
