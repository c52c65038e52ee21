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
)

// denied is the reason where a server does not say one.
const denied = "the server refuses to serve this station"

// record is one exchange and what is known for judging it.
type record struct {
	x       Exchange
	r       Reading
	before  Reading // at x.Before.Mono, where there is one
	settled bool    // no other reading is waited for
	around  around  // what else is known
	open    bool    // a failure of which it is not yet known whether it is the station's
	void    string  // why it is the station's own fault, found out later; empty if it is not
	told    bool    // to another name of the same address
	utc     int64   // true time of x.Mono, learned later, ns; 0 if r has it or nobody does
	// echo is a failure after which nobody answered until the next failure: one
	// outage of the station's may explain both, so they count as one.
	echo bool
}

// judgement is a verdict and the values it rests on; what Result points to.
type judgement struct {
	verdict                Verdict
	assured, provisional   bool
	reason                 string
	measured, timed, strat bool
	offsetInterval                        // if measured; of the exchange itself
	best                   offsetInterval // what is shown for it, if filtered
	filtered               bool           // an earlier exchange tells more of the offset
	rtt                    float64        // if timed
	stratum                uint8          // if strat
	mono                   int64          // of the exchange, ns
	at                     int64          // the same instant, ns since the Unix epoch; 0 unknown
	dated                  bool           // at is true time, not the station's clock
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

	fail     failures
	answered bool // there was a reply, ever

	past       window
	claim      claim // of the last reply with a time
	traffic    traffic
	suspicions suspicions

	kept judgement // the last one that a failure does not replace at once
}

// step judges one exchange and moves the state past it.
//
// Verdicts: a reply that says itself that it is no time (unsynchronized,
// denied, rate_limited) or that cannot be one (invalid) is taken at its word at
// once: it carries the request's random cookie, so the server sent it. A proper
// reply is ok when the best estimate is within the limit, off when it is the
// third in a row whose whole interval is outside on the same side, doubtful in
// between. What is not a reply takes three in a row: requests that nothing
// answers (unreachable), that are refused, or that bring only packets without
// the cookie (invalid); fewer neither add to a streak nor end it.
//
// Whatever is the station's own fault is not_judged, touches neither score nor
// loss, and ends a streak; so does every reply that is not outside. A proper
// reply while there is no reference is not_judged, too, but not lost.
func (s *state) step(rec *record, limit float64) judgement {
	x := &rec.x
	s.count(rec)
	j := judgement{provisional: rec.open || x.Outcome == OutcomeOK && !rec.r.Final, mono: x.Mono}
	switch {
	case rec.r.Known:
		j.at, j.dated = rec.r.True, true
	case rec.utc != 0:
		j.at, j.dated = rec.utc, true
	case x.Mono != 0:
		j.at = x.Mono + x.Diff
	}
	switch {
	case rec.void != "":
		// Strays are evidence in themselves that the network works, once there
		// are enough of them.
		s.fail.strays++
		if x.Outcome != OutcomeStray {
			s.fail.strays = 0
		}
		return s.ownFault(j, rec.void)
	case rec.told:
		j.verdict, j.reason = Denied, fmt.Sprintf("%s, as %s was told at the same address", orElse(x.Detail, denied), x.Target)
		if x.Target == "" {
			j.reason = orElse(x.Detail, denied) + ", as this station was told before it was restarted"
		}
		s.endStreak()
		s.kept = j
		return j
	case x.Outcome == OutcomeOK:
		return s.reply(rec, limit, j)
	}
	switch x.Outcome {
	case OutcomeTimeout, OutcomeRefused, OutcomeUnreachable, OutcomeStray:
		return s.failure(rec, j)
	case OutcomeUnsynchronized:
		s.claim = claimOf(x)
		j.verdict, j.reason = Unsynchronized, orElse(x.Detail, "the server says that it does not know the time")
		if own, theirs := checkStamps(*x); own == "" && theirs == "" {
			j.timed, j.rtt = true, max(x.Delay(), 0)
		}
		j.strat, j.stratum = true, x.Stratum
		return s.said(rec, j, false)
	case OutcomeDenied:
		j.verdict, j.reason = Denied, orElse(x.Detail, denied)
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
	s.instance(x)
	s.claim = claimOf(x)
	j.timed, j.rtt = true, max(x.Delay(), 0)
	if r.Known && finite(r.Bound) && finite(r.Uncertainty) {
		j.measured, j.offsetInterval = true, measure(*x, r)
	}
	if why := checkReading(r); why != "" {
		// What was measured before may have been measured by what failed now.
		s.past, s.suspicions.shown = window{}, rec.around.warns
		return s.ownFault(j, why)
	}
	s.addScore(x, j.offset, true)
	s.past.add(j.offsetInterval, j.rtt, x.Mono)
	s.suspect(rec, limit)
	best, newest := s.past.best(x.Mono)

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
	case side != 0 && s.streak >= streakForOff && s.smears(j.offset, limit):
		j.verdict, j.reason = Doubtful, smearing(&j, limit)
	case side != 0 && s.streak >= streakForOff:
		j.verdict = Off
		j.reason = fmt.Sprintf("%s, more than %s: no path can explain it", aheadBehind(j.offset), people(limit))
	case side != 0:
		j.verdict = Doubtful
		j.reason = fmt.Sprintf("%s, more than %s, and the path cannot explain it: seen in %d of the %d exchanges in a row that it takes",
			aheadBehind(j.offset), people(limit), s.streak, streakForOff)
	case newest && math.Abs(j.offset) <= limit:
		j.verdict = OK
		j.assured = math.Abs(j.offset)+j.bound <= limit
		j.finer(x.Before, rec.before)
	case !newest && math.Abs(best.offset) <= limit:
		j.verdict = OK
		j.assured = math.Abs(best.offset)+best.bound <= limit
		j.best, j.filtered = best, true
	case !newest:
		j.verdict = Doubtful
		j.reason = fmt.Sprintf("%s by the best of the last exchanges, more than %s, but the last one leaves %s open",
			aheadBehind(best.offset), people(limit), people(j.bound))
		j.best, j.filtered = best, true
	default:
		j.verdict = Doubtful
		j.reason = fmt.Sprintf("%s, more than %s, but the path and the reference leave %s open",
			aheadBehind(j.offset), people(limit), people(j.bound))
	}
	s.kept = j
	return j
}

