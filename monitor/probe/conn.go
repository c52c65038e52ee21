package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"time"
)

const (
	// readSize is room for a reply: a header, and enough more to tell that
	// there was more. The rest of a longer one is cut off.
	readSize = 128
	// maxStrays is how many packets that do not answer one exchange looks at.
	maxStrays = 100
)

// errStrays ends an exchange that is being flooded.
var errStrays = errors.New("too many packets without the request's cookie")

// wire carries one request to one server and what comes from there.
type wire interface {
	// send sends one datagram.
	send(b []byte) error
	// receive waits until s has taken a reply. It returns an error at the
	// timeout after opening, when the context ends, when a failure is
	// reported, or errStrays.
	receive(s *sieve) error
	// stamps says when the request left and the datagram received last
	// arrived; replied is whether that was the reply.
	stamps(replied bool) stamps
	// close is called once, last.
	close()
}

// stamps are the station's two of the four time stamps, ns since the Unix epoch.
type stamps struct {
	t1, t4 int64
	err    float64 // half-width of what they may be wrong by, seconds
	kernel bool    // both are the kernel's
	wanted bool    // the kernel was asked
	plain  bool    // beevik's own stamps are to be used instead
	ttl    uint8   // of the reply as it arrived, 0 if not known
}

// sieve finds the reply among the packets that come from the server's address.
type sieve struct {
	cookie uint64 // the request's transmit time stamp, a random number
	second uint64 // its receive time stamp, another one; 0 if interleaved mode is not asked for

	strays int
	short  bool             // a packet too short to carry a cookie came
	cut    bool             // one came that carries it and is no whole header
	got    bool             // the reply came
	inter  bool             // in interleaved mode
	n      int              // length of the last packet that was short, cut or the reply
	raw    [packetSize]byte // raw[:n] is what came of the reply
}

// take looks at one packet and says whether the exchange is over. What does
// not answer the request is skipped, and so is an answer that is cut short: it
// is only remembered, in case nothing better comes.
func (s *sieve) take(b []byte) (over bool) {
	var origin uint64
	if len(b) >= offOrigin+8 {
		origin = binary.BigEndian.Uint64(b[offOrigin:])
	}
	switch {
	case len(b) < offOrigin+8:
		s.strays++ // nothing to know it by
		if !s.cut {
			s.short, s.n = true, len(b)
		}
	case origin != s.cookie && (origin != s.second || s.second == 0):
		s.strays++
	case len(b) < packetSize:
		s.strays++
		s.cut, s.n = true, copy(s.raw[:], b)
	default:
		s.got, s.n, s.inter = true, len(b), origin != s.cookie
		copy(s.raw[:], b)
		return true
	}
	return s.strays >= maxStrays
}

// header is as much as came of the reply's.
func (s *sieve) header() []byte { return s.raw[:min(s.n, packetSize)] }

// sift hands s what read returns until the exchange is over.
func sift(s *sieve, read func([]byte) (int, error)) error {
	var b [readSize]byte
	for {
		n, err := read(b[:])
		if err != nil {
			return err
		}
		if s.take(b[:n]) {
			break
		}
	}
	if !s.got {
		return errStrays
	}
	return nil
}

// sendError is a failure of the station to send the request.
type sendError struct{ err error }

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// conn is the net.Conn that beevik/ntp is given: one Write, one Read.
type conn struct {
	w  wire
	st stamps
	sieve
	sendErr error
	was     *past // what interleaved mode is asked for with, nil if it is not
	asked   [packetSize]byte
}

func (c *conn) Write(b []byte) (int, error) {
	if len(b) < packetSize {
		c.sendErr = errors.New("request cut short")
		return 0, c.sendErr
	}
	request := [packetSize]byte(b)
	c.cookie = binary.BigEndian.Uint64(b[offTransmit:])
	if c.was != nil {
		// The server knows the reply that is asked for by its receive time stamp.
		binary.BigEndian.PutUint64(request[offOrigin:], c.was.receive)
		rand.Read(request[offReceive : offReceive+8])
		c.second = binary.BigEndian.Uint64(request[offReceive:])
	}
	c.asked = request
	if err := c.w.send(request[:]); err != nil {
		c.sendErr = err
		return 0, err
	}
	return len(b), nil
}

// Read waits for the packet that answers the request and returns its header,
// made safe. Whatever follows the header was not asked for and stays here.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.w.receive(&c.sieve); err != nil {
		var se *sendError
		if errors.As(err, &se) {
			c.sendErr = se.err
		}
		return 0, err
	}
	safe := c.raw
	sanitise(safe[:])
	if c.inter {
		// Beevik knows basic mode alone.
		safe = basic(safe)
		binary.BigEndian.PutUint64(safe[offOrigin:], c.cookie)
	}
	return copy(b, safe[:]), nil
}

// sanitise changes what beevik/ntp cannot bear: an exponent of -128 is negated
// within eight bits there and shifted by.
func sanitise(b []byte) {
	for _, i := range [...]int{offPoll, offPrecision} {
		if b[i] == badExponent {
			b[i] = 0
		}
	}
}

// Close does nothing: the stamps are still to be read, see Probe.
func (c *conn) Close() error { return nil }

func (c *conn) LocalAddr() net.Addr  { return nil }
func (c *conn) RemoteAddr() net.Addr { return nil }

// The deadline is the wire's own, counted from its opening, so that beevik's
// cannot put off the one a cancelled context sets.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
