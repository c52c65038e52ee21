package proof

import (
	"net/netip"
	"slices"

	"github.com/truechimer/truechimer/monitor"
)

const (
	// maxTrails is how many servers evidence is gathered of at a time, at most 8 KB
	// for each. Others have their turn when these have their proofs.
	maxTrails = 128
	// staleAfter is how long after the last exchange a row makes room for another
	// server's, ns.
	staleAfter = int64(3600e9)
)

// Evidence is what the monitor hands over, with the reference's own words for it.
type Evidence struct {
	monitor.Evidence
	Source, State string
}

// Collector gathers the evidence that a station's exchanges are, until it proves
// something. It is not safe for concurrent use.
type Collector struct {
	// Wanted says whether a proof of a target is wanted at all at utc, ns since the
	// Unix epoch.
	Wanted func(t monitor.Target, utc int64) bool
	// Reference says in what state the reference was at mono, as far as it is not
	// made of the judged Target.ID itself, and what it was.
	Reference func(mono int64, judged string) (source, state string)

	trails map[string]*trail // by Target.ID
}

// trail is a row of exchanges outside of the limit.
type trail struct {
	addr  netip.AddrPort
	limit float64
	list  []Evidence
}

// Put takes what a monitor.Sink is given. The row is returned, the caller's from
// then on, as soon as it proves that the server is off and the monitor says so
// too; else nil.
func (c *Collector) Put(x monitor.Exchange, r monitor.Result) []Evidence {
	if r.Provisional {
		return nil
	}
	id, e := r.Target.ID, r.Evidence
	if e == nil {
		switch x.Outcome {
		case monitor.OutcomeTimeout, monitor.OutcomeRefused, monitor.OutcomeUnreachable, monitor.OutcomeStray:
			// A row outlasts a lost packet; after more the next begins one.
		default:
			delete(c.trails, id)
		}
		return nil
	}
	if r.Target.Caution != "" || !c.Wanted(r.Target, e.Reading.True) {
		delete(c.trails, id)
		return nil
	}
	t := c.trails[id]
	if t == nil {
		if !c.room(x.Mono) {
			return nil
		}
		t = &trail{}
		c.trails[id] = t
	}
	if limit := r.Target.Server.Limit; e.First || t.addr != r.Target.Addr || t.limit != limit ||
		len(t.list) > 0 && t.list[len(t.list)-1].Exchange.Mono >= x.Mono {
		*t = trail{addr: r.Target.Addr, limit: limit}
	}
	source, state := c.Reference(x.Mono, id)
	t.list = append(t.list, Evidence{*e, source, state})
	if n := len(t.list) - MaxExchanges; n > 0 {
		t.list = slices.Delete(t.list, 0, n)
	}
	if r.Verdict != monitor.Off {
		return nil
	}
	// The monitor may count from earlier on.
	list := make([]monitor.Evidence, len(t.list))
	for i := range t.list {
		list[i] = t.list[i].Evidence
	}
	if judged := monitor.Rejudge(t.limit, list); judged[len(judged)-1].Verdict != monitor.Off {
		return nil
	}
	delete(c.trails, id)
	return t.list
}

// room makes room for one more, if need be and if it can.
func (c *Collector) room(mono int64) bool {
	if c.trails == nil {
		c.trails = map[string]*trail{}
	}
	if len(c.trails) < maxTrails {
		return true
	}
	for id, t := range c.trails {
		if mono-t.list[len(t.list)-1].Exchange.Mono > staleAfter {
			delete(c.trails, id)
		}
	}
	return len(c.trails) < maxTrails
}
