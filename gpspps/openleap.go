package gpspps

import (
	"fmt"
	"time"
)

// openLeap is one that may have been. At the end of a quarter there may be one
// that nobody announced (ITU-R TF.460: June and December, in need March and
// September): while fixes come without a break they say so, and nothing else is
// to be done; in a holdover nobody knows.
type openLeap struct {
	leap                    // with the change that the receiver's fixes name, if any do
	receiver, network bool  // announced it
	marked            bool  // that nobody knows
	end               int64 // the midnight, by the count, ns
	with, without     int   // fixes in a row that counted with it, and without
}

// announced says whether anybody announced it.
func (o *openLeap) announced() bool { return o.receiver || o.network }

// expectLeap looks whether a leap second is due or may be.
func (r *Reference) expectLeap(count int64) {
	l := &r.leaps
	ahead := l.by(r.now) * 1e9
	next, receiver, network := r.announced(count - ahead)
	at := endOfMonth(time.Unix(0, count-ahead))
	if next.Change != 0 {
		at = next.At
	} else if (at.Month()-1)%3 != 0 {
		return
	} else {
		next.Change = -1 // the earliest that it may be
	}
	end := at.UnixNano() + ahead
	x := leap{change: next.Change, at: end + int64(min(next.Change, 0))*1e9}
	if left := float64(x.at-count) * 1e-9; left <= 0 || left > leapFixed {
		return
	}
	x.mono = r.now + x.at - count
	if receiver && network {
		l.list = append(l.list, x)
		return
	}
	l.open = openLeap{leap: x, receiver: receiver, network: network, end: end}
}

// counted takes by how much a fix differs from the station's count of
// seconds while a leap second is open.
func (o *openLeap) counted(d int) {
	switch {
	case d == 0:
		o.with, o.without = 0, o.without+1
	case d == -o.change:
		o.with, o.without = o.with+1, 0
	case !o.announced() && d == o.change:
		// It is the other change, and that a second later or earlier.
		o.change, o.with, o.without = -d, 1, 0
		at := o.end + int64(min(o.change, 0))*1e9
		o.mono, o.at = o.mono+at-o.at, at
	default:
		o.with, o.without = 0, 0
	}
}

// settleLeap decides whether an open leap second has been.
func (r *Reference) settleLeap() {
	o := r.leaps.open
	with, without := o.with >= oddLeast, o.without >= oddLeast
	silent := o.with+o.without == 0
	var list []interval
	votes := r.voters.at(r.now, "", func(Vote) float64 { return 0 })
	for _, v := range votes {
		if v.Mono > o.mono {
			list = append(list, interval{float64(v.Time-r.own(v.Mono).True) * 1e-9, v.HalfWidth})
		}
	}
	m, asked := agreement(list)
	asked = asked && 2*len(list) > len(votes)
	if r.c.PulseAlone {
		r.settleAlone(m, asked, len(votes) < quorumLeast)
		return
	}
	late := r.fixes.since != 0 && seconds(max(o.mono, r.fixes.since), r.now) > almanac.Seconds()
	switch {
	case asked && m.confirms(-float64(o.change)):
		if with || silent && o.receiver {
			r.leapt()
		}
	case asked && m.confirms(0):
		if without || silent && !o.network {
			r.leaps.open = openLeap{}
		}
	case with && (o.network || o.receiver && len(votes) == 0 || late):
		r.leapt()
	case without && (late || !o.announced() && (r.phase == StateLocked || r.fixes.valid.LeapUTC)):
		r.leaps.open = openLeap{}
	}
}

// leapt takes an open leap second for one that was.
func (r *Reference) leapt() {
	l := &r.leaps
	x := l.open.leap
	x.passed = true
	l.open = openLeap{}
	l.list = append(l.list, x)
	l.made(x.change)
	for _, votes := range r.voters {
		for i := range votes {
			votes[i].Time += x.since(votes[i].Mono)
		}
	}
	for _, marks := range [][]Mark{r.named.marks, r.named.odd} {
		for i := range marks {
			marks[i].Time += x.since(marks[i].Mono)
		}
	}
	// All that spoke against it until now was it.
	r.jump, r.odd, r.oddCount, r.good = 0, 0, 0, 0
	r.disputed, r.against, r.with, r.solo = "", 0, 0, solo{}
	r.goodFix = r.now
	r.c.Log.Info("leap second", "change", x.change, "settled_after_s", seconds(x.mono, r.now))
}

// since is what the leap second adds to a time told at an instant, to put it on
// the count, ns.
func (x leap) since(mono int64) int64 {
	if mono < x.mono {
		return 0
	}
	return int64(x.change) * 1e9
}

// untold says that a holdover has passed the end of a quarter, and neither the
// receiver nor most servers have spoken since: nothing contradicts anything, but
// there may have been a leap second.
func (r *Reference) untold() bool {
	o := r.leaps.open
	return o.change != 0 && r.now >= o.mono && !r.c.PulseAlone && !o.announced() && o.with < oddLeast && r.phase == StateHoldover
}

const reasonOpen = "nobody has said whether the quarter ended with a leap second"

// leapBound is by how much the bound of what is told is wider for a leap second
// that may have been, seconds.
func (r *Reference) leapBound() float64 {
	if r.untold() {
		return wholeSecond
	}
	return 0
}

// unsettled says why the sources contradict each other over a leap second; empty:
// they do not.
func (r *Reference) unsettled() string {
	o := r.leaps.open
	if o.change == 0 || r.now < o.mono {
		return ""
	}
	who := "the receiver alone announced"
	switch {
	case r.c.PulseAlone && o.network:
		return "the servers announced a leap second: waiting for what they say after it"
	case r.c.PulseAlone:
		return reasonOpen
	case o.receiver:
	case o.network:
		who = "the servers alone announced"
	case o.with >= oddLeast:
		who = "the receiver alone made"
	default:
		return ""
	}
	return fmt.Sprintf("%s a leap second: waiting for what the others say", who)
}
