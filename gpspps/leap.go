package gpspps

import (
	"math"
	"time"
)

// Seconds are counted on through a leap second, as the pulses come: inside,
// time is UTC as it would be without the leap seconds since the start. What
// comes in is put on that count and what goes out is taken off it, by the
// instant and not by the label, of which an inserted second has none of its own.
//
// A leap second that the receiver and most servers announce is expected, and
// nothing is noticed of it. One that only one of them announces, or that the
// receiver alone makes, is open: nobody is judged until it is settled whether
// there was one (openleap.go).

const (
	leapFixed  = 5.0            // seconds before a leap second from which on nobody can take it back
	leapAside  = 2.0            // seconds around it in which servers do not agree on what the time is called
	leapRepeat = time.Minute    // an announcement that is not repeated for so long is taken back
	leapAhead  = 366            // days; none is announced earlier (IERS, Bulletin C)
	gpsLeast   = 10             // seconds; a count of leap seconds outside of this
	gpsMost    = 40             // and this is none: it is 18 since 2017
	gpsRepeats = 60             // fixes in a row until another count is believed
	fullMonth  = 24 * time.Hour // servers announce a leap second at the end of the month, some for all of its days
)

// Leap is what is known of leap seconds.
type Leap struct {
	GPSLessUTC int      // seconds, now; 0 unknown, else as much proven as the time is
	Next       NextLeap // what is announced; Change 0: nothing is
	Receiver   bool     // the receiver announces it
	Network    bool     // most servers do, on the last day before it
}

// Agreed says whether the receiver and most servers announce the same.
func (l Leap) Agreed() bool { return l.Next.Change != 0 && l.Receiver && l.Network }

// leap is a leap second on the station's own count.
type leap struct {
	change int
	at     int64 // by the count, from here on UTC differs, ns
	mono   int64 // the same instant
	passed bool
}

type leaps struct {
	list   []leap // that have been since the start, and maybe one in the next seconds
	open   openLeap
	told   NextLeap // by the receiver
	toldAt int64
	gps    int // GPS time less UTC; 0 unknown
	other  int // another count that the receiver names
	others int // how often in a row it has
}

// by is by how many seconds the count is ahead of UTC at an instant.
func (l *leaps) by(mono int64) (n int64) {
	for _, x := range l.list {
		if mono >= x.mono {
			n += int64(x.change)
		}
	}
	return n
}

// near says whether an instant is less than some seconds away from a leap second.
func (l *leaps) near(mono int64, most float64) bool {
	for _, x := range l.list {
		if math.Abs(seconds(x.mono, mono)) < most {
			return true
		}
	}
	return l.open.change != 0 && math.Abs(seconds(l.open.mono, mono)) < most
}

// Leap tells what is known of leap seconds at the latest instant heard of.
func (r *Reference) Leap() Leap {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out Leap
	if s := r.shown(); s == StateLocked || s == StateHoldover {
		out.GPSLessUTC = r.leaps.gps
	}
	if n := len(r.leaps.list); n > 0 && !r.leaps.list[n-1].passed {
		x := r.leaps.list[n-1]
		out.Next, out.Receiver, out.Network = NextLeap{x.change, r.midnight(x)}, true, true
		return out
	}
	if own := r.own(r.now); own.Known {
		out.Next, out.Receiver, out.Network = r.announced(own.True - r.leaps.by(r.now)*1e9)
	}
	return out
}

// midnight is the end of the UTC day that a leap second ends.
func (r *Reference) midnight(x leap) time.Time {
	at := x.at
	for _, y := range r.leaps.list {
		if y.mono < x.mono {
			at -= int64(y.change) * 1e9
		}
	}
	return time.Unix(0, at-int64(min(x.change, 0))*1e9).UTC()
}

// counted puts a fix on the station's count of seconds.
func (r *Reference) counted(f Fix) Fix {
	named := f.Mono - int64(r.delay*1e9)
	if n := r.leaps.by(named + 5e8); n != 0 && !f.Time.IsZero() {
		f.Time = f.Time.Add(time.Duration(n) * time.Second)
	}
	return f
}

// ambiguous says whether a fix names the second that was inserted, which some
// receivers call 59, some 60 and some 0.
func (r *Reference) ambiguous(f Fix) bool {
	named := f.Mono - int64(r.delay*1e9)
	return r.leaps.near(named, wholeSecond/2)
}

