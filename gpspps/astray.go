package gpspps

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	paceEvery = 4 * time.Second // between two tests of the pulses' pace
	paceTwice = 2               // tests in a row that it has to fail
	paceSigma = 5               // standard deviations of noise
	// A temperature step may for once be as much faster than what the bound of
	// a long holdover allows for.
	paceHeat = 2
	// A test whose noise hides so many times HoldoverPPM takes more edges.
	paceTold = 2
	// Pulses that moved and drift away by so many times HoldoverPPM run away.
	creepMost  = 2
	creepLeast = 2 * time.Minute // over which it is measured
	paceAsk    = 10 * time.Second
)

// paceWindows are over how many edges the pace is measured: quiet pulses show
// in few what unsteady ones show in many.
var paceWindows = [...]int{15, 30, 60}

// astray is what is known of pulses that are not where the oscillator puts
// them, or go away from there faster than an oscillator can.
type astray struct {
	tested int64 // instant of the newest test of a train that is followed
	failed int   // tests in a row that it failed

	run     int     // whose end this is about
	stayed  bool    // the pulses never stayed away
	failing int64   // since when they have not kept pace, 0 none
	limit   float64 // how far from origin they may be to be in place, seconds
	origin  float64 // where their place is by the station's clock, by now, seconds
	bound   float64 // of the station's clock when they were looked at last, seconds

	rate    float64 // seconds a second by which they go away, 0 none
	first   float64 // how late they were at firstAt, seconds
	firstAt int64
	pace    pacers
	asked   int64  // when servers were asked for the pace last
	word    string // what they say, for people
}

// strayed says whether the pulses are known not to be where they belong.
func (r *Reference) strayed() bool { return r.moved != 0 || r.away() != 0 }

// away is the rate at which the pulses of the present run went away, 0 none.
func (r *Reference) away() float64 {
	if r.astray.run != r.est.run {
		return 0
	}
	return r.astray.rate
}

// stray says so for people.
func (r *Reference) stray() string {
	if v := r.away(); v != 0 {
		word := "behind"
		if v < 0 {
			word = "ahead"
		}
		return fmt.Sprintf("the pulses run away from the station's own clock, %s by %.2f µs a second: no oscillator changes that fast", word, math.Abs(v)*1e6)
	}
	return fmt.Sprintf("%s: %s by the station's own clock", reasonMoved, lateness(r.moved))
}

// keepsPace tests whether the pulses that are followed began to run at a rate
// that the oscillator cannot have changed by. The filters may follow them all
// the same: they know of noise, not of temperature.
func (r *Reference) keepsPace() {
	a := &r.astray
	if r.now-a.tested < int64(paceEvery) {
		return
	}
	a.tested = r.now
	for _, n := range paceWindows {
		edges := r.train.from(r.lockedAt)
		if len(edges) < n {
			break
		}
		edges = edges[len(edges)-n:]
		k, ok := r.knew(edges[0].mono)
		if !ok {
			break
		}
		rate, limit, _ := r.pace(k, edges)
		if math.Abs(rate) <= limit {
			continue
		}
		if a.failed++; a.failed >= paceTwice {
			r.forsake(edges[0].mono, reasonMoved)
			r.runaway(edges[0].mono, r.lateBy(r.held, edges[n-1].mono), rate)
		}
		return
	}
	a.failed = 0
}

// runaway notes that since the instant from the pulses, d seconds late by now,
// go away from the station's own clock.
func (r *Reference) runaway(from int64, d, rate float64) {
	r.astray = astray{run: r.est.run, stayed: true, bound: r.own(r.now).Bound, rate: rate, first: d, firstAt: r.now}
	r.astray.pace.begin(r, from)
	r.moved, r.backed = d, false
	r.astray.word = r.stray()
	r.mark(max(from, r.now-int64(backMost)))
}

