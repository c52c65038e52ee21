package config

import (
	"net/netip"
	"strings"
	"testing"
)

// TestFixedAddresses: what may and what may not be one.
func TestFixedAddresses(t *testing.T) {
	for s, want := range map[string]string{
		"192.0.2.7/24": "", "192.0.2.6/31": "", "192.0.2.7/32": "", "10.0.0.255/8": "", "100.64.1.2/10": "",
		"2001:db8::7/64": "", "fd00::1/48": "", "2001:db8::/127": "", "2001:db8::/128": "",
		"192.0.2.0/24": "whole net", "192.0.2.255/24": "broadcast", "192.0.2.7/0": "larger than any", "2001:db8::7/8": "larger than any",
		"0.1.2.3/8": "no host", "127.0.0.2/8": "no host", "224.0.0.5/24": "no host", "240.0.0.1/8": "no host", "255.255.255.255/32": "no host",
		"169.254.3.4/16": "makes itself", "fe80::7/64": "makes itself", "ff02::1/64": "no host", "::1/128": "no host", "2001:db8::/64": "every router",
		"::ffff:192.0.2.7/120": "no address with", "fe80::1%eth0/64": "no address with", "192.0.2.7/33": "no address with", "192.0.2.7/": "no address with",
		"192.0.2.7/255.0.255.0": "no address with", "192.0.2.7/255.255.255.128": `"192.0.2.7/25"`, "192.0.2.7": `"192.0.2.7/24"`, "2001:db8::7": `"2001:db8::7/64"`, "": "no address with",
	} {
		_, w := readOwn(s)
		if got := w.problem + "; " + w.instead; (w == wrong{}) != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %q", s, got, want)
		}
	}
}

// TestNetworkCheck: values that come without a file are looked at as closely.
func TestNetworkCheck(t *testing.T) {
	prefixes := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	own := prefixes("192.0.2.7/24", "2001:db8::7/64")
	for _, c := range []struct {
		n    Network
		want string
	}{
		{Network{}, ""},
		{Network{Addresses: own, Gateways: addrs("192.0.2.1", "fe80::1"), DNS: addrs("192.0.2.1", "fe80::1"), VLAN: 4094}, ""},
		{Network{Addresses: prefixes("192.0.2.7/32"), Gateways: addrs("198.51.100.1")}, ""},
		{Network{Addresses: prefixes("192.0.2.7/31"), Gateways: addrs("192.0.2.6")}, ""},
		{Network{Addresses: prefixes("192.0.2.7/24", "192.0.2.8/24")}, "two addresses of IPv4"},
		{Network{Addresses: make([]netip.Prefix, 1)}, "none"},
		{Network{Gateways: addrs("192.0.2.1")}, "no fixed IPv4"},
		{Network{Addresses: own[:1], Gateways: addrs("2001:db8::1")}, "no fixed IPv6"},
		{Network{Addresses: own, Gateways: addrs("fe80::1", "fe80::2")}, "two gateways of IPv6"},
		{Network{Addresses: own, Gateways: addrs("192.0.2.7")}, "own address"},
		{Network{Addresses: own, Gateways: addrs("192.0.2.255")}, "no router"},
		{Network{Addresses: own, Gateways: addrs("192.0.3.1")}, `outside of "192.0.2.0/24"`},
		{Network{Addresses: own, Gateways: addrs("fe80::1%eth0")}, "no address"},
		{Network{Addresses: own, Gateways: addrs("ff02::1")}, "no router"},
		{Network{Addresses: own, Gateways: make([]netip.Addr, 1)}, "no address"},
		{Network{DNS: addrs("127.0.0.1")}, "no resolver"},
		{Network{DNS: make([]netip.Addr, 1)}, "no resolver"},
		{Network{DNS: addrs("::1")}, "no resolver"},
		{Network{DNS: addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")}, "4 resolvers"},
		{Network{VLAN: 4095}, "out of bounds"},
	} {
		err := c.n.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.n, err, c.want)
		}
	}
}
