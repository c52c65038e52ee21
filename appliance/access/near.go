package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A network that is larger says nothing of who is near: all of a carrier's
// customers may be in it.
const (
	shortest4 = 8
	shortest6 = 48
)

// near says whether a visitor is on one of the station's own links: in the prefix
// of one of its addresses, and not behind a proxy there.
func (a *Access) near(r *http.Request) bool {
	if fromHost(r) {
		return true
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range a.prefixes() {
		shortest := shortest6
		if p.Addr().Is4() {
			shortest = shortest4
		}
		if p.Bits() >= shortest && p.Contains(remote.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// byOwnName says whether a visitor asked for the station by an address or a name of
// its own. By another name the page could be somebody else's whose name leads here
// (DNS rebinding), shown in the browser of somebody who is near.
func (a *Access) byOwnName(r *http.Request) bool {
	host := hostname(r.Host)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	own := a.options.Host
	return own != "" && (strings.EqualFold(host, own) || strings.EqualFold(host, own+".local"))
}

// hostname is a Host header's name or address, without its port.
func hostname(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	return strings.TrimSuffix(strings.Trim(s, "[]"), ".")
}

// prefixes are those of this machine's addresses.
func (a *Access) prefixes() (list []netip.Prefix) {
	addrs, err := a.options.Interfaces()
	if err != nil {
		a.options.Tell("addresses", fmt.Sprintf("The station's own addresses cannot be read (%v): it can be claimed with the claim code alone.", err))
		return nil
	}
	a.options.Tell("addresses", "")
	for _, addr := range addrs {
		p, err := netip.ParsePrefix(addr.String())
		if err != nil {
			continue
		}
		if ip := p.Addr(); ip.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
		}
		list = append(list, p)
	}
	return list
}
