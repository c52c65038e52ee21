// Package ntptest has NTP servers that behave and misbehave, on real UDP
// sockets: for tests, for `image run` and for `appliance -sim`. A real chronyd
// can be run beside them.
//
// A server answers client requests (mode 3) and nothing else, and no more than
// a set number of them a second. How it behaves can be changed while it runs,
// by the words that Set knows.
package ntptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// defaultRate is how many replies a second a server gives at the most.
	defaultRate = 1000
	// maxPending is how many replies may be held back at a time.
	maxPending = 256
	// maxRequest is the longest request looked at, bytes.
	maxRequest = 1024
)

// Counters is what a server has seen since it was started.
type Counters struct {
	Requests uint64 // client requests
	Replies  uint64 // datagrams sent
	Ignored  uint64 // packets that are no client request
	Silent   uint64 // requests left unanswered on purpose
	Limited  uint64 // requests beyond what is answered a second, or held back at a time
}

// Server is one NTP server. Its methods may be called by any goroutine.
type Server struct {
	conn *net.UDPConn
	addr netip.AddrPort
	done sync.WaitGroup // the reader, and every reply held back

	mu       sync.Mutex
	settings settings
	manner   manner
	words    string
	count    Counters
	second   time.Time // the second that sent is counted in began
	sent     int
	held     map[*time.Timer]struct{}
	closed   bool
}

// Start opens a server on addr ("127.0.0.1:0" if empty) that is right, but for
// what the behaviours change.
func Start(addr string, o ...Behaviour) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ua, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("ntptest: address %q: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", ua)
	if err != nil {
		return nil, fmt.Errorf("ntptest: %w", err)
	}
	stampReceived(conn)
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s := &Server{
		conn:     conn,
		addr:     netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
		settings: settings{time: func(host int64) int64 { return host }, rate: defaultRate},
		manner:   right(),
		held:     make(map[*time.Timer]struct{}),
		words:    "right",
	}
	for _, b := range o {
		b(&s.settings, &s.manner)
	}
	s.done.Add(1)
	go s.serve()
	return s, nil
}

// Addr is the address the server listens on.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Behave makes the server right but for what the behaviours change. Replies
// already held back are sent as they are.
func (s *Server) Behave(o ...Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manner = right()
	for _, b := range o {
		b(&s.settings, &s.manner)
	}
	s.words = ""
}

// Set changes the behaviour to what a person wrote, `offset 80ms` for one. Its
// errors say what may be written. Without an error the change holds from the
// next request on.
func (s *Server) Set(args ...string) error {
	b, err := Parse(args...)
	if err != nil {
		return err
	}
	s.Behave(b...)
	s.mu.Lock()
	s.words = strings.Join(args, " ")
	s.mu.Unlock()
	return nil
}

// String is the words last given to Set, `right` before; empty after Behave.
func (s *Server) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.words
}

// Counters returns what has been seen so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Close ends the server. Replies held back are not sent.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for t := range s.held {
		if t.Stop() {
			s.done.Done()
		}
	}
	clear(s.held)
	s.mu.Unlock()
	err := s.conn.Close()
	s.done.Wait()
	return err
}

func (s *Server) serve() {
	defer s.done.Done()
	buf, oob := make([]byte, maxRequest), make([]byte, 256)
	for {
		n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP message about an earlier reply
		}
		host := receivedAt(oob[:oobn], time.Now().UnixNano())
		s.handle(buf[:n], from, host)
	}
}

// handle answers one packet, received at host by the host's clock.
func (s *Server) handle(req []byte, from netip.AddrPort, host int64) {
	if len(req) < packetSize || req[0]&7 != modeClient || req[0]>>3&7 == 0 || req[0]>>3&7 > 4 {
		s.mu.Lock()
		s.count.Ignored++
		s.mu.Unlock()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count.Requests++
	if !s.allow(time.Unix(0, host)) {
		s.count.Limited++
		return
	}
	set, m := s.settings, s.manner
	if m.dead {
		s.count.Silent++
		return
	}
	a := answer{settings: set, manner: m, to: from, received: host}
	copy(a.request[:], req)
	if m.before == 0 && m.slow == 0 && m.after == 0 {
		a.stampReply(time.Now().UnixNano())
		s.send(&a)
		return
	}
	// The three waits in the order the packet would meet them: the way here,
	// the server's own work, the way back. Each reads the clock as it ends.
	s.hold(m.before, func() {
		if m.before != 0 {
			a.received = time.Now().UnixNano()
		}
		s.hold(m.slow, func() {
			a.stampReply(time.Now().UnixNano())
			s.hold(m.after, func() { s.send(&a) })
		})
	})
}

// allow says whether one more reply may be given in this second. s.mu is held.
func (s *Server) allow(now time.Time) bool {
	if d := now.Sub(s.second); d < 0 || d >= time.Second {
		s.second, s.sent = now, 0
	}
	s.sent++
	return s.sent <= s.settings.rate
}

// hold runs f after d with s.mu held, unless the server is closed before. s.mu
// is held.
func (s *Server) hold(d time.Duration, f func()) {
	if s.closed {
		return
	}
	if d == 0 {
		f()
		return
	}
	if len(s.held) >= maxPending {
		s.count.Limited++
		return
	}
	s.done.Add(1)
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		defer s.done.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.held, t)
		if !s.closed {
			f()
		}
	})
	s.held[t] = struct{}{}
}

// send puts the answer on the wire. s.mu is held.
func (s *Server) send(a *answer) {
	for _, b := range a.datagrams() {
		if _, err := s.conn.WriteToUDPAddrPort(b, a.to); err == nil {
			s.count.Replies++
		}
	}
}
