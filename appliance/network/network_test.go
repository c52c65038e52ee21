package network

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/ndp"
)

var epoch = time.Unix(1_000_000_000, 0)

func addrs(s ...string) []netip.Addr {
	var list []netip.Addr
	for _, a := range s {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

// grant is a usual answer of a DHCP server, with changes.
func grant(mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	usual := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 10)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)),
		dhcpv4.WithDNS(net.IPv4(192, 0, 2, 2)),
		dhcpv4.WithLeaseTime(3600),
	}
	ack, err := dhcpv4.New(append(usual, mods...)...)
	if err != nil {
		panic(err)
	}
	return ack
}

func TestReadLease(t *testing.T) {
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	base := Lease{
		Address: netip.MustParsePrefix("192.0.2.10/24"), Router: netip.MustParseAddr("192.0.2.1"),
		Server: netip.MustParseAddr("192.0.2.1"), DNS: addrs("192.0.2.2"),
		Start: epoch, Renew: at(1800 * time.Second), Rebind: at(3150 * time.Second), End: at(time.Hour),
	}
	for _, c := range []struct {
		name string
		ack  *dhcpv4.DHCPv4
		want func(*Lease)
	}{
		{"usual", grant(), func(*Lease) {}},
		{"times given", grant(dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(10*time.Minute)), dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(20*time.Minute))),
			func(l *Lease) { l.Renew, l.Rebind = at(10*time.Minute), at(20*time.Minute) }},
		{"times out of order", grant(dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(20*time.Minute)), dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(10*time.Minute))), func(*Lease) {}},
		{"rebinding after the end", grant(dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(2 * time.Hour))), func(*Lease) {}},
		{"for ever", grant(dhcpv4.WithLeaseTime(1<<32 - 1)), func(l *Lease) {
			l.Forever, l.Renew, l.Rebind, l.End = true, time.Time{}, time.Time{}, time.Time{}
		}},
		{"a second", grant(dhcpv4.WithLeaseTime(1)), func(l *Lease) {
			l.Renew, l.Rebind, l.End = at(60*time.Second), at(105*time.Second), at(120*time.Second)
		}},
		{"no lease time", grant(dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime)), func(l *Lease) {
			l.Renew, l.Rebind, l.End = at(60*time.Second), at(105*time.Second), at(120*time.Second)
		}},
		{"no mask", grant(dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask), dhcpv4.WithYourIP(net.IPv4(10, 1, 2, 3))),
			func(l *Lease) { l.Address = netip.MustParsePrefix("10.1.2.3/8") }},
		{"no router", grant(dhcpv4.WithoutOption(dhcpv4.OptionRouter)), func(l *Lease) { l.Router = netip.Addr{} }},
		{"odd routers", grant(dhcpv4.WithRouter(net.IPv4zero, net.IPv4bcast, net.IPv4(192, 0, 2, 10), net.IPv4(198, 51, 100, 1))),
			func(l *Lease) { l.Router = netip.MustParseAddr("198.51.100.1") }},
		{"odd resolvers", grant(dhcpv4.WithDNS(net.IPv4zero, net.IPv4(127, 0, 0, 1), net.IPv4(224, 0, 0, 251), net.IPv4bcast, net.IPv4(8, 8, 0, 1), net.IPv4(8, 8, 0, 2), net.IPv4(8, 8, 0, 3), net.IPv4(8, 8, 0, 4))),
			func(l *Lease) { l.DNS = addrs("8.8.0.1", "8.8.0.2", "8.8.0.3") }},
	} {
		want := base
		c.want(&want)
		if got, err := readLease(c.ack, epoch, 2*time.Minute); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.name, got, err, want)
		}
	}
	for name, c := range map[string]struct {
		ack  *dhcpv4.DHCPv4
		want string
	}{
		"no address":       {grant(dhcpv4.WithYourIP(net.IPv4zero)), "0.0.0.0, which is no host's"},
		"a group":          {grant(dhcpv4.WithYourIP(net.IPv4(224, 0, 1, 1))), "no host's"},
		"broadcast":        {grant(dhcpv4.WithYourIP(net.IPv4bcast)), "no host's"},
		"loopback":         {grant(dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 1))), "no host's"},
		"no server":        {grant(dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier)), "who it is"},
		"mask with a hole": {grant(dhcpv4.WithNetmask(net.IPv4Mask(255, 0, 255, 0))), "the mask"},
		"mask of nothing":  {grant(dhcpv4.WithNetmask(net.IPv4Mask(0, 0, 0, 0))), "the mask"},
	} {
		if l, err := readLease(c.ack, epoch, time.Minute); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v", name, l, err)
		}
	}
}

