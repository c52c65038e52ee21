package gpspps

import (
	"fmt"
	"math"
	"time"
)

const (
	vetoRounds = 3 // in a row, to begin and to end a dispute
	oddLeast   = 3 // fixes in a row that name another second
	goodLeast  = 5 // fixes in a row that name the expected one again

	// How long a receiver must stand by its new second before it can be right,
	// with the network's word and without.
	jumpConfirmed   = time.Minute
	jumpUnconfirmed = 24 * time.Hour
)

// compare holds a fix against the station's own count of seconds.
func (r *Reference) compare(f Fix) {
	own := r.own(f.Mono)
	if !own.Known || own.Bound > secondsAgree {
		r.goodFix = r.now
		return
	}
	d := float64(f.Time.UnixNano()-own.True)*1e-9 + r.delay
	if math.Abs(d) < wholeSecond/2 {
		r.good++
		r.odd, r.oddCount = 0, 0
		r.goodFix = r.now
		r.delay += (float64(own.True-f.Time.UnixNano())*1e-9 - r.delay) / delayWindow
		if r.jump != 0 && r.good >= goodLeast {
			r.jump = 0
		}
		return
	}
	r.counters.FixesImplausible++
	r.good = 0
	if k := int(math.Round(d)); k != r.odd {
		if r.odd == 0 {
			r.oddAfter = r.goodFix
		}
		r.odd, r.oddCount = k, 0
	}
	r.oddCount++
	if r.oddCount > 1 {
		r.goodFix = r.now // it is there, and it says the same again
	}
	if r.oddCount >= oddLeast && r.jump != r.odd {
		r.jump, r.jumpAt = r.odd, r.now
		// Whichever is wrong, it was so before it was noticed.
		r.mark(max(r.oddAfter, r.now-int64(backMost), r.labels[0].from))
	}
}

// renumber gives the old count of seconds up once the receiver's new one has
// proven to be right. It says whether it did.
func (r *Reference) renumber() bool {
	if r.jump == 0 || r.odd != r.jump || r.now-r.jumpAt < int64(jumpConfirmed) {
		return false
	}
	m, asked := r.network(func(mono int64) int64 { return r.own(mono).True })
	if (asked && m.confirms(float64(r.jump))) || (!asked && r.now-r.jumpAt > int64(jumpUnconfirmed)) {
		r.drop(fmt.Sprintf("the seconds were numbered anew, %s", side(float64(r.jump))))
		return true
	}
	return false
}

// count looks whether a round of votes is complete, and judges the receiver by it.
func (r *Reference) count() {
	r.countMarks()
	if r.phase != StateLocked && r.phase != StateHoldover {
		return
	}
	votes := r.voters.at(r.now, "", func(Vote) float64 { return 0 })
	var list []interval
	bound := 0.0
	for _, v := range votes {
		if v.Mono <= r.round {
			continue
		}
		own := r.own(v.Mono)
		if !own.Known {
			return
		}
		bound = max(bound, own.Bound)
		list = append(list, interval{float64(v.Time-own.True) * 1e-9, v.HalfWidth})
	}
	if len(list) < quorumLeast || 2*len(list) <= len(votes) {
		return
	}
	r.round = r.now
	m, ok := agreement(list)
	switch {
	case !ok:
		r.against, r.with = 0, 0
	case math.Abs(m.centre)-m.half > bound:
		r.against, r.with = r.against+1, 0
	default:
		r.against, r.with = 0, r.with+1
	}
	if r.against >= vetoRounds {
		if r.disputed == "" {
			r.counters.Vetoes++
		}
		what := "GPS"
		if r.c.PulseAlone {
			what = "the pulse"
		}
		r.disputed = fmt.Sprintf("reference disputed: %s (± %s) is %s %d of %d servers (± %s)",
			what, amount(bound), off(-m.centre), m.agree, m.of, amount(m.half))
	}
	if r.with >= vetoRounds {
		r.disputed = ""
	}
	r.mark(max(r.now, r.labels[len(r.labels)-1].from))
}
