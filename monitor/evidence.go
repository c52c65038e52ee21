package monitor

// Wire is an exchange as it was on the wire: the NTP headers. What followed the
// reply's was not asked for and bears on nothing.
type Wire struct {
	Request, Reply [48]byte
}

// Evidence is an exchange whose whole interval lies outside of the limit, and
// what the station knew of true time then, for good.
type Evidence struct {
	Exchange Exchange
	Reading  Reading
	// First says that it begins a row: what lay outside before does not count
	// with it.
	First bool
}

// Interval is what one exchange proves: the server's offset lay within Offset
// give or take Bound, whatever the path did.
type Interval struct {
	Offset, Bound, Uncertainty float64 // seconds
	Side                       int     // of the limit that all of it lies on: 1 ahead, -1 behind, 0 neither
}

// Judged is what comes of an exchange that is judged again.
type Judged struct {
	Verdict  Verdict
	Reason   string // for people
	Measured bool   // Interval is known
	Interval Interval
}

// Rejudge judges exchanges that followed each other, from nothing known of the
// server on, as a Monitor does. Of the evidence only exchange and reading count.
func Rejudge(limit float64, list []Evidence) []Judged {
	var s state
	out := make([]Judged, len(list))
	for i := range list {
		j := s.step(&record{x: list[i].Exchange, r: list[i].Reading, settled: true}, limit)
		out[i] = Judged{Verdict: j.verdict, Reason: j.reason, Measured: j.measured}
		if j.measured {
			out[i].Interval = Interval{j.offset, j.bound, j.uncertainty, int(j.outside(limit))}
		}
	}
	return out
}

// incriminating is the exchange's Wire if it is such that it may convict with
// the reading there is, else nil. A server that is nearly always right costs no
// memory so.
func (x *Exchange) incriminating(r Reading, limit float64) *Wire {
	if x.Wire == nil || x.Outcome != OutcomeOK || checkReading(r) != "" {
		return nil
	}
	if own, theirs := checkStamps(*x); own != "" || theirs != "" || measure(*x, r).outside(limit) == 0 {
		return nil
	}
	return x.Wire
}

// evident adds to the result on rec, which was judged last, what it proves.
func (g *judge) evident(rec *record, res Result) Result {
	if res.Provisional || rec.x.incriminating(rec.r, g.target.Server.Limit) == nil {
		return res
	}
	x := rec.x
	x.Before = nil
	res.Evidence = &Evidence{Exchange: x, Reading: rec.r, First: g.now.streak <= 1}
	return res
}
