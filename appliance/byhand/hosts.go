package byhand

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/monitor"
)

// maxHosts is how many hosts one run asks at the most.
const maxHosts = 100

// maxHost is the longest name of a host, RFC 1035, in characters.
const maxHost = 253

// Host is whom a person wants asked: an address, or a name to look up.
type Host struct {
	Name string     // as written, without the port
	Addr netip.Addr // not valid for a name
	Port uint16
}

// ParseHosts reads HOST, HOST:PORT, and IPv6 addresses with or without brackets
// and zone.
func ParseHosts(words []string) ([]Host, error) {
	switch {
	case len(words) == 0:
		return nil, fmt.Errorf("which server? Write for one: probe ntp.example.org, or probe 192.0.2.1:123 [2001:db8::1]:123")
	case len(words) > maxHosts:
		return nil, fmt.Errorf("%d hosts: ask %d at a time at the most", len(words), maxHosts)
	}
	var list []Host
	for _, w := range words {
		h, err := parseHost(w)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list, nil
}

func parseHost(s string) (Host, error) {
	host, port, hasPort := s, "", false
	inBrackets := strings.HasPrefix(s, "[")
	addr, err := netip.ParseAddr(s)
	switch {
	case inBrackets:
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return Host{}, fmt.Errorf("%.80q: the closing bracket is missing, write [2001:db8::1]:123", s)
		}
		host = s[1:end]
		port, hasPort = strings.CutPrefix(s[end+1:], ":")
		if !hasPort && port != "" {
			return Host{}, fmt.Errorf("%.80q: only a colon and a port may follow the bracket, write [2001:db8::1]:123", s)
		}
		if addr, err = netip.ParseAddr(host); err != nil || !addr.Is6() {
			return Host{}, fmt.Errorf("%.80q: what is in brackets is no IPv6 address", s)
		}
	case err == nil:
	case strings.Count(s, ":") > 1:
		return Host{}, fmt.Errorf("%.80q is neither an address nor a name; an IPv6 address with a port is written [2001:db8::1]:123", s)
	default:
		host, port, hasPort = strings.Cut(s, ":")
		addr, _ = netip.ParseAddr(host)
	}
	h := Host{Name: host, Addr: addr.Unmap(), Port: monitor.DefaultPort}
	if hasPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Host{}, fmt.Errorf("%.80q: a port is a number from 1 to 65535", s)
		}
		h.Port = uint16(n)
	}
	if h.Addr.IsValid() {
		return h, nil
	}
	if why := badName(host); why != "" {
		return Host{}, fmt.Errorf("%.80q is no name of a host: %s", s, why)
	}
	return h, nil
}

// badName says why nothing can be called that; empty if something may. What
// exists is the resolver's to say.
func badName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxHost:
		return fmt.Sprintf("it has %d characters, %d is the most", len(name), maxHost)
	case strings.HasPrefix(name, "-"):
		return "a name does not begin with a dash"
	}
	for _, c := range name {
		if c <= ' ' || c == 0x7f || strings.ContainsRune(`/\@?#%[]"'<>`, c) {
			return fmt.Sprintf("it has %q in it; write the bare name, without ntp:// or the like", c)
		}
	}
	return ""
}
