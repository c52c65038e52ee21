package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// again is how long to wait before what failed, or was not there, is tried
	// once more.
	again = 5 * time.Second
	// steady is how long a part that was begun anew must run until people need
	// not hear of its failure any more.
	steady = time.Minute
)

// parts are what the station does at the same time. None of them takes the
// others with it when it fails.
type parts struct {
	notes   *notes
	running sync.WaitGroup

	mu     sync.Mutex
	failed map[string]time.Time // when a part last did; nothing for those that have not
}

// The parts that others ask about by their names.
const (
	partPage     = "page"
	partSecure   = "page over TLS"
	partNetwork  = "network"
	partWatchdog = "watchdog"
	partClock    = "clock"
	partMonitor  = "monitor"
	partUpdater  = "updater"
)

// part is one of them. It runs until ctx ends, its work is done (nil) or it fails.
type part struct {
	name string
	run  func(context.Context) error
}

// keep runs a part until ctx ends. If it fails or panics, people are told and
// it is begun anew after a while; if it returns nil its work is done.
func (p *parts) keep(ctx context.Context, name string, part func(context.Context) error) {
	p.running.Go(func() {
		topic := "part " + name
		for {
			calm := time.AfterFunc(steady, func() { p.notes.set(topic, "") })
			err := p.guard(topic, func() error { return part(ctx) })
			calm.Stop()
			if err == nil || ctx.Err() != nil {
				return
			}
			p.fails(name)
			p.notes.set(topic, fmt.Sprintf("A part of the station, the %s, failed and was begun anew: %v.", name, err))
			wait(ctx, again)
		}
	})
}

func (p *parts) fails(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = map[string]time.Time{}
	}
	p.failed[name] = time.Now()
}

// lastFailure is when one of these parts last failed; zero: none has.
func (p *parts) lastFailure(names ...string) (last time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if at := p.failed[name]; at.After(last) {
			last = at
		}
	}
	return last
}

// guard makes an error of a panic.
func (p *parts) guard(topic string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
			p.notes.say(slog.LevelError, topic+", stack", string(debug.Stack()))
		}
	}()
	return f()
}

// wait waits for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
