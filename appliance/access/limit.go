package access

import (
	"context"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// How often a password or a code may be tried: so many times at once, and then
// once more each time so long has passed. Those from inside of the station's
// networks are counted apart, so that the internet cannot keep its owner out.
const (
	hostTries = 5
	hostEvery = 30 * time.Second
	allTries  = 20
	allEvery  = 6 * time.Second
)

// pail fills by one with each try and runs dry with time. The zero value is dry.
type pail struct {
	level float64
	at    time.Time
}

func (p pail) now(now time.Time, every time.Duration) pail {
	if !p.at.IsZero() {
		p.level = max(p.level-now.Sub(p.at).Seconds()/every.Seconds(), 0)
	}
	p.at = now
	return p
}

// wait is until there is room for one more.
func (p pail) wait(most int, every time.Duration) time.Duration {
	over := p.level + 1 - float64(most)
	if over <= 0 {
		return 0
	}
	return time.Duration(over * float64(every))
}

// limiter bounds tries. The zero value is ready. It remembers no more hosts than
// could have tried while their pails run dry.
type limiter struct {
	mu    sync.Mutex
	all   [2]pail // of those from afar and of those near
	hosts map[netip.Prefix]pail
}

// try counts one, unless it has to wait so long first.
func (l *limiter) try(host netip.Prefix, near bool, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts == nil {
		l.hosts = map[netip.Prefix]pail{}
	}
	for h, p := range l.hosts {
		if p.now(now, hostEvery).level == 0 {
			delete(l.hosts, h)
		}
	}
	class := &l.all[0]
	if near {
		class = &l.all[1]
	}
	*class = class.now(now, allEvery)
	p := l.hosts[host].now(now, hostEvery)
	if wait = max(p.wait(hostTries, hostEvery), class.wait(allTries, allEvery)); wait > 0 {
		return wait
	}
	class.level++
	p.level++
	l.hosts[host] = p
	return 0
}

// right takes back what a host that knew the password was counted.
func (l *limiter) right(host netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.hosts, host)
}

// hostOf is whom tries are counted for: an address of IPv4, and of IPv6 the 64
// bits of a network, within which a host may take any address.
func hostOf(remote string) netip.Prefix {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // the host of a virtual machine
	}
	addr, bits := a.Addr().Unmap().WithZone(""), 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // both are lengths that there are
	return p
}

// gate lets one hash be computed at a time: each takes a processor for a good part
// of a second, and 19 MiB.
type gate struct {
	one     chan struct{}
	waiting *atomic.Int32
}

// gateMost is how many may wait for it, and gateWait how long.
const (
	gateMost = 4
	gateWait = 8 * time.Second
)

func newGate() gate { return gate{make(chan struct{}, 1), new(atomic.Int32)} }

// pass runs f once its turn has come. It reports false if that takes too long.
func (g gate) pass(ctx context.Context, f func()) bool {
	if g.waiting.Add(1) > gateMost {
		g.waiting.Add(-1)
		return false
	}
	defer g.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, gateWait)
	defer cancel()
	select {
	case g.one <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() {
		// Else what several hashes took would stay: the collector sees no need to
		// hurry before the heap has doubled.
		debug.FreeOSMemory()
		<-g.one
	}()
	f()
	return true
}
