package gpspps

import (
	"fmt"
	"math"
)

// Reasons that code compares or uses more than once.
const (
	reasonCold     = "no fix, no pulse"
	reasonNoFix    = "no fix"
	reasonFixLost  = "the receiver has lost its fix"
	reasonNoPulse  = "no pulse"
	reasonMoved    = "the pulses are not where they should be"
	reasonUnproven = "leap seconds unconfirmed"
	reasonOld      = "date unconfirmed: the station has already seen a later one"
	leapMost       = 30 // seconds; more than leap seconds could explain
	// GPS time less UTC since 2017 (IERS, Bulletin C 52). If one should ever be
	// taken away, servers confirm the count until this is raised.
	leapKnown        = 18
	reasonUnnumbered = "pulses not numbered yet"
	reasonUnsteady   = "pulses too unsteady"
	wholeSecond      = 1.0
)

// evaluate draws conclusions from what has come in.
func (r *Reference) evaluate() {
	switch r.phase {
	case StateLocked:
		r.watch()
		if r.phase == StateLocked {
			r.distrust()
		}
	case StateHoldover:
		r.carry()
	default:
		r.number()
	}
	r.mark(max(r.now, r.labels[len(r.labels)-1].from))
}

// shown is the state for the outside.
func (r *Reference) shown() State {
	held := r.phase == StateHoldover
	if (r.phase == StateLocked || held) && (r.jump != 0 || r.unsettled() != "" || r.dispute() != "") || held && r.strayed() && !r.backed || r.untrue() != "" {
		return StateSuspect
	}
	return r.phase
}

// dispute says who contradicts the receiver or the pulse; empty: nobody does.
func (r *Reference) dispute() string {
	if r.disputed != "" {
		return r.disputed
	}
	return r.solo.disputed
}

// told is the reason that goes with it.
func (r *Reference) told() string {
	switch {
	case r.shown() == StateSuspect && r.untrue() != "":
		return r.untrue()
	case r.shown() == StateSuspect && r.dispute() != "":
		return r.dispute()
	case r.shown() == StateSuspect && r.unsettled() != "":
		return r.unsettled()
	case r.shown() == StateSuspect && r.jump == 0:
		return r.stray()
	case r.shown() == StateSuspect:
		return fmt.Sprintf("the receiver jumped %s while its pulses ran on", side(float64(r.jump)))
	case r.untold():
		return r.reason + "; " + reasonOpen
	case r.after != "":
		return r.reason + "; " + r.after
	}
	return r.reason
}

// side says where something d seconds ahead is.
func side(d float64) string {
	word := "ahead"
	if d < 0 {
		word = "back"
	}
	return amount(d) + " " + word
}

// off is the same, of something else.
func off(d float64) string {
	word := "ahead of"
	if d < 0 {
		word = "behind"
	}
	return amount(d) + " " + word
}

// lateness says where pulses d seconds late are.
func lateness(d float64) string {
	if d < 0 {
		return amount(d) + " early"
	}
	return amount(d) + " late"
}

// amount is a duration for people, seconds.
func amount(d float64) string {
	d = math.Abs(d)
	if n := math.Round(d); n >= 1 && math.Abs(d-n) < secondsAgree {
		return fmt.Sprintf("%.0f s", n)
	}
	switch {
	case d >= 1:
		return fmt.Sprintf("%.3f s", d)
	case d >= 1e-3:
		return fmt.Sprintf("%.1f ms", d*1e3)
	}
	return fmt.Sprintf("%.1f µs", d*1e6)
}

// number is the way to a lock.
func (r *Reference) number() {
	fix := r.c.PulseAlone || r.fixes.arrived != 0 && seconds(r.fixes.arrived, r.now) <= silence
	pulse := r.train.last() != 0 && seconds(r.train.last(), r.now) <= silence
	r.phase = StateNumbering
	switch {
	case !fix && !pulse:
		r.phase, r.reason = StateCold, reasonCold
		if f := r.fixes.last; f.Mono != 0 && seconds(f.Mono, r.now) <= silence {
			r.reason = "the receiver has no fix"
			if f.Valid {
				r.reason = "the receiver's date cannot be right"
			}
		}
		return
	case !fix:
		r.reason = reasonNoFix
		return
	case !pulse && r.c.PulseAlone:
		r.phase, r.reason = StateCold, reasonNoPulse
		return
	case !pulse:
		r.reason = reasonNoPulse
		return
	}
	if ok, why := r.numbered(); !ok {
		r.reason = why
		return
	}
	if ok, why := r.proven(); !ok {
		r.reason = why
		return
	}
	r.reason = r.engage()
}

// candidate is the time that the numbered train claims.
func (r *Reference) candidate(mono int64) int64 {
	e := r.train.edges[len(r.train.edges)-1]
	return (r.fixes.offset+e.count)*1e9 + int64(math.Round(r.paper.between(e.mono, mono)*1e9))
}

// network is by how much most servers are ahead of a time scale, whose error
// grows with the distance from now.
func (r *Reference) network(scale func(mono int64) int64) (majority, bool) {
	return r.poll("", func(mono int64) (int64, bool) { return scale(mono), true })
}

