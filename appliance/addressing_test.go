package main

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
)

func TestAddressing(t *testing.T) {
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	now := time.Now()
	for _, c := range []struct {
		name string
		st   network.State
		want string
	}{
		{"nothing", network.State{Reason: "eth0 has no carrier"},
			`{"trouble":"","reason":"eth0 has no carrier","link":"","radio":false,"ipv4":false,"ipv6":false,"router_rtt_s":null,"addresses":[],"gateways":[],"dns":[],"local_name":null}`},
		{"leased", network.State{
			Link:  "eth0",
			Lease: &network.Lease{Address: prefix("192.0.2.7/24"), Router: addr("192.0.2.1"), End: now.Add(time.Hour)},
			Lease6: &network.Lease6{
				Address: addr("2001:db8::7"), End: now.Add(-time.Second), // not looked at since it ended
			},
			Addresses: []netip.Prefix{prefix("192.0.2.7/24"), prefix("2001:db8::7/128"), prefix("2001:db8::ab12/64"), prefix("fe80::7/64")},
			Routers6:  []netip.Addr{addr("fe80::1")},
			DNS:       []netip.Addr{addr("192.0.2.53")},
		}, `{"trouble":"","reason":"","link":"eth0","radio":false,"ipv4":false,"ipv6":false,"router_rtt_s":null,"addresses":[` +
			`{"address":"192.0.2.7/24","origin":"dhcp","lasts_s":3600},` +
			`{"address":"2001:db8::7/128","origin":"dhcpv6","lasts_s":0},` +
			`{"address":"2001:db8::ab12/64","origin":"advertised","lasts_s":null},` +
			`{"address":"fe80::7/64","origin":"link","lasts_s":null}],` +
			`"gateways":["192.0.2.1","fe80::1"],"dns":["192.0.2.53"],"local_name":null}`},
		{"leased for good", network.State{
			Link:      "eth0",
			Lease:     &network.Lease{Address: prefix("192.0.2.7/24"), Forever: true},
			Addresses: []netip.Prefix{prefix("192.0.2.7/24")},
		}, `{"trouble":"","reason":"","link":"eth0","radio":false,"ipv4":false,"ipv6":false,"router_rtt_s":null,"addresses":[{"address":"192.0.2.7/24","origin":"dhcp","lasts_s":null}],"gateways":[],"dns":[],"local_name":null}`},
		{"fixed", network.State{
			Link:      "vlan12",
			Addresses: []netip.Prefix{prefix("192.0.2.7/24"), prefix("2001:db8::7/64")},
			Fixed:     []netip.Prefix{prefix("192.0.2.7/24"), prefix("2001:db8::7/64")},
			Gateways:  []netip.Addr{addr("192.0.2.1"), addr("fe80::1")},
			Routers6:  []netip.Addr{addr("fe80::1")},
		}, `{"trouble":"","reason":"","link":"vlan12","radio":false,"ipv4":false,"ipv6":false,"router_rtt_s":null,"addresses":[{"address":"192.0.2.7/24","origin":"fixed","lasts_s":null},{"address":"2001:db8::7/64","origin":"fixed","lasts_s":null}],` +
			`"gateways":["192.0.2.1","fe80::1"],"dns":[],"local_name":null}`},
		{"on a cable to a computer", network.State{
			Link: "eth0", Reason: "no DHCP server", LinkLocal: addr("169.254.3.4"), Addresses: []netip.Prefix{prefix("169.254.3.4/16")},
		}, `{"trouble":"","reason":"no DHCP server","link":"eth0","radio":false,"ipv4":false,"ipv6":false,"router_rtt_s":null,"addresses":[{"address":"169.254.3.4/16","origin":"link","lasts_s":null}],"gateways":[],"dns":[],"local_name":null}`},
	} {
		n := status.Network{Link: c.st.Link}
		addAddresses(&n, c.st, now)
		got, err := json.Marshal(n)
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n%s, %v; want\n%s", c.name, got, err, c.want)
		}
	}
}

// TestAddressingHasTheName: the one that is in use, while there is one.
func TestAddressingHasTheName(t *testing.T) {
	s := testStation(t, &platform{name: "truechimer-ab12"}, stopped{})
	if s.Status().Network != nil {
		t.Error("a program on a computer tells that computer's addresses")
	}
	s.network()
	named := func() string {
		if n := s.Status().Network.LocalName; n != nil {
			return *n
		}
		return ""
	}
	tell := s.tellName()
	for _, name := range []string{"", "attic.local", "attic-2.local", ""} {
		if name != "" || named() != "" {
			tell(name)
		}
		if named() != name {
			t.Errorf("it is %q, want %q", named(), name)
		}
	}
}
