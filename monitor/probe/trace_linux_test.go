package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// TestTraceInNamespaces has three routers, and a server behind them, in namespaces
// of their own.
func TestTraceInNamespaces(t *testing.T) { inNamespace(t, traceInNamespaces) }

// node is a network namespace and a thread that stays in it.
type node struct {
	do chan func()
	h  *netlink.Handle
	fd int
}

// newNode makes a namespace; here says that it is the one there is.
func newNode(t *testing.T, here bool) *node {
	t.Helper()
	n := &node{do: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		made <- n.enter(here)
		for f := range n.do {
			f()
		}
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(n.do)
		n.h.Close()
		unix.Close(n.fd)
	})
	return n
}

func (n *node) enter(here bool) (err error) {
	if !here {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
	}
	if n.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	if n.h, err = netlink.NewHandle(); err != nil {
		return err
	}
	for _, f := range []string{
		// No duplicate detection: its second would be waited for. And no bound
		// on how many errors a router sends, which traces in a row would meet.
		"ipv6/conf/default/accept_dad 0", "ipv6/conf/all/accept_dad 0", "ipv4/icmp_ratelimit 0", "ipv6/icmp/ratelimit 0",
		"ipv4/ip_forward 1", "ipv6/conf/all/forwarding 1", "ipv6/conf/default/forwarding 1",
	} {
		name, value, _ := strings.Cut(f, " ")
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
			return err
		}
	}
	lo, err := n.h.LinkByName("lo")
	if err != nil {
		return err
	}
	return n.h.LinkSetUp(lo)
}

// run runs f on the node's thread.
func (n *node) run(f func() error) (err error) {
	done := make(chan struct{})
	n.do <- func() { err = f(); close(done) }
	<-done
	return err
}

// chain is the station, three routers and a server: nodes 0 to 4. Between nodes
// I and I+1 is 198.18.I.0/24, 2001:db8:aI::/64, where I has .1 and I+1 has .2.
type chain struct {
	t     *testing.T
	nodes []*node
}

const nodes = 5

var serverAddrs = []string{"198.18.3.2", "2001:db8:a3::2"}

func newChain(t *testing.T) *chain {
	c := &chain{t: t}
	for i := range nodes {
		c.nodes = append(c.nodes, newNode(t, i == 0))
	}
	for i := range nodes - 1 {
		c.join(i)
	}
	for i, n := range c.nodes {
		for net := range nodes - 1 {
			switch {
			case net > i:
				c.route(n, fmt.Sprintf("198.18.%d.0/24 198.18.%d.2", net, i))
				c.route(n, fmt.Sprintf("2001:db8:a%d::/64 2001:db8:a%d::2", net, i))
			case net < i-1:
				c.route(n, fmt.Sprintf("198.18.%d.0/24 198.18.%d.1", net, i-1))
				c.route(n, fmt.Sprintf("2001:db8:a%d::/64 2001:db8:a%d::1", net, i-1))
			}
		}
	}
	return c
}

// must fails the test with what was tried.
func (c *chain) must(err error, what ...any) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(append(what, ": ", err)...)
	}
}

// join lays a cable between nodes i and i+1.
func (c *chain) join(i int) {
	c.t.Helper()
	left, right := c.nodes[i], c.nodes[i+1]
	names := [2]string{fmt.Sprint("right", i), fmt.Sprint("left", i+1)}
	c.must(left.h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: names[0]}, PeerName: names[1]}), "veth")
	peer, err := left.h.LinkByName(names[1])
	c.must(err, names[1])
	c.must(left.h.LinkSetNsFd(peer, right.fd), names[1])
	for side, n := range []*node{left, right} {
		link, err := n.h.LinkByName(names[side])
		c.must(err, names[side])
		for _, a := range []string{"198.18.%d.%d/24", "2001:db8:a%d::%d/64"} {
			addr, err := netlink.ParseAddr(fmt.Sprintf(a, i, side+1))
			c.must(err, a)
			addr.Flags = unix.IFA_F_NODAD
			c.must(n.h.AddrAdd(link, addr), addr)
		}
		c.must(n.h.LinkSetUp(link), names[side])
	}
}

// route adds a route: a prefix and the next hop.
func (c *chain) route(n *node, words string) {
	c.t.Helper()
	to, via, _ := strings.Cut(words, " ")
	_, dst, err := net.ParseCIDR(to)
	c.must(err, to)
	c.must(n.h.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)}), words)
}