// pace is how much later the edges come each second by the knot carried on,
// how much the oscillator may account for, and how much of that noise hides. A
// single step of their lateness is no pace: it has to show in the first half
// and in the second.
func (r *Reference) pace(k knot, edges []edge) (rate, limit, hidden float64) {
	n := len(edges) / 3
	var late, at [3]float64
	part := make([]float64, n)
	for i := range at {
		for j, x := range edges[i*n : (i+1)*n] {
			part[j] = r.lateBy(k, x.mono)
			at[i] += seconds(edges[0].mono, x.mono) / float64(n)
		}
		late[i] = median(part)
	}
	a, b := (late[1]-late[0])/(at[1]-at[0]), (late[2]-late[1])/(at[2]-at[1])
	if a*b > 0 {
		rate = math.Copysign(min(math.Abs(a), math.Abs(b)), a)
	}
	age := seconds(k.at, edges[len(edges)-1].mono)
	const ofMedian = 1.2533 // standard error of a median over that of a mean
	noise := ofMedian * k.jitter * math.Sqrt(2/float64(n)) / min(at[1]-at[0], at[2]-at[1])
	known := math.Sqrt(k.s.predict(age, k.model).pyy)
	hidden = paceSigma * math.Hypot(noise, known)
	return rate, r.c.HoldoverPPM*1e-6*(1+min(paceHeat*heatRate*age, heatMost)) + hidden, hidden
}

// displaced says why the train must not be followed out of a holdover: it is
// not where the station's own clock, with its bound, puts it, and one of the
// two is wrong. The network may say which; without it nobody is judged until
// the train has stood by itself for as long as it takes to believe a receiver
// at the start.
func (r *Reference) displaced(bound float64) (why string) {
	a := &r.astray
	if a.run != r.est.run {
		*a = astray{run: r.est.run, stayed: r.train.since < r.heldAt, bound: bound}
	}
	edges := r.train.from(r.evidence())
	if len(edges) < edgesLeast {
		return reasonUnnumbered
	}
	newest := edges[len(edges)-edgesLeast:]
	late := make([]float64, len(newest))
	for i, x := range newest {
		late[i] = r.lateBy(r.held, x.mono)
	}
	half := median(slices.Clone(late[edgesLeast/2:]))
	d := median(late)
	// Those that ended the lock may be among them, and were late by chance.
	least := max(late[1], 0) + min(late[edgesLeast-2], 0)
	slack := r.systematic(r.held) + max(bound-a.bound, 0)
	a.bound = bound
	if a.rate != 0 {
		return r.races(d, slack, newest[0].mono)
	}
	told, why := r.keptPace()
	limit := bound - r.systematic(r.held)
	if a.stayed {
		limit = r.room(seconds(r.held.at, r.now))
	}
	switch step := d - r.moved; {
	case why != "":
		return why
	case r.moved == 0 && math.Abs(least) > limit:
		r.place(d, newest[0].mono, limit)
	case math.Abs(half-d) > slack, r.moved == 0 && math.Abs(d) > limit:
		return reasonMoved // they are about to go or to come back
	case r.moved == 0:
		if !told {
			return reasonMoved
		}
		if !a.stayed {
			r.doubt(d, almanac)
		}
		return ""
	case math.Abs(step) <= slack:
		// Both go with the oscillator.
		r.moved, a.origin = d, a.origin+step
		if rate, far := r.creeps(d); far {
			r.runaway(r.movedAt, d, rate)
			return r.stray()
		}
	case math.Abs(d-a.origin) <= a.limit:
		// Those that were off must not count for the lock.
		r.moved, r.movedAt, r.backed = 0, newest[0].mono, false
		return reasonMoved
	default:
		r.moved, r.movedAt = d, newest[0].mono
		a.first, a.firstAt = d, r.now
	}
	return r.stands()
}

// place notes that the pulses are d seconds late since the instant at, which is
// more than limit: from then on either they or the station's own clock are wrong.
func (r *Reference) place(d float64, at int64, limit float64) {
	a := &r.astray
	r.moved, r.movedAt, a.origin, a.limit = d, at, 0, limit
	a.first, a.firstAt = d, r.now
	r.mark(max(at, r.now-int64(backMost)))
}

