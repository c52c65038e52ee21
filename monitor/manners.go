package monitor

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
	"time"
)

const (
	// MostManners is how many addresses are remembered over a restart: those that
	// asked to be left alone for longest.
	MostManners = 1024

	mannersEvery = time.Minute // between two savings at least: a card wears out
	// mostPause is longer than any kiss makes a station wait: five of the longest
	// intervals, and their jitter.
	mostPause = 6 * 24 * time.Hour
)

// Manner is what a server asked of this station that outlasts a restart.
type Manner struct {
	Addr netip.AddrPort // port 0: all of the address's
	Kiss string         // "DENY", "RSTR" or "RATE"
	// Until is when the pause ends, in true time; zero if that was not known. Left
	// is how long that was from then on, and the most that is waited for after a
	// restart.
	Until time.Time
	Left  time.Duration
	// Interval is how far apart requests are after a RATE at least, until the
	// server has shown that it bears them.
	Interval time.Duration
}

// Manners keeps them while the station is switched off.
type Manners interface {
	// Load is called once, before anybody is asked.
	Load() ([]Manner, error)
	// Save replaces all that were kept. It may block: it is called in a goroutine
	// of its own, one at a time, and when Run ends.
	Save([]Manner) error
	// Now is true time, if that is known. It must not block.
	Now() (utc time.Time, known bool)
}

// slowed is a RATE kiss that holds for an address.
type slowed struct {
	until    time.Time
	interval time.Duration
	loaded   bool
}

// over is when nothing is left of it: the server has had the time to show that
// it bears more.
func (k slowed) over() time.Time { return k.until.Add(cleanToRecover * k.interval) }

// memory is what a Monitor keeps over restarts; Run's alone.
type memory struct {
	kept    Manners // nil: nothing is
	slow    map[netip.AddrPort]slowed
	pending []Manner // loaded, while true time is not known
	changed bool
	undated bool // what is kept has no true time
	savedAt time.Time
	saving  bool
	saved   chan error
}

// recall takes what was kept.
func (m *Monitor) recall(now time.Time) {
	k := &m.memory
	if k.kept == nil {
		return
	}
	list, err := k.kept.Load()
	if err != nil {
		m.cfg.Log.Warn("what servers asked for before the restart is not known", "error", err)
	}
	for _, x := range list[:min(len(list), MostManners)] {
		left := min(x.Left, mostPause)
		if !x.Addr.Addr().IsValid() || left < 0 {
			continue
		}
		switch x.Kiss {
		case "DENY", "RSTR":
			until := now.Add(min(left, deniedPause+deniedPause/10))
			m.denials[x.Addr] = denial{until: until, x: Exchange{Addr: x.Addr, Outcome: OutcomeDenied, Kiss: x.Kiss, Detail: "kiss code " + x.Kiss}, loaded: true}
		case "RATE":
			k.slow[x.Addr] = slowed{until: now.Add(left), interval: min(max(x.Interval, 0), rateCap), loaded: true}
		default:
			continue
		}
		if x.Until.IsZero() {
			k.undated = true
		} else {
			k.pending = append(k.pending, x)
		}
	}
	m.settleLoaded(now)
	m.forgetDenials(now)
}

// settleLoaded gives what was kept its end once true time is known: it is never
// later than what was left of it.
func (m *Monitor) settleLoaded(now time.Time) {
	k := &m.memory
	if len(k.pending) == 0 {
		return
	}
	utc, known := k.kept.Now()
	if !known {
		return
	}
	for _, x := range k.pending {
		until := now.Add(x.Until.Sub(utc))
		if d, ok := m.denials[x.Addr]; ok && d.loaded && until.Before(d.until) {
			d.until = until
			m.denials[x.Addr] = d
		}
		if s, ok := k.slow[x.Addr]; ok && s.loaded && until.Before(s.until) {
			s.until = until
			k.slow[x.Addr] = s
			if p := m.paces[x.Addr]; p != nil {
				p.until = until
			}
		}
	}
	for _, s := range m.servers {
		for _, t := range s.targets {
			if t == nil || t.index < 0 {
				continue
			}
			addr := t.target().Addr
			if d, ok := m.denials[addr]; ok && d.loaded && t.plan.denied {
				t.plan.due = d.until
			} else if s, ok := k.slow[paceKey(addr)]; ok && s.loaded && s.until.Before(t.plan.due) && t.plan.interval >= s.interval && !t.asked {
				t.plan.due = s.until
			} else {
				continue
			}
			heap.Fix(&m.due, t.index)
		}
	}
	k.pending = nil
}

