package monitor

// maxRecords bounds the exchanges of one target that wait for their final
// reading: 32 s of them at the highest pace are 16.
const maxRecords = 32

// patience is how long after an exchange its final reading is waited for, ns;
// beyond it the provisional verdict stands as provisional.
const patience = int64(120e9)

// smoothing is the age below which no reading is expected to have become
// final, ns: the clock's smoother looks 32 s ahead.
const smoothing = int64(30e9)

// judge judges the exchanges of one target, each at once and again when the
// clock's reading for it is final. It keeps the state before the first exchange
// that may still change and replays from there, so that the streak behind a
// verdict is always that of the best readings there are: a final reading may
// withdraw an off that a provisional one had given.
//
// It is pure: no clock, no network; not safe for concurrent use.
type judge struct {
	target Target
	base   state // before recs
	recs   []record
	now    state     // after recs
	last   judgement // of the last exchange
}

func newJudge(t Target) *judge {
	return &judge{target: t, last: judgement{verdict: NotJudged, reason: "not asked yet"}}
}

// add judges an exchange with the reading there is at once. open says that it
// is a failure which may turn out to be the station's: decide must follow.
func (g *judge) add(x Exchange, r Reading, open bool) Result {
	if len(g.recs) == maxRecords {
		g.recs[0].settled, g.recs[0].open = true, false
		g.fold()
	}
	// Only what was measured against the reading can change with it.
	settled := r.Final || x.Outcome != OutcomeOK
	g.recs = append(g.recs, record{x: x, r: r, settled: settled, open: open})
	g.last = g.now.step(&g.recs[len(g.recs)-1], g.target.Server.Limit)
	g.fold()
	return g.result()
}

// result is what is known now.
func (g *judge) result() Result { return g.last.result(g.target, &g.now) }

// refine asks for the readings that were not final and judges again where one
// has become so; put gets each exchange that is now judged for good. mono is
// the present, ns. It reports whether result may have changed.
func (g *judge) refine(mono int64, at func(mono int64) Reading, put func(Exchange, Result)) (changed bool) {
	var done [maxRecords]bool
	for i := range g.recs {
		rec := &g.recs[i]
		if rec.settled || mono-rec.x.Mono < smoothing {
			continue
		}
		if r := at(rec.x.Mono); r.Final {
			rec.r, rec.settled = r, true
			done[i], changed = true, true
		} else if mono-rec.x.Mono > patience {
			rec.settled, changed = true, true
		}
	}
	if changed {
		g.replay(&done, put)
	}
	return changed
}

// decide closes the failures that were open: void when they were the station's
// own fault, counted when they were not. put gets them judged for good.
func (g *judge) decide(void bool, put func(Exchange, Result)) {
	changed := false
	var done [maxRecords]bool
	for i := range g.recs {
		rec := &g.recs[i]
		if !rec.open {
			continue
		}
		rec.open, rec.void = false, void
		done[i], changed = true, true
	}
	if changed {
		g.replay(&done, put)
	}
}

// incomplete says that one more exchange soon could complete a verdict: off, or
// unreachable where there never was a reply.
func (g *judge) incomplete() bool {
	s := &g.now
	return s.streak > 0 && s.streak < streakForOff ||
		!s.answered && s.failed > 0 && s.failed < lossesForUnreachable
}

// setServer takes new settings for the same address. A new limit starts a new
// streak: what lay outside the old one need not be outside the new one.
func (g *judge) setServer(s Server) {
	if s.Limit != g.target.Server.Limit {
		for i := range g.recs {
			g.recs[i].settled, g.recs[i].open = true, false
		}
		g.fold()
		g.base.endStreak()
		g.now = g.base
	}
	g.target.Server = s
}

func (g *judge) replay(done *[maxRecords]bool, put func(Exchange, Result)) {
	g.now = g.base
	for i := range g.recs {
		g.last = g.now.step(&g.recs[i], g.target.Server.Limit)
		if done[i] {
			put(g.recs[i].x, g.last.result(g.target, &g.now))
		}
	}
	g.fold()
}

// fold moves the exchanges that cannot change any more into the base.
func (g *judge) fold() {
	n := 0
	for n < len(g.recs) && g.recs[n].settled && !g.recs[n].open {
		n++
	}
	if n == len(g.recs) {
		g.base = g.now
	} else {
		for i := range n {
			g.base.step(&g.recs[i], g.target.Server.Limit)
		}
	}
	if n > 0 {
		m := copy(g.recs, g.recs[n:])
		clear(g.recs[m:])
		g.recs = g.recs[:m]
	}
}
