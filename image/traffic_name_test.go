package main

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// What the station is told apart by on its link: the groups of multicast DNS.
var (
	nameGroup4 = netip.MustParseAddr("224.0.0.251")
	nameGroup6 = netip.MustParseAddr("ff02::fb")
)

// checkName insists that the guest told its name, its address of QEMU's network and
// its pages' ports on the link, over both families.
func checkName(t *testing.T, frames [][]byte) {
	t.Helper()
	groups := map[netip.Addr]int{}
	var hosts []string
	ports := map[string]uint16{}
	for _, f := range frames {
		dst, ok := destination(f)
		b := payload(f)
		if !ok || dst != nameGroup4 && dst != nameGroup6 || b == nil {
			continue
		}
		var m dnsmessage.Message
		if err := m.Unpack(b); err != nil {
			t.Errorf("to %s: %v", dst, err)
			continue
		}
		if !m.Response {
			continue
		}
		groups[dst]++
		for _, r := range m.Answers {
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				if netip.AddrFrom4(body.A) == netip.MustParseAddr("10.0.2.15") {
					hosts = append(hosts, r.Header.Name.String())
				}
			case *dnsmessage.SRVResource:
				_, kind, _ := strings.Cut(r.Header.Name.String(), ".")
				ports[kind] = body.Port
			}
		}
	}
	if groups[nameGroup4] == 0 || groups[nameGroup6] == 0 {
		t.Errorf("the station told its name %v times", groups)
	}
	slices.Sort(hosts)
	if hosts = slices.Compact(hosts); len(hosts) != 1 || !strings.HasPrefix(hosts[0], "truechimer-") || !strings.HasSuffix(hosts[0], ".local.") {
		t.Errorf("who has told 10.0.2.15: %q", hosts)
	}
	for kind, port := range map[string]uint16{"_http._tcp.local.": 80, "_https._tcp.local.": 443, "_truechimer._tcp.local.": 80} {
		if ports[kind] != port {
			t.Errorf("%s: port %d, want %d", kind, ports[kind], port)
		}
	}
}

// payload is that of an Ethernet frame's UDP packet; nil for what is none, or is in
// pieces.
func payload(f []byte) []byte {
	const link, udp = 14, 8
	if len(f) < link {
		return nil
	}
	p := f[link:]
	switch binary.BigEndian.Uint16(f[12:]) {
	case 0x0800:
		if head := int(p[0]&15) * 4; len(p) >= head+udp && p[9] == 17 {
			return p[head+udp : min(len(p), int(binary.BigEndian.Uint16(p[2:])))]
		}
	case 0x86dd:
		if len(p) >= 40+udp && p[6] == 17 {
			return p[40+udp:]
		}
	}
	return nil
}
