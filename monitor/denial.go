package monitor

import (
	"container/heap"
	"time"
)

// denial is a server's word that it will not serve this station. It holds for
// every name under which the address is known, those assigned later included.
type denial struct {
	until time.Time
	x     Exchange
	r     Reading
	// loaded says that it was given before the station was restarted.
	loaded bool
}

// denied notes what t was told, and spares its other names the asking.
func (m *Monitor) denied(t *target, x Exchange, r Reading) {
	d := denial{until: t.plan.due, x: x, r: r}
	addr := t.target().Addr
	m.denials[addr] = d
	m.memory.changed = true
	for _, s := range m.servers {
		if u := s.targets[family(addr.Addr())]; u != nil && u != t && u.target().Addr == addr {
			m.spare(u, d)
		}
	}
}

// spare keeps t, which is not in flight, from being asked until d is over.
func (m *Monitor) spare(t *target, d denial) {
	t.plan.denied, t.plan.burst, t.plan.due = true, 0, d.until
	heap.Fix(&m.due, t.index)
	m.side.setAnswering(t, false)
	t.told(d.x, d.r)
	m.show(t.result())
}

// forgetDenials drops those that are over.
func (m *Monitor) forgetDenials(now time.Time) {
	for addr, d := range m.denials {
		if !d.until.After(now) {
			delete(m.denials, addr)
		}
	}
}
