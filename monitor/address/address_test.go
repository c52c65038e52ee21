package address

import (
	"net/netip"
	"strings"
	"testing"
)

func TestPolicy(t *testing.T) {
	// What is expected of the owner's word, and of a list's: nothing, or a part
	// of the reason.
	const fine = ""
	for _, c := range []struct{ address, own, afar string }{
		{"1.1.1.1", fine, fine}, {"9.255.255.255", fine, fine}, {"11.0.0.0", fine, fine}, {"100.63.255.255", fine, fine}, {"100.128.0.0", fine, fine},
		{"128.0.0.0", fine, fine}, {"172.15.255.255", fine, fine}, {"172.32.0.0", fine, fine}, {"192.0.1.0", fine, fine}, {"198.17.255.255", fine, fine},
		{"198.20.0.0", fine, fine}, {"223.255.255.255", fine, fine}, {"192.31.196.1", fine, fine},
		{"2600::1", fine, fine}, {"2a01:4f8::1", fine, fine}, {"3ffe::1", fine, fine}, {"2001:200::1", fine, fine}, {"2001:4:112::1", fine, fine}, {"2001:3::1", fine, fine},

		{"10.0.0.0", fine, "RFC 1918"}, {"10.255.255.255", fine, "truechimer.toml"}, {"172.16.0.1", fine, "RFC 1918"}, {"172.31.255.255", fine, "RFC 1918"},
		{"192.168.0.1", fine, "RFC 1918"}, {"100.64.0.1", fine, "RFC 6598"}, {"100.127.255.255", fine, "RFC 6598"},
		{"127.0.0.1", fine, "loopback"}, {"127.255.255.255", fine, "loopback"}, {"169.254.169.254", fine, "one link"},
		{"fc00::1", fine, "RFC 4193"}, {"fdff:ffff::1", fine, "RFC 4193"}, {"fe80::1%eth0", fine, "one link"}, {"febf::1", fine, "one link"}, {"fec0::1", fine, "one site"}, {"::1", fine, "loopback"},
		{"64:ff9b:1::a00:1", fine, "RFC 8215"},

		{"192.0.2.1", fine, "documentation"}, {"198.51.100.1", fine, "documentation"}, {"203.0.113.255", fine, "documentation"}, {"198.18.0.1", fine, "benchmarks"}, {"198.19.255.255", fine, "benchmarks"},
		{"192.0.0.8", fine, "protocols"}, {"192.88.99.1", fine, "given up"},
		{"2001:db8::1", fine, "documentation"}, {"3fff:fff::1", fine, "documentation"}, {"2001:2::1", fine, "protocols"}, {"2001:10::1", fine, "protocols"},
		{"100::1", fine, "nobody was given"}, {"4000::1", fine, "nobody was given"}, {"5f00::1", fine, "nobody was given"}, {"::2", fine, "nobody was given"}, {"::192.168.1.1", fine, "nobody was given"}, {"fe00::1", fine, "nobody was given"},

		{"0.0.0.0", "not an address", "not an address"}, {"::", "not an address", "not an address"}, {"0.1.2.3", "reserved", "reserved"},
		{"240.0.0.1", "reserved", "reserved"}, {"255.255.255.254", "reserved", "reserved"}, {"255.255.255.255", "broadcast", "broadcast"},
		{"224.0.0.0", "multicast", "multicast"}, {"224.0.1.1", "multicast", "multicast"}, {"239.255.255.255", "multicast", "multicast"}, {"ff02::101", "multicast", "multicast"}, {"ff0e::101", "multicast", "multicast"},

		// The same in other clothes.
		{"::ffff:1.1.1.1", fine, fine}, {"::ffff:192.168.1.1", fine, "RFC 1918"}, {"::ffff:224.0.1.1", "multicast", "multicast"}, {"::ffff:255.255.255.255", "broadcast", "broadcast"}, {"::ffff:127.0.0.1", fine, "loopback"},
		{"64:ff9b::1.1.1.1", fine, fine}, {"64:ff9b::192.168.1.1", fine, "a way to 192.168.1.1"}, {"64:ff9b::127.0.0.1", fine, "loopback"}, {"64:ff9b::224.0.1.1", "multicast", "multicast"}, {"64:ff9b::0.0.0.0", "not an address", "not an address"}, {"64:ff9b::203.0.113.1", fine, "documentation"},
		{"2002:101:101::1", fine, fine}, {"2002:c0a8:101::1", fine, "RFC 1918"}, {"2002:7f00:1::1", fine, "loopback"}, {"2002:6440:1::", fine, "RFC 6598"}, {"2002:e000:101::1", "multicast", "multicast"},
		// A Teredo client behind 1.1.1.1, then behind 192.168.1.1, then at a server that is no host of the internet.
		{"2001:0:808:808:8000:63bf:fefe:fefe", fine, fine}, {"2001:0:808:808:8000:63bf:3f57:fefe", fine, "a way to 192.168.1.1"}, {"2001:0:a00:1:8000:63bf:fefe:fefe", fine, "a way to 10.0.0.1"},
	} {
		a := netip.MustParseAddr(c.address)
		for _, g := range []struct{ whose, got, want string }{{"its owner's", Refused(a), c.own}, {"a list's", RefusedFromAfar(a), c.afar}} {
			if g.want == fine && g.got != "" || !strings.Contains(g.got, g.want) {
				t.Errorf("%s on %s word: %q, want %q", c.address, g.whose, g.got, g.want)
			}
		}
	}
	if Refused(netip.Addr{}) == "" || RefusedFromAfar(netip.Addr{}) == "" {
		t.Error("no address is asked")
	}
}

func TestInside(t *testing.T) {
	for a, want := range map[string]bool{
		"192.168.1.1": true, "::ffff:10.0.0.1": true, "100.64.0.1": true, "127.0.0.1": true, "::1": true, "fe80::1%eth0": true, "fd00::1": true, "64:ff9b::10.0.0.1": true,
		"1.1.1.1": false, "192.0.2.1": false, "2001:db8::1": false, "198.18.0.53": false, "224.0.0.1": false, "::": false,
	} {
		if Inside(netip.MustParseAddr(a)) != want {
			t.Errorf("%s is inside: %v", a, !want)
		}
	}
}

// FuzzPolicy: a list is never allowed what a person is not, nor what Go's own
// tables call no address of the internet.
func FuzzPolicy(f *testing.F) {
	for _, a := range []string{"1.1.1.1", "::ffff:10.0.0.1", "64:ff9b::1", "2002::", "2001::1"} {
		b := netip.MustParseAddr(a).As16()
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := netip.AddrFromSlice(b)
		if !ok || RefusedFromAfar(a) != "" {
			return
		}
		u := a.Unmap()
		if Refused(a) != "" || Inside(a) || !u.IsGlobalUnicast() || u.IsPrivate() || u.IsLoopback() || u.IsLinkLocalUnicast() || u.IsMulticast() {
			t.Errorf("%s may be asked", a)
		}
	})
}