// leapFix takes what a plausible fix tells of leap seconds.
func (r *Reference) leapFix(f Fix) {
	l := &r.leaps
	utc := f.Time.Add(-time.Duration(l.by(f.Mono)) * time.Second)
	switch n := f.NextLeap; {
	case (n.Change == 1 || n.Change == -1) && n.At.After(utc) && n.At.Before(utc.AddDate(0, 0, leapAhead)) && endOfMonth(n.At.Add(-time.Second)).Equal(n.At):
		l.told, l.toldAt = NextLeap{n.Change, n.At.UTC()}, f.Mono
	case f.Mono-l.toldAt > int64(leapRepeat):
		l.told = NextLeap{}
	}
	if r.shown() == StateLocked {
		l.name(f.Leap)
	}
	own := r.own(f.Mono)
	if l.open.change == 0 || f.Mono < l.open.mono || !own.Known {
		return
	}
	l.open.counted(int(math.Round(float64(f.Time.UnixNano()-own.True)*1e-9 + r.delay)))
}

// name takes the count of leap seconds that the receiver names while its time
// is proven.
func (l *leaps) name(gps int) {
	switch {
	case gps < gpsLeast || gps > gpsMost || gps == l.gps:
		l.others = 0
		return
	case gps != l.other:
		l.other, l.others = gps, 0
	}
	l.others++
	if l.gps == 0 || l.others >= gpsRepeats {
		l.gps, l.others = gps, 0
	}
}

// endOfMonth is the midnight that ends the month of t.
func endOfMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// announced is the next leap second that anybody announces, and who does.
func (r *Reference) announced(utc int64) (next NextLeap, receiver, network bool) {
	now := time.Unix(0, utc).UTC()
	if t := r.leaps.told; t.Change != 0 && t.At.After(now) {
		next, receiver = t, true
	}
	end := endOfMonth(now)
	if end.Sub(now) > fullMonth {
		return next, receiver, false
	}
	change := r.voters.leap(r.now)
	switch {
	case change == 0:
	case next.Change == change && next.At.Equal(end):
		network = true
	case next.Change == 0 || next.At.After(end):
		next, receiver, network = NextLeap{change, end}, false, true
	}
	return next, receiver, network
}

// leap is the change that most of those who vote announce; 0: none.
func (v voters) leap(now int64) int {
	votes := v.at(now, "", func(Vote) float64 { return 0 })
	sum := map[int]int{}
	for _, x := range votes {
		sum[x.Leap]++
	}
	for _, change := range []int{1, -1} {
		if n := sum[change]; n >= quorumLeast && 2*n > len(votes) {
			return change
		}
	}
	return 0
}

// across says whether a leap second that the server announced lies between its
// vote and an instant: the vote cannot be carried over it.
func (v voters) across(x Vote, mono int64) bool {
	for _, y := range v[x.Server] {
		if y.Leap == 0 {
			continue
		}
		end := endOfMonth(time.Unix(0, y.Time)).UnixNano() + int64(min(y.Leap, 0))*1e9
		if edge := y.Mono + end - y.Time; (x.Mono < edge) != (mono < edge) {
			return true
		}
	}
	return false
}

// watchLeap looks after leap seconds once a second.
func (r *Reference) watchLeap() {
	l, own := &r.leaps, r.own(r.now)
	if last := len(l.list) - 1; last >= 0 && !l.list[last].passed {
		x := &l.list[last]
		switch {
		case !own.Known:
			l.list = l.list[:last] // nobody knows when it will be
			return
		case r.now < x.mono:
			x.mono = r.now + max(x.at-own.True, 1)
		default:
			x.passed = true
			l.made(x.change)
			r.c.Log.Info("leap second", "change", x.change)
		}
		return
	}
	switch o := &l.open; {
	case !own.Known || own.Bound > secondsAgree:
		*o = openLeap{}
	case o.change == 0:
		r.expectLeap(own.True)
	case r.now < o.mono:
		o.mono = r.now + max(o.at-own.True, 1)
	default:
		if !o.marked && (r.untold() || r.unsettled() != "") {
			o.marked = true
			r.mark(max(o.mono, r.now-int64(backMost)))
		}
		r.settleLeap()
	}
}

// made notes that a leap second was.
func (l *leaps) made(change int) {
	if l.gps != 0 {
		l.gps += change
	}
	l.others, l.told = 0, NextLeap{}
}
