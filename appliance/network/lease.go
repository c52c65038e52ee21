package network

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// infinite is the lease time that never ends, RFC 2131 section 3.3.
const infinite = math.MaxUint32 * time.Second

// readLease checks what a server granted at start. least is the shortest lease
// that is believed.
func readLease(ack *dhcpv4.DHCPv4, start time.Time, least time.Duration) (Lease, error) {
	a, ok := ip4(ack.YourIPAddr)
	if !ok || !usableHost(a) {
		return Lease{}, fmt.Errorf("the DHCP server granted %s, which is no host's address", ack.YourIPAddr)
	}
	server, ok := ip4(ack.ServerIdentifier())
	if !ok || !usableHost(server) {
		return Lease{}, errors.New("the DHCP server does not say who it is")
	}
	mask := ack.SubnetMask()
	if mask == nil {
		mask = net.IP(a.AsSlice()).DefaultMask() // RFC 950: the class says it
	}
	ones, size := mask.Size()
	if size != 32 || ones < 1 {
		return Lease{}, fmt.Errorf("the DHCP server granted %s with the mask %s", a, mask)
	}
	l := Lease{Address: netip.PrefixFrom(a, ones), Server: server, Start: start}
	for _, ip := range ack.Router() {
		if r, ok := ip4(ip); ok && usableHost(r) && r != a {
			l.Router = r
			break
		}
	}
	for _, ip := range ack.DNS() {
		if d, ok := ip4(ip); ok && usableResolver(d) && len(l.DNS) < maxResolvers {
			l.DNS = append(l.DNS, d)
		}
	}
	length := ack.IPAddressLeaseTime(0)
	if length >= infinite {
		l.Forever = true
		return l, nil
	}
	length = max(length, least)
	// RFC 2131 section 4.4.5; times out of order are as good as none.
	renew := ack.IPAddressRenewalTime(length / 2)
	rebind := ack.IPAddressRebindingTime(length / 8 * 7)
	if renew <= 0 || renew >= rebind || rebind >= length {
		renew, rebind = length/2, length/8*7
	}
	l.Renew, l.Rebind, l.End = start.Add(renew), start.Add(rebind), start.Add(length)
	return l, nil
}

// nextTry is when to try again to renew a lease after an attempt from asked to
// now: after half of what is left until the next of its times, RFC 2131 section
// 4.4.5, and at once where any server may be asked meanwhile.
func nextTry(asked, now, rebind, end time.Time, least time.Duration) time.Time {
	until := end
	if asked.Before(rebind) {
		until = rebind
	}
	next := now.Add(max(until.Sub(now)/2, least))
	if next.After(until) {
		next = until
	}
	return next
}

// usableHost says whether a may be a host's address on a link.
func usableHost(a netip.Addr) bool {
	first := a.As4()[0]
	return first != 0 && first < 224 && !a.IsLoopback()
}

func ip4(ip net.IP) (netip.Addr, bool) {
	b := ip.To4()
	if b == nil {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b)), true
}