// block has a node treat packets to the server as the kind of route says, until
// the function that it returns is called.
func (c *chain) block(n int, kind int) (undo func()) {
	c.t.Helper()
	var routes []*netlink.Route
	for _, a := range serverAddrs {
		ip := net.ParseIP(a)
		bits := 128
		if ip.To4() != nil {
			ip, bits = ip.To4(), 32
		}
		r := &netlink.Route{Dst: &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)}, Type: kind}
		c.must(c.nodes[n].h.RouteAdd(r), "route to ", a)
		routes = append(routes, r)
	}
	return func() {
		for _, r := range routes {
			c.must(c.nodes[n].h.RouteDel(r), "route to ", r.Dst)
		}
	}
}

// hush has node n-1 drop what router n itself sends to the station.
func (c *chain) hush(n int) (undo func()) {
	c.t.Helper()
	var rules []*netlink.Rule
	for _, a := range []string{"198.18.%d.2/32", "2001:db8:a%d::2/128"} {
		_, src, err := net.ParseCIDR(fmt.Sprintf(a, n-1))
		c.must(err, a)
		rule := netlink.NewRule()
		rule.Src, rule.Type, rule.Priority = src, unix.RTN_BLACKHOLE, 100
		rule.Family = netlink.FAMILY_V4
		if src.IP.To4() == nil {
			rule.Family = netlink.FAMILY_V6
		}
		c.must(c.nodes[n-1].h.RuleAdd(rule), "rule for ", src)
		rules = append(rules, rule)
	}
	return func() {
		for _, r := range rules {
			c.must(c.nodes[n-1].h.RuleDel(r), "rule for ", r.Src)
		}
	}
}

// datagrams is how many UDP packets of a family the station has sent, by the
// kernel's count. Those that it sends to itself to be warm go by loopback, like
// nothing else here.
func (c *chain) datagrams(v6 bool) int {
	c.t.Helper()
	if v6 {
		return c.counted("snmp6", `(?m)^Udp6OutDatagrams\s+(\d+)`)
	}
	both := func() [2]int {
		return [2]int{c.counted("snmp", `(?m)^Udp: \d+ \d+ \d+ (\d+)`), c.counted("dev", `(?m)^\s*lo:(?:\s+\d+){9}\s+(\d+)`)}
	}
	// Another trace may be sending to itself between one look and the other.
	now := both()
	for last := [2]int{-1}; now != last; now = both() {
		last = now
	}
	return now[0] - now[1]
}

// counted is a number in a file of the namespace's statistics.
func (c *chain) counted(name, line string) int {
	c.t.Helper()
	// The thread's own: the process's first one may be another node's by now.
	file := "/proc/thread-self/net/" + name
	b, err := os.ReadFile(file)
	c.must(err, file)
	m := regexp.MustCompile(line).FindSubmatch(b)
	if m == nil {
		c.t.Fatalf("%s: %s", file, b)
	}
	n, err := strconv.Atoi(string(m[1]))
	c.must(err, file)
	return n
}

