package gpspps

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

const (
	normal95   = 1.96 // standard deviations of a 95 % interval
	boundTimes = 3    // uncertainties; 5.9 standard deviations
	// Lateness is one-sided: its mean does not show, but it is no more than a
	// few times its spread (1 for an exponential, 1.7 for a uniform one from
	// zero, 2.4 for a uniform one of 0.3 to 2 ms).
	lateTimes = 3

	// A bare crystal on a board whose processor or room warms up moves by some
	// 0.1 ppm a minute and 2 ppm in all: so many times what HoldoverPPM says by
	// default, a second and in all. A compensated one is better in proportion.
	heatRate = 0.5 / 60
	heatMost = 10

	fixDelay   = 350 * time.Millisecond // middle of what receivers take to name a second
	fixBound   = 1.0                    // seconds
	quorumMost = 1.0                    // seconds; a wider quorum tells nobody anything
)

// label says what held from an instant on until the next label's.
type label struct {
	from   int64
	state  State
	reason string
	kind   kind
	run    int     // of kind running: the knots it reads
	held   knot    // of kind holding
	unsure float64 // of both: the bound is wider by it, seconds
	anchor Fix     // of kind fixing
	ever   bool    // GPS had been locked by then: no quorum
}

type kind uint8

const (
	nothing kind = iota
	fixing       // fixes without pulses
	running      // the estimator follows pulses
	holding      // a state of the past is carried on
)

// At tells true time at an instant from about ten minutes ago to now. A quorum
// is built without the votes of the judged server.
func (r *Reference) At(mono int64, judged string) Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle()
	l, ok := r.labelAt(mono)
	if !ok {
		return Reading{Mono: mono, State: StateCold, Source: SourceNone, Reason: "nothing is known of that instant", Final: mono < r.now}
	}
	out := r.read(l, mono)
	if l.kind == nothing || l.kind == fixing {
		instead, ok := r.marked(mono, judged)
		if !ok && !l.ever {
			instead, ok = r.quorum(mono, judged)
		}
		if ok {
			if instead.Reason != "" {
				instead.Reason += "; "
			}
			instead.Reason += r.who() + ": " + l.reason
			out = instead
		}
	}
	out.True -= r.leaps.by(mono) * 1e9
	out.Final = r.now-mono >= int64(FinalAfter)
	return out
}

// labelAt is the label that holds at mono.
func (r *Reference) labelAt(mono int64) (label, bool) {
	i := sort.Search(len(r.labels), func(i int) bool { return r.labels[i].from > mono }) - 1
	if i < 0 {
		return label{}, false
	}
	return r.labels[i], true
}

// read is what receiver and pulse tell.
func (r *Reference) read(l label, mono int64) Reading {
	out := Reading{Mono: mono, State: l.state, Reason: l.reason, Source: SourceNone}
	switch l.kind {
	case fixing:
		out.Source, out.Known = SourceGPS, true
		out.True = l.anchor.Time.UnixNano() + int64(fixDelay) + int64(math.Round(r.paper.between(l.anchor.Mono, mono)*1e9))
		out.Bound = fixBound + math.Abs(seconds(l.anchor.Mono, mono))*r.c.OscillatorPPM*1e-6
		out.Uncertainty = out.Bound / boundTimes
	case running:
		if k, ok := r.knotAt(l.run, mono); ok {
			r.fill(&out, k)
			out.Bound += l.unsure
		}
	case holding:
		r.fill(&out, l.held)
		out.Bound += l.unsure
	}
	return out
}

// knotAt is the newest knot of a run up to mono, or its first.
func (r *Reference) knotAt(run int, mono int64) (k knot, ok bool) {
	for i := len(r.knots) - 1; i >= 0; i-- {
		if r.knots[i].run != run {
			continue
		}
		k, ok = r.knots[i], true
		if k.at <= mono {
			break
		}
	}
	return k, ok
}