// poll is the same for a scale that does not know all instants, without the votes
// of one host; empty: with all.
func (r *Reference) poll(without string, scale func(mono int64) (t int64, ok bool)) (majority, bool) {
	var list []interval
	for _, v := range r.voters.at(r.now, "", func(Vote) float64 { return 0 }) {
		if t, ok := scale(v.Mono); ok && (without == "" || v.Host != without) {
			age := math.Abs(seconds(v.Mono, r.now)) * r.c.OscillatorPPM * 1e-6
			list = append(list, interval{float64(v.Time-t) * 1e-9, v.HalfWidth + age})
		}
	}
	return agreement(list)
}

// excludes says whether a time d seconds ahead, give or take allow, cannot be right.
func (m majority) excludes(d, allow float64) bool {
	return math.Abs(m.centre-d)-m.half > allow
}

// confirms says whether the majority leaves no other second possible.
func (m majority) confirms(d float64) bool {
	return math.Abs(m.centre-d) < secondsAgree && math.Abs(m.centre-d)+m.half < wholeSecond/2
}

// proven says whether the second that the train is numbered by is UTC's, and if not, why.
func (r *Reference) proven() (ok bool, why string) {
	if why := r.barred(); why != "" {
		return false, why
	}
	m, asked := r.network(r.candidate)
	if asked && m.excludes(0, r.allowance()) {
		return false, r.contradiction(-m.centre, fmt.Sprintf("%d servers", m.agree))
	}
	if r.c.PulseAlone {
		if why := r.opposedAlone(); why != "" {
			return false, why
		}
	}
	if asked && r.voted(r.now) && m.confirms(0) {
		return true, ""
	}
	if r.phase == StateHoldover {
		if own := r.own(r.now); own.Bound < secondsAgree {
			d := float64(r.candidate(r.now)-own.True) * 1e-9
			if math.Abs(d) < secondsAgree {
				return true, ""
			}
			return false, r.contradiction(d, "the station's own clock")
		}
	}
	if r.c.PulseAlone {
		// Who numbers it proves it, unless those who may know better are being asked.
		return r.counters.Votes == 0 || r.voted(r.now), reasonUnnumbered
	}
	if own, ok := r.marked(r.now, ""); ok && own.State == StateLocked {
		d := float64(r.candidate(r.now)-own.True) * 1e-9
		if math.Abs(d) < secondsAgree {
			return true, ""
		}
		return false, r.contradiction(d, "the named reference")
	}
	if r.counters.Votes != 0 && !r.voted(r.now) {
		return false, reasonUnproven // those who may know better are being asked
	}
	continuous := 0.0
	if r.fixes.since != 0 {
		continuous = seconds(r.fixes.since, r.now)
	}
	f := r.fixes.valid
	if !r.c.LastGood.IsZero() && f.Time.Before(r.c.LastGood) && continuous < jumpUnconfirmed.Seconds() {
		return false, reasonOld
	}
	if f.Leap != 0 && f.Leap < leapKnown {
		return false, fmt.Sprintf("%s: the receiver knows of %d, there have been %d", reasonUnproven, f.Leap, leapKnown)
	}
	if f.LeapUTC || (r.c.ConfirmUTC != nil && r.c.ConfirmUTC(f)) {
		return true, ""
	}
	if d, whom := r.opposed(); whom != "" && continuous < jumpUnconfirmed.Seconds() {
		return false, r.contradiction(d, whom)
	}
	if continuous >= almanac.Seconds() {
		return true, ""
	}
	return false, reasonUnproven
}

// opposed says whether all servers there are, though too few for a majority,
// name another second, such as wrong leap seconds would explain, and by how
// much the receiver is ahead of them. It or they are wrong: nobody can tell.
func (r *Reference) opposed() (d float64, whom string) {
	votes := r.voters.at(r.now, "", func(Vote) float64 { return 0 })
	if len(votes) == 0 || len(votes) >= quorumLeast {
		return 0, ""
	}
	for i, v := range votes {
		ahead := float64(r.candidate(v.Mono)-v.Time) * 1e-9
		if off := math.Abs(ahead); off-v.HalfWidth < secondsAgree || off > leapMost || i > 0 && math.Abs(ahead-d) > secondsAgree {
			return 0, ""
		}
		d = ahead
	}
	if len(votes) == 1 {
		return d, "the only server"
	}
	return d, fmt.Sprintf("%d servers", len(votes))
}

// allowance is how far the newest pulse may be from true time, seconds: what
// the bound will be that the network holds against a lock.
func (r *Reference) allowance() float64 {
	zs := newWindow()
	first := r.train.edges[0]
	base := (r.fixes.offset+first.count)*1e9 - first.mono
	for _, x := range r.train.edges {
		zs.add(phase{second: x.count, z: r.phaseOf(x, base)})
	}
	s, _ := zs.spread(1, false)
	return boundTimes * (r.c.PulseError + lateTimes*max(s, leastJitter))
}

// contradiction says that the candidate, d seconds ahead of whom, cannot be right.
func (r *Reference) contradiction(d float64, whom string) string {
	what := reasonUnproven
	if math.Abs(d) > leapMost {
		what = "date unconfirmed"
	} else if math.Abs(d) < wholeSecond/2 {
		what = "pulse unconfirmed"
	}
	return fmt.Sprintf("%s: the %s is %s %s", what, r.who(), off(d), whom)
}