// finer takes what is shown from the exchange before, where that is known better
// by now and does not contradict. The verdict stays that of the one it is about.
func (j *judgement) finer(before *Exchange, r Reading) {
	if before == nil || checkReading(r) != "" {
		return
	}
	if own, theirs := checkStamps(*before); own != "" || theirs != "" {
		return
	}
	i := measure(*before, r)
	if i.bound < j.bound && math.Abs(i.offset-j.offset) <= i.bound+j.bound {
		j.offsetInterval, j.rtt = i, max(before.Delay(), 0)
	}
}

// said takes a reply that needs no reference to be judged.
func (s *state) said(rec *record, j judgement, lost bool) judgement {
	x := &rec.x
	s.heard()
	s.endStreak()
	s.suspicions.shown = rec.around.warns
	s.loss.add(lost)
	if checkReading(rec.r) == "" {
		own, _ := checkStamps(*x)
		// Without T2 the offset is decades, as for the pool's agent.
		s.addScore(x, between(x.ServerTime(), rec.r.True), own == "")
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
	f := &s.fail
	f.add(rec)
	if f.lost >= failuresForFault {
		s.endStreak()
	}
	note := f.String()
	if x.Outcome != OutcomeTimeout { // whose detail says no more than that
		note = reasonOf(note, x.Detail)
	}
	switch {
	case f.fault != "":
		j.verdict, j.reason = f.fault, note
		switch f.fault {
		case Refused:
			j.reason = "nothing listens there, the port is closed: " + note
		case Invalid:
			j.reason = "what comes from there answers no request: " + note
		}
		return j
	case f.lost >= failuresForFault:
		j.verdict = NotJudged
		j.reason = fmt.Sprintf("%s; %d of the %d it takes are known not to be this station's own fault",
			note, f.counted, failuresForFault)
		return j
	case !s.answered:
		j.verdict = NotJudged
		j.reason = fmt.Sprintf("no answer yet: %d of the %d requests that it takes", f.lost, failuresForFault)
		return j
	case why != "" && s.kept.needsReference():
		return s.ownFault(j, why)
	}
	// What is shown stays that of the last reply, its instant included.
	open := rec.open
	j = s.kept
	j.provisional = j.provisional || open
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

func (s *state) heard() { s.fail, s.answered = failures{}, true }

func (s *state) endStreak() { s.side, s.streak = 0, 0 }

func (s *state) addScore(x *Exchange, offset float64, known bool) {
	step, limit := poolStep(*x, offset, known)
	s.score, s.scored = poolScore(s.score, step, limit), true
}

// date tells the instant in true time once that is known: it was utc at mono.
func (j *judgement) date(mono, utc int64) {
	if j.at != 0 && !j.dated {
		j.at, j.dated = utc-(mono-j.mono), true
	}
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
	shown := j.offsetInterval
	if j.filtered {
		shown = j.best
	}
	v := &struct {
		offset, uncertainty, bound, rtt, score, loss, jitter float64
		stratum                                              int
		latest                                               Measurement
		claims                                               Claims
		age                                                  float64
	}{
		shown.offset, shown.uncertainty, shown.bound, j.rtt, s.score, 0, 0, int(j.stratum),
		Measurement{j.offset, j.uncertainty, j.bound, j.rtt}, Claims{}, 0,
	}
	if j.measured {
		res.Offset, res.Uncertainty, res.Bound, res.Latest = &v.offset, &v.uncertainty, &v.bound, &v.latest
		if rms, ok := s.past.jitter(shown.offset); ok {
			v.jitter, res.Jitter = rms, &v.jitter
		}
	}
	s.tell(&res, &v.claims, &v.age)
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
	res.cautious()
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
