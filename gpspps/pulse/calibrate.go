package pulse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"
)

const (
	// around is how long before and after the instant at which an edge has to
	// come the line is watched. So a processor is busy for two milliseconds of
	// every other second at the most, and half of it on the average.
	around = time.Millisecond
	// apace is by how much the correction changes from one pulse to the next,
	// seconds: a change of rate ten times smaller than what an oscillator does
	// by itself, so that nobody takes it for one.
	apace = 20e-9
	// rest is how long a machine that cannot be calibrated is left alone.
	rest = time.Hour
	// ours is how far from where it was awaited a watched edge may be stamped, ns.
	ours = int64(around) + int64(mostLate*1e9)
)

// fine is what is known of how late the stamps are, and what was done about it.
type fine struct {
	stamps chan int64 // for Calibrate; what it is too busy for is dropped

	mu      sync.Mutex
	running bool
	awaited int64 // instant at which a watched edge has to come; 0 none
	result  Result
	applied [2]float64 // taken out of stamps: of edges not watched, and watched
}

// correct takes the known lateness out of a stamp.
func (f *fine) correct(stamp int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running {
		select {
		case f.stamps <- stamp:
		default:
		}
	}
	target := f.target()
	for i := range f.applied {
		f.applied[i] += min(max(target[i]-f.applied[i], -apace), apace)
	}
	kind := 0
	if d := stamp - f.awaited; -ours <= d && d <= ours {
		kind = 1
	}
	return stamp - int64(math.Round(f.applied[kind]*1e9))
}

// target is what should be taken out: only what is more than its own error.
func (f *fine) target() (t [2]float64) {
	switch {
	case f.result.Known:
		for i, late := range [2]float64{f.result.Late, f.result.Watched} {
			if late > f.result.Error {
				t[i] = late
			}
		}
	case f.result.Declined == "" && f.running:
		return f.applied // being measured anew
	}
	return t
}

// error is how wrong the corrected stamps may still be every time, seconds.
func (f *fine) error() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.result.Known {
		return max(interruptLate, f.applied[0], f.applied[1])
	}
	left := max(math.Abs(f.result.Late-f.applied[0]), math.Abs(f.result.Watched-f.applied[1]))
	return left + f.result.Error
}

func (f *fine) learn(r Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.result = r
}

func (f *fine) await(at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaited = at
}

func (f *fine) run(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = on
}

// Lateness is what Calibrate has found so far. Any goroutine may ask.
func (s *Source) Lateness() Result {
	s.fine.mu.Lock()
	defer s.fine.mu.Unlock()
	return s.fine.result
}

// Calibrate finds how late the stamps are that Read takes, while Read goes on in
// another goroutine, and has it taken out of them. It returns when ctx ends;
// earlier only with errors.ErrUnsupported, where the line cannot be read.
//
// Its goroutine must be its own: it ends with the thread that it runs on.
func (s *Source) Calibrate(ctx context.Context) error {
	w, ok := s.edges.(Watcher)
	if !ok {
		return fmt.Errorf("pulse: how late the stamps of %s are cannot be measured: %w", s.edges.Name(), errors.ErrUnsupported)
	}
	runtime.LockOSThread() // for good: what is done to the thread is not undone
	s.prepare()
	s.fine.run(true)
	defer s.fine.run(false)
	var l Lateness
	for {
		var stamp int64
		select {
		case <-ctx.Done():
			return nil
		case stamp = <-s.fine.stamps:
		}
		l.Add(Second{Stamp: stamp})
		s.fine.learn(l.Result())
		if r := l.Result(); r.Declined != "" {
			if !pause(ctx, rest) {
				return nil
			}
			l = Lateness{}
			continue
		}
		// What has waited here is no longer the newest.
		if seen, ok := s.watch(ctx, w, stamp+int64(time.Second)); ok {
			l.Add(seen)
		}
	}
}

// watch watches for the edge that has to come at the instant at, and waits for
// its stamp.
func (s *Source) watch(ctx context.Context, w Watcher, at int64) (Second, bool) {
	from, until := at-int64(around), at+int64(around)
	if !pause(ctx, time.Duration(from-w.Now())-nap) {
		return Second{}, false
	}
	if w.Now() >= until {
		return Second{}, false // the machine was busy, or the stamp old
	}
	s.fine.await(at)
	second := Second{Watched: true}
	if seen, ok := w.Watch(from, until); ok {
		second.Seen = seen
	}
	// The stamp is there already, if there was an edge, and takes a while to
	// be read.
	late := time.NewTimer(time.Second / 2)
	defer late.Stop()
	select {
	case <-ctx.Done():
		return Second{}, false
	case second.Stamp = <-s.fine.stamps:
		return second, true
	case <-late.C:
		return Second{}, false
	}
}

// pause sleeps; false: ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
