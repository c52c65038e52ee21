package network

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/mdlayher/ndp"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const inNamespace = "TRUECHIMER_TEST_NAMESPACE"

// patience is how long the kernel and two cores may take for one step.
const patience = 20 * time.Second

// TestStationInNamespace runs the test binary once more in a network namespace
// of its own, where it may do as it likes.
func TestStationInNamespace(t *testing.T) { inOwnNamespace(t, station) }

// world is the other end of the cable: a namespace with a DHCP server and a
// router.
type world struct {
	t    *testing.T
	link netlink.Link // the far end
	h    *netlink.Handle
	ra   *ndp.Conn
	ns   *os.File

	asked    atomic.Int32 // messages to the server
	subnet   atomic.Int32 // third byte of what is granted; 0: 2
	mode     atomic.Int32
	acquired atomic.Int32 // requests by broadcast without an address
	renewed  atomic.Int32 // requests by unicast
	rebound  atomic.Int32 // requests by broadcast with an address
	hostname atomic.Value
}

// How the server behaves.
const (
	helpful = iota
	deafToUnicast
	silent
	refusing
)

// build makes the cable and the far end's sockets. A thread is moved into a
// new namespace for it and never used again; sockets stay where they were made.
func build(t *testing.T) *world {
	w := &world{t: t}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "far"}); err != nil {
		t.Fatal(err)
	}
	var server *server4.Server
	var err error
	var wg sync.WaitGroup
	made := make(chan struct{})
	wg.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(made)
		server, err = w.farEnd()
	})
	<-made
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { _ = server.Serve() })
	t.Cleanup(func() {
		server.Close()
		wg.Wait()
		w.ra.Close()
		w.h.Close()
		w.ns.Close()
	})
	return w
}

func (w *world) farEnd() (*server4.Server, error) {
	far, err := netlink.LinkByName("far")
	if err != nil {
		return nil, err
	}
	home, err := netlink.NewHandle() // in the station's namespace
	if err != nil {
		return nil, err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	self, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	w.ns = self
	if err := home.LinkSetNsFd(far, int(self.Fd())); err != nil {
		return nil, err
	}
	if w.h, err = netlink.NewHandle(); err != nil {
		return nil, err
	}
	// No duplicate detection: its second would be waited for.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/far/accept_dad", []byte("0"), 0o644); err != nil {
		return nil, err
	}
	if w.link, err = w.h.LinkByName("far"); err != nil {
		return nil, err
	}
	if err := w.h.LinkSetUp(w.link); err != nil {
		return nil, err
	}
	for _, a := range []string{"192.0.2.1/24", "fe80::1/64"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return nil, err
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := w.h.AddrAdd(w.link, addr); err != nil {
			return nil, err
		}
	}
	ifi, err := net.InterfaceByName("far")
	if err != nil {
		return nil, err
	}
	if w.ra, _, err = ndp.Listen(ifi, ndp.Addr("fe80::1")); err != nil {
		return nil, err
	}
	return server4.NewServer("far", nil, w.serve)
}

func (w *world) serve(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
	w.asked.Add(1)
	net3 := byte(cmp.Or(w.subnet.Load(), 2))
	mode := w.mode.Load()
	unicast := !peer.(*net.UDPAddr).IP.Equal(net.IPv4bcast)
	kind := dhcpv4.MessageTypeOffer
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
		w.hostname.Store(m.HostName())
		switch {
		case unicast:
			w.renewed.Add(1)
		case !m.ClientIPAddr.IsUnspecified():
			w.rebound.Add(1)
		default:
			w.acquired.Add(1)
		}
		if !m.ClientIPAddr.IsUnspecified() && (mode == refusing || m.ClientIPAddr.To4()[2] != net3) {
			kind = dhcpv4.MessageTypeNak
		}
	}
	if mode == silent || mode == deafToUnicast && unicast {
		return
	}
	reply, err := dhcpv4.NewReplyFromRequest(m,
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithYourIP(net.IPv4(192, 0, net3, 10)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, net3, 1))),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(net.IPv4(192, 0, net3, 1)),
		dhcpv4.WithDNS(net.IPv4(192, 0, net3, 53)),
		dhcpv4.WithLeaseTime(4),
		dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(time.Second)),
		dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(2*time.Second)),
	)
	if err != nil {
		w.t.Error(err)
		return
	}
	_, _ = conn.WriteTo(reply.ToBytes(), peer)
}

// advertise sends one router advertisement with the given hop limit.
func (w *world) advertise(dns string, hops int) {
	err := w.ra.WriteTo(&ndp.RouterAdvertisement{
		RouterLifetime: 30 * time.Minute,
		Options: []ndp.Option{
			&ndp.PrefixInformation{
				PrefixLength: 64, OnLink: true, AutonomousAddressConfiguration: true,
				ValidLifetime: time.Hour, PreferredLifetime: time.Hour, Prefix: netip.MustParseAddr("2001:db8:1::"),
			},
			&ndp.RecursiveDNSServer{Lifetime: time.Hour, Servers: addrs(dns)},
		},
	}, w.control(hops), netip.MustParseAddr("ff02::1"))
	if err != nil {
		w.t.Error(err)
	}
}

