package network

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A router that is not there is noticed, and one that is.
func TestRouterSilent(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("network namespaces need root, and CI is to test them")
		}
		t.Skip("network namespaces need root; run as root to test them")
	}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		failed <- routerSilent(t)
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

func routerSilent(t *testing.T) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	m := New(Options{})
	if m.RouterSilent() {
		t.Error("without a lease")
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "far"}); err != nil {
		return err
	}
	for _, name := range []string{"eth0", "far"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	own, err := netlink.ParseAddr("192.0.2.10/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, own); err != nil {
		return err
	}
	router := netip.MustParseAddr("192.0.2.1")
	m.state = State{Link: "eth0", Lease: &Lease{Address: netip.MustParsePrefix("192.0.2.10/24"), Router: router}}
	if m.RouterSilent() {
		t.Error("before anybody has asked for it")
	}
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return err
	}
	defer c.Close()
	for until := time.Now().Add(patience); !m.RouterSilent(); {
		if time.Now().After(until) {
			t.Error("a router that is not there was not noticed")
			return nil
		}
		_, _ = c.Write([]byte{1}) // an error is the kernel's word of the same
		time.Sleep(10 * time.Millisecond)
	}
	err = netlink.NeighSet(&netlink.Neigh{
		LinkIndex: link.Attrs().Index, IP: router.AsSlice(), State: unix.NUD_REACHABLE, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1},
	})
	if err == nil && m.RouterSilent() {
		t.Error("silent although it is reachable")
	}
	return err
}
