package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/truechimer/truechimer/appliance/config"
)

// maxResolvers is how many resolvers are written.
const maxResolvers = config.MaxResolvers

// resolvers chooses whom to ask: both families take part where both are
// given, so that names resolve while one family is down.
func resolvers(v4, v6 []netip.Addr) []netip.Addr {
	var list []netip.Addr
	for i := 0; len(list) < maxResolvers && (i < len(v4) || i < len(v6)); i++ {
		if i < len(v4) {
			list = append(list, v4[i])
		}
		if i < len(v6) && len(list) < maxResolvers {
			list = append(list, v6[i])
		}
	}
	return list
}

// usableResolver says whether a resolver that the network named may be asked:
// not this station itself, not a group.
func usableResolver(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func renderResolvConf(dns []netip.Addr) []byte {
	var b strings.Builder
	b.WriteString("# written by truechimer from DHCP and router advertisements\n")
	for _, a := range dns {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	return []byte(b.String())
}

// writeFile replaces path, or the symbolic link at path, in one step.
func writeFile(path string, content []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// hostname leaves of s what RFC 1123 section 2.1 allows in a label.
func hostname(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ', r == '_', r == '.':
			return '-'
		}
		return -1
	}, s)
	return strings.Trim(s[:min(len(s), 63)], "-")
}
