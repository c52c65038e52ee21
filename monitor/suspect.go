package monitor

import (
	"fmt"
	"math"
	"time"
)

// Warnings that taxonomy.go does not have, since they need more than replies.
const (
	// WarnRateInferred: requests that follow each other closely go unanswered,
	// others do not. A rate limit looks like that, a path that loses packets
	// does not.
	WarnRateInferred Warning = "rate_inferred"
	// WarnFamilies: IPv4 and IPv6 of one name differ by more than both paths
	// together can explain, so two clocks answer, or one was set in between.
	WarnFamilies Warning = "families_disagree"
)

// allWarnings are those that a result may hold, in the order they are told.
var allWarnings = [...]Warning{
	WarnSmearSuspect, WarnLeapDisagree, WarnLeapPending, WarnLoop, WarnFamilies, WarnAnycastChange, WarnAsym, WarnTooWide,
	WarnRateInferred, WarnRootDistance, WarnStaleRef, WarnReftimeFuture, WarnReftimeZero, WarnVersionLow,
}

// AllWarnings are all the words that Result.Warnings may hold.
func AllWarnings() []Warning { return append([]Warning(nil), allWarnings[:]...) }

// warnings are some of allWarnings, one bit each.
type warnings uint16

func (w *warnings) set(is bool, what Warning) {
	if !is {
		return
	}
	for i, x := range allWarnings {
		if x == what {
			*w |= 1 << i
		}
	}
}

func (w warnings) list() (out []Warning) {
	for i, x := range allWarnings {
		if w&(1<<i) != 0 {
			out = append(out, x)
		}
	}
	return out
}

// around is what is known at an exchange that is not in it.
type around struct {
	leap      int8 // see Config.Leap
	leapKnown bool
	warns     warnings // that the exchange shows by itself, and loops
}

const (
	// asymRow is how many exchanges in a row must show the same slope: chrony's
	// count. asymLow and asymHigh are around the 0.5 that a queue on one way
	// makes of offset against delay, asymFit is the least share of the offsets'
	// variance that it has to explain.
	asymRow  = 10
	asymLow  = 0.4
	asymHigh = 0.6
	asymFit  = 0.8
	// asymSpread is by how much delays must differ for it to matter, as a share
	// of the limit.
	asymSpread = 0.04

	// smearRate is by how much a clock runs wrong that spreads a leap second
	// over a day; smearSlack is how far from that still counts, smearVague what
	// the paths may leave open of it at the most.
	smearRate  = 1.0 / 86400
	smearSlack = 2e-6
	smearVague = 4e-6
	smearSpan  = 600.0 // seconds between the exchanges that show it, at least
	smearMost  = 1.0   // seconds that a smear can put a clock off

	leapNear  = 24 * time.Hour // before and after the midnight of a leap second that a smear may last
	leapAhead = 12 * time.Hour // before it, by when servers that know of it announce it

	// instanceShown is how long a change of instance is told; instanceWait is
	// how many replies have to come until another one counts: who answers as
	// somebody else each time must not escape by it.
	instanceShown = time.Hour
	instanceWait  = 16

	closeGap  = 10.0 // seconds between requests, for a rate limit to be felt
	closeMost = 64   // exchanges of a kind until their counts are halved
	closeSent = 12   // it takes
	apartSent = 16   // and so many
)

// suspicions are what a target's past replies leave of doubts; part of state.
type suspicions struct {
	shown      warnings // of the last proper reply
	asymRun    int8     // replies in a row with the slope of a queue, negative: on the way back
	smear      bool     // seen on this leap second's day
	quiet      uint8    // replies until another change of instance counts
	instanceAt uint32   // of the last change, ticks; 0 none
	requests   spacing
}

// instance looks whether another server answers than before under this address.
// It says so where what names the server and what tells of the way to it change
// in the same reply: the same server may follow another source, and the way to
// it may be another.
func (s *state) instance(x *Exchange) {
	u, was := &s.suspicions, &s.claim
	if u.quiet > 0 {
		u.quiet--
		return
	}
	if !was.said || s.past.n == 0 || was.refID == x.RefID && was.stratum == x.Stratum {
		return
	}
	least, most := s.past.least(), 0.0
	for i := range s.past.n {
		most = max(most, float64(s.past.ring[i].delay))
	}
	margin := max(least/10, 200e-6)
	away := x.Delay() < least-margin || s.past.n == windowFast && x.Delay() > most+margin
	if !away && (was.ttl == 0 || x.TTL == 0 || was.ttl == x.TTL) {
		return
	}
	s.past = window{}
	s.endStreak()
	u.instanceAt, u.quiet = max(ticks(x.Mono), 1), instanceWait
}

// suspect brings the warnings up to date with a proper reply that the window has.
func (s *state) suspect(rec *record, limit float64) {
	u, x := &s.suspicions, &rec.x
	u.shown = rec.around.warns
	u.shown.set(u.instanceAt != 0 && tickSpan*float64(ticks(x.Mono)-u.instanceAt) < instanceShown.Seconds(), WarnAnycastChange)
	u.shown.set(leapDisagrees(x, rec.r, rec.around), WarnLeapDisagree)

	switch side := s.past.queueing(limit); {
	case side == 0:
		u.asymRun = 0
	case int(side)*int(u.asymRun) < 0:
		u.asymRun = side
	case u.asymRun < asymRow && u.asymRun > -asymRow:
		u.asymRun += side
	}
	u.shown.set(u.asymRun >= asymRow || u.asymRun <= -asymRow, WarnAsym)

	coded := x.Stratum > 1 && x.RefID>>24 == 254 // ntpd, when it smears
	day := leapDay(rec.r.True, rec.around)
	u.smear = day && (u.smear || coded || s.past.ramps(rec.around))
	u.shown.set(u.smear || coded, WarnSmearSuspect)
}

