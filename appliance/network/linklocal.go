package network

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// linkLocalNet is that of RFC 3927.
var linkLocalNet = netip.MustParsePrefix("169.254.0.0/16")

// linkLocalAddress is the n-th address that a station with this Ethernet address
// tries: the same ones each time, so that people find it again (RFC 3927 section
// 2.1). The first and the last 256 of the net are reserved.
func linkLocalAddress(own hardware, n int) netip.Addr {
	const reserved, usable = 256, 65536 - 2*256
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("link-local "), own[:]...), uint64(n)))
	host := reserved + binary.BigEndian.Uint32(sum[:])%usable
	return netip.AddrFrom4([4]byte{169, 254, byte(host >> 8), byte(host)})
}
