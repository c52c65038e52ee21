package byhand

import (
	"net"
	"net/netip"
)

// LocalAddresses tells the address from which packets to another one leave this
// machine. Nothing is sent.
func LocalAddresses(to netip.AddrPort) []netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil
	}
	defer c.Close()
	return []netip.Addr{c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()}
}