func traceInNamespaces(t *testing.T) {
	c := newChain(t)
	var servers []*ntptest.Server
	for _, a := range serverAddrs {
		c.must(c.nodes[4].run(func() error {
			s, err := ntptest.Start(net.JoinHostPort(a, "123"))
			servers = append(servers, s)
			return err
		}), a)
		s := servers[len(servers)-1]
		t.Cleanup(func() { s.Close() })
	}
	p := prober(t)
	// Neighbours are found, so that no first packet waits for that.
	for _, s := range servers {
		for i := 0; ; i++ {
			if x := p.Probe(t.Context(), target(s)); x.Outcome == monitor.OutcomeOK {
				break
			} else if i == 20 {
				t.Fatalf("%s does not answer: %s %s", s.Addr(), x.Outcome, x.Detail)
			}
		}
	}

	nothing := func() func() { return func() {} }
	for _, tt := range []struct {
		name    string
		set     func() (undo func())
		end     monitor.PathEnd
		says    string // rN is the address of router N
		hops    string // who answers: routers' numbers, s the server, - nobody, ! an unreachable
		inside  bool
		packets int // at the most
	}{
		{"all is well", nothing, monitor.PathAnswered, "the server answers again, as the 4th hop", "123s", false, 6},
		{"cut behind the second", func() func() { return c.block(3, unix.RTN_BLACKHOLE) }, monitor.PathSilent,
			"answers up to r2, the 2nd hop; silent after it", "12-----", false, 9},
		{"cut behind the first", func() func() { return c.block(2, unix.RTN_BLACKHOLE) }, monitor.PathSilent,
			"answers up to r1, the 1st hop; silent after it; that is within this station's own network, as far as can be seen", "1-----", true, 8},
		{"the third refuses", func() func() { return c.block(3, unix.RTN_PROHIBIT) }, monitor.PathBlocked,
			"gets to r3, the 3rd hop, which says that it goes no further: it is forbidden", "12!", false, 5},
		{"the third has no route", func() func() { return c.block(3, unix.RTN_UNREACHABLE) }, monitor.PathBlocked,
			"", "12!", false, 5},
		{"no route here", func() func() { return c.block(0, unix.RTN_UNREACHABLE) }, monitor.PathUnsent,
			"", "", true, 0},
		{"a silent router", func() func() { return c.hush(2) }, monitor.PathAnswered,
			"the server answers again, as the 4th hop", "1-3s", false, 6},
		{"a silent server", func() func() {
			for _, s := range servers {
				s.Behave(ntptest.Dead())
			}
			return func() {
				for _, s := range servers {
					s.Behave()
				}
			}
		}, monitor.PathSilent, "answers up to r3, the 3rd hop; silent after it", "123-----", false, 10},
		{"a closed port", nil, monitor.PathRefused, "gets to s, the 4th hop, where nothing listens on the port", "123s", false, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.t = t
			if tt.set != nil {
				defer tt.set()()
			}
			t.Run("family", func(t *testing.T) {
				for _, s := range servers {
					to := target(s)
					if tt.set == nil {
						to.Addr = netip.AddrPortFrom(to.Addr.Addr(), 124)
					}
					t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[to.Addr.Addr().Is6()], func(t *testing.T) {
						t.Parallel()
						traced{c, p, s, to, tt.end, tt.says, tt.hops, tt.inside, tt.packets}.check(t)
					})
				}
			})
		})
	}
}

// traced is a trace and what it is to find.
type traced struct {
	c       *chain
	p       *Prober
	s       *ntptest.Server
	to      monitor.Target
	end     monitor.PathEnd
	says    string
	hops    string
	inside  bool
	packets int
}

func (w traced) check(t *testing.T) {
	addr := w.to.Addr.Addr()
	from := func(n int) string { return fmt.Sprintf("198.18.%d.2", n-1) }
	exceeded := uint8(11)
	if addr.Is6() {
		from = func(n int) string { return fmt.Sprintf("2001:db8:a%d::2", n-1) }
		exceeded = 3
	}
	sent, seen := w.c.datagrams(addr.Is6()), w.s.Counters().Requests
	begun := time.Now()
	got := w.p.Trace(context.Background(), w.to)
	took := time.Since(begun)
	if took > 4*monitor.TraceTimeout { // exact in virtual time; here the machine may be busy
		t.Errorf("took %v", took)
	}
	sent = w.c.datagrams(addr.Is6()) - sent
	if arrived := int(w.s.Counters().Requests - seen); got.Packets != sent || sent > w.packets || arrived > got.Passed {
		t.Errorf("%d packets, %d of which came to the server; it says %d and %d, want %d at the most", sent, arrived, got.Packets, got.Passed, w.packets)
	}
	if got.End != w.end || got.Inside() != w.inside || got.PortPath {
		t.Errorf("%s %q, inside %v, want %s, %v", got.End, got, got.Inside(), w.end, w.inside)
	}
	says := strings.NewReplacer("r1,", from(1)+",", "r2,", from(2)+",", "r3,", from(3)+",", " s,", " "+addr.String()+",").Replace(w.says)
	if says != "" && got.String() != says {
		t.Errorf("%q, want %q", got, says)
	}
	hops := ""
	for i, h := range got.Hops {
		switch {
		case !h.Addr.IsValid():
			hops += "-"
		case h.Addr == addr:
			hops += "s"
		case h.Addr.String() == from(i+1) && h.Type == exceeded:
			hops += fmt.Sprint(i + 1)
		case h.Addr.String() == from(i+1):
			hops += "!"
		default:
			hops += "?"
		}
		if h.Addr.IsValid() && (h.RTT <= 0 || h.RTT > took) {
			t.Errorf("hop %d took %v", i+1, h.RTT)
		}
	}
	// How many silent ones there was time for depends on the machine.
	silent := strings.HasSuffix(hops, "-")
	if hops = strings.TrimRight(hops, "-"); hops != strings.TrimRight(w.hops, "-") || silent != strings.HasSuffix(w.hops, "-") {
		t.Errorf("hops %q, silent after it %v, want %q: %v", hops, silent, w.hops, got.Hops)
	}
	t.Logf("in %v, %d packets: %s", took.Round(time.Millisecond), got.Packets, got)
}
