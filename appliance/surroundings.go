package main

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/sysfs"
	"github.com/truechimer/truechimer/monitor"
)

const (
	// machineEvery is how often the machine is looked at.
	machineEvery = 30 * time.Second
	// routerEvery is how often the router is asked for how far it is, on Wi-Fi, and
	// routerKept how many of its answers count.
	routerEvery = time.Minute
	routerKept  = 9
	// namesMost bounds how many servers are remembered whose names lead nowhere.
	namesMost = 1000
)

// surroundings are what is known of what the station runs on and hangs on.
type surroundings struct {
	mu      sync.Mutex
	machine *status.Machine
	router  []time.Duration // the last answers of the router on Wi-Fi
	link    string          // that they came over
	names   map[string]string
}

// files are those of the machine.
func (p *platform) files() fs.FS { return os.DirFS(cmp.Or(p.root, "/")) }

// watchMachine looks at the machine every now and then.
func (s *station) watchMachine(ctx context.Context) error {
	p := s.platform
	m := sysfs.New(p.files(), p.board, p.perm, p.bootDevice)
	for ctx.Err() == nil {
		now := m.Look(time.Now())
		now.CardVolatile = p.volatile
		now.CardReadOnly = now.CardReadOnly && !p.volatile
		s.around.mu.Lock()
		s.around.machine = &now
		s.around.mu.Unlock()
		wait(ctx, machineEvery)
	}
	return nil
}

// timer is the part of a network.Manager that asks a router.
type timer interface {
	State() network.State
	TimeRouter(context.Context) (time.Duration, error)
}

// watchRouter asks on Wi-Fi how long the router takes to answer.
func (s *station) watchRouter(ctx context.Context, m timer) error {
	for ctx.Err() == nil {
		if link := m.State().Link; sysfs.Radio(s.platform.files(), link) {
			took, err := m.TimeRouter(ctx)
			s.around.answered(link, took, err == nil)
		}
		wait(ctx, routerEvery)
	}
	return nil
}

// answered keeps an answer of the router.
func (a *surroundings) answered(link string, took time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if link != a.link {
		a.link, a.router = link, nil
	}
	if ok {
		a.router = append(a.router[max(0, len(a.router)-routerKept+1):], took)
	}
}

// routerRTT is the median of the last answers over a link, seconds; nil: there is
// none.
func (a *surroundings) routerRTT(link string) *float64 {
	if link != a.link || len(a.router) == 0 {
		return nil
	}
	list := slices.Sorted(slices.Values(a.router))
	out := list[len(list)/2].Seconds()
	return &out
}

// looked notes whether a server's name led to an address, by an exchange with it.
func (a *surroundings) looked(name string, x monitor.Exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if x.Outcome != monitor.OutcomeResolveError {
		delete(a.names, name)
		return
	}
	if a.names == nil {
		a.names = map[string]string{}
	}
	if len(a.names) >= namesMost {
		return
	}
	switch x.Finding {
	case monitor.FindingDNSTimeout, monitor.FindingDNSError:
		a.names[name] = status.NameNoAnswer
	default:
		a.names[name] = status.NameUnknown
	}
}

// surround puts what is known of the surroundings into a status.
func (s *station) surround(out *status.Status) {
	if s.access != nil && s.platform.secure != "" {
		claimed := !s.access.Claimable()
		out.Station.Claimed = &claimed
	}
	a := &s.around
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.machine != nil {
		m := *a.machine
		out.Machine = &m
	}
	for i := range out.Servers {
		if v := &out.Servers[i]; v.Address == "" {
			v.NameFault = a.names[v.Name]
		}
	}
	if m := s.manager.Load(); m != nil {
		st := m.State()
		n := st.Status(m.RouterSilent(), sysfs.Radio(s.platform.files(), st.Link))
		n.RouterRTT = a.routerRTT(st.Link)
		addAddresses(&n, st, time.Now())
		if name, _ := s.named.Load().(string); name != "" {
			n.LocalName = &name
		}
		out.Network = &n
	}
}
