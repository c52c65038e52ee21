package ntptest

import (
	"encoding/binary"
	"net/netip"
)

// The NTPv4 header, RFC 5905 section 7.3.
const (
	packetSize = 48
	modeClient = 3
	modeServer = 4

	// ntpToUnix is the Unix epoch in NTP seconds.
	ntpToUnix = 2208988800
)

// answer is one reply on its way.
type answer struct {
	settings
	manner
	to       netip.AddrPort
	request  [packetSize]byte
	received int64 // the host's clock, ns since the Unix epoch
	reply    [packetSize]byte
}

// stampReply writes the reply, whose transmit time stamp is host, the host's
// clock, ns since the Unix epoch.
func (a *answer) stampReply(host int64) {
	m := &a.manner
	b, be := a.reply[:], binary.BigEndian
	version := a.request[0] >> 3 & 7
	if m.version >= 0 {
		version = uint8(m.version)
	}
	b[0] = m.leap<<6 | version<<3 | m.mode
	b[1] = m.stratum
	b[2] = a.request[2] // the client's own poll
	if m.poll != 0 {
		b[2] = byte(m.poll)
	}
	b[3] = byte(m.precision)
	be.PutUint32(b[4:], m.rootDelay)
	be.PutUint32(b[8:], m.rootDispersion)
	be.PutUint32(b[12:], m.refID)

	t2 := a.time(a.received) + m.offset
	t3 := a.time(host) + m.offset - int64(m.backwards)
	if !m.noReference {
		be.PutUint64(b[16:], toNTP(t3+int64(m.referenceAge)))
	}
	copy(b[24:32], a.request[40:48])
	if m.wrongOrigin {
		b[31] ^= 0xff
	}
	if !m.zeroReceive {
		be.PutUint64(b[32:], toNTP(t2))
	}
	if !m.zeroTransmit {
		be.PutUint64(b[40:], toNTP(t3))
	}
}

// datagrams is what goes on the wire, in this order.
func (a *answer) datagrams() [][]byte {
	if a.raw != nil {
		return a.raw(a.request[:], a.reply[:])
	}
	var list [][]byte
	for range a.strays {
		stray := a.reply
		stray[24] ^= 0xff
		list = append(list, stray[:])
	}
	b := a.reply[:]
	if a.length >= 0 {
		b = make([]byte, a.length)
		copy(b, a.reply[:])
	}
	return append(list, b)
}

// toNTP turns ns since the Unix epoch into an NTP time stamp, which tells time
// modulo 2^32 seconds.
func toNTP(ns int64) uint64 {
	sec, rest := ns/1e9, ns%1e9
	if rest < 0 {
		sec, rest = sec-1, rest+1e9
	}
	return uint64(uint32(sec+ntpToUnix))<<32 | uint64(rest)<<32/1e9
}
