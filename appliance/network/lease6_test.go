package network

import (
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

var (
	station6 = newClient6(hardware{2, 0, 0, 0, 0, 7})
	server6A = &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	server6B = &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr{2, 0, 0, 0, 0, 2}}
)

// offer6 is one address with its lifetimes.
func offer6(a string, preferred, valid time.Duration) *dhcpv6.OptIAAddress {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(a), PreferredLifetime: preferred, ValidLifetime: valid}
}

// reply6 is a usual answer of a DHCPv6 server with these addresses, with changes.
func reply6(t1, t2 time.Duration, offers []*dhcpv6.OptIAAddress, mods ...dhcpv6.Modifier) *dhcpv6.Message {
	m, err := dhcpv6.NewMessage(dhcpv6.WithClientID(station6.id), dhcpv6.WithServerID(server6A), dhcpv6.WithDNS(net.ParseIP("2001:db8::53")))
	if err != nil {
		panic(err)
	}
	m.MessageType = dhcpv6.MessageTypeReply
	ia := &dhcpv6.OptIANA{IaId: station6.iaid, T1: t1, T2: t2}
	for _, o := range offers {
		ia.Options.Add(o)
	}
	m.AddOption(ia)
	for _, mod := range mods {
		mod(m)
	}
	return m
}

func TestReadLease6(t *testing.T) {
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	one := func(a string, preferred, valid time.Duration) []*dhcpv6.OptIAAddress {
		return []*dhcpv6.OptIAAddress{offer6(a, preferred, valid)}
	}
	base := Lease6{
		Address: netip.MustParseAddr("2001:db8::7"), DNS: addrs("2001:db8::53"), Start: epoch,
		Renew: at(30 * time.Minute), Rebind: at(48 * time.Minute), Preferred: at(time.Hour), End: at(2 * time.Hour),
	}
	usual := one("2001:db8::7", time.Hour, 2*time.Hour)
	for name, c := range map[string]struct {
		m    *dhcpv6.Message
		want func(*Lease6)
	}{
		"usual":                   {reply6(0, 0, usual), func(*Lease6) {}},
		"times given":             {reply6(10*time.Minute, 20*time.Minute, usual), func(l *Lease6) { l.Renew, l.Rebind = at(10*time.Minute), at(20*time.Minute) }},
		"rebinding after the end": {reply6(10*time.Minute, 3*time.Hour, usual), func(*Lease6) {}},
		"a second": {reply6(0, 0, one("2001:db8::7", time.Second, time.Second)), func(l *Lease6) {
			l.Renew, l.Rebind, l.Preferred, l.End = at(time.Minute), at(96*time.Second), at(2*time.Minute), at(2*time.Minute)
		}},
		"for ever": {reply6(0, 0, one("2001:db8::7", infinite, infinite)), func(l *Lease6) { *l = Lease6{Address: l.Address, DNS: l.DNS, Start: l.Start, Forever: true} }},
		"no longer preferred": {reply6(0, 0, one("2001:db8::7", 0, time.Hour)), func(l *Lease6) {
			l.Renew, l.Rebind, l.Preferred, l.End = at(time.Minute), at(96*time.Second), at(2*time.Minute), at(time.Hour)
		}},
		"the second is a host's": {reply6(0, 0, []*dhcpv6.OptIAAddress{offer6("ff02::1", 1, 2), offer6("fe80::1", time.Hour, time.Hour), offer6("2001:db8::9", time.Hour, 0), usual[0]}), func(*Lease6) {}},
		"resolvers that are not": {reply6(0, 0, usual, dhcpv6.WithDNS(net.IPv6zero, net.ParseIP("ff02::fb"), net.ParseIP("192.0.2.1"), net.IPv6loopback, net.ParseIP("fe80::1"))), func(l *Lease6) { l.DNS = addrs("fe80::1") }},
		"another's address as well": {reply6(0, 0, usual, func(d dhcpv6.DHCPv6) {
			d.(*dhcpv6.Message).Options.Options = append([]dhcpv6.Option{&dhcpv6.OptIANA{IaId: [4]byte{9}}}, d.(*dhcpv6.Message).Options.Options...)
		}), func(*Lease6) {}},
	} {
		want := base
		c.want(&want)
		if got, err := station6.read(c.m, true, epoch, 2*time.Minute); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
	status := func(code iana.StatusCode) dhcpv6.Modifier {
		return dhcpv6.WithOption(&dhcpv6.OptStatusCode{StatusCode: code, StatusMessage: "\x1b[2J"})
	}
	for name, c := range map[string]struct {
		m    *dhcpv6.Message
		want string
	}{
		"nothing":               {reply6(0, 0, nil), "no address to give"},
		"an address of no host": {reply6(0, 0, one("::ffff:192.0.2.1", time.Hour, time.Hour)), "no address to give"},
		"preferred for longer":  {reply6(0, 0, one("2001:db8::7", 2*time.Hour, time.Hour)), "no address to give"},
		"times that contradict": {reply6(20*time.Minute, 10*time.Minute, usual), "renewed after 20m"},
		"none left":             {reply6(0, 0, usual, status(iana.StatusNoAddrsAvail)), "no address to give"},
		"refused":               {reply6(0, 0, usual, status(iana.StatusNotOnLink)), "refuses with code 4"},
	} {
		if l, err := station6.read(c.m, true, epoch, time.Minute); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: got %+v, %v", name, l, err)
		}
	}
	for irt, want := range map[time.Duration]time.Duration{0: refreshLeast, time.Hour: time.Hour, infinite: refreshUsual, -1: refreshUsual} {
		m := reply6(0, 0, nil)
		if irt >= 0 {
			m.AddOption(dhcpv6.OptInformationRefreshTime(irt))
		}
		if l, err := station6.read(m, false, epoch, 0); err != nil || l.Renew.Sub(epoch) != want || l.Address.IsValid() || len(l.DNS) != 1 {
			t.Errorf("resolvers alone, to be asked for anew after %v: %+v, %v", irt, l, err)
		}
	}
}

