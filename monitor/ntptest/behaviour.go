package ntptest

import (
	"encoding/binary"
	"time"
)

// Behaviour changes how a server answers. Several add up, a later one wins.
type Behaviour func(*settings, *manner)

// settings stay when the manner changes.
type settings struct {
	time func(host int64) int64
	rate int
}

// manner is what a server does with a request.
type manner struct {
	offset int64 // ns
	dead   bool

	leap, mode, stratum       uint8
	version                   int // the request's if negative
	poll, precision           int8
	rootDelay, rootDispersion uint32
	refID                     uint32
	noReference               bool
	referenceAge              time.Duration // reference minus transmit time
	wrongOrigin               bool
	zeroReceive, zeroTransmit bool
	backwards                 time.Duration
	length                    int // bytes on the wire, 48 if negative
	strays                    int

	before, slow, after time.Duration
	raw                 func(request, reply []byte) [][]byte
}

func right() manner {
	return manner{
		mode:           modeServer,
		version:        -1,
		stratum:        1,
		precision:      -20,
		rootDispersion: 7, // 0.1 ms in 16.16
		refID:          refID("SIM"),
		referenceAge:   -time.Second,
		length:         -1,
	}
}

func change(f func(*manner)) Behaviour {
	return func(_ *settings, m *manner) { f(m) }
}

// Right is the behaviour of a good stratum 1 server.
func Right() Behaviour { return change(func(m *manner) { *m = right() }) }

// Offset is by how much the server's clock is ahead of its time source.
func Offset(d time.Duration) Behaviour { return change(func(m *manner) { m.offset = int64(d) }) }

// Dead receives and says nothing.
func Dead() Behaviour { return change(func(m *manner) { m.dead = true }) }

// Stratum is what the server says it is, 0 to 255.
func Stratum(n uint8) Behaviour { return change(func(m *manner) { m.stratum = n }) }

// Leap is the leap indicator, 0 to 3.
func Leap(n uint8) Behaviour { return change(func(m *manner) { m.leap = n & 3 }) }

// RefID is the reference id, up to four letters.
func RefID(s string) Behaviour { return change(func(m *manner) { m.refID = refID(s) }) }

// Root is the root delay and dispersion, in units of 1/65536 s.
func Root(delay, dispersion uint32) Behaviour {
	return change(func(m *manner) { m.rootDelay, m.rootDispersion = delay, dispersion })
}

// Unsynchronized answers as chronyd does before it has a time: leap indicator
// 3, stratum 0, no reference id, no reference time, root delay and dispersion
// of a second (chronyd 4.3).
func Unsynchronized() Behaviour {
	return change(func(m *manner) {
		m.leap, m.stratum, m.refID, m.noReference = 3, 0, 0, true
		m.rootDelay, m.rootDispersion = 1<<16, 1<<16
	})
}

// Kiss answers with a kiss code: leap indicator 3, stratum 0, the code as
// reference id.
func Kiss(code string) Behaviour {
	return change(func(m *manner) { m.leap, m.stratum, m.refID = 3, 0, refID(code) })
}

// WrongOrigin does not return the request's transmit time stamp.
func WrongOrigin() Behaviour { return change(func(m *manner) { m.wrongOrigin = true }) }

// Strays sends n packets with a wrong origin ahead of the right reply.
func Strays(n int) Behaviour { return change(func(m *manner) { m.strays = n }) }

// Slow waits between its two time stamps: processing delay.
func Slow(d time.Duration) Behaviour { return change(func(m *manner) { m.slow = d }) }

// Path waits before the receive and after the transmit time stamp: the delays
// of a path that is slower one way than the other.
func Path(there, back time.Duration) Behaviour {
	return change(func(m *manner) { m.before, m.after = there, back })
}

// Length cuts the reply to n bytes, or lengthens it with zeros.
func Length(n int) Behaviour { return change(func(m *manner) { m.length = n }) }

// ZeroReceive leaves the receive time stamp empty.
func ZeroReceive() Behaviour { return change(func(m *manner) { m.zeroReceive = true }) }

// ZeroTransmit leaves the transmit time stamp empty.
func ZeroTransmit() Behaviour { return change(func(m *manner) { m.zeroTransmit = true }) }

// Backwards puts the transmit time stamp d earlier than it is.
func Backwards(d time.Duration) Behaviour { return change(func(m *manner) { m.backwards = d }) }

// Poll is the poll exponent; 0 for the request's own.
func Poll(exponent int8) Behaviour { return change(func(m *manner) { m.poll = exponent }) }

// Precision is the precision exponent.
func Precision(exponent int8) Behaviour { return change(func(m *manner) { m.precision = exponent }) }

// Version is the version in the reply, 0 to 7.
func Version(n uint8) Behaviour { return change(func(m *manner) { m.version = int(n & 7) }) }

// Mode is the mode in the reply, 0 to 7.
func Mode(n uint8) Behaviour { return change(func(m *manner) { m.mode = n & 7 }) }

// NoReferenceTime leaves the reference time stamp empty.
func NoReferenceTime() Behaviour { return change(func(m *manner) { m.noReference = true }) }

// ReferenceTime is how much later than the transmit time stamp the reference
// time stamp is; negative in a sane server.
func ReferenceTime(d time.Duration) Behaviour {
	return change(func(m *manner) { m.referenceAge = d })
}

// Raw lets f decide what goes on the wire, from the request's header and the
// reply as it would have been.
func Raw(f func(request, reply []byte) [][]byte) Behaviour {
	return change(func(m *manner) { m.raw = f })
}

// Time sets the server's time source: f turns the host's clock into the
// server's, both ns since the Unix epoch. It stays until set again.
func Time(f func(host int64) int64) Behaviour {
	return func(s *settings, _ *manner) { s.time = f }
}

// Rate is how many replies a second are given at the most. It stays until set
// again.
func Rate(perSecond int) Behaviour {
	return func(s *settings, _ *manner) { s.rate = perSecond }
}

func refID(s string) uint32 {
	var b [4]byte
	copy(b[:], s)
	return binary.BigEndian.Uint32(b[:])
}