func station(t *testing.T) {
	w := build(t)
	if err := SetOwnAddress("a board without an address of its own"); err != nil {
		t.Fatal(err)
	}
	own := func() bool {
		links, err := netlink.LinkList()
		return err == nil && slices.ContainsFunc(links, func(l netlink.Link) bool {
			return l.Attrs().HardwareAddr.String() == OwnAddress("a board without an address of its own").String()
		})
	}
	if !own() {
		t.Error("no link has the station's own address")
	}
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	changes := make(chan State, 1)
	m := New(Options{
		ResolvConf: resolv, Hostname: "My Attic",
		Wifi: &config.Wifi{SSID: "attic"}, // there is no radio in this namespace
		Log:  slog.New(slog.NewTextHandler(t.Output(), nil)),
		OnChange: func(s State) {
			select { // the newest is enough
			case <-changes:
			default:
			}
			changes <- s
		},
		times: &times{
			reply: 300 * time.Millisecond, tries: 2,
			retry: 100 * time.Millisecond, retryMost: 300 * time.Millisecond,
			renewEvery: 200 * time.Millisecond, leaseLeast: time.Second,
			look: time.Second, jitter: func() float64 { return 0.5 },
			radio: time.Second, scan: time.Second, join: time.Second, carrier: time.Second, leave: time.Second,
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	until := func(what string, ok func(State) bool) {
		t.Helper()
		limit := time.After(patience)
		for {
			s := m.State()
			if ok(s) {
				t.Logf("%s: %+v", what, s)
				return
			}
			select {
			case <-changes:
			case <-time.After(50 * time.Millisecond): // counters change without a state
			case <-limit:
				t.Fatalf("%s: still %+v", what, s)
			}
		}
	}
	four := netip.MustParsePrefix("192.0.2.10/24")
	leased := func(s State) bool { return s.Lease != nil && slices.Contains(s.Addresses, four) }

	until("the lease", leased)
	l := m.State().Lease
	if l.Address != four || l.Router != netip.MustParseAddr("192.0.2.1") || l.End.Sub(l.Start) != 4*time.Second || m.State().Link != "eth0" || m.State().Reason != "" {
		t.Errorf("state %+v, lease %+v", m.State(), l)
	}
	if got := w.hostname.Load(); got != "my-attic" {
		t.Errorf("the server heard the name %v", got)
	}
	if got := defaultRoutes(t); !slices.Equal(got, []string{"192.0.2.1"}) {
		t.Errorf("default routes %v", got)
	}
	if b, err := os.ReadFile(resolv); err != nil || !strings.HasSuffix(string(b), "tisements\nnameserver 192.0.2.53\n") {
		t.Errorf("resolv.conf %q, %v", b, err)
	}
	if lo, err := netlink.LinkByName("lo"); err != nil || lo.Attrs().RawFlags&unix.IFF_UP == 0 {
		t.Errorf("loopback %v, %v", lo, err)
	}

	w.advertise("2001:db8:1::66", 64) // as from beyond the link: not to be believed
	w.advertise("2001:db8:1::53", 255)
	until("IPv6", func(s State) bool {
		// Advertised again: the socket may not have been open the first time.
		if !slices.Contains(s.DNS, netip.MustParseAddr("2001:db8:1::53")) {
			w.advertise("2001:db8:1::66", 64)
			w.advertise("2001:db8:1::53", 255)
			return false
		}
		return slices.ContainsFunc(s.Addresses, netip.MustParsePrefix("2001:db8:1::/64").Overlaps)
	})
	if b, err := os.ReadFile(resolv); err != nil || !strings.HasSuffix(string(b), "tisements\nnameserver 192.0.2.53\nnameserver 2001:db8:1::53\n") {
		t.Errorf("resolv.conf %q, %v", b, err)
	}

	first := m.State().Lease.Start
	until("renewal", func(s State) bool { return w.renewed.Load() >= 2 && s.Lease != nil && s.Lease.Start.After(first) })
	w.mode.Store(deafToUnicast)
	before := w.rebound.Load()
	until("rebinding", func(s State) bool { return w.rebound.Load() >= before+2 && s.Lease != nil })
	if n := w.acquired.Load(); n != 1 {
		t.Errorf("%d leases were acquired, want the first to last", n)
	}
	w.mode.Store(silent)
	until("the end of the lease", func(s State) bool {
		return s.Lease == nil && !slices.Contains(s.Addresses, four) && strings.Contains(s.Reason, "no DHCP server")
	})
	if got := defaultRoutes(t); len(got) != 0 {
		t.Errorf("without a lease the routes %v are left", got)
	}
	w.mode.Store(helpful)
	until("a new lease", leased)

	before = w.acquired.Load()
	w.mode.Store(refusing)
	until("a refused renewal", func(s State) bool { return w.acquired.Load() > before && leased(s) })
	w.mode.Store(helpful)

	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	until("no carrier", func(s State) bool {
		return s.Link == "" && s.Lease == nil && len(s.DNS) == 0 && strings.Contains(s.Reason, "carrier")
	})
	if b, err := os.ReadFile(resolv); err != nil || strings.Contains(string(b), "nameserver") {
		t.Errorf("resolv.conf %q, %v", b, err)
	}
	if err := w.h.LinkSetUp(w.link); err != nil {
		t.Fatal(err)
	}
	until("the carrier again", leased)

	if err := w.h.LinkDel(w.link); err != nil { // as if the USB adapter were pulled out
		t.Fatal(err)
	}
	until("no link", func(s State) bool {
		return s.Link == "" && strings.Contains(s.Reason, "Wi-Fi") && strings.Contains(s.Reason, "no Ethernet link")
	})

	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("Run does not end")
	}
}

func defaultRoutes(t *testing.T) []string {
	t.Helper()
	list, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	var gateways []string
	for _, r := range list {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			gateways = append(gateways, r.Gw.String())
		}
	}
	return gateways
}

func (w *world) control(hops int) *ipv6.ControlMessage {
	return &ipv6.ControlMessage{HopLimit: hops, Src: net.ParseIP("fe80::1"), IfIndex: w.link.Attrs().Index}
}
