package gpspps

import (
	"fmt"
	"math"
	"time"
)

// A pulse without a receiver comes from a clock that somebody else keeps on the
// seconds of UTC. Which second an edge marks is told by the named reference or by a
// majority of servers, and in a holdover by the station's own clock: whoever knows
// the time to better than a fifth of a second cannot be wrong by a whole one. What
// else they know, they hold against the pulse: it must lie where they say, within
// their bound and its own.

const (
	aloneMost = 0.2 // seconds; who is less sure of the time does not number pulses

	reasonUntold = reasonUnnumbered + ": nobody says which second they mark"
	reasonTwice  = "more than one pulse a second"
)

// solo is how the named reference's marks compare with the pulses.
type solo struct {
	opposed   string // why they did not allow a lock to the train
	opposedAt int64  // last

	against, with int // marks in a row, of pulses that are followed
	disputed      string
}

// who is what the station's time rests on, for people.
func (r *Reference) who() string {
	if r.c.PulseAlone {
		return "pulse"
	}
	return "receiver"
}

// numbered says whether the train's edges can be numbered, and if not, why.
func (r *Reference) numbered() (ok bool, why string) {
	if r.c.PulseAlone {
		return r.assign()
	}
	return r.fixes.numbered(&r.train)
}

// assign numbers the newest edge of a train by who knows the time, as fixes
// would: for some seconds in a row, and each time the same.
func (r *Reference) assign() (ok bool, why string) {
	f, t := &r.fixes, &r.train
	if t.twice() {
		f.breakOff()
		return false, reasonTwice
	}
	e := t.edges[len(t.edges)-1]
	n, why := r.secondAt(e.mono)
	if why != "" {
		f.breakOff()
		return false, why
	}
	if offset := n - e.count; f.began == 0 || f.train != t.since || f.offset != offset {
		f.offset, f.began, f.train = offset, e.mono, t.since
	}
	if seconds(f.began, e.mono) < delaySpan {
		return false, reasonUnnumbered
	}
	return true, ""
}

// secondAt is the second that an edge at mono marks; why says why nobody knows.
func (r *Reference) secondAt(mono int64) (n int64, why string) {
	if r.phase == StateHoldover {
		if own := r.own(mono); own.Bound < aloneMost {
			n, _ := whole(own.True)
			return n, ""
		}
	}
	told, whom, ok := r.teller(mono)
	n, late := whole(told.True)
	switch {
	case !ok:
		return 0, reasonUntold
	case math.Abs(late) > told.Bound && math.Abs(late)+told.Bound >= aloneMost:
		return 0, r.contradiction(-late, whom)
	case math.Abs(late)+told.Bound >= aloneMost:
		return 0, fmt.Sprintf("%s: the time of %s (± %s) does not tell the second", reasonUnnumbered, whom, amount(told.Bound))
	}
	return n, ""
}

// teller is what those who may number pulses say of an instant: the named
// reference where it is sure enough and has said the same three times, or most
// servers.
func (r *Reference) teller(mono int64) (told Reading, whom string, ok bool) {
	told, ok = r.trusted(mono)
	ok = ok && r.named.with >= agreeLeast-1
	whom = "the named reference"
	if ok && told.Bound < aloneMost {
		return told, whom, true
	}
	if q, of := r.quorum(mono, ""); of {
		return q, "most servers", true
	}
	return told, whom, ok
}

// trusted is what the named reference says, unless it is suspect itself.
func (r *Reference) trusted(mono int64) (Reading, bool) {
	told, ok := r.marked(mono, "")
	return told, ok && told.State != StateSuspect
}

// opposedAlone says why the named reference does not allow a lock to the pulse: it
// excludes this train, or did so at a time of which its marks still tell.
func (r *Reference) opposedAlone() (why string) {
	a, edges := &r.solo, r.train.edges
	var ahead []float64
	bound := 0.0
	for _, x := range edges[max(0, len(edges)-edgesLeast):] { // one may be held up
		if told, ok := r.trusted(x.mono); ok {
			ahead = append(ahead, float64((r.fixes.offset+x.count)*1e9-told.True)*1e-9)
			bound = max(bound, told.Bound)
		}
	}
	if len(ahead) == edgesLeast {
		if d := median(ahead); math.Abs(d) > bound+r.allowance() {
			a.opposed, a.opposedAt = r.contradiction(d, "the named reference"), r.now
		}
	}
	if a.opposedAt < r.train.since || r.now-a.opposedAt > int64(markAge) {
		a.opposed = ""
	}
	return a.opposed
}

// witness is by how much those who may know are ahead of a time scale: most
// servers; for a pulse alone, where they cannot tell, the named reference.
func (r *Reference) witness(scale func(mono int64) int64) (m majority, whom string, ok bool) {
	if m, ok := r.network(scale); ok && r.voted(r.now) {
		return m, fmt.Sprintf("%d servers agree", m.agree), true
	}
	told, ok := r.trusted(r.now)
	if !ok || !r.c.PulseAlone {
		return majority{}, "", false
	}
	return majority{centre: float64(told.True-scale(r.now)) * 1e-9, half: told.Bound, agree: 1, of: 1}, "the named reference agrees", true
}

// countAlone holds a mark against the pulses that are followed, as count does
// rounds of votes.
func (r *Reference) countAlone(mono int64) {
	a := &r.solo
	if !r.c.PulseAlone || r.phase != StateLocked && r.phase != StateHoldover || r.unsettled() != "" {
		return
	}
	own := r.own(mono)
	told, ok := r.marked(mono, "")
	if !ok || !own.Known {
		return
	}
	d := float64(own.True-told.True) * 1e-9
	switch {
	case told.State == StateSuspect:
		*a = solo{}
	case math.Abs(d) <= told.Bound+own.Bound:
		a.against, a.with = 0, a.with+1
		if a.with >= vetoRounds {
			a.disputed = ""
		}
	default:
		a.against, a.with = a.against+1, 0
		if a.against < vetoRounds {
			return
		}
		if a.disputed == "" {
			r.counters.Vetoes++
		}
		a.disputed = fmt.Sprintf("reference disputed: the pulse (± %s) is %s the named reference (± %s)", amount(own.Bound), off(d), amount(told.Bound))
	}
	r.mark(max(r.now, r.labels[len(r.labels)-1].from))
}

// leapMark takes what a mark says of an open leap second, as leapFix does a fix:
// no receiver tells.
func (r *Reference) leapMark(m Mark) {
	o := &r.leaps.open
	if !r.c.PulseAlone || o.change == 0 || m.Mono < o.mono {
		return
	}
	own := r.own(m.Mono)
	d := float64(m.Time-own.True) * 1e-9
	if n := math.Round(d); own.Known && math.Abs(d-n)+m.HalfWidth+own.Bound < wholeSecond/2 {
		o.counted(int(n))
	}
}

// settleAlone decides whether an open leap second has been, where no receiver
// says so: by most servers, and by the named reference where there are too few.
func (r *Reference) settleAlone(m majority, asked, few bool) {
	o := &r.leaps.open
	after := time.Duration(r.now - o.mono)
	switch {
	case asked && m.confirms(-float64(o.change)):
		r.leapt()
	case asked && !o.announced() && m.confirms(float64(o.change)):
		o.counted(o.change) // it is the other change
		r.leapt()
	case asked && m.confirms(0) && (!o.network || after > jumpConfirmed):
		r.leaps.open = openLeap{}
	case asked:
	case o.with >= oddLeast && (o.network || few):
		r.leapt()
	case o.without >= oddLeast && (!o.network || few && after > almanac):
		r.leaps.open = openLeap{}
	}
}
