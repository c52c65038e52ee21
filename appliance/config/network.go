package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// MaxResolvers is how many resolvers Go's resolver and the C library's read.
const MaxResolvers = 3

// Network is what a person says of the wired network or the Wi-Fi. Its zero value
// asks the network for everything.
type Network struct {
	// Addresses are fixed ones, at most one for each family. A family without
	// one asks the network for it.
	Addresses []netip.Prefix
	// Gateways are the routers of fixed addresses, at most one for each family.
	Gateways []netip.Addr
	DNS      []netip.Addr // resolvers, at most MaxResolvers; nil: those that the network names
	VLAN     int          // tag of IEEE 802.1Q, 1 to 4094; 0: none
	MDNSOff  bool         // the station does not tell its name on the link
}

// Fixed are the fixed address and its router of one family: IPv4 if four, else
// IPv6. Neither is valid where there is none.
func (n Network) Fixed(four bool) (address netip.Prefix, gateway netip.Addr) {
	for _, p := range n.Addresses {
		if p.Addr().Is4() == four {
			address = p
		}
	}
	for _, g := range n.Gateways {
		if g.Is4() == four {
			gateway = g
		}
	}
	return address, gateway
}

// Check says whether n could stand in [network]. Its error is for people.
func (n Network) Check() error {
	for i, p := range n.Addresses {
		if err := checkOwn(p).err(); err != nil {
			return err
		}
		if slices.ContainsFunc(n.Addresses[:i], func(o netip.Prefix) bool { return sameFamily(o.Addr(), p.Addr()) }) {
			return twoOf("addresses", p.Addr()).err()
		}
	}
	for i, g := range n.Gateways {
		if err := checkGateway(g, n).err(); err != nil {
			return err
		}
		if slices.ContainsFunc(n.Gateways[:i], func(o netip.Addr) bool { return sameFamily(o, g) }) {
			return twoOf("gateways", g).err()
		}
	}
	for _, a := range n.DNS {
		if err := checkResolver(a).err(); err != nil {
			return err
		}
	}
	if len(n.DNS) > MaxResolvers {
		return tooMany("resolvers", len(n.DNS), MaxResolvers).err()
	}
	if n.VLAN != 0 {
		return checkVLAN(int64(n.VLAN)).err()
	}
	return nil
}

const (
	exampleOwn      = "192.0.2.7/24"
	exampleGateway  = "192.0.2.1"
	exampleResolver = "192.0.2.53"
)

// networkInstead is what to write for what other systems call these keys.
var networkInstead = map[string]string{
	"ip": `write address = "` + exampleOwn + `"`, "ipv4": `write address = "` + exampleOwn + `"`, "ipv6": `write address = "2001:db8::7/64"`,
	"netmask": `write it behind the address, such as "` + exampleOwn + `"`, "router": "write gateway",
	"nameserver": "write dns", "resolver": "write dns", "resolvers": "write dns",
}

