package gpspps

import (
	"math"
	"time"
)

const (
	paceVotes  = 4               // of a server, before and after, for it to count
	paceRecent = 5 * time.Minute // votes that tell of the present
	paceSure   = 8               // standard errors between the two answers
	paceNear   = 0.25            // of the distance between them
)

// pacers are the servers whose pace is compared with that of pulses which ran
// away from the station's own clock. A server's path may be lopsided by
// milliseconds; but it is so before and after, and only what changes counts.
type pacers struct {
	began  int64
	before map[string]ahead
}

// ahead is by how much a server is ahead of the station's own clock.
type ahead struct {
	centre, err float64 // median and its standard error, seconds
}

// begin notes how far ahead the servers were before the instant.
func (p *pacers) begin(r *Reference, before int64) {
	*p = pacers{began: r.now, before: map[string]ahead{}}
	for id, votes := range r.voters {
		if x, ok := r.aheadOf(votes, before-int64(voteAge), before); ok {
			p.before[id] = x
		}
	}
}

// aheadOf is what the votes between two instants say.
func (r *Reference) aheadOf(votes []Vote, from, to int64) (x ahead, ok bool) {
	var list []float64
	for _, v := range votes {
		if v.Mono >= from && v.Mono < to {
			list = append(list, float64(v.Time-r.own(v.Mono).True)*1e-9)
		}
	}
	if len(list) < paceVotes {
		return x, false
	}
	x.centre = median(list)
	for i := range list {
		list[i] = math.Abs(list[i] - x.centre)
	}
	// 1.4826 standard deviations per median deviation, 1.2533 for a median.
	x.err = 1.4826*1.2533*median(list)/math.Sqrt(float64(len(list))) + leastJitter
	return x, true
}

// compare counts the servers that kept pace with the station's own clock and
// with the pulses, which are d seconds late by it now and later by rate each
// second, of all that answer and hang together with no other.
func (p *pacers) compare(r *Reference, d, rate float64) (own, train, of int) {
	from := max(p.began, r.now-int64(paceRecent))
	votes := r.voters.at(r.now, "", func(Vote) float64 { return 0 })
	// Their middle is when the medians are from.
	apart := d - rate*seconds(from, r.now)/2
	for _, v := range votes {
		of++
		before, ok := p.before[v.Server]
		now, enough := r.aheadOf(r.voters[v.Server], from, math.MaxInt64)
		if !ok || !enough || math.Abs(apart) < max(leastHalf, paceSure*math.Hypot(now.err, before.err)) {
			continue
		}
		// Pulses that are late by it are behind it.
		switch share := (now.centre - before.centre) / -apart; {
		case math.Abs(share) < paceNear:
			own++
		case math.Abs(share-1) < paceNear:
			train++
		}
	}
	return own, train, of
}