// smears says whether a smear may explain an offset that lies outside.
func (s *state) smears(offset, limit float64) bool {
	return s.suspicions.smear && math.Abs(offset) <= smearMost+limit
}

// queueing is the sign of the slope of offset against delay where that is a
// queue's on one way, else 0. What the request waits is positive: the server
// seems ahead.
func (w *window) queueing(limit float64) int8 {
	if w.n < windowFast {
		return 0
	}
	var d, o, dd, do, oo float64
	low, high := math.Inf(1), 0.0
	for i := range w.ring {
		a := &w.ring[i]
		d += float64(a.delay) / windowFast
		o += float64(a.offset) / windowFast
		low, high = min(low, float64(a.delay)), max(high, float64(a.delay))
	}
	if high-low < asymSpread*limit {
		return 0
	}
	for i := range w.ring {
		x, y := float64(w.ring[i].delay)-d, float64(w.ring[i].offset)-o
		dd, do, oo = dd+x*x, do+x*y, oo+y*y
	}
	slope := do / dd
	if a := math.Abs(slope); !(a >= asymLow && a <= asymHigh && do*do >= asymFit*dd*oo) {
		return 0
	}
	if slope < 0 {
		return -1
	}
	return 1
}

// ramps says whether the offset has been running as it does where a leap second
// is being spread. Only what queues can have done since is held against that: a
// way that is longer in one direction is so at both ends.
func (w *window) ramps(k around) bool {
	last, least := w.last(), w.least()
	loose := func(a *sample) float64 {
		return (float64(a.delay)-least)/2 + max(float64(a.bound)-float64(a.delay)/2, 0)
	}
	for i := range w.parts {
		a := &w.slow[i]
		span := a.age(last.at)
		if span < smearSpan {
			continue
		}
		slope, vague := float64(last.offset-a.offset)/span, (loose(a)+loose(last))/span
		if k.leapKnown && k.leap != 0 && slope*float64(k.leap) > 0 {
			continue // a second more is spread by a clock that runs slow
		}
		if vague <= smearVague && math.Abs(math.Abs(slope)-smearRate) <= smearSlack+vague {
			return true
		}
	}
	return false
}

// leapDay says whether a smear may be under way at an instant, UTC ns: a day
// before and after the end of a month that has a leap second, as far as anybody
// here knows. They come at the ends of quarters (ITU-R TF.460).
func leapDay(utc int64, k around) bool {
	t := time.Unix(0, utc).UTC()
	since, until := monthEnds(t)
	if until <= leapNear && (k.leap != 0 || !k.leapKnown && quarter(t.Month())) {
		return true
	}
	return since <= leapNear && quarter((t.Month()+10)%12+1)
}

// monthEnds is how long ago the month before ended and in how long this one will.
func monthEnds(t time.Time) (since, until time.Duration) {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return t.Sub(first), first.AddDate(0, 1, 0).Sub(t)
}

func quarter(m time.Month) bool { return m%3 == 0 }

// leapDisagrees says whether the server announces another leap second than the
// station knows of, or none on the last hours before one.
func leapDisagrees(x *Exchange, r Reading, k around) bool {
	if !k.leapKnown {
		return false
	}
	said := int8(0)
	switch x.Leap {
	case 1:
		said = 1
	case 2:
		said = -1
	}
	if said == 0 && k.leap != 0 {
		_, until := monthEnds(time.Unix(0, r.True).UTC())
		return until < leapAhead
	}
	return said != k.leap
}

// spacing counts what became of requests that came soon after the one before,
// and of the others.
type spacing struct {
	lastAt           uint32 // of the last request, ticks; 0 none
	close, closeLost uint8
	apart, apartLost uint8
}

func (c *spacing) add(mono int64, lost bool) {
	sent, gone := &c.apart, &c.apartLost
	now := ticks(mono)
	if c.lastAt != 0 && tickSpan*float64(now-c.lastAt) < closeGap {
		sent, gone = &c.close, &c.closeLost
	}
	c.lastAt = max(now, 1)
	if *sent == closeMost {
		*sent, *gone = *sent/2, *gone/2
	}
	*sent++
	if lost {
		*gone++
	}
}

// limited says that requests close to each other are lost and others are not:
// three in ten and more of those, one in twenty and fewer of these.
func (c *spacing) limited() bool {
	return c.close >= closeSent && c.apart >= apartSent &&
		10*int(c.closeLost) >= 3*int(c.close) && 20*int(c.apartLost) <= int(c.apart)
}

// smearing is the reason of a verdict that a smear holds back.
func smearing(j *judgement, limit float64) string {
	return fmt.Sprintf("%s, more than %s, but it seems to spread a leap second over the day, as some servers do on purpose",
		aheadBehind(j.offset), people(limit))
}

// count takes an exchange into what is counted exactly.
func (s *state) count(rec *record) {
	sent, replied := rec.x.Outcome.traffic()
	if rec.told || !sent {
		return
	}
	s.traffic.add(replied)
	if rec.void == "" {
		s.suspicions.requests.add(rec.x.Mono, !replied)
	}
}

// tell adds to a result what is known beside its verdict; claims and age are
// what it may point to.
func (s *state) tell(r *Result, claims *Claims, age *float64) {
	r.Sent, r.Received, r.Reach = uint64(s.traffic.sent), uint64(s.traffic.received), s.traffic.reach
	if s.claim.said {
		r.Claims = claims
		s.claim.tell(claims, age)
	}
	w := s.suspicions.shown
	w.set(s.suspicions.requests.limited(), WarnRateInferred)
	r.Warnings = w.list()
}