// fill carries the knot to the reading's instant.
func (r *Reference) fill(out *Reading, k knot) {
	dt := r.paper.between(k.at, out.Mono)
	s := k.s.predict(dt, k.model)
	if k.past != nil {
		s.x = k.s.alone(dt)
	}
	out.Source, out.Known = SourceGPSPPS, true
	if r.c.PulseAlone {
		out.Source = SourcePPS
	}
	out.True = out.Mono + k.base + int64(math.Round((s.x-r.paper.added(out.Mono))*1e9))
	dt = math.Abs(dt)
	out.Random = normal95 * math.Sqrt(s.pxx)
	fear := dt * r.c.HoldoverPPM * 1e-6
	if k.past != nil {
		out.Random, fear = r.alone(k, dt, out.Random), 0
	}
	out.Random += k.coarse
	out.Uncertainty = out.Random + r.c.PulseError + lateTimes*k.jitter + fear
	out.Bound = boundTimes*out.Uncertainty + r.heat(dt)
}

// alone is how far off (95 %) the oscillator may be dt seconds into a holdover
// that began at the knot, seconds: what the tests of the past show, but no less
// than the model says; beyond the longest test what the model says, as many
// times as it fell short there, and what is feared of any oscillator.
func (r *Reference) alone(k knot, dt, model float64) float64 {
	reach := k.past.reach()
	if reach > 0 && dt <= reach {
		return max(model, k.past.at(dt))
	}
	if reach > 0 {
		model *= max(1, k.past.at(reach)/(normal95*math.Sqrt(k.s.predict(reach, k.model).pxx)))
	}
	return model + (dt-reach)*r.c.HoldoverPPM*1e-6
}

// heat is by how much a change of temperature may carry the oscillator away in
// dt seconds beyond what it wanders in still air, seconds. It is no noise: no
// number of standard deviations makes up for it.
func (r *Reference) heat(dt float64) float64 {
	return dt * r.c.HoldoverPPM * 1e-6 * min(heatRate*dt/2, heatMost)
}

// own is what the receiver and the oscillator tell of an instant, whatever the
// network says.
func (r *Reference) own(mono int64) Reading {
	switch r.phase {
	case StateHoldover:
		out := Reading{Mono: mono}
		r.fill(&out, r.held)
		out.Bound += r.doubted()
		return out
	case StateLocked:
		if k, ok := r.knotAt(r.est.run, mono); ok {
			out := Reading{Mono: mono}
			r.fill(&out, k)
			out.Bound += r.doubted()
			return out
		}
	}
	return Reading{Mono: mono}
}

// whole is the nearest second of a time and the time less it, seconds.
func whole(t int64) (int64, float64) {
	n := (t + 5e8) / 1e9
	return n, float64(t-n*1e9) * 1e-9
}

// voted says whether the servers have had time to answer by mono.
func (r *Reference) voted(mono int64) bool {
	return r.counters.Votes != 0 && mono-r.firstVote >= int64(voteFirst)
}

// quorum is what most servers agree on.
func (r *Reference) quorum(mono int64, judged string) (Reading, bool) {
	if !r.voted(mono) {
		return Reading{}, false
	}
	age := func(v Vote) float64 { return math.Abs(seconds(v.Mono, mono)) * r.c.OscillatorPPM * 1e-6 }
	votes := slices.DeleteFunc(r.voters.at(mono, judged, age), func(v Vote) bool { return r.voters.across(v, mono) })
	if len(votes) == 0 {
		return Reading{}, false
	}
	base := votes[0].Time - votes[0].Mono
	list := make([]interval, len(votes))
	for i, v := range votes {
		list[i] = interval{
			centre: float64(v.Time-v.Mono-base)*1e-9 + r.paper.added(v.Mono),
			half:   v.HalfWidth + age(v),
		}
	}
	m, ok := agreement(list)
	if !ok || m.half > quorumMost {
		return Reading{}, false
	}
	out := Reading{Mono: mono, Known: true, Source: SourceQuorum, State: StateLocked}
	out.True = mono + base + int64(math.Round((m.centre-r.paper.added(mono))*1e9))
	out.Bound = max(m.half, leastHalf)
	out.Uncertainty = out.Bound / boundTimes
	out.Reason = fmt.Sprintf("%d of %d servers agree", m.agree, m.of)
	return out, true
}

