package main

import (
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

// serveDHCP leases the one address there is to whoever asks.
func serveDHCP(link string, say func(string, ...any)) error {
	s, err := server4.NewServer(link, nil, func(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
		kind := dhcpv4.MessageTypeOffer
		if m.MessageType() == dhcpv4.MessageTypeRequest {
			kind = dhcpv4.MessageTypeAck
		}
		reply, err := dhcpv4.NewReplyFromRequest(m,
			dhcpv4.WithMessageType(kind),
			dhcpv4.WithYourIP(net.ParseIP(station)),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))),
			dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithLeaseTime(uint32(time.Hour/time.Second)),
		)
		if err != nil {
			say("DHCP: %v", err)
			return
		}
		say("DHCP: %s for %s", kind, m.ClientHWAddr)
		_, _ = conn.WriteTo(reply.ToBytes(), peer)
	})
	if err != nil {
		return err
	}
	return s.Serve()
}