// stands says why pulses that moved must not be followed yet.
func (r *Reference) stands() string {
	r.backed = false
	m, whom, asked := r.witness(func(mono int64) int64 { return r.own(mono).True })
	// The train's time is moved behind the station's own.
	own, train := m.excludes(0, r.astray.bound), m.excludes(-r.moved, r.allowance())
	switch {
	case !asked || own == train:
		if seconds(r.movedAt, r.now) < almanac.Seconds() {
			return reasonMoved
		}
		if told, _ := r.keptPace(); !told {
			return reasonMoved
		}
		r.doubt(r.moved, jumpUnconfirmed)
		return ""
	case train:
		r.backed = true
		return fmt.Sprintf("%s: %s, and %s with the station's own clock", reasonMoved, lateness(r.moved), whom)
	}
	return ""
}

// keptPace says whether the pulses have shown since the lock was lost that they
// keep pace with the station's own clock, as those have to that never stayed
// away; why is set if they do not.
func (r *Reference) keptPace() (told bool, why string) {
	a := &r.astray
	if !a.stayed {
		return true, ""
	}
	edges := r.train.from(max(r.train.since, r.heldAt, r.movedAt)) // whichever seconds they mark
	for _, n := range paceWindows {
		if len(edges) < n {
			return false, ""
		}
		newest := edges[len(edges)-n:]
		rate, limit, hidden := r.pace(r.held, newest)
		if math.Abs(rate) > limit {
			if a.failing == 0 {
				a.failing = r.now
			}
			if r.now-a.failing < int64(paceEvery) {
				return false, ""
			}
			r.runaway(newest[0].mono, r.lateBy(r.held, newest[n-1].mono), rate)
			return false, r.stray()
		}
		if hidden < paceTold*r.c.HoldoverPPM*1e-6 {
			break
		}
	}
	a.failing = 0
	return true, ""
}

// races says why pulses that ran away must not be followed yet; d is how late
// they are by now, and slack how much of that is noise. It ends when they stand
// still or come back, or when servers have shown whose pace is theirs.
func (r *Reference) races(d, slack float64, newest int64) string {
	a := &r.astray
	step := d - r.moved
	r.moved = d
	if r.movedAt < newest && math.Abs(step) > slack && math.Abs(d) <= r.room(seconds(r.held.at, r.now)) {
		a.rate, r.moved, r.movedAt, r.backed = 0, 0, newest, false
		return reasonMoved
	}
	if away, far := r.creeps(d); far {
		a.rate = away
	} else if seconds(a.firstAt, r.now) >= creepLeast.Seconds() {
		a.rate, a.origin, a.limit, r.movedAt, r.backed = 0, 0, r.room(seconds(r.held.at, r.now)), newest, false
		if math.Abs(d) <= a.limit {
			r.moved = 0
		}
		return reasonMoved
	}
	if r.now-a.asked < int64(paceAsk) {
		return a.word
	}
	a.asked, a.word, r.backed = r.now, r.stray(), false
	switch own, train, of := a.pace.compare(r, d, a.rate); {
	case 2*train > of && of >= quorumLeast:
		r.c.Log.Warn("the oscillator's rate jumped: servers keep pace with the pulses", "ppm", -a.rate*1e6)
		*a, r.moved = astray{run: r.est.run}, 0
		return ""
	case 2*own > of && of >= quorumLeast:
		r.backed = true
		a.word += fmt.Sprintf("; %d servers keep pace with that clock", own)
	}
	return a.word
}

// creeps says at what rate pulses that are d seconds late by now go away from
// where they were, and whether that is more than an oscillator drifts; it takes
// its measure anew every two minutes.
func (r *Reference) creeps(d float64) (rate float64, far bool) {
	a := &r.astray
	dt := seconds(a.firstAt, r.now)
	if dt < creepLeast.Seconds() {
		return a.rate, a.rate != 0
	}
	way := d - a.first
	far = math.Abs(way) > creepMost*r.c.HoldoverPPM*1e-6*dt+r.systematic(r.held)
	if far {
		a.first, a.firstAt = d, r.now
	}
	return way / dt, far
}
