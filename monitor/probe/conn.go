package probe

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"

	"github.com/truechimer/truechimer/monitor"
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
	// send sends one datagram. told is called with the reply, by whoever reads
	// it, before receive returns; nil: nobody is.
	send(b []byte, told func(*sieve)) error
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
	card   uint8   // how many of them a network card made in the kernel's place
	wanted bool    // the kernel was asked
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

// sift hands s what read returns until the exchange is over, and it to told if
// that is with the reply.
func sift(s *sieve, told func(*sieve), read func([]byte) (int, error)) error {
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
	if told != nil {
		told(s)
	}
	return nil
}

// sendError is a failure of the station to send the request.
type sendError struct{ err error }

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// conn is one exchange, and after it the net.Conn that beevik/ntp has the same
// again over. Were beevik to wait for the reply itself, each exchange under way
// would hold the 10 kB that it allocates, and a stack that had to grow for it.
type conn struct {
	w  wire
	st stamps
	sieve
	sendErr error
	was     *past            // what interleaved mode is asked for with, nil if it is not
	asked   [packetSize]byte // the request
	echo    uint64           // the cookie of beevik's request
	saidT1  bool             // beevik was told T1

	resp    *ntp.Response // what beevik made of the reply
	refusal error         // or what it minded

	// Here and not on the stack, which would have to grow for them each time.
	options ntp.QueryOptions
	x       monitor.Exchange
}

// clientHeader is the first byte of a request: version 4, mode 3. All the others
// but the cookie's are 0, in basic mode: nothing tells what station asks.
const clientHeader = 4<<3 | 3

// exchange sends the request and waits for the reply, which told is handed.
func (c *conn) exchange(told func(*sieve)) error {
	c.asked[0] = clientHeader
	rand.Read(c.asked[offReceive:]) // both cookies, of which basic mode needs one
	c.cookie = binary.BigEndian.Uint64(c.asked[offTransmit:])
	if c.was != nil {
		// The server knows the reply that is asked for by its receive time stamp.
		binary.BigEndian.PutUint64(c.asked[offOrigin:], c.was.receive)
		c.second = binary.BigEndian.Uint64(c.asked[offReceive:])
	} else {
		clear(c.asked[offReceive:offTransmit])
	}
	if err := c.w.send(c.asked[:], told); err != nil {
		c.sendErr = err
		return err
	}
	err := c.w.receive(&c.sieve)
	var se *sendError
	if errors.As(err, &se) {
		c.sendErr = se.err
	}
	return err
}

// Write takes beevik's request, which has to be the one that was sent.
func (c *conn) Write(b []byte) (int, error) {
	want := [packetSize]byte{clientHeader}
	if len(b) == packetSize {
		copy(want[offTransmit:], b[offTransmit:])
	}
	if !bytes.Equal(b, want[:]) {
		return 0, fmt.Errorf("a request unlike the one that was sent: %x", b)
	}
	c.echo = binary.BigEndian.Uint64(b[offTransmit:])
	return len(b), nil
}

// Read returns the header of the reply, made safe, as one to beevik's request.
// Whatever follows the header was not asked for and stays here.
func (c *conn) Read(b []byte) (int, error) {
	safe := c.raw
	sanitise(safe[:])
	if c.inter {
		// Beevik knows basic mode alone.
		safe = basic(safe)
	}
	binary.BigEndian.PutUint64(safe[offOrigin:], c.echo)
	return copy(b, safe[:]), nil
}

// now is T1 the first time, then T4.
func (c *conn) now() time.Time {
	if !c.saidT1 {
		c.saidT1 = true
		return time.Unix(0, c.st.t1)
	}
	return time.Unix(0, c.st.t4)
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

// Close does nothing: the wire is closed by Probe.
func (c *conn) Close() error { return nil }

func (c *conn) LocalAddr() net.Addr  { return nil }
func (c *conn) RemoteAddr() net.Addr { return nil }

// Nothing is waited for any more: the deadline was the wire's own.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