// slowDown has a new target heed a RATE that its address gave.
func (m *Monitor) slowDown(t *target, now time.Time) {
	k, ok := m.memory.slow[paceKey(t.target().Addr)]
	if !ok || k.over().Before(now) {
		return
	}
	p := &t.plan
	p.interval, p.burst = max(p.interval, k.interval), 0
	if k.until.After(t.pace.until) {
		t.pace.until = k.until
	}
	if k.until.After(p.due) {
		p.due = k.until
	}
}

// noteRate remembers a RATE that t was given.
func (m *Monitor) noteRate(t *target) {
	m.memory.slow[paceKey(t.target().Addr)] = slowed{until: t.plan.due, interval: t.plan.interval}
	m.memory.changed = true
}

// remember saves what has changed, from time to time.
func (m *Monitor) remember(now time.Time) {
	k := &m.memory
	for addr, s := range k.slow {
		if s.over().Before(now) {
			delete(k.slow, addr)
		}
	}
	if k.kept == nil {
		return
	}
	m.settleLoaded(now)
	if k.undated && !k.changed {
		_, k.changed = k.kept.Now()
	}
	if !k.changed || k.saving || !k.savedAt.IsZero() && now.Sub(k.savedAt) < mannersEvery {
		return
	}
	list := m.manners(now)
	k.changed, k.saving, k.savedAt = false, true, now
	go func() { k.saved <- k.kept.Save(list) }()
}

// wasSaved takes the outcome of a saving.
func (m *Monitor) wasSaved(err error) {
	m.memory.saving = false
	if err != nil {
		m.memory.changed = true
		m.cfg.Log.Warn("what servers asked for will not outlast a restart", "error", err)
	}
}

// rememberAtEnd saves what has changed when Run ends.
func (m *Monitor) rememberAtEnd(now time.Time) {
	k := &m.memory
	if k.saving {
		m.wasSaved(<-k.saved)
	}
	if k.kept != nil && k.changed {
		m.wasSaved(k.kept.Save(m.manners(now)))
	}
}

// manners is all that is worth keeping.
func (m *Monitor) manners(now time.Time) []Manner {
	var list []Manner
	for addr, d := range m.denials {
		if d.until.After(now) {
			list = append(list, Manner{Addr: addr, Kiss: cmp.Or(d.x.Kiss, "DENY"), Left: d.until.Sub(now)})
		}
	}
	for addr, s := range m.memory.slow {
		if s.over().After(now) {
			list = append(list, Manner{Addr: addr, Kiss: "RATE", Left: max(s.until.Sub(now), 0), Interval: s.interval})
		}
	}
	slices.SortFunc(list, func(a, b Manner) int {
		return cmp.Or(cmp.Compare(b.Left, a.Left), a.Addr.Compare(b.Addr), cmp.Compare(a.Kiss, b.Kiss))
	})
	list = list[:min(len(list), MostManners)]
	utc, known := m.memory.kept.Now()
	m.memory.undated = !known && len(list) > 0
	if known {
		for i := range list {
			list[i].Until = utc.Add(list[i].Left).Round(0).UTC()
		}
	} else {
		// What was loaded and has not been settled keeps its end.
		for _, p := range m.memory.pending {
			for i := range list {
				if list[i].Addr == p.Addr && (list[i].Kiss == "RATE") == (p.Kiss == "RATE") && m.stillLoaded(p) {
					list[i].Until = p.Until
				}
			}
		}
	}
	return list
}

func (m *Monitor) stillLoaded(x Manner) bool {
	if x.Kiss == "RATE" {
		return m.memory.slow[x.Addr].loaded
	}
	return m.denials[x.Addr].loaded
}
