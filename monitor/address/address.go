// Package address says which addresses a station asks, and on whose word.
//
// Who owns a station may have it ask any host: a server of one's own is often
// 192.168.x.x. A list that comes from elsewhere may not, or whoever writes it,
// or answers for a name on it, could have stations knock at doors behind
// which only their owners are let (DNS rebinding, server-side request
// forgery). It may name what the internet reaches, and nothing else.
//
// An IPv6 address that carries an IPv4 address for a translator or a tunnel is
// taken for what it carries.
package address

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// kind is what a block of addresses is for.
type kind uint8

const (
	public  kind = iota // hosts that the internet reaches
	inside              // hosts, but of one network, link or machine
	nowhere             // by their definition no host that packets reach, though people do as they like
	nobody              // no host at all
	group               // many hosts at once
)

// blocks are those of IANA's registries of special addresses (RFC 6890) and of
// multicast, but for those that are as good as any other on the internet. The
// first that holds an address counts.
var blocks = []struct {
	prefix netip.Prefix
	kind   kind
	what   string // completes "it is "
}{
	{netip.MustParsePrefix("255.255.255.255/32"), group, "the broadcast address"},
	{netip.MustParsePrefix("0.0.0.0/32"), nobody, "not an address that can be asked"},
	{netip.MustParsePrefix("0.0.0.0/8"), nobody, "in a reserved range (RFC 6890)"},
	{netip.MustParsePrefix("10.0.0.0/8"), inside, "a private address (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), inside, "an address inside of a provider's network (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), inside, "this station itself (loopback)"},
	{netip.MustParsePrefix("169.254.0.0/16"), inside, "an address of one link (RFC 3927)"},
	{netip.MustParsePrefix("172.16.0.0/12"), inside, "a private address (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), nowhere, "in a range for protocols (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), nowhere, "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.88.99.0/24"), nowhere, "in a range given up (RFC 7526)"},
	{netip.MustParsePrefix("192.168.0.0/16"), inside, "a private address (RFC 1918)"},
	{netip.MustParsePrefix("198.18.0.0/15"), nowhere, "an address for benchmarks (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), nowhere, "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), nowhere, "an address for documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), group, "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), nobody, "in a reserved range (RFC 6890)"},

	{netip.MustParsePrefix("::/128"), nobody, "not an address that can be asked"},
	{netip.MustParsePrefix("::1/128"), inside, "this station itself (loopback)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), inside, "an address of a translator inside of a network (RFC 8215)"},
	{netip.MustParsePrefix("2001:db8::/32"), nowhere, "an address for documentation (RFC 3849)"},
	{netip.MustParsePrefix("2001:3::/32"), public, ""},     // AMT, RFC 7450
	{netip.MustParsePrefix("2001:4:112::/48"), public, ""}, // AS112, RFC 7535
	{netip.MustParsePrefix("2001::/23"), nowhere, "in a range for protocols (RFC 2928)"},
	{netip.MustParsePrefix("3fff::/20"), nowhere, "an address for documentation (RFC 9637)"},
	{netip.MustParsePrefix("2000::/3"), public, ""},
	{netip.MustParsePrefix("fc00::/7"), inside, "a private address (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), inside, "an address of one link (RFC 4291)"},
	{netip.MustParsePrefix("fec0::/10"), inside, "an address of one site (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), group, "a multicast address"},
	{netip.MustParsePrefix("::/0"), nowhere, "in a range that nobody was given (RFC 4291)"},
}

// look finds what an address is, or what the one is that it carries.
func look(a netip.Addr) (kind, string) {
	if !a.IsValid() {
		return nobody, "not an address that can be asked"
	}
	a = a.Unmap().WithZone("")
	for _, c := range carried(a) {
		if k, what := look(c); k != public {
			return k, fmt.Sprintf("a way to %s, which is %s", c, what)
		}
	}
	if len(carried(a)) > 0 {
		return public, ""
	}
	for _, b := range blocks {
		if b.prefix.Contains(a) {
			return b.kind, b.what
		}
	}
	return public, ""
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
	teredo    = netip.MustParsePrefix("2001::/32")
)

// carried are the IPv4 addresses in an IPv6 address to which a translator or a
// tunnel sends what is sent there.
func carried(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	b := a.As16()
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte(b[i : i+4])) }
	switch {
	case nat64.Contains(a): // RFC 6052 section 2.1
		return []netip.Addr{at(12)}
	case sixToFour.Contains(a): // RFC 3056 section 2
		return []netip.Addr{at(2)}
	case teredo.Contains(a): // RFC 4380 section 4: a server, and a client with its bits turned over
		var client [4]byte
		binary.BigEndian.PutUint32(client[:], ^binary.BigEndian.Uint32(b[12:]))
		return []netip.Addr{at(4), netip.AddrFrom4(client)}
	}
	return nil
}

// Refused says why nobody is asked at an address, whoever names it; empty when
// somebody may be. Documentation's addresses are not refused: they are useless
// and harmless, and what a person writes who tries things out.
func Refused(a netip.Addr) string {
	k, what := look(a)
	return refused(a, k, what)
}

func refused(a netip.Addr, k kind, what string) string {
	a = a.Unmap()
	switch k {
	case group:
		return fmt.Sprintf("%s is %s: NTP servers are asked one at a time", a, what)
	case nobody:
		return fmt.Sprintf("%s is %s", a, what)
	}
	return ""
}

// RefusedFromAfar says why an address is not asked that a list from elsewhere
// names, or that a name on it leads to; empty when it may be.
func RefusedFromAfar(a netip.Addr) string {
	k, what := look(a)
	switch k {
	case public:
		return ""
	case nowhere:
		return fmt.Sprintf("%s is %s: no server of the internet is there", a.Unmap(), what)
	case inside:
		return fmt.Sprintf("%s is %s, and a list from elsewhere must not lead a station there; if the server is yours, write it into truechimer.toml", a.Unmap(), what)
	}
	return refused(a, k, what)
}

// Inside says that an address is one of a host inside of a network, link or
// machine, which others on the internet do not reach by it.
func Inside(a netip.Addr) bool {
	k, _ := look(a)
	return k == inside
}
