package probe

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// plainWire is a socket without kernel stamps.
type plainWire struct {
	c        net.Conn
	clock    Clock
	stop     func() bool
	told     func(*sieve)
	t1, sent int64
	t4       int64
}

func dialPlain(ctx context.Context, t monitor.Target, clock Clock, timeout time.Duration) (wire, error) {
	network, addr := "udp4", unmap(t.Addr)
	if addr.Addr().Is6() {
		network = "udp6"
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		c.Close()
		return nil, err
	}
	w := &plainWire{c: c, clock: clock}
	w.stop = context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	return w, nil
}

// longAgo ends a wait.
var longAgo = time.Unix(1, 0)

func (w *plainWire) send(b []byte, told func(*sieve)) error {
	w.told = told
	w.t1 = w.clock.Realtime()
	_, err := w.c.Write(b)
	w.sent = w.clock.Realtime()
	return err
}

func (w *plainWire) receive(s *sieve) error {
	return sift(s, w.told, func(b []byte) (int, error) {
		n, err := w.c.Read(b)
		w.t4 = w.clock.Realtime()
		return n, classifyErrno(err, nil)
	})
}

func (w *plainWire) stamps(bool) stamps {
	return stamps{t1: w.t1, t4: w.t4, err: userStampError(w.t1, w.sent, true)}
}

func (w *plainWire) close() {
	w.stop()
	w.c.Close()
}

const (
	// kernelStampError is what a kernel's software stamp is wrong by, seconds:
	// it is made ahead of the hardware's doorbell; 99 of 100 within 1.2 us on
	// the bench. Time between the stamp and the wire counts as delay, too.
	kernelStampError = 2e-6
	// userReceiveError is how long after a packet's arrival a process of an
	// idle station comes to read its clock, seconds. Longer counts as delay.
	userReceiveError = 100e-6
)

// userStampError is the error of a T1 read before the send call, which the
// packet left at some time during, and, with t4 set, of a T4 read after the
// receive call. Seconds.
func userStampError(before, after int64, t4 bool) float64 {
	e := kernelStampError + float64(max(after-before, 0))/1e9
	if t4 {
		e = max(e, userReceiveError)
	}
	return e
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
