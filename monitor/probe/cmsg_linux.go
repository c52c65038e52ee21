package probe

import (
	"encoding/binary"
	"math"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// queued is one entry of a socket's error queue.
type queued struct {
	stamp int64  // transmit stamp, ns since the Unix epoch; 0 if it is none
	raw   int64  // transmit stamp of the network card, ns by its own clock; 0 if it is none
	on    int32  // interface that either is of; 0 if not known
	id    uint32 // number of the packet stamped
	err   *icmpError
	heard int64 // when err came, ns since the Unix epoch; 0 if not known

	to     endpoint // where the packet was to go
	quoted []byte   // as much of its payload as is quoted
}

// parseReceived takes from the control messages of a datagram the stamps, the hop
// limit it came with and how many packets the socket has lost.
func parseReceived(oob []byte, d *datagram) {
	eachControl(oob, func(level, typ int32, data []byte) {
		switch {
		case level == unix.SOL_SOCKET && typ == unix.SO_TIMESTAMPING_NEW:
			d.stamp, d.raw = stamp(data, 0), stamp(data, rawStamp)
		case level == unix.SOL_SOCKET && typ == unix.SCM_TIMESTAMPING_PKTINFO && len(data) >= 8:
			// struct scm_ts_pktinfo, which comes with the card's stamp alone.
			d.on = int32(binary.NativeEndian.Uint32(data))
			d.length = uint16(min(binary.NativeEndian.Uint32(data[4:]), math.MaxUint16))
		case level == unix.SOL_SOCKET && typ == unix.SO_RXQ_OVFL && len(data) >= 4:
			d.dropped = binary.NativeEndian.Uint32(data)
		case (level == unix.SOL_IP && typ == unix.IP_TTL || level == unix.SOL_IPV6 && typ == unix.IPV6_HOPLIMIT) && len(data) >= 4:
			d.ttl = uint8(binary.NativeEndian.Uint32(data))
		}
	})
}

// rawStamp is which of the three times of struct scm_timestamping64 is the network
// card's. The first is the software stamp.
const rawStamp = 2

// stamp reads one of them, seconds and nanoseconds.
func stamp(data []byte, which int) int64 {
	if len(data) < 16*(which+1) {
		return 0
	}
	data = data[16*which:]
	sec := int64(binary.NativeEndian.Uint64(data))
	ns := int64(binary.NativeEndian.Uint64(data[8:]))
	if sec < 0 || sec > 1<<33 || ns < 0 || ns >= 1e9 {
		return 0
	}
	return sec*1e9 + ns
}

func parseQueued(oob []byte) (q queued) {
	var ns, raw int64
	var on int32
	var origin uint8
	eachControl(oob, func(level, typ int32, data []byte) {
		switch {
		case level == unix.SOL_SOCKET && typ == unix.SO_TIMESTAMPING_NEW:
			ns, raw = stamp(data, 0), stamp(data, rawStamp)
		case level == unix.SOL_IP && typ == unix.IP_PKTINFO && len(data) >= 4:
			on = int32(binary.NativeEndian.Uint32(data))
		case level == unix.SOL_IPV6 && typ == unix.IPV6_PKTINFO && len(data) >= 20:
			on = int32(binary.NativeEndian.Uint32(data[16:]))
		case level == unix.SOL_IP && typ == unix.IP_RECVERR, level == unix.SOL_IPV6 && typ == unix.IPV6_RECVERR:
			// struct sock_extended_err, and the address of who sent it.
			if len(data) < 16 {
				return
			}
			origin, q.err = data[4], nil // of several the last counts
			switch origin {
			case unix.SO_EE_ORIGIN_TIMESTAMPING:
				if binary.NativeEndian.Uint32(data[8:]) == unix.SCM_TSTAMP_SND {
					q.id = binary.NativeEndian.Uint32(data[12:])
				} else {
					origin = unix.SO_EE_ORIGIN_NONE
				}
			case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6, unix.SO_EE_ORIGIN_LOCAL:
				q.err = &icmpError{
					errno: syscall.Errno(binary.NativeEndian.Uint32(data)),
					local: origin == unix.SO_EE_ORIGIN_LOCAL,
					from:  offender(data[16:]),
					typ:   data[5],
					code:  data[6],
				}
			}
		}
	})
	if origin == unix.SO_EE_ORIGIN_TIMESTAMPING {
		q.stamp, q.raw, q.on = ns, raw, on
	} else {
		q.heard = ns
	}
	return q
}

// offender reads a struct sockaddr_in or sockaddr_in6.
func offender(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET && len(b) >= 8:
		return netip.AddrFrom4([4]byte(b[4:8]))
	case family == unix.AF_INET6 && len(b) >= 24:
		return netip.AddrFrom16([16]byte(b[8:24]))
	}
	return netip.Addr{}
}

func eachControl(oob []byte, f func(level, typ int32, data []byte)) {
	for len(oob) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return
		}
		f(h.Level, h.Type, data)
		oob = rest
	}
}
