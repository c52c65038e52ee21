package web

import (
	"net"
	"net/netip"
	"sync"
)

// Bounds of the connections open at a time, all together and from one address.
const (
	connsMost    = 256
	connsPerHost = 32
)

// Limit closes what comes in on l beyond a bounded number of connections, at
// once: a flood must not take the descriptors that the station itself needs.
// Connections from this machine are not counted, so that the station's own
// question whether its page answers gets through.
func Limit(l net.Listener) net.Listener {
	return &limited{Listener: l, open: map[netip.Addr]int{}}
}

type limited struct {
	net.Listener
	mu   sync.Mutex
	all  int
	open map[netip.Addr]int
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := remote(c)
		if host.IsLoopback() {
			return c, nil
		}
		if l.enter(host) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(host) })}, nil
		}
		c.Close()
	}
}

// remote is the other end's address, the zero one where it has none.
func remote(c net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

func (l *limited) enter(host netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= connsMost || l.open[host] >= connsPerHost {
		return false
	}
	l.all++
	l.open[host]++
	return true
}

func (l *limited) leave(host netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[host]--; l.open[host] == 0 {
		delete(l.open, host)
	}
}

type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
