package probe

import (
	"encoding/binary"
	"time"
)

// The NTPv4 header, RFC 5905 section 7.3.
const (
	packetSize   = 48
	offPoll      = 2
	offPrecision = 3
	offOrigin    = 24
	offReceive   = 32
	offTransmit  = 40

	modeServer  = 4
	badExponent = 0x80 // -128: neither a poll interval nor a clock has it
)

// packet is a reply's header.
type packet struct {
	leap, version, mode, stratum uint8
	poll, precision              uint8 // as on the wire: two's complement
	rootDelay, rootDispersion    uint32
	refID                        uint32
	reference, receive, transmit uint64
}

// parse reads the header; b holds at least packetSize bytes.
func parse(b []byte) packet {
	_ = b[packetSize-1]
	be := binary.BigEndian
	return packet{
		leap:           b[0] >> 6,
		version:        b[0] >> 3 & 7,
		mode:           b[0] & 7,
		stratum:        b[1],
		poll:           b[offPoll],
		precision:      b[offPrecision],
		rootDelay:      be.Uint32(b[4:]),
		rootDispersion: be.Uint32(b[8:]),
		refID:          be.Uint32(b[12:]),
		reference:      be.Uint64(b[16:]),
		receive:        be.Uint64(b[offReceive:]),
		transmit:       be.Uint64(b[offTransmit:]),
	}
}

// ntpToUnix is the Unix epoch in NTP seconds: 70 years, 17 of them leap years.
const ntpToUnix = 2208988800

// unixNano turns an NTP time stamp, which tells time modulo 2^32 seconds (136
// years), into ns since the Unix epoch: of all instants it may mean, the one
// closest to pivot.
func unixNano(ts uint64, pivot int64) int64 {
	sec := pivot / 1e9
	away := int32(uint32(ts>>32) - uint32(sec+ntpToUnix))
	frac := (ts&0xffffffff)*1e9 + 1<<31 // rounded
	return (sec+int64(away))*1e9 + int64(frac>>32)
}

// The pivot is the station's clock, within what is sane: no time before this
// was written, and none later than a station can live. A Pi boots in 1970 or
// 2000, a damaged RTC anywhere. Whatever the clock says, instants from 2008 to
// 2094 come out right.
var (
	pivotMin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	pivotMax = time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
)

func pivot(clock int64) int64 { return min(max(clock, pivotMin), pivotMax) }

// short is the NTP short format, 16.16 fixed point, in seconds.
func short(v uint32) float64 { return float64(v) / 65536 }

// kissCode is the refid of a stratum 0 packet as RFC 5905 section 7.4 writes
// it: up to four letters or digits, padded with zeros. Empty if it is none.
func kissCode(refID uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], refID)
	n := 0
	for n < len(b) && alphanumeric(b[n]) {
		n++
	}
	for _, c := range b[n:] {
		if c != 0 {
			return ""
		}
	}
	return string(b[:n])
}

func alphanumeric(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
