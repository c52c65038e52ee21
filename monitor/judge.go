package monitor

// maxRecords bounds the exchanges of one target that wait for their final
// reading: 32 s of them at the highest pace are 16.
const maxRecords = 32

// patience is how long after an exchange its final reading is waited for, ns;
// beyond it the provisional verdict stands as provisional.
const patience = int64(120e9)

// undecided is the reason for a failure that no other server has answered after.
const undecided = "no other server has been heard that would tell whether the fault is this station's"

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

	around around    // see record; for the exchange that is judged next
	family familyGap // to the server's address of the other family
}

func newJudge(t Target) *judge {
	return &judge{target: t, last: judgement{verdict: NotJudged, reason: "not asked yet"}}
}

// addRecord judges an exchange with the reading there is at once. rec.open says
// that it is a failure which may turn out to be the station's: decide must follow.
func (g *judge) addRecord(rec record) Result {
	// Only what was measured against the reading can change with it.
	rec.settled = rec.r.Final || rec.x.Outcome != OutcomeOK
	g.append(rec)
	return g.evident(&rec, g.result())
}

// told takes a denial that was given to another name of the same address. It
// was no exchange of this target's, so it touches neither score nor loss.
func (g *judge) told(x Exchange, r Reading) {
	g.append(record{x: x, r: r, settled: true, told: true})
}

func (g *judge) append(rec record) {
	if len(g.recs) == maxRecords {
		oldest := &g.recs[0]
		if oldest.open {
			oldest.open, oldest.void = false, undecided
		}
		oldest.settled = true
		g.replay(&[maxRecords]bool{}, nil)
	}
	rec.around = g.around
	g.recs = append(g.recs, rec)
	g.last = g.now.step(&g.recs[len(g.recs)-1], g.target.Server.Limit)
	g.fold()
}

// result is what is known now.
func (g *judge) result() Result {
	res := g.last.result(g.target, &g.now)
	g.family.tell(&res)
	return res
}

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
// own fault, for the reason given; counted, once for all of them, when void is
// empty. put gets them judged for good. It reports whether there were any.
func (g *judge) decide(void string, put func(Exchange, Result)) (changed bool) {
	var done [maxRecords]bool
	last := -1
	for i := range g.recs {
		rec := &g.recs[i]
		if !rec.open {
			continue
		}
		rec.open, rec.void, rec.echo = false, void, true
		done[i], last = true, i
	}
	if last < 0 {
		return false
	}
	g.recs[last].echo = false
	g.replay(&done, put)
	return true
}

// expect says how many failures in a row the open ones are to be judged by.
func (g *judge) expect(needed int) {
	for i := range g.recs {
		if rec := &g.recs[i]; rec.open {
			rec.needed = max(rec.needed, needed)
		}
	}
}

// date tells what is shown in true time, which was utc at mono and had not been
// known when it was judged.
func (g *judge) date(mono, utc int64) {
	for i := range g.recs {
		if x := &g.recs[i].x; x.Mono != 0 && g.recs[i].utc == 0 {
			g.recs[i].utc = utc - (mono - x.Mono)
		}
	}
	for _, j := range [...]*judgement{&g.last, &g.now.kept, &g.base.kept} {
		j.date(mono, utc)
	}
}

// incomplete says that one more exchange soon could complete a verdict: off, or
// unreachable where there never was a reply.
func (g *judge) incomplete() bool {
	s := &g.now
	return s.streak > 0 && s.streak < streakForOff ||
		!s.answered && s.fail.lost > 0 && s.fail.lost < failuresForFault
}

// setServer takes new settings for the same address. A new limit starts a new
// streak: what lay outside the old one need not be outside the new one.
func (g *judge) setServer(s Server) {
	old := g.target.Server.Limit
	g.target.Server = s
	if s.Limit != old {
		g.base.endStreak()
		g.replay(&[maxRecords]bool{}, nil)
	}
}

// replay judges all again that may have changed; put gets those marked done.
func (g *judge) replay(done *[maxRecords]bool, put func(Exchange, Result)) {
	g.now = g.base
	for i := range g.recs {
		g.last = g.now.step(&g.recs[i], g.target.Server.Limit)
		if done[i] {
			put(g.recs[i].x, g.evident(&g.recs[i], g.last.result(g.target, &g.now)))
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
		if m == 0 && cap(g.recs) > 1 {
			g.recs = nil // a burst's are some kilobytes, and there are thousands of targets
		}
	}
}
