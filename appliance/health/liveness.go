// Package health says whether the process is alive, for the watchdog and
// /healthz, and writes lengths of time and foreign text as people read them.
package health

import (
	"fmt"
	"sync"
	"time"
)

// Liveness knows whether the parts of the process that must not stop are still
// moving. Each part is watched under a name with the longest silence allowed,
// and beats when it has done its work once. The watchdog is fed, and /healthz
// says ok, while Check returns nil.
//
// The instants must come from one clock that is never stepped: time.Now will
// do, whose values carry the monotonic clock.
type Liveness struct {
	now    func() time.Time
	mu     sync.Mutex
	checks []check
}

type check struct {
	name string
	max  time.Duration
	last time.Time
}

// NewLiveness returns a Liveness that watches nothing yet and takes the
// instants of beats from now.
func NewLiveness(now func() time.Time) *Liveness { return &Liveness{now: now} }

// Watch expects a beat of name at least every max from now on. Watching a name
// again changes its max and counts as a beat.
func (l *Liveness) Watch(name string, max time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	for i := range l.checks {
		if l.checks[i].name == name {
			l.checks[i].max, l.checks[i].last = max, at
			return
		}
	}
	l.checks = append(l.checks, check{name: name, max: max, last: at})
}

// Forget stops watching name.
func (l *Liveness) Forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.checks {
		if l.checks[i].name == name {
			l.checks = append(l.checks[:i], l.checks[i+1:]...)
			return
		}
	}
}

// Beat says that name is alive. A name that is not watched is ignored.
func (l *Liveness) Beat(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now()
	for i := range l.checks {
		if l.checks[i].name == name {
			l.checks[i].last = at
			return
		}
	}
}

// Check returns nil while every watched name has beaten in time, and else a
// *LateError for the first that is late, in the order of Watch: what others
// depend on is best watched first.
func (l *Liveness) Check(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.checks {
		if age := now.Sub(c.last); age > c.max {
			return &LateError{Name: c.name, Age: age, Max: c.max}
		}
	}
	return nil
}

// LateError says which part of the process has been silent for too long.
type LateError struct {
	Name     string
	Age, Max time.Duration
}

func (e *LateError) Error() string {
	return fmt.Sprintf("%s has not moved for %s, %s is the longest allowed",
		e.Name, Span(e.Age.Seconds()), Span(e.Max.Seconds()))
}
