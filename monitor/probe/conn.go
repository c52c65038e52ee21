package probe

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

const (
	// readSize is room for a reply: a header, and some of the extension
	// fields that were not asked for. The rest of a longer one is cut off.
	readSize = 512
	// maxStrays is how many packets without the cookie one exchange looks at.
	maxStrays = 100
)

// wire is one connected socket.
type wire interface {
	// send sends one datagram.
	send(b []byte) error
	// receive waits for one datagram, until the timeout after opening or
	// until the context ends. A longer datagram is cut to b.
	receive(b []byte) (int, error)
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
}

// conn is the net.Conn that beevik/ntp is given: one Write, one Read.
type conn struct {
	clock Clock
	w     wire
	st    stamps

	cookie  uint64
	sendErr error
	strays  int
	short   bool // a packet too short to carry a cookie came, of n bytes
	got     bool // raw[:n] carries the cookie
	n       int
	raw     [readSize]byte
}

func (c *conn) Write(b []byte) (int, error) {
	if len(b) < packetSize {
		c.sendErr = errors.New("request cut short")
		return 0, c.sendErr
	}
	c.cookie = binary.BigEndian.Uint64(b[offTransmit:])
	if err := c.w.send(b); err != nil {
		c.sendErr = err
		return 0, err
	}
	return len(b), nil
}

// Read waits for the packet that answers the request and returns its header,
// made safe. Whatever follows the header was not asked for and stays here.
func (c *conn) Read(b []byte) (int, error) {
	for c.strays < maxStrays {
		n, err := c.w.receive(c.raw[:])
		if err != nil {
			return 0, err
		}
		if n < offOrigin+8 {
			// Nothing to know it by. Remembered, in case nothing better comes.
			c.strays++
			c.short, c.n = true, n
			continue
		}
		if binary.BigEndian.Uint64(c.raw[offOrigin:]) != c.cookie {
			c.strays++
			continue
		}
		c.got, c.n = true, n
		safe := c.raw
		sanitise(safe[:n])
		return copy(b, safe[:min(n, packetSize)]), nil
	}
	return 0, errors.New("too many packets without the request's cookie")
}

// sanitise changes what beevik/ntp cannot bear: an exponent of -128 is negated
// within eight bits there and shifted by.
func sanitise(b []byte) {
	for _, i := range [...]int{offPoll, offPrecision} {
		if i < len(b) && b[i] == badExponent {
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
