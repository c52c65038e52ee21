package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/truechimer/truechimer/appliance/assign"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/monitor"
	policy "github.com/truechimer/truechimer/monitor/address" // address is a function here
)

// The sources of assignments, by how much their word counts.
const (
	fromFile = iota
	fromURL
	sources
)

// assigned is what the station is to watch. Its poller is nil where no list is
// named.
type assigned struct {
	roster *assign.Roster
	poller *assign.Poller
	own    func([]monitor.Server) // takes those of truechimer.toml
	file   *atomic.Int64          // how many servers truechimer.toml names
	voters *atomic.Pointer[map[string]bool]
}

const (
	// ownVoters are as many servers of truechimer.toml as can agree on the time
	// among themselves: where there are so many, nobody else is needed.
	ownVoters = 3
	// remoteVoters is how many servers of a list vote. Each vote is weighed against
	// all others, for each server that is judged by them.
	remoteVoters = 64
)

// votes says whether what a server says of the time counts for the reference.
// Whoever writes a list chooses voters by it, so they vote only where the
// station's owner has not named enough.
func (a assigned) votes(s monitor.Server) bool {
	if !s.Remote {
		return true
	}
	voters := a.voters.Load()
	return a.file.Load() < ownVoters && voters != nil && (*voters)[s.Name]
}

// choose picks those of a list that vote, whatever its order.
func (a assigned) choose() {
	all, _ := a.roster.Servers()
	type ticket struct {
		name string
		draw uint64
	}
	var drawn []ticket
	for _, s := range all {
		if s.Remote {
			h := fnv.New64a()
			fmt.Fprintf(h, "%s:%d", s.Host, s.Port)
			drawn = append(drawn, ticket{s.Name, h.Sum64()})
		}
	}
	slices.SortFunc(drawn, func(x, y ticket) int { return cmp.Compare(x.draw, y.draw) })
	voters := map[string]bool{}
	for _, t := range drawn[:min(len(drawn), remoteVoters)] {
		voters[t.name] = true
	}
	a.voters.Store(&voters)
}

// assign puts the servers of truechimer.toml and of the last good list in force.
// Nobody is asked yet.
func (s *station) assign() assigned {
	a := assigned{roster: assign.NewRoster(sources), file: new(atomic.Int64), voters: new(atomic.Pointer[map[string]bool])}
	take := func(source int, list []monitor.Server) {
		a.roster.Set(source, list)
		a.choose()
		s.notes.set("servers twice", twice(a.roster.Twice()))
	}
	a.own = func(list []monitor.Server) {
		a.file.Store(int64(len(list)))
		take(fromFile, list)
	}
	a.own(s.conf.Servers)
	c := s.conf.Assignments
	if c == nil {
		return a
	}
	const topic = "list of servers"
	doc, err := fetch.NewDocument(c.URL, c.Token.Reveal(), fetch.Options{
		// By way of s: who makes a station may change how it dials.
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dial(ctx, network, address)
		},
		Now: stationClock{s}.likely, Log: s.log,
	})
	if err != nil {
		s.notes.set(topic, fmt.Sprintf("The list of servers cannot be asked for: %v.", err))
		return a
	}
	o := assign.Options{
		URL: c.URL, Document: doc, Interval: c.Interval, Clock: stationClock{s}.Now, Log: s.log,
		Take:   func(list []monitor.Server) { take(fromURL, list) },
		Notice: func(text string) { s.notes.set(topic, text) },
	}
	if s.platform.perm != "" {
		o.Store = listFile(filepath.Join(s.platform.perm, "assignments"))
	}
	a.poller = assign.NewPoller(o)
	return a
}

// twice says what became of servers that were named more than once.
func twice(t assign.Twice) string {
	if t.Count == 0 {
		return ""
	}
	which := "1 server is"
	if t.Count > 1 {
		which = fmt.Sprintf("%d servers are", t.Count)
	}
	return fmt.Sprintf("%s named more than once, and watched once, with the settings that stand first, those of truechimer.toml before those of a list: %s stands for %s, at %s port %d.",
		which, t.Kept.Name, t.Dropped.Name, t.Dropped.Host, t.Dropped.Port)
}

// status is where the servers come from.
func (a assigned) status() []status.Assignments {
	out := []status.Assignments{{Source: status.AssignmentsFile, State: status.AssignmentsCurrent, Servers: int(a.file.Load())}}
	if a.poller != nil {
		out = append(out, a.poller.Status())
	}
	return out
}

// ownAddresses are those of the internet that this machine has: a station
// behind a router that translates addresses has none, and does not know the
// router's.
func (s *station) ownAddresses() []netip.Addr {
	return slices.DeleteFunc(s.localAddresses(), func(a netip.Addr) bool { return policy.RefusedFromAfar(a) != "" })
}

// localAddresses are all that this machine has.
func (s *station) localAddresses() (own []netip.Addr) {
	add := func(a netip.Addr) {
		if a = a.Unmap(); a.IsValid() {
			own = append(own, a)
		}
	}
	if m := s.manager.Load(); m != nil {
		for _, p := range m.State().Addresses {
			add(p.Addr())
		}
	} else if addrs, err := s.interfaces(); err == nil {
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				add(p.Addr())
			}
		}
	}
	slices.SortFunc(own, netip.Addr.Compare)
	return own
}

// listFile is the file with the last good list. It implements assign.Store.
type listFile string

const listHead = "truechimer assignments 1"

// Load implements assign.Store.
func (l listFile) Load() ([]byte, error) {
	f, err := os.Open(string(l))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = assign.MaxKept + len(listHead) + 16 // the checksum and the ends of lines
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	body, err := durable.Unsummed(listHead, b, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", string(l), err)
	}
	return body, nil
}

// Save implements assign.Store.
func (l listFile) Save(body []byte) error {
	if len(body) > assign.MaxKept {
		return errors.New("the list is too long to be kept")
	}
	if err := os.MkdirAll(filepath.Dir(string(l)), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(string(l), durable.Summed(listHead, body))
}