// network reads the block [network].
func (r *reader) network(t map[string]any) Network {
	const path = "network"
	var n Network
	r.known(path, "in [network]", t, "address", "gateway", "dns", "vlan", "mdns")
	before := len(r.faults)
	for _, v := range r.texts(t, path, "address", exampleOwn, 2) {
		p, w := readOwn(v.text)
		if w == (wrong{}) && slices.ContainsFunc(n.Addresses, func(o netip.Prefix) bool { return sameFamily(o.Addr(), p.Addr()) }) {
			w = twoOf("addresses", p.Addr())
		}
		r.atValue(v.path, w)
		if w == (wrong{}) {
			n.Addresses = append(n.Addresses, p)
		}
	}
	sound := len(r.faults) == before // what is wrong with an address is not told twice
	for _, v := range r.texts(t, path, "gateway", exampleGateway, 2) {
		g, w := readPlain("gateway", v.text, exampleGateway)
		if w == (wrong{}) && slices.ContainsFunc(n.Gateways, func(o netip.Addr) bool { return sameFamily(o, g) }) {
			w = twoOf("gateways", g)
		}
		if w == (wrong{}) && sound {
			w = checkGateway(g, n)
		}
		r.atValue(v.path, w)
		if w == (wrong{}) {
			n.Gateways = append(n.Gateways, g)
		}
	}
	for _, v := range r.texts(t, path, "dns", exampleResolver, MaxResolvers) {
		a, w := readPlain("dns", v.text, exampleResolver)
		if w == (wrong{}) {
			w = checkResolver(a)
		}
		r.atValue(v.path, w)
		n.DNS = append(n.DNS, a)
	}
	switch v := t["vlan"].(type) {
	case nil:
	case int64:
		r.atValue("network.vlan", checkVLAN(v))
		n.VLAN = int(v)
	default:
		r.atValue("network.vlan", wrong{"vlan is " + kind(v), "write a whole number without quotation marks: vlan = 12"})
	}
	if _, given := t["mdns"]; given {
		n.MDNSOff = !r.flag(t, path, "mdns")
	}
	return n
}

// placed is a text and the path of its place.
type placed struct{ path, text string }

// texts gets one text, or a list of at most most, and reports values of another
// kind. such is one to write.
func (r *reader) texts(t map[string]any, path, key, such string, most int) []placed {
	path = join(path, key)
	switch v := t[key].(type) {
	case nil:
	case string:
		return []placed{{path, v}}
	case []any:
		if len(v) > most {
			r.atValue(index(path, most), tooMany("values for "+key, len(v), most))
			return nil
		}
		var list []placed
		for i, one := range v {
			if s, ok := one.(string); ok {
				list = append(list, placed{index(path, i), s})
				continue
			}
			r.atValue(index(path, i), wrong{"this " + key + " is " + kind(one), "write text in quotation marks, such as " + quoted(such)})
		}
		return list
	default:
		r.atValue(path, wrong{key + " is " + kind(v), fmt.Sprintf("write text in quotation marks, such as %s = %s", key, quoted(such))})
	}
	return nil
}

// readOwn reads a fixed address with the length of its net's prefix.
func readOwn(s string) (netip.Prefix, wrong) {
	bad := wrong{"address " + quoted(s) + " is no address with the size of its net", "write one such as " + quoted(exampleOwn) + ` or "2001:db8::7/64"`}
	head, tail, whole := strings.Cut(s, "/")
	a, err := netip.ParseAddr(head)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, bad
	}
	if !whole {
		return netip.Prefix{}, wrong{"address " + quoted(s) + " does not say how large its net is", "write " + quoted(a.String()+"/"+strconv.Itoa(usualBits(a))) + ", or what the network's router says"}
	}
	if m, err := netip.ParseAddr(tail); err == nil && m.Is4() && a.Is4() {
		if bits, ok := maskBits(m); ok {
			return netip.Prefix{}, wrong{"address " + quoted(s) + " has a mask behind the slash", "write " + quoted(a.String()+"/"+strconv.Itoa(bits))}
		}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, bad
	}
	return p, checkOwn(p)
}

// maskBits is how many ones a mask begins with, if it has no others.
func maskBits(m netip.Addr) (int, bool) {
	b := m.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for ; n < 32 && v&(1<<31) != 0; n++ {
		v <<= 1
	}
	return n, v == 0
}

func usualBits(a netip.Addr) int {
	if a.Is4() {
		return 24
	}
	return 64
}