// Info tells what is shown beside a reading.
func (r *Reference) Info(mono int64) Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Info{FrequencyPPM: math.NaN(), SatellitesUsed: -1, SatellitesSeen: -1, LastPulse: r.train.last(), Counters: r.counters}
	switch r.phase {
	case StateLocked:
		out.FrequencyPPM = -r.est.bank[r.est.best].y * 1e6
		out.FrequencyUncertaintyPPM = normal95 * r.est.frequencySpread() * 1e6
	case StateHoldover:
		s := r.held.s
		out.FrequencyPPM, out.FrequencyUncertaintyPPM = -s.y*1e6, normal95*math.Sqrt(s.pyy)*1e6
		out.Holdover = max(time.Duration(mono-r.heldAt), 1)
	default:
		out.FrequencyPPM = r.markedRate(mono)
	}
	if f := r.fixes.last; f.Mono != 0 && seconds(f.Mono, mono) <= 2*silence {
		out.SatellitesUsed, out.SatellitesSeen = f.Used, f.Seen
	}
	return out
}

const (
	samplesKept = 600 // ten minutes of pulses
	dropAtOnce  = 64  // old ones that are kept, so that the rest is not moved every second
)

// Samples are the newest n pulses at the most, oldest first.
func (r *Reference) Samples(n int) []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(max(n, 0), len(r.samples), samplesKept)
	return append([]Sample(nil), r.samples[len(r.samples)-n:]...)
}

func (r *Reference) sample(s Sample) {
	if len(r.samples) >= samplesKept+dropAtOnce {
		r.samples = append(r.samples[:0], r.samples[dropAtOnce:]...)
	}
	r.samples = append(r.samples, s)
}

// settle smooths the knots that are old enough and forgets what is too old.
func (r *Reference) settle() {
	for i := range r.knots {
		k := &r.knots[i]
		if k.smoothed {
			continue
		}
		if r.now-k.at < int64(FinalAfter) {
			break
		}
		end := i + 1
		for end < len(r.knots) && r.knots[end].run == k.run {
			end++
		}
		k.s, k.smoothed = r.smoother.smooth(r.knots[i:end], &r.paper), true
	}
	oldest := r.now - int64(history)
	drop := 0
	// The last knot before the oldest instant still tells of what comes after it.
	for drop+1 < len(r.knots) && r.knots[drop+1].at < oldest {
		drop++
	}
	if drop >= dropAtOnce {
		r.knots = append(r.knots[:0], r.knots[drop:]...)
	}
	drop = 0
	for drop+1 < len(r.labels) && r.labels[drop+1].from < oldest {
		drop++
	}
	if most := len(r.labels) - labelsMost; most > drop {
		drop = most
	}
	if drop > 0 {
		r.labels = append(r.labels[:0], r.labels[drop:]...)
	}
}

// labelsMost bounds them whatever the receiver does.
const labelsMost = 4096

// mark notes what holds from the instant on.
func (r *Reference) mark(from int64) {
	l := label{from: from, state: r.shown(), reason: r.told(), ever: r.ever}
	switch r.phase {
	case StateLocked:
		l.kind, l.run, l.unsure = running, r.est.run, r.doubted()
	case StateHoldover:
		l.kind, l.held, l.unsure = holding, r.held, r.doubted()+r.leapBound()
	case StateNumbering:
		if r.reason == reasonNoPulse {
			l.kind, l.anchor = fixing, r.fixes.valid
		}
	}
	i := len(r.labels)
	for i > 0 && r.labels[i-1].from >= from {
		i--
	}
	before := r.labels[len(r.labels)-1]
	r.labels = r.labels[:i]
	if i > 0 {
		p := r.labels[i-1]
		same := p.state == l.state && p.reason == l.reason && p.kind == l.kind && p.run == l.run && p.held == l.held && p.unsure == l.unsure && p.ever == l.ever
		if same && (l.kind != fixing || seconds(p.anchor.Mono, l.anchor.Mono) < 60) {
			return
		}
	}
	r.labels = append(r.labels, l)
	if before.state != l.state {
		r.c.Log.Info("reference", "state", string(l.state), "reason", l.reason)
	}
}
