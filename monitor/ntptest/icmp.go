package ntptest

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	icmpHeader = 8
	udpHeader  = 8
	protoUDP   = 17
)

// ICMP sends an ICMP message, of a type and code of the request's family, about
// the request to who sent it; with port, about one to another port than the
// server's. It quotes so many bytes of the request's NTP packet. As root alone:
// an error is in q.Errors.
func (q *Question) ICMP(typ, code uint8, port uint16, quote int) {
	to := q.server.addr
	if port != 0 {
		to = netip.AddrPortFrom(to.Addr(), port)
	}
	from := netip.AddrPortFrom(q.From.Addr().Unmap(), q.From.Port())
	network, quoted := "ip4:icmp", quoted4
	if from.Addr().Is6() {
		network, quoted = "ip6:ipv6-icmp", quoted6
	}
	c, err := net.ListenPacket(network, to.Addr().String())
	if err != nil {
		q.note(err)
		return
	}
	defer c.Close()
	b := append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, quoted(from, to)...)
	b = append(b, q.Request[:min(max(quote, 0), packetSize)]...)
	if from.Addr().Is4() { // IPv6's is for the kernel, which knows both addresses
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	_, err = c.WriteTo(b, &net.IPAddr{IP: from.Addr().AsSlice()})
	q.note(err)
}

// quoted4 is the headers of a request over IPv4.
func quoted4(from, to netip.AddrPort) []byte {
	const header = 20
	b := make([]byte, header)
	b[0], b[8], b[9] = 4<<4|header/4, 64, protoUDP
	binary.BigEndian.PutUint16(b[2:], header+udpHeader+packetSize)
	copy(b[12:], from.Addr().AsSlice())
	copy(b[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return quotedUDP(b, from, to)
}

// quoted6 is the headers of a request over IPv6.
func quoted6(from, to netip.AddrPort) []byte {
	const header = 40
	b := make([]byte, header)
	b[0], b[6], b[7] = 6<<4, protoUDP, 64
	binary.BigEndian.PutUint16(b[4:], udpHeader+packetSize)
	copy(b[8:], from.Addr().AsSlice())
	copy(b[24:], to.Addr().AsSlice())
	return quotedUDP(b, from, to)
}

// quotedUDP appends the header of UDP, without a checksum.
func quotedUDP(b []byte, from, to netip.AddrPort) []byte {
	for _, v := range [...]uint16{from.Port(), to.Port(), udpHeader + packetSize, 0} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// checksum is RFC 1071's.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
