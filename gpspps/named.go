package gpspps

import (
	"fmt"
	"math"
	"time"
)

// Mark is what a reference that a person named says the time is at one instant: a
// stratum 1 server nearby, or a clock of the machine's that somebody else sets.
type Mark struct {
	Source    Source  // SourceNTP or SourcePTP
	Server    string  // Vote.Host of its votes, if it votes too; empty: it does not
	Mono      int64   // CLOCK_MONOTONIC, ns
	Time      int64   // UTC, ns since the Unix epoch
	HalfWidth float64 // that the truth leaves once in a million unless the reference lies, seconds
}

const (
	markAge    = 15 * time.Minute // an older mark says nothing any more
	markApart  = 5 * time.Second  // of marks that come faster the narrowest is kept
	marksKept  = int((markAge + history) / markApart)
	markWidest = 0.4             // seconds; one that is wider does not tell which second it is
	markSilent = 3 * time.Minute // without one, the oscillator carries on
	// Servers stamp in software, whatever they claim.
	namedLeast = 50e-6            // seconds
	rateSpan   = 30 * time.Second // between two marks that tell the oscillator's rate
	agreeLeast = 3                // marks in a row that end a doubt
	oddSpan    = time.Minute      // marks that contradict must agree among themselves for so long
)

// named follows the marks of one reference. What it tells of an instant depends on
// the marks of the quarter of an hour before it, and a few after.
type named struct {
	marks   []Mark // oldest first
	before  []Mark // those that counted before switched
	changed int64  // instant from which on the present ones count
	odd     []Mark // the newest, which contradict those before
	with    int    // marks in a row that agree
	against int    // rounds of votes in a row that do not
	round   int64  // instant of the last round
	doubts  []doubt
}

// doubt is a time in which the reference could not be relied on.
type doubt struct {
	from, to int64 // to: 0, it lasts
	why      string
}

// AddMark takes what a named reference says. The marks of one alone count: another
// source's or server's are dropped as long as the first one's come.
func (r *Reference) AddMark(m Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !(m.HalfWidth >= 0 && m.HalfWidth <= markWidest) || m.Time < r.c.Build.UnixNano() || m.Time > latestVote {
		return
	}
	if m.Source == SourceNTP {
		m.HalfWidth = max(m.HalfWidth, namedLeast)
	}
	if r.leaps.near(m.Mono, leapAside) {
		return
	}
	m.Time += r.leaps.by(m.Mono) * 1e9
	n := &r.named
	if last, ok := n.last(); ok {
		switch {
		case m.Mono <= last.Mono:
			return
		case m.Source != last.Source || m.Server != last.Server:
			if m.Mono-last.Mono < int64(markAge) {
				return
			}
			*n = named{}
		}
	}
	r.heard(m.Mono)
	r.leapMark(m)
	r.weigh(m)
	r.countAlone(m.Mono)
}

// last is the newest mark of all.
func (n *named) last() (Mark, bool) {
	if k := len(n.odd); k > 0 {
		return n.odd[k-1], true
	}
	if k := len(n.marks); k > 0 {
		return n.marks[k-1], true
	}
	return Mark{}, false
}

// weigh holds a mark against those before it: the two intervals have a point in
// common, or one of the two is wrong, or the oscillator.
func (r *Reference) weigh(m Mark) {
	n := &r.named
	own, ok := r.carryMarks(n.marks, m.Mono, m.Mono)
	if !ok {
		n.marks, n.odd = append(n.marks, m), nil
		return
	}
	d := float64(m.Time-own.True) * 1e-9
	if math.Abs(d) <= m.HalfWidth+own.Bound {
		n.keep(m)
		n.odd, n.with = nil, n.with+1
		if n.with >= agreeLeast && n.against == 0 {
			n.trust(m.Mono)
		}
		return
	}
	n.with = 0
	n.distrust(max(n.marks[len(n.marks)-1].Mono, r.now-int64(backMost)), fmt.Sprintf("the named reference jumped %s", side(d)))
	if k := len(n.odd); k > 0 {
		before, ok := r.carryMarks(n.odd, m.Mono, m.Mono)
		if !ok || math.Abs(float64(m.Time-before.True)*1e-9) > m.HalfWidth+before.Bound {
			n.odd = n.odd[:0] // it agrees with nothing
		}
	}
	n.odd = append(n.odd, m)
	if len(n.odd) > marksKept {
		n.odd = append(n.odd[:0], n.odd[1:]...)
	}
	r.convert(d, own.Bound)
}