func checkOwn(p netip.Prefix) wrong {
	a := p.Addr()
	const instead = "write an address of this network that no other device has and that DHCP does not give away"
	switch {
	case !p.IsValid() || a.Is4In6():
		return wrong{"the address is none", "write one such as " + quoted(exampleOwn)}
	case a.Is4() && p.Bits() < 8 || a.Is6() && p.Bits() < 16:
		return wrong{fmt.Sprintf("address %s is said to lie in a net larger than any", quoted(p.String())), "write " + quoted(fmt.Sprintf("%s/%d", a, usualBits(a))) + ", or what the network's router says"}
	case a.IsLinkLocalUnicast():
		return wrong{"address " + quoted(p.String()) + " is one that the station makes itself", instead}
	case !a.IsGlobalUnicast() || a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		return wrong{"address " + quoted(p.String()) + " belongs to no host", instead}
	case a.Is4() && p.Bits() < 31 && a == p.Masked().Addr():
		return wrong{"address " + quoted(p.String()) + " stands for the whole net", instead}
	case a.Is4() && p.Bits() < 31 && a == lastOf(p):
		return wrong{"address " + quoted(p.String()) + " is the broadcast address of its net", instead}
	case a.Is6() && p.Bits() < 127 && a == p.Masked().Addr(): // RFC 4291 section 2.6.1
		return wrong{"address " + quoted(p.String()) + " stands for every router of its net", instead}
	}
	return wrong{}
}

// lastOf is the last address of an IPv4 net.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// readPlain reads an address without anything behind it.
func readPlain(key, s, such string) (netip.Addr, wrong) {
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && a.Zone() != "":
		return netip.Addr{}, wrong{key + " " + quoted(s) + " names a link, and the station has one", "write " + quoted(a.WithZone("").String())}
	case err != nil || a.Is4In6():
		return netip.Addr{}, wrong{key + " " + quoted(s) + " is no address", "write one such as " + quoted(such) + ", in numbers and without a slash"}
	}
	return a, wrong{}
}

func checkGateway(g netip.Addr, n Network) wrong {
	own, _ := n.Fixed(g.Is4())
	switch {
	case !g.IsValid() || g.Is4In6() || g.Zone() != "":
		return wrong{"the gateway is no address", "write one such as " + quoted(exampleGateway)}
	case !own.IsValid():
		return wrong{fmt.Sprintf("gateway %s has no fixed %s address to go with", quoted(g.String()), family(g)), "write address = ... too, or take the gateway away: without a fixed address the network names it"}
	case g == own.Addr():
		return wrong{"gateway " + quoted(g.String()) + " is the station's own address", "write the address of the network's router"}
	case g.Is6() && g.IsLinkLocalUnicast():
		return wrong{}
	case !g.IsGlobalUnicast() || g.IsLinkLocalUnicast():
		return wrong{"gateway " + quoted(g.String()) + " belongs to no router", "write the address of the network's router"}
	case !own.Contains(g) && !own.IsSingleIP():
		return wrong{fmt.Sprintf("gateway %s lies outside of %s", quoted(g.String()), quoted(own.Masked().String())), "write the router's address inside of it, or correct address"}
	case g.Is4() && own.Bits() < 31 && (g == own.Masked().Addr() || g == lastOf(own)):
		return wrong{"gateway " + quoted(g.String()) + " belongs to no router", "write the address of the network's router"}
	}
	return wrong{}
}

func checkResolver(a netip.Addr) wrong {
	if !a.IsValid() || a.Is4In6() || a.Zone() != "" || !a.IsGlobalUnicast() && !a.IsLinkLocalUnicast() || a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240) {
		return wrong{"dns " + quoted(a.String()) + " belongs to no resolver", "write the address of the network's resolver, mostly its router's"}
	}
	return wrong{}
}

func checkVLAN(n int64) wrong {
	if n >= 1 && n <= 4094 {
		return wrong{}
	}
	return wrong{fmt.Sprintf("vlan %d is out of bounds", n), "write 1 to 4094, or take the line away for none"}
}

func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

func twoOf(what string, a netip.Addr) wrong {
	return wrong{fmt.Sprintf("there are two %s of %s", what, family(a)), "leave one of them"}
}

func tooMany(what string, n, most int) wrong {
	return wrong{fmt.Sprintf("there are %d %s", n, what), fmt.Sprintf("write %d at the most", most)}
}
