package assign

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/truechimer/truechimer/monitor"
)

// Twice counts the servers of lists that were named before, by another source or
// by the same: each is one target, with the name and the settings of the first.
type Twice struct {
	Count         int
	Kept, Dropped monitor.Server // the first case
}

// Merge joins lists, the first one's word going first: the same host and port
// is one target, however it is called, and of servers that are called the same
// those of later lists are told apart by where they are. Within one list that
// does not depend on their order, so that a list laid out anew begins no server
// anew. The first list is the owner's, whose names are unique, and is taken as it
// is: a person who gives one server two names means it.
func Merge(lists ...[]monitor.Server) (all []monitor.Server, twice Twice) {
	byPlace, names := map[string]int{}, map[string]bool{}
	for n, list := range lists {
		var fresh []monitor.Server
		called := map[string]int{}
		for _, s := range list {
			at := strings.ToLower(place(s))
			i, known := byPlace[at]
			if known && n > 0 {
				if twice.Count++; twice.Count == 1 {
					twice.Dropped = s
					if i < len(all) {
						twice.Kept = all[i]
					} else {
						twice.Kept = fresh[i-len(all)]
					}
				}
				continue
			}
			if !known {
				byPlace[at] = len(all) + len(fresh)
			}
			fresh = append(fresh, s)
			called[s.Name]++
		}
		for _, s := range fresh {
			if names[s.Name] || called[s.Name] > 1 {
				s.Name = apart(s, func(name string) bool { return names[name] || called[name] > 0 })
			}
			names[s.Name] = true
			all = append(all, s)
		}
	}
	return all, twice
}

// apart is a name that a server has for itself.
func apart(s monitor.Server, taken func(string) bool) string {
	name := fmt.Sprintf("%s (%s)", s.Name, place(s))
	if utf8.RuneCountInString(name) > MaxName || taken(name) {
		name = place(s)
	}
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s (%d)", place(s), n)
	}
	return name
}

// Roster is what a station is assigned by all of its sources. It implements
// monitor.Assignments, whatever the sources are.
type Roster struct {
	mu      sync.Mutex
	lists   [][]monitor.Server
	all     []monitor.Server
	twice   Twice
	changed chan struct{}
}

// NewRoster has n sources, which name nobody yet. The word of the one with the
// least number goes first.
func NewRoster(n int) *Roster {
	return &Roster{lists: make([][]monitor.Server, n), changed: make(chan struct{})}
}

// Set takes what source i says from now on; list is the roster's from then on.
func (r *Roster) Set(i int, list []monitor.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists[i] = list
	r.all, r.twice = Merge(r.lists...)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Servers implements monitor.Assignments. The list must not be changed.
func (r *Roster) Servers() ([]monitor.Server, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all, r.changed
}

// Twice counts the servers that were named more than once.
func (r *Roster) Twice() Twice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.twice
}