// convert gives the old marks up for those that contradict them: at once where most
// servers say so, and after a quarter of an hour where none can say.
func (r *Reference) convert(d, bound float64) {
	n := &r.named
	span := time.Duration(n.odd[len(n.odd)-1].Mono - n.odd[0].Mono)
	if span < oddSpan {
		return
	}
	m, asked := r.others(func(mono int64) (int64, bool) {
		own, ok := r.carryMarks(n.marks, mono, r.now)
		return own.True, ok
	})
	switch {
	case asked && (!m.excludes(0, bound) || m.excludes(d, n.odd[len(n.odd)-1].HalfWidth)):
		return
	case !asked && span < markAge:
		return
	}
	at := n.odd[len(n.odd)-1].Mono
	n.before, n.changed, n.marks, n.odd = n.marks, at, n.odd, nil
	n.against = 0
	n.trust(at)
	r.c.Log.Warn("the named reference is followed to where it jumped", "seconds", d)
}

// keep adds a mark, or puts it in the place of one of the same few seconds.
func (n *named) keep(m Mark) {
	k := len(n.marks)
	if k > 0 && m.Mono/int64(markApart) == n.marks[k-1].Mono/int64(markApart) {
		if m.HalfWidth < n.marks[k-1].HalfWidth {
			n.marks[k-1] = m
		}
		return
	}
	if n.marks = append(n.marks, m); len(n.marks) > marksKept {
		n.marks = append(n.marks[:0], n.marks[1:]...)
	}
}

func (n *named) distrust(from int64, why string) {
	if k := len(n.doubts); k > 0 && n.doubts[k-1].to == 0 {
		return
	}
	if len(n.doubts) >= doubtsMost {
		n.doubts = append(n.doubts[:0], n.doubts[1:]...)
	}
	n.doubts = append(n.doubts, doubt{from: from, why: why})
}

// doubtsMost bounds them: each lasts for three marks at the least.
const doubtsMost = 256

func (n *named) trust(at int64) {
	if k := len(n.doubts); k > 0 && n.doubts[k-1].to == 0 {
		n.doubts[k-1].to = at
	}
}

// doubted says why the reference could not be relied on at an instant.
func (n *named) doubted(mono int64) (why string, ok bool) {
	for i := len(n.doubts) - 1; i >= 0; i-- {
		if d := n.doubts[i]; mono >= d.from && (d.to == 0 || mono < d.to) {
			return d.why, true
		}
	}
	return "", false
}

// carryMarks tells the time at mono by the marks of a quarter of an hour before
// it, and those until the instant last, and by the oscillator. Each mark is an
// interval that grows with the distance by what is not known of the oscillator's
// rate; the one that is narrowest at mono counts.
func (r *Reference) carryMarks(marks []Mark, mono, last int64) (Reading, bool) {
	marks = recent(marks, mono)
	for len(marks) > 0 && marks[len(marks)-1].Mono > last {
		marks = marks[:len(marks)-1]
	}
	if len(marks) == 0 {
		return Reading{}, false
	}
	base := marks[0].Time - marks[0].Mono
	phase := r.phases(base)
	rate, wrong := r.rateOf(marks, phase)
	var x, half float64
	source := marks[0].Source
	for i, m := range marks {
		dt := r.paper.between(m.Mono, mono)
		if h := m.HalfWidth + math.Abs(dt)*wrong + r.heat(math.Abs(dt)); i == 0 || h < half {
			x, half = phase(m)+dt*rate, h
		}
	}
	out := Reading{Mono: mono, Known: true, Source: source, State: StateLocked}
	out.True = mono + base + int64(math.Round((x-r.paper.added(mono))*1e9))
	if half > markWidest {
		return Reading{}, false
	}
	out.Bound, out.Uncertainty = half, half/boundTimes
	if age := mono - marks[len(marks)-1].Mono; age > int64(markSilent) {
		out.State, out.Reason = StateHoldover, fmt.Sprintf("the named reference has been silent for %d minutes", age/int64(time.Minute))
	}
	return out, true
}