func FuzzReadLease(f *testing.F) {
	f.Add(grant().ToBytes())
	f.Add(grant(dhcpv4.WithLeaseTime(1<<32-1), dhcpv4.WithRouter(net.IPv4zero)).ToBytes())
	f.Add(grant(dhcpv4.WithGeneric(dhcpv4.OptionSubnetMask, []byte{255})).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		ack, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		l, err := readLease(ack, epoch, time.Minute)
		if err != nil {
			return
		}
		if !l.Address.IsValid() || !usableHost(l.Address.Addr()) || l.Address.Bits() < 1 || !l.Server.IsValid() || len(l.DNS) > 3 {
			t.Errorf("accepted %+v", l)
		}
		if !l.Forever && (!l.Renew.After(l.Start) || !l.Rebind.After(l.Renew) || !l.End.After(l.Rebind) || l.End.Sub(l.Start) < time.Minute) {
			t.Errorf("times of %+v", l)
		}
	})
}

func advert(lifetime time.Duration, servers ...string) *ndp.RouterAdvertisement {
	return &ndp.RouterAdvertisement{Options: []ndp.Option{&ndp.RecursiveDNSServer{Lifetime: lifetime, Servers: addrs(servers...)}}}
}

func TestRDNSS(t *testing.T) {
	r := &rdnss{link: "eth0"}
	check := func(want ...string) {
		t.Helper()
		if got := r.addrs(); !slices.Equal(got, addrs(want...)) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	r.add(advert(time.Minute, "2001:db8::1", "fe80::1", "::", "::1", "ff02::fb", "::ffff:192.0.2.1"), epoch)
	check("2001:db8::1", "fe80::1%eth0")
	r.add(advert(2*time.Minute, "fe80::1"), epoch.Add(30*time.Second))
	if next, ok := r.next(); !ok || !next.Equal(epoch.Add(time.Minute)) {
		t.Errorf("the next ends at %v", next)
	}
	r.drop(epoch.Add(time.Minute))
	check("fe80::1%eth0")
	r.add(advert(0, "fe80::1", "2001:db8::9"), epoch.Add(time.Minute))
	check()
	if _, ok := r.next(); ok {
		t.Error("nothing ends, but something does")
	}
	for i := range 100 {
		r.add(advert(time.Hour, fmt.Sprintf("2001:db8::%x", i+1)), epoch)
	}
	if n := len(r.addrs()); n != maxRDNSS {
		t.Errorf("%d resolvers are remembered", n)
	}
}

func FuzzRDNSS(f *testing.F) {
	b, err := ndp.MarshalMessage(advert(time.Minute, "2001:db8::1", "fe80::1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ndp.ParseMessage(b)
		ra, ok := m.(*ndp.RouterAdvertisement)
		if err != nil || !ok {
			return
		}
		r := &rdnss{link: "eth0"}
		r.add(ra, epoch)
		if len(r.entries) > maxRDNSS {
			t.Errorf("%d resolvers", len(r.entries))
		}
		for _, a := range r.addrs() {
			if !a.Is6() || !usableResolver(a) {
				t.Errorf("accepted %s", a)
			}
		}
	})
}

func TestResolvers(t *testing.T) {
	four, six := addrs("192.0.2.1", "192.0.2.2", "192.0.2.3"), addrs("2001:db8::1", "2001:db8::2")
	for _, c := range []struct{ v4, v6, want []netip.Addr }{
		{nil, nil, nil},
		{four, nil, four},
		{nil, six, six},
		{four, six, addrs("192.0.2.1", "2001:db8::1", "192.0.2.2")},
		{four[:1], six, addrs("192.0.2.1", "2001:db8::1", "2001:db8::2")},
	} {
		if got := resolvers(c.v4, c.v6); !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestResolvConfReplacesALink(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "pnp")
	if err := os.WriteFile(other, []byte("kernel's"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, path); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, renderResolvConf(addrs("192.0.2.1", "fe80::1%eth0"))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	b, err := os.ReadFile(path)
	if want := "# written by truechimer from DHCP and router advertisements\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n"; err != nil || string(b) != want {
		t.Errorf("got %q, %v", b, err)
	}
	if b, _ := os.ReadFile(other); string(b) != "kernel's" {
		t.Errorf("what the link pointed to became %q", b)
	}
	if err := writeFile(dir, nil); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Lstat(dir + ".new"); err == nil {
		t.Error("the unfinished file is left")
	}
}

func TestHostname(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "attic": "attic", "My Attic_2.lan": "my-attic-2-lan", "-x-": "x", "über": "ber", "a\n;b": "ab",
		strings.Repeat("a", 62) + " b": strings.Repeat("a", 62),
	} {
		if got := hostname(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestChangesAreToldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	var told []State
	m := New(Options{ResolvConf: path, OnChange: func(s State) { told = append(told, s) }})
	l, err := readLease(grant(), epoch, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	lease := func(s *State, _ *[]netip.Addr) { s.Lease, s.Reason = &l, "" }
	m.change(lease)
	m.change(lease)
	m.change(func(_ *State, rdnss *[]netip.Addr) { *rdnss = addrs("2001:db8::1") })
	if len(told) != 2 || !slices.Equal(told[1].DNS, addrs("192.0.2.2", "2001:db8::1")) {
		t.Fatalf("told %+v", told)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(b), "nameserver 192.0.2.2\nnameserver 2001:db8::1\n") {
		t.Errorf("got %q, %v", b, err)
	}
	m.State().DNS[0] = netip.Addr{}
	m.State().Lease.DNS[0] = netip.Addr{}
	if s := m.State(); s.DNS[0] != netip.MustParseAddr("192.0.2.2") || s.Lease.DNS[0] != s.DNS[0] {
		t.Error("the state can be changed from outside")
	}
}

func TestWayOut(t *testing.T) {
	lease := &Lease{Address: netip.MustParsePrefix("192.0.2.7/24"), Router: netip.MustParseAddr("192.0.2.1")}
	nowhere := &Lease{Address: lease.Address}
	for name, c := range map[string]struct {
		lease     *Lease
		addresses []string
		routers   []string
		want      bool
	}{
		"nothing":                     {nil, nil, nil, false},
		"a lease":                     {lease, []string{"fe80::1/64", "192.0.2.7/24"}, nil, true},
		"one that is not set":         {lease, []string{"fe80::1/64"}, nil, false},
		"one without a router":        {nowhere, []string{"192.0.2.7/24"}, nil, false},
		"IPv6":                        {nil, []string{"fe80::1/64", "2001:db8::7/64"}, []string{"fe80::1"}, true},
		"IPv6 in this house only":     {nil, []string{"fd00::7/64"}, []string{"fe80::1"}, false},
		"IPv6 beside a lonely lease":  {nowhere, []string{"192.0.2.7/24", "2001:db8::7/64"}, []string{"fe80::1"}, true},
		"an address that nobody gave": {nil, []string{"192.0.2.7/24"}, nil, false},
		"IPv6 whose router is gone":   {nil, []string{"fe80::1/64", "2001:db8::7/64"}, nil, false},
		"an IPv6 router alone":        {nil, []string{"fe80::1/64"}, []string{"fe80::1"}, false},
	} {
		s := State{Lease: c.lease, Routers6: addrs(c.routers...)}
		for _, a := range c.addresses {
			s.Addresses = append(s.Addresses, netip.MustParsePrefix(a))
		}
		if got := s.WayOut(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
