package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/monitor"
)

func TestOwnSide(t *testing.T) {
	four, link, six := netip.MustParsePrefix("192.168.1.7/24"), netip.MustParsePrefix("fe80::7/64"), netip.MustParsePrefix("2600::7/64")
	lease := &network.Lease{Address: four, Router: netip.MustParseAddr("192.168.1.1")}
	for _, c := range []struct {
		name   string
		st     network.State
		silent bool
		want   [4]string // of internet and local, IPv4 and IPv6: a part of what is known against it
	}{
		{"no carrier", network.State{Reason: "eth0 has no carrier"}, false, [4]string{"no carrier", "no carrier", "no carrier", "no carrier"}},
		{"no lease", network.State{Link: "eth0", Reason: "no DHCP server", Addresses: []netip.Prefix{link}}, false,
			[4]string{"no DHCP server", "no IPv6 address of the internet", "no DHCP server", ""}},
		{"no router", network.State{Link: "eth0", Lease: &network.Lease{Address: four}, Addresses: []netip.Prefix{four, link}}, false,
			[4]string{"no router", "no IPv6 address of the internet", "", ""}},
		{"router silent", network.State{Link: "eth0", Lease: lease, Addresses: []netip.Prefix{four, six}}, true,
			[4]string{"192.168.1.1 does not answer", "", "", ""}},
		{"no IPv6", network.State{Link: "eth0", Lease: lease, Addresses: []netip.Prefix{four}}, false,
			[4]string{"", "no IPv6 address of the internet", "", "no IPv6 address"}},
		{"all well", network.State{Link: "eth0", Lease: lease, Addresses: []netip.Prefix{four, link, six}}, false, [4]string{}},
		{"an address that nobody leased", network.State{Link: "eth0", Addresses: []netip.Prefix{four, six}}, false, [4]string{}},
	} {
		h := sideOf(c.st, c.silent)
		for i, got := range []string{h.Internet4, h.Internet6, h.Local4, h.Local6} {
			if (got == "") != (c.want[i] == "") || !strings.Contains(got, c.want[i]) {
				t.Errorf("%s: %d: %q, want %q", c.name, i, got, c.want[i])
			}
		}
	}
	s := testStation(t, &platform{}, stopped{})
	if h := s.ownSide(); h != (monitor.Host{}) {
		t.Errorf("without a network of its own: %+v", h)
	}
}
