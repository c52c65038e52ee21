package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// Lease6 is what a DHCPv6 server granted or told, checked.
type Lease6 struct {
	Address netip.Addr // not valid: only resolvers were asked for
	DNS     []netip.Addr
	// From the start: when to renew or ask anew, when to ask any server, when the
	// address is no longer used for new connections, when it ends. Without an
	// address only Start and Renew mean something. The readings are monotonic.
	Start, Renew, Rebind, Preferred, End time.Time
	Forever                              bool // the times but Start mean nothing
}

// The bounds of how often a server is asked for resolvers alone, RFC 8415
// sections 7.6 and 21.23.
const (
	refreshUsual = 24 * time.Hour
	refreshLeast = 10 * time.Minute
)

// client6 is who asks: what a server has to repeat.
type client6 struct {
	id   dhcpv6.DUID
	iaid [4]byte
}

// newClient6 has an identifier that stays the same (RFC 8415 section 11.4).
func newClient6(own hardware) client6 {
	return client6{
		id:   &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr(own[:])},
		iaid: [4]byte(own[2:]),
	}
}

// errNoAddress6 is what a server says that has none to give.
var errNoAddress6 = errors.New("the DHCPv6 server has no address to give")

// answers says whether a message is of the kinds, for this client and from a
// server that says who it is: of, or any where of is nil.
func (c client6) answers(m *dhcpv6.Message, of dhcpv6.DUID, kinds ...dhcpv6.MessageType) bool {
	is := false
	for _, k := range kinds {
		is = is || m.MessageType == k
	}
	client, server := m.Options.ClientID(), m.Options.ServerID()
	return is && client != nil && server != nil && bytes.Equal(client.ToBytes(), c.id.ToBytes()) &&
		(of == nil || bytes.Equal(server.ToBytes(), of.ToBytes()))
}

// read checks what a server granted or told at start. least is the shortest
// lifetime that is believed.
func (c client6) read(m *dhcpv6.Message, stateful bool, start time.Time, least time.Duration) (Lease6, error) {
	l := Lease6{Start: start}
	if s := m.Options.Status(); s != nil && s.StatusCode != iana.StatusSuccess {
		return Lease6{}, refused6(s)
	}
	for _, ip := range m.Options.DNS() {
		a, ok := netip.AddrFromSlice(ip)
		if ok && usableResolver(a) && a.Is6() && !a.Is4In6() && len(l.DNS) < maxResolvers {
			l.DNS = append(l.DNS, a)
		}
	}
	if !stateful {
		refresh := m.Options.InformationRefreshTime(refreshUsual)
		l.Renew = start.Add(max(min(refresh, refreshUsual), refreshLeast))
		return l, nil
	}
	for _, ia := range m.Options.IANA() {
		if ia.IaId != c.iaid {
			continue
		}
		if s := ia.Options.Status(); s != nil && s.StatusCode != iana.StatusSuccess {
			return Lease6{}, refused6(s)
		}
		for _, offer := range ia.Options.Addresses() {
			if ok, err := l.take(offer, ia, least); ok || err != nil {
				return l, err
			}
		}
	}
	return Lease6{}, errNoAddress6
}

// take takes an address with its times; false: it is no host's, or has ended.
func (l *Lease6) take(offer *dhcpv6.OptIAAddress, ia *dhcpv6.OptIANA, least time.Duration) (bool, error) {
	a, ok := netip.AddrFromSlice(offer.IPv6Addr)
	if !ok || !a.Is6() || a.Is4In6() || !a.IsGlobalUnicast() || offer.ValidLifetime <= 0 || offer.PreferredLifetime > offer.ValidLifetime {
		return false, nil
	}
	if ia.T1 > ia.T2 && ia.T2 > 0 {
		return false, fmt.Errorf("the DHCPv6 server would have its address renewed after %v and by anybody after %v", ia.T1, ia.T2)
	}
	l.Address = a
	if offer.ValidLifetime >= infinite {
		l.Forever = true
		return true, nil
	}
	valid := max(offer.ValidLifetime, least)
	preferred := min(max(offer.PreferredLifetime, least), valid)
	// RFC 8415 section 21.4; times out of order are as good as none.
	renew, rebind := ia.T1, ia.T2
	if renew <= 0 || rebind <= renew || rebind >= valid {
		renew, rebind = preferred/2, preferred/10*8
	}
	l.Renew, l.Rebind = l.Start.Add(renew), l.Start.Add(rebind)
	l.Preferred, l.End = l.Start.Add(preferred), l.Start.Add(valid)
	return true, nil
}

// refused6 is what a server refuses with; its own words are not repeated.
func refused6(s *dhcpv6.OptStatusCode) error {
	if s.StatusCode == iana.StatusNoAddrsAvail {
		return errNoAddress6
	}
	return fmt.Errorf("the DHCPv6 server refuses with code %d", s.StatusCode) // RFC 8415 section 21.13
}

// message is one to send. server is whom it is for; nil: any. a is the address
// that it is about; not valid: none.
func (c client6) message(kind dhcpv6.MessageType, server dhcpv6.DUID, stateful bool, a netip.Addr) (*dhcpv6.Message, error) {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		return nil, err
	}
	m.MessageType = kind
	m.AddOption(dhcpv6.OptClientID(c.id))
	if server != nil {
		m.AddOption(dhcpv6.OptServerID(server))
	}
	m.AddOption(dhcpv6.OptElapsedTime(0))
	m.AddOption(dhcpv6.OptRequestedOption(dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionInformationRefreshTime))
	if stateful {
		ia := &dhcpv6.OptIANA{IaId: c.iaid}
		if a.IsValid() {
			ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: a.AsSlice()})
		}
		m.AddOption(ia)
	}
	return m, nil
}
