package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/appliance/network/mdns"
)

// TestPrivateInNamespace: a station whose configuration names nobody says nothing to
// a network but what it needs to be in it, and its name (docs/privacy.md).
func TestPrivateInNamespace(t *testing.T) { inOwnNamespace(t, private) }

func private(t *testing.T) {
	w := build(t)
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	own := eth.Attrs().HardwareAddr
	var all *packet.Conn
	w.far(func() (err error) {
		far, err := net.InterfaceByName("far")
		if err == nil {
			all, err = packet.Listen(far, packet.Raw, unix.ETH_P_ALL, nil)
		}
		return err
	})
	defer all.Close()

	ctx, cancel := context.WithCancel(t.Context())
	names := mdns.New(mdns.Options{Host: "attic", Services: []mdns.Service{{Type: "_http._tcp", Port: 80}}})
	ended := make(chan error, 1)
	r := start(t, Options{Hostname: "attic"})
	s := r.until("addresses of both families", func(s State) bool {
		w.advertise("2001:db8:1::53", 255)
		return has(s, "192.0.2.10/24") && slices.ContainsFunc(ofKernel(t), func(p netip.Prefix) bool { return p.Addr().Is6() && p.Addr().IsGlobalUnicast() })
	})
	names.SetLink(mdns.Link{Name: s.Link, Addresses: s.Addresses})
	go func() { ended <- names.Run(ctx) }()

	said := map[string]int{}
	buf := make([]byte, 2048)
	listen := func() {
		all.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			n, _, err := all.ReadFrom(buf)
			if err != nil {
				return
			}
			if f := buf[:n]; n >= 14 && bytes.Equal(f[6:12], own) {
				said[spoken(f)]++
			}
		}
	}
	for begun := time.Now(); said["DHCP"] == 0 || said["multicast DNS"] < 4 || time.Since(begun) < 3*time.Second; {
		if time.Since(begun) > patience {
			t.Fatalf("too little was said: %v", said)
		}
		listen()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.stop()
	listen()
	for _, what := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains([]string{"ARP", "ICMPv6", "IGMP", "DHCP", "DHCPv6", "multicast DNS"}, what) {
			t.Errorf("the station says %s", what)
		}
	}
	t.Logf("frames: %v", said)
}

// spoken is what an Ethernet frame is, as docs/privacy.md calls it.
func spoken(f []byte) string {
	kind, p := binary.BigEndian.Uint16(f[12:]), f[14:]
	protocol, port := byte(0), uint16(0)
	switch {
	case kind == unix.ETH_P_ARP:
		return "ARP"
	case kind == unix.ETH_P_IP && len(p) >= 24 && len(p) >= int(p[0]&15)*4+4:
		protocol, port = p[9], binary.BigEndian.Uint16(p[int(p[0]&15)*4+2:])
	case kind == unix.ETH_P_IPV6 && len(p) >= 44:
		protocol, port = p[6], binary.BigEndian.Uint16(p[42:])
		if protocol == unix.IPPROTO_HOPOPTS { // before MLD's messages
			protocol = p[40]
		}
	}
	switch {
	case protocol == unix.IPPROTO_ICMPV6:
		return "ICMPv6"
	case protocol == unix.IPPROTO_IGMP:
		return "IGMP"
	case protocol == unix.IPPROTO_UDP && port == 67:
		return "DHCP"
	case protocol == unix.IPPROTO_UDP && port == 547:
		return "DHCPv6"
	case protocol == unix.IPPROTO_UDP && port == 5353:
		return "multicast DNS"
	}
	return fmt.Sprintf("something else: EtherType %04x, protocol %d, port %d", kind, protocol, port)
}