// recent are the marks that say something of an instant still.
func recent(marks []Mark, mono int64) []Mark {
	for len(marks) > 0 && marks[0].Mono < mono-int64(markAge) {
		marks = marks[1:]
	}
	return marks
}

// phases tells marks on the paper timescale: true time less paper time less base, seconds.
func (r *Reference) phases(base int64) func(Mark) float64 {
	return func(m Mark) float64 { return float64(m.Time-m.Mono-base)*1e-9 + r.paper.added(m.Mono) }
}

// rateOf is the oscillator's rate by two marks that are far apart, and by how much
// that may be wrong, as true time less paper time by the second.
func (r *Reference) rateOf(marks []Mark, phase func(Mark) float64) (rate, wrong float64) {
	narrowest := func(list []Mark) Mark {
		best := list[0]
		for _, m := range list {
			if m.HalfWidth < best.HalfWidth {
				best = m
			}
		}
		return best
	}
	quarter := (len(marks) + 3) / 4
	a, b := narrowest(marks[:quarter]), narrowest(marks[len(marks)-quarter:])
	wrong = r.c.OscillatorPPM * 1e-6
	if dt := r.paper.between(a.Mono, b.Mono); dt >= rateSpan.Seconds() {
		// Between the two the oscillator may have become warmer all the time.
		warmer := min(heatRate*dt/2, heatMost)
		if w := (a.HalfWidth+b.HalfWidth)/dt + r.c.HoldoverPPM*1e-6*(1+warmer); w < wrong {
			return (phase(b) - phase(a)) / dt, w
		}
	}
	return 0, wrong
}

// marked is what the named reference tells of an instant. Nobody is judged by
// itself.
func (r *Reference) marked(mono int64, judged string) (Reading, bool) {
	n := &r.named
	marks := n.marks
	if mono < n.changed {
		marks = n.before
	}
	if len(marks) == 0 || judged != "" && marks[0].Server == r.voters.host(judged) {
		return Reading{}, false
	}
	out, ok := r.carryMarks(marks, mono, mono+int64(voteAhead))
	if why, doubted := n.doubted(mono); ok && doubted {
		out.State, out.Reason = StateSuspect, why
	}
	return out, ok
}

// markedRate is by how much the oscillator runs fast by the named reference, 1e-6;
// NaN unknown.
func (r *Reference) markedRate(mono int64) float64 {
	marks := recent(r.named.marks, mono)
	if len(marks) == 0 {
		return math.NaN()
	}
	rate, wrong := r.rateOf(marks, func(m Mark) float64 {
		return float64(m.Time-m.Mono-(marks[0].Time-marks[0].Mono))*1e-9 + r.paper.added(m.Mono)
	})
	if wrong >= r.c.OscillatorPPM*1e-6 {
		return math.NaN()
	}
	return -rate * 1e6
}

// others is by how much most servers, without the named one, are ahead of a scale.
func (r *Reference) others(scale func(mono int64) (int64, bool)) (majority, bool) {
	server := ""
	if last, ok := r.named.last(); ok {
		server = last.Server
	}
	return r.poll(server, scale)
}

// countMarks judges the named reference by a round of votes, as count does the
// receiver.
func (r *Reference) countMarks() {
	n := &r.named
	if len(n.marks) == 0 || seconds(n.round, r.now) < markApart.Seconds() {
		return
	}
	bound := 0.0
	m, ok := r.others(func(mono int64) (int64, bool) {
		own, ok := r.carryMarks(n.marks, mono, r.now)
		bound = max(bound, own.Bound)
		return own.True, ok
	})
	if !ok {
		return
	}
	n.round = r.now
	if !m.excludes(0, bound) {
		n.against = 0
		return
	}
	if n.against++; n.against >= vetoRounds {
		if n.against == vetoRounds {
			r.counters.Vetoes++
		}
		n.distrust(r.now, fmt.Sprintf("reference disputed: the named reference (± %s) is %s away from %d of %d servers (± %s)",
			amount(bound), amount(m.centre), m.agree, m.of, amount(m.half)))
	}
}
