package network

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inOwnNamespace runs the test that calls it once more in a network namespace of
// its own, beside the others.
func inOwnNamespace(t *testing.T, f func(t *testing.T)) {
	if os.Getenv(inNamespace) == t.Name() {
		f(t)
		return
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("network namespaces need root, and CI is to test them")
		}
		t.Skip("network namespaces need root; run as root to test them")
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), inNamespace+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// far runs f where the other end of the cable is.
func (w *world) far(f func() error) {
	w.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Setns(int(w.ns.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

// farAddress gives the other end an address, or takes it away.
func (w *world) farAddress(give bool, a string) {
	w.t.Helper()
	addr, err := netlink.ParseAddr(a)
	if err != nil {
		w.t.Fatal(err)
	}
	addr.Flags = unix.IFA_F_NODAD
	if give {
		err = w.h.AddrAdd(w.link, addr)
	} else {
		err = w.h.AddrDel(w.link, addr)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// running is a Manager at work.
type running struct {
	t      *testing.T
	m      *Manager
	resolv string
	news   chan struct{}
	stop   func()
}

// quick are times of a test in a namespace.
func quick() *times {
	return &times{
		reply: 300 * time.Millisecond, tries: 2,
		retry: 100 * time.Millisecond, retryMost: 300 * time.Millisecond,
		renewEvery: 200 * time.Millisecond, leaseLeast: time.Second,
		look: time.Second, jitter: func() float64 { return 0.5 },
		direct: 500 * time.Millisecond,
		claim: claimTimes{
			probes: 3, least: 20 * time.Millisecond, most: 40 * time.Millisecond, quiet: 50 * time.Millisecond,
			announcements: 2, between: 50 * time.Millisecond, defend: 10 * time.Second, conflicts: 10, slow: time.Second,
		},
		radio: time.Second, scan: time.Second, join: time.Second, carrier: time.Second, leave: time.Second,
	}
}

// start runs a Manager until the test's end.
func start(t *testing.T, o Options) *running {
	// The kernel's duplicate detection (RFC 4862 section 5.4) takes a second otherwise.
	if err := os.WriteFile("/proc/sys/net/ipv6/neigh/eth0/retrans_time_ms", []byte("100"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, news: make(chan struct{}, 1), resolv: filepath.Join(t.TempDir(), "resolv.conf")}
	o.ResolvConf = r.resolv
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	told := o.OnChange
	o.OnChange = func(s State) {
		if told != nil {
			told(s)
		}
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
	if o.times == nil {
		o.times = quick()
	}
	r.m = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.m.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
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
	t.Cleanup(r.stop)
	return r
}

// until waits for a state.
func (r *running) until(what string, ok func(State) bool) State {
	r.t.Helper()
	limit := time.After(patience)
	for {
		s := r.m.State()
		if ok(s) {
			r.t.Logf("%s: %+v", what, s)
			return s
		}
		select {
		case <-r.news:
		case <-time.After(50 * time.Millisecond): // what is around changes without a state
		case <-limit:
			r.t.Fatalf("%s: still %+v", what, s)
		}
	}
}

func (r *running) resolvers() []string {
	r.t.Helper()
	b, err := os.ReadFile(r.resolv)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if a, ok := strings.CutPrefix(strings.TrimSpace(line), "nameserver "); ok {
			list = append(list, a)
		}
	}
	return list
}

// routes are the routers of the default routes of both families.
func routes(t *testing.T) []string {
	t.Helper()
	list := defaultRoutes(t)
	six, err := netlink.RouteList(nil, netlink.FAMILY_V6)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range six {
		if r.Gw != nil && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
			list = append(list, r.Gw.String())
		}
	}
	return list
}

func has(s State, a string) bool { return slices.Contains(s.Addresses, netip.MustParsePrefix(a)) }

// TestFixedInNamespace: what a person fixed is set, asks nobody, and is refused
// where another device has it.
func TestFixedInNamespace(t *testing.T) { inOwnNamespace(t, fixedAddresses) }

func fixedAddresses(t *testing.T) {
	w := build(t)
	const four, six = "192.0.2.7/24", "2001:db8:1::7/64"
	w.farAddress(true, "192.0.2.7/32") // somebody has them already
	w.farAddress(true, "2001:db8:1::7/128")
	n := config.Network{
		Addresses: []netip.Prefix{netip.MustParsePrefix(four), netip.MustParsePrefix(six)},
		Gateways:  addrs("192.0.2.1", "fe80::1"), DNS: addrs("192.0.2.77", "fe80::1"),
	}
	if err := n.Check(); err != nil {
		t.Fatal(err)
	}
	tm := quick()
	tm.direct = 0
	r := start(t, Options{Network: n, times: tm})
	mac := w.link.Attrs().HardwareAddr.String()
	r.until("somebody has the address", func(s State) bool {
		return !has(s, four) && strings.Contains(s.Reason, "192.0.2.7 belongs to another device already ("+mac+")")
	})
	w.farAddress(false, "192.0.2.7/32")
	r.until("it is free", func(s State) bool { return has(s, four) })
	r.until("somebody has the one of IPv6", func(s State) bool {
		return !has(s, six) && strings.Contains(s.Reason, "2001:db8:1::7/64 cannot be used") && strings.Contains(s.Reason, "another device")
	})
	w.farAddress(false, "2001:db8:1::7/128")
	s := r.until("both", func(s State) bool { return has(s, four) && has(s, six) && s.Reason == "" })
	if !s.WayOut() || len(s.Fixed) != 2 || len(s.Gateways) != 2 || s.Lease != nil {
		t.Errorf("%+v", s)
	}
	if got := routes(t); !slices.Equal(got, []string{"192.0.2.1", "fe80::1"}) {
		t.Errorf("routes %v", got)
	}
	if got := r.resolvers(); !slices.Equal(got, []string{"192.0.2.77", "fe80::1%eth0"}) {
		t.Errorf("resolvers %v", got)
	}
	if w.asked.Load() != 0 {
		t.Errorf("DHCP was asked %d times", w.asked.Load())
	}
	w.advertise("2001:db8:1::53", 255) // by who is no router of this station; the kernel takes it at once or not
	for _, p := range ofKernel(t) {
		if a := p.Addr(); a.Is6() && !a.IsLinkLocalUnicast() && p.String() != six {
			t.Errorf("the address %s of an advertisement that is not to be followed", p)
		}
	}

	w.thief(net.IPv4(192, 0, 2, 7))
	r.until("a thief", func(s State) bool { return has(s, four) && strings.Contains(s.Reason, "both are disturbed") })

	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	r.until("no carrier", func(s State) bool { return s.Link == "" && len(s.Fixed) == 0 && len(s.DNS) == 0 })
	if err := w.h.LinkSetUp(w.link); err != nil {
		t.Fatal(err)
	}
	r.until("the carrier again", func(s State) bool { return has(s, four) && has(s, six) && s.Reason == "" })
	r.stop()
	if got := routes(t); len(got) != 0 {
		t.Errorf("the routes %v are left", got)
	}
	for _, p := range ofKernel(t) {
		if !p.Addr().IsLinkLocalUnicast() {
			t.Errorf("the address %s is left", p)
		}
	}
}

// ofKernel are the addresses of the link, tentative ones too.
func ofKernel(t *testing.T) (list []netip.Prefix) {
	t.Helper()
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	have, err := netlink.AddrList(eth, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range have {
		ip, _ := netip.AddrFromSlice(a.IP)
		ones, _ := a.Mask.Size()
		list = append(list, netip.PrefixFrom(ip.Unmap(), ones))
	}
	return list
}

// TestDirectCableInNamespace: without a lease the station takes an address of the
// link, another one where that is another's, and none when a lease comes.
func TestDirectCableInNamespace(t *testing.T) { inOwnNamespace(t, directCable) }

func directCable(t *testing.T) {
	w := build(t)
	w.mode.Store(silent)
	if err := SetOwnAddress("direct"); err != nil {
		t.Fatal(err)
	}
	var own hardware
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	copy(own[:], eth.Attrs().HardwareAddr)
	first, second := linkLocalAddress(own, 0), linkLocalAddress(own, 1)
	w.farAddress(true, first.String()+"/32") // the computer has taken the first

	r := start(t, Options{})
	s := r.until("an address of the link", func(s State) bool { return s.LinkLocal.IsValid() })
	if s.LinkLocal != second || s.WayOut() {
		t.Errorf("it is %s, with the first one another's; want %s; %+v", s.LinkLocal, second, s)
	}
	s = r.until("it is told", func(s State) bool {
		return has(s, second.String()+"/16") && strings.Contains(s.Reason, "no DHCP server") && strings.Contains(s.Reason, "is at "+second.String())
	})
	if !w.answered(r.m, "far", second) {
		t.Errorf("nobody answers at %s", second)
	}
	// Once it is defended, and given up when somebody insists.
	s = r.until("another one", func(s State) bool {
		if s.LinkLocal == second {
			w.thief(second.AsSlice())
		}
		return s.LinkLocal.IsValid() && s.LinkLocal != second
	})
	if s.LinkLocal != linkLocalAddress(own, 2) {
		t.Errorf("the third is %s", s.LinkLocal)
	}

	w.mode.Store(helpful)
	s = r.until("a lease", func(s State) bool {
		return has(s, "192.0.2.10/24") && !s.LinkLocal.IsValid() && !slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return linkLocalNet.Contains(p.Addr()) })
	})
	if s.Reason != "" || !s.WayOut() {
		t.Errorf("%+v", s)
	}

	w.subnet.Store(51) // the router was changed: another net, and the old lease is not renewed
	r.until("another subnet", func(s State) bool {
		return has(s, "192.0.51.10/24") && !has(s, "192.0.2.10/24") && s.Reason == "" && len(s.DNS) == 1
	})
	if got := defaultRoutes(t); !slices.Equal(got, []string{"192.0.51.1"}) {
		t.Errorf("routes %v", got)
	}
	if got := r.resolvers(); !slices.Equal(got, []string{"192.0.51.53"}) {
		t.Errorf("resolvers %v", got)
	}

	w.mode.Store(silent)
	r.until("an address of the link again", func(s State) bool { return s.Lease == nil && s.LinkLocal.IsValid() && len(s.DNS) == 0 })

	// The cable goes to another net: nothing is left of the one before.
	old := func(p netip.Prefix) bool { return netip.MustParsePrefix("2001:db8:1::/64").Overlaps(p) }
	r.until("IPv6", func(s State) bool {
		w.advertise("2001:db8:1::53", 255) // again: the link may not have been ready the first time
		return slices.ContainsFunc(s.Addresses, old)
	})
	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	r.until("no carrier", func(s State) bool { return s.Link == "" })
	if have := ofKernel(t); len(have) != 0 || len(routes(t)) != 0 { // they would go before another link's
		t.Errorf("without a carrier %v and %v are left", have, routes(t))
	}
	if err := w.h.LinkSetUp(w.link); err != nil {
		t.Fatal(err)
	}
	r.until("the carrier again", func(s State) bool { return s.LinkLocal.IsValid() })
	if have := ofKernel(t); slices.ContainsFunc(have, old) || len(routes(t)) != 0 {
		t.Errorf("of the net before, some of %v and %v is left", have, routes(t))
	}
}

// answered says whether somebody has an address, as who is on a link of the far
// end finds.
func (w *world) answered(m *Manager, name string, a netip.Addr) (is bool) {
	w.t.Helper()
	w.far(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return err
		}
		socket, err := openARP(link)
		if err != nil {
			return err
		}
		defer socket.conn.Close()
		_, is = errors.AsType[*taken](m.claim(socket, link, a).probe(w.t.Context()))
		return nil
	})
	return is
}

// thief says to the link that the far end has an address.
func (w *world) thief(ip net.IP) {
	w.t.Helper()
	w.far(func() error {
		s, err := openARP(w.link)
		if err != nil {
			return err
		}
		defer s.conn.Close()
		a, _ := ip4(ip)
		p := arp{sender: a, target: a}
		copy(p.from[:], w.link.Attrs().HardwareAddr)
		return s.send(p)
	})
}