// TestNextTry: of a lease of 100 s that any server may renew after 80.
func TestNextTry(t *testing.T) {
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	for _, c := range []struct{ asked, now, want int }{
		{50, 52, 66}, {66, 70, 75}, {75, 78, 80}, {78, 79, 80}, // half of what is left, 5 s at the least
		{79, 82, 80}, // at once
		{82, 84, 92}, {92, 97, 100}, {97, 101, 100},
	} {
		if got := nextTry(at(c.asked), at(c.now), at(80), at(100), 5*time.Second); !got.Equal(at(c.want)) {
			t.Errorf("after an attempt from %d to %d: %v, want %d", c.asked, c.now, got.Sub(epoch), c.want)
		}
	}
}

// TestAnswers6: what is for somebody else, of another kind or from another server
// is passed over.
func TestAnswers6(t *testing.T) {
	good := reply6(0, 0, nil)
	for name, c := range map[string]struct {
		m    *dhcpv6.Message
		of   dhcpv6.DUID
		want bool
	}{
		"any server's":         {good, nil, true},
		"this server's":        {good, server6A, true},
		"another server's":     {good, server6B, false},
		"another client's":     {reply6(0, 0, nil, dhcpv6.WithClientID(server6B)), nil, false},
		"nobody's":             {&dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply}, nil, false},
		"of another kind":      {reply6(0, 0, nil, func(d dhcpv6.DHCPv6) { d.(*dhcpv6.Message).MessageType = dhcpv6.MessageTypeAdvertise }), nil, false},
		"as it was sent by us": {must(station6.message(dhcpv6.MessageTypeRenew, server6A, true, netip.MustParseAddr("2001:db8::7"))), server6A, false},
		"of a server without id": {func() *dhcpv6.Message {
			m := reply6(0, 0, nil)
			m.Options.Del(dhcpv6.OptionServerID)
			return m
		}(), nil, false},
	} {
		if got := station6.answers(c.m, c.of, dhcpv6.MessageTypeReply); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func FuzzReadLease6(f *testing.F) {
	f.Add(reply6(0, 0, []*dhcpv6.OptIAAddress{offer6("2001:db8::7", time.Hour, 2*time.Hour)}).ToBytes(), true)
	f.Add(reply6(1, 2, []*dhcpv6.OptIAAddress{offer6("2001:db8::7", infinite, infinite)}).ToBytes(), true)
	f.Add(reply6(0, 0, nil, dhcpv6.WithInformationRefreshTime(time.Hour)).ToBytes(), false)
	f.Fuzz(func(t *testing.T, b []byte, stateful bool) {
		m, err := dhcpv6.MessageFromBytes(b)
		if err != nil {
			return
		}
		station6.answers(m, server6A, dhcpv6.MessageTypeReply)
		l, err := station6.read(m, stateful, epoch, time.Minute)
		if err != nil {
			return
		}
		if stateful != l.Address.IsValid() || stateful && (!l.Address.Is6() || !l.Address.IsGlobalUnicast()) || len(l.DNS) > maxResolvers {
			t.Errorf("accepted %+v", l)
		}
		for _, a := range l.DNS {
			if !a.Is6() || !usableResolver(a) {
				t.Errorf("accepted the resolver %s", a)
			}
		}
		if l.Forever {
			return
		}
		if !l.Renew.After(l.Start) || stateful && (!l.Rebind.After(l.Renew) || !l.End.After(l.Rebind) || l.Preferred.After(l.End) || l.End.Sub(l.Start) < time.Minute) {
			t.Errorf("times of %+v", l)
		}
	})
}
