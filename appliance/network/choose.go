package network

import (
	"context"
	"sync"
	"time"
)

// links are the kernel's, as far as choosing among them goes.
type links interface {
	// wired is the first Ethernet link with a carrier; 0: there is none, and
	// missing says what is.
	wired() (index int, missing string)
	// carrier says whether a link has one.
	carrier(index int) bool
	// session uses a link until its carrier is lost, the link is gone or ctx ends.
	session(ctx context.Context, index int)
}

// choose uses a cable wherever one has a carrier, and Wi-Fi where there is one
// to join and no cable, until ctx ends.
func (m *Manager) choose(ctx context.Context, l links, r radio, changed *bell) {
	var j *joiner
	for ctx.Err() == nil {
		change := changed.next()
		s, _ := m.now()
		switch {
		case s.Wifi == nil:
			j = nil
		case j == nil || *j.wifi != *s.Wifi:
			j = newJoiner(m, l, r, changed, s.Wifi)
		}
		index, missing := l.wired()
		switch {
		case index != 0:
			l.session(ctx, index)
		case j != nil:
			m.wireless(ctx, l, j, missing, changed)
		default:
			m.reason(missing)
			m.wait(ctx, change)
		}
	}
}

// wireless lets the radio do what it can until a cable has a carrier.
func (m *Manager) wireless(ctx context.Context, l links, j *joiner, missing string, changed *bell) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	_, turn := m.now()
	go func() {
		defer close(done)
		j.run(inner, missing)
	}()
	for ctx.Err() == nil {
		change := changed.next()
		if index, _ := l.wired(); index != 0 {
			m.log.Info("network: a cable has a carrier and goes before Wi-Fi")
			break
		}
		if _, now := m.now(); now != turn {
			break
		}
		m.wait(ctx, change)
	}
	cancel()
	<-done // what is done there ends with its context
}

// wait returns at the next change, or after a while, should one have been lost.
func (m *Manager) wait(ctx context.Context, change <-chan struct{}) {
	t := time.NewTimer(m.times.look)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-change:
	case <-t.C:
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// bell tells any number of goroutines that something about the links has
// changed. The zero bell is ready.
type bell struct {
	mu sync.Mutex
	c  chan struct{}
}

// next gives what is closed at the next ring. Who looks at something that may
// change asks for it first, so that no ring falls between look and wait.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}
