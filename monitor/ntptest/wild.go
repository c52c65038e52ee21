package ntptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Wild is a server on loopback that answers by a function of its own: with
// whatever it likes, as often as it likes, and from wherever.
type Wild struct {
	conn, elsewhere *net.UDPConn
	neighbour       *net.UDPConn // the same port of another address, nil where there is none
	addr            netip.AddrPort
	answer          func(*Question)
	done            sync.WaitGroup

	mu   sync.Mutex
	last Question
}

// Question is a client's request and what may be said to it.
type Question struct {
	Number   int // of those that came, from 0
	Request  [packetSize]byte
	From     netip.AddrPort
	Received int64   // by the host's clock, ns since the Unix epoch
	Sent     int64   // when Right was stamped, likewise
	Right    []byte  // the reply of a right server
	Before   []byte  // that to the question before, nil if there was none
	Errors   []error // of what could not be sent
	server   *Wild
}

// StartWild opens a server on a port of loopback, IPv4's or, for "::1", IPv6's.
// answer gets one question after another.
func StartWild(host string, answer func(*Question)) (*Wild, error) {
	if host == "" {
		host = "127.0.0.1"
	}
	w := &Wild{answer: answer}
	for _, c := range []**net.UDPConn{&w.conn, &w.elsewhere} {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("ntptest: %w", err)
		}
		*c = conn
	}
	stampReceived(w.conn)
	local := w.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	w.addr = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if w.addr.Addr().Is4() {
		// Loopback is a whole network on Linux alone.
		if c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: int(w.addr.Port())}); err == nil {
			w.neighbour = c
		}
	}
	w.done.Add(1)
	go w.serve()
	return w, nil
}

// Addr is the address the server listens on.
func (w *Wild) Addr() netip.AddrPort { return w.addr }

// Last is the last question, once it was answered.
func (w *Wild) Last() Question {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Close ends the server.
func (w *Wild) Close() error {
	for _, c := range []*net.UDPConn{w.conn, w.elsewhere, w.neighbour} {
		if c != nil {
			c.Close()
		}
	}
	w.done.Wait()
	return nil
}

func (w *Wild) serve() {
	defer w.done.Done()
	buf, oob := make([]byte, maxRequest), make([]byte, 256)
	var before []byte
	for number := 0; ; {
		n, oobn, _, from, err := w.conn.ReadMsgUDPAddrPort(buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil || n < packetSize:
			continue
		}
		q := Question{
			Number: number, From: from, Before: before, server: w,
			Received: receivedAt(oob[:oobn], time.Now().UnixNano()), Sent: time.Now().UnixNano(),
		}
		copy(q.Request[:], buf)
		a := answer{settings: settings{time: func(host int64) int64 { return host }}, manner: right(), request: q.Request, received: q.Received}
		a.stampReply(q.Sent)
		q.Right = a.reply[:]
		// Held while it answers, so that whoever has an answer sees what led to it.
		w.mu.Lock()
		w.answer(&q)
		w.last = q
		w.mu.Unlock()
		before = q.Right
		number++
	}
}

// Send sends a datagram from where the request went.
func (q *Question) Send(b []byte) { q.send(q.server.conn, b) }

// SendElsewhere sends one from another port of the same address.
func (q *Question) SendElsewhere(b []byte) { q.send(q.server.elsewhere, b) }

// SendAsNeighbour sends one from another address, or else from another port.
func (q *Question) SendAsNeighbour(b []byte) {
	if q.server.neighbour == nil {
		q.SendElsewhere(b)
		return
	}
	q.send(q.server.neighbour, b)
}

func (q *Question) send(c *net.UDPConn, b []byte) {
	_, err := c.WriteToUDPAddrPort(b, q.From)
	q.note(err)
}

func (q *Question) note(err error) {
	if err != nil {
		q.Errors = append(q.Errors, err)
	}
}
