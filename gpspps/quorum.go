package gpspps

import (
	"math"
	"slices"
	"strings"
	"time"
)

const (
	voteAge     = 15 * time.Minute // an older vote says nothing any more
	voteAhead   = 25 * time.Second // a reading takes in votes this much younger than itself
	voteFirst   = 20 * time.Second // from the first vote on until they are counted: the quickest need not be right
	voteLate    = 7 * time.Second  // a vote that comes later than this after its exchange is dropped
	voteEarly   = 2 * time.Second  // and one from further in the future: ticks come once a second
	voteWidest  = 1.5              // seconds; NTP's own limit of a root distance (RFC 5905, MAXDIST)
	votesKept   = 64               // per server
	votersMost  = 1024
	quorumLeast = 3
	// No server is better than this, whatever it claims: many say that their
	// root dispersion is 0, and software stamps on both sides are worse.
	leastHalf    = 1e-3 // seconds
	secondsAgree = 0.4  // seconds; nearer than this a server confirms which second it is
)

// The years in which a server's clock is taken for a number at all.
var (
	earliestVote = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	latestVote   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
)

// voters keeps what the servers said, newest last.
type voters map[string][]Vote

// add says whether the vote was taken.
func (v voters) add(x Vote, now int64) bool {
	if !(x.HalfWidth >= 0 && x.HalfWidth <= voteWidest) || x.Server == "" || x.Mono < now-int64(voteLate) || x.Mono > now+int64(voteEarly) {
		return false
	}
	x.HalfWidth = max(x.HalfWidth, leastHalf)
	if x.Leap != 1 && x.Leap != -1 {
		x.Leap = 0
	}
	if x.Group == "" {
		x.Group = x.Server
	}
	if x.Host == "" {
		x.Host = x.Server
	}
	// A server that is decades off still counts among those that answer.
	x.Time = min(max(x.Time, earliestVote), latestVote)
	old := v[x.Server]
	if len(old) == 0 && len(v) >= votersMost {
		return false
	}
	if n := len(old); n > 0 && x.Mono <= old[n-1].Mono {
		return false
	}
	if len(old) >= votesKept {
		old = append(old[:0], old[1:]...)
	}
	v[x.Server] = append(old, x)
	return true
}

// expire forgets servers that have been silent for so long that no reading
// that may still be asked for needs them.
func (v voters) expire(now int64) {
	for id, list := range v {
		if now-list[len(list)-1].Mono > int64(voteAge+history) {
			delete(v, id)
		}
	}
}

// host is the name of a server by one of its addresses.
func (v voters) host(server string) string {
	if own := v[server]; len(own) > 0 {
		return own[len(own)-1].Host
	}
	return server
}

// at are the votes that count for the instant mono without the judged server:
// of each server the newest that is not too young, and of all that share a
// network or an upstream the narrowest. The order is fixed.
func (v voters) at(mono int64, judged string, age func(Vote) float64) []Vote {
	barred, host := "", v.host(judged)
	if own := v[judged]; len(own) > 0 {
		// Another address in the judged server's network may be the same server.
		barred = own[len(own)-1].Group
	}
	var list []Vote
	for id, votes := range v {
		if id == judged {
			continue
		}
		i := len(votes) - 1
		for i >= 0 && votes[i].Mono > mono+int64(voteAhead) {
			i--
		}
		if i < 0 || mono-votes[i].Mono > int64(voteAge) || (barred != "" && votes[i].Group == barred) || votes[i].Host == host {
			continue
		}
		list = append(list, votes[i])
	}
	slices.SortFunc(list, func(a, b Vote) int {
		wa, wb := a.HalfWidth+age(a), b.HalfWidth+age(b)
		switch {
		case wa < wb:
			return -1
		case wa > wb:
			return 1
		}
		return strings.Compare(a.Server, b.Server)
	})
	return oncePerGroup(list)
}

// oncePerGroup keeps the first vote of all that hang together, directly or
// through others, by network, by upstream or because they are one server's.
func oncePerGroup(list []Vote) []Vote {
	parent := make([]int, len(list))
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	seen := map[string]int{}
	for i, x := range list {
		parent[i] = i
		for _, key := range []string{"g" + x.Group, "u" + x.Upstream, "h" + x.Host} {
			if key == "u" {
				continue
			}
			if j, ok := seen[key]; ok {
				// The lower index, the narrower vote, stays the root.
				a, b := root(i), root(j)
				parent[max(a, b)] = min(a, b)
			} else {
				seen[key] = i
			}
		}
	}
	var out []Vote
	for i, x := range list {
		if root(i) == i {
			out = append(out, x)
		}
	}
	return out
}

// interval is centre +- half, seconds.
type interval struct{ centre, half float64 }

// majority is what most of those asked can agree on.
type majority struct {
	centre, half float64 // seconds
	agree, of    int
}

// agreement finds the smallest interval that holds every point which more than
// half of all intervals share (after K. Marzullo). If most servers tell the
// truth, the truth is in it, whatever the others say; the denser overlap that
// NTP prefers may be made by one that lies a little. ok is false with fewer
// than three intervals or without such a point.
func agreement(list []interval) (m majority, ok bool) {
	m.of = len(list)
	if m.of < quorumLeast {
		return m, false
	}
	type end struct {
		at   float64
		step int
	}
	ends := make([]end, 0, 2*len(list))
	for _, x := range list {
		ends = append(ends, end{x.centre - x.half, 1}, end{x.centre + x.half, -1})
	}
	slices.SortFunc(ends, func(a, b end) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return b.step - a.step // touching counts as meeting
	})
	need, count := m.of/2+1, 0
	lo, hi := math.NaN(), math.NaN()
	for _, e := range ends {
		before := count
		count += e.step
		m.agree = max(m.agree, count)
		if count >= need && before < need && math.IsNaN(lo) {
			lo = e.at
		}
		if count < need && before >= need {
			hi = e.at
		}
	}
	if math.IsNaN(lo) {
		return m, false
	}
	m.centre, m.half = lo+(hi-lo)/2, (hi-lo)/2
	return m, true
}
