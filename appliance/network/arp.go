package network

import (
	"encoding/binary"
	"net/netip"
)

// hardware is an Ethernet address.
type hardware [6]byte

// arp is a packet of ARP for IPv4 on Ethernet (RFC 826).
type arp struct {
	reply  bool
	from   hardware   // who sent it
	sender netip.Addr // the address that it has; 0.0.0.0: it asks for one (RFC 5227 section 1.1)
	target netip.Addr // the address that it asks about
}

const (
	arpSize     = 28 // bytes
	arpEthernet = 1
	arpIPv4     = 0x0800
	arpRequest  = 1
	arpReply    = 2
)

// parseARP reads a packet as it came; Ethernet pads short ones.
func parseARP(b []byte) (arp, bool) {
	if len(b) < arpSize || binary.BigEndian.Uint16(b) != arpEthernet || binary.BigEndian.Uint16(b[2:]) != arpIPv4 || b[4] != 6 || b[5] != 4 {
		return arp{}, false
	}
	op := binary.BigEndian.Uint16(b[6:])
	return arp{
		reply: op == arpReply, from: hardware(b[8:14]),
		sender: netip.AddrFrom4([4]byte(b[14:18])), target: netip.AddrFrom4([4]byte(b[24:28])),
	}, op == arpRequest || op == arpReply
}

// bytes is the packet to send. Both addresses are of IPv4.
func (p arp) bytes() []byte {
	b := make([]byte, 0, arpSize)
	b = binary.BigEndian.AppendUint16(b, arpEthernet)
	b = binary.BigEndian.AppendUint16(b, arpIPv4)
	b = append(b, 6, 4)
	op := uint16(arpRequest)
	if p.reply {
		op = arpReply
	}
	b = binary.BigEndian.AppendUint16(b, op)
	b = append(b, p.from[:]...)
	b = append(b, p.sender.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, p.target.AsSlice()...)
}
