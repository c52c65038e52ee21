package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

const (
	// elsewhereEvery is how often the lines that nobody named are listened to while
	// a pulse is missed, and elsewhereFor how long: three pulses, and two more.
	elsewhereEvery = 2 * time.Minute
	elsewhereFor   = 5 * time.Second
)

// otherLines are the board's lines for a pulse that the configuration does not
// have the station listen to.
func (h hardware) otherLines() []string {
	c := h.conf.Receiver
	if c.PulseAlone || c.Pulse == config.Off {
		return nil
	}
	heard := h.ways(&inbox{}) // of the receiver's own port there is nothing here
	return slices.DeleteFunc(slices.Clone(h.board.Pulse), func(line string) bool { return slices.Contains(heard, line) })
}

// elsewhere tells that the pulse is missed, and has the other lines listened to.
func (l *listener) elsewhere() {
	if now := time.Now(); l.looked.IsZero() || now.Sub(l.looked) >= elsewhereEvery {
		l.looked = now
		l.look()
	}
}

// lookElsewhere listens for a moment to lines that nobody named. A line that gives
// a pulse a second is told of and not followed: a person named another one.
func (l *listener) lookElsewhere(ctx context.Context) {
	moment, cancel := context.WithTimeout(ctx, elsewhereFor)
	defer cancel()
	var lines []string
	if l.rest != nil {
		lines = l.rest()
	}
	var mu sync.Mutex
	var at string
	var all sync.WaitGroup
	for _, name := range lines {
		edges, err := l.open(name)
		if err != nil {
			continue // it is not there, or something else's
		}
		all.Go(func() {
			if regular(moment, edges) {
				mu.Lock()
				defer mu.Unlock()
				at = edges.Name()
			}
		})
	}
	all.Wait()
	if ctx.Err() == nil {
		l.in.found.missPulse(at)
	}
}

// regular says whether a line gives an edge a second, and closes it.
func regular(ctx context.Context, edges pulse.Edges) bool {
	e := &ear{source: pulse.NewSource(edges), edges: edges}
	defer edges.Close()
	for n := 0; n < edgesMost; n++ {
		p, err := e.source.Read(ctx)
		if err != nil || ctx.Err() != nil {
			return false
		}
		if e.add(p) && !e.noisy() {
			return true
		}
	}
	return false
}
