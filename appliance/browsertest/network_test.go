//go:build browser

package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/truechimer/truechimer/monitor/ntptest"
)

// namespace is a network of its own: what is started in it has nothing but it.
type namespace struct {
	t   *testing.T
	pid int // of who holds it
	ns  netns.NsHandle
	h   *netlink.Handle
}

// cable joins the namespaces of a station and of the servers on its network.
type cable struct{ station, servers *namespace }

const (
	stationAddress = "192.168.77.2/24"
	serverAddress  = "192.168.77.1"
	// servers is how many there are: one that is judged needs three others that agree
	// on the time.
	servers = 4
)

func newCable(t *testing.T) *cable {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal(needRoot)
		}
		t.Skip("network namespaces need root; run as root to test them")
	}
	c := &cable{newNamespace(t), newNamespace(t)}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "cable"}, PeerName: "cable", PeerNamespace: netlink.NsPid(c.station.pid)}
	c.servers.must(c.servers.h.LinkAdd(veth))
	c.servers.up("cable", serverAddress+"/24")
	return c
}

// serve starts the servers, and gives the blocks of truechimer.toml that name them.
func (c *cable) serve() string {
	c.servers.t.Helper()
	var file strings.Builder
	for i := range servers {
		var server *ntptest.Server
		c.servers.in(func() (err error) {
			server, err = ntptest.Start(serverAddress + ":0")
			return err
		})
		c.servers.t.Cleanup(func() { server.Close() })
		fmt.Fprintf(&file, "[[server]]\nname = \"server-%d\"\naddress = \"%v\"\ninterval = \"8s\"\n", i+1, server.Addr())
	}
	return file.String()
}

// allServers waits until every server has this verdict on the page.
func (b *browser) allServers(within time.Duration, verdict string) {
	b.t.Helper()
	for i := range servers {
		b.row(within, fmt.Sprintf("server-%d", i+1), verdict)
	}
}

// noBlame fails the test if the station has blamed a server for anything.
func (s *station) noBlame() {
	s.t.Helper()
	if log := s.said(); strings.Contains(log, "is=unreachable") || strings.Contains(log, "is=off") {
		s.t.Error("servers were blamed for the station's cable")
	}
}

// newNamespace gives one that has loopback alone, until the test ends.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	cmd := exec.Command("cat") // waits for the end of its input
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &namespace{t: t, pid: cmd.Process.Pid}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	n.ns, err = netns.GetFromPid(n.pid)
	n.must(err)
	t.Cleanup(func() { n.ns.Close() })
	n.h, err = netlink.NewHandleAt(n.ns)
	n.must(err)
	t.Cleanup(n.h.Close)
	n.up("lo", "")
	return n
}

func (n *namespace) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// up gives a link an address, if any, and starts it.
func (n *namespace) up(name, address string) {
	n.t.Helper()
	link, err := n.h.LinkByName(name)
	n.must(err)
	if address != "" {
		addr, err := netlink.ParseAddr(address)
		n.must(err)
		n.must(n.h.AddrAdd(link, addr))
	}
	n.must(n.h.LinkSetUp(link))
}

// in runs f there. The thread comes back, as its end would be that of the programs
// that it has started.
func (n *namespace) in(f func() error) {
	n.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	n.must(err)
	defer here.Close()
	n.must(netns.Set(n.ns))
	err = f()
	if back := netns.Set(here); back != nil {
		panic(back)
	}
	n.must(err)
}

// pull pulls the cable out, plug puts it in.
func (c *cable) pull() {
	c.servers.t.Helper()
	link, err := c.servers.h.LinkByName("cable")
	c.servers.must(err)
	c.servers.must(c.servers.h.LinkSetDown(link))
}
func (c *cable) plug() { c.servers.t.Helper(); c.servers.up("cable", "") }

// within are the words in front of a command line that have it run there.
func (n *namespace) within() []string {
	return []string{"nsenter", "--net=/proc/" + strconv.Itoa(n.pid) + "/ns/net", "--"}
}

// chromium is one that runs there, with these variables besides, until the test ends.
func (n *namespace) chromium(env ...string) context.Context {
	n.t.Helper()
	within := n.within()
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(options(),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.Args = append(append([]string{}, within...), append([]string{cmd.Path}, cmd.Args[1:]...)...)
			path, err := exec.LookPath(within[0])
			if err != nil {
				n.t.Error(err)
			}
			cmd.Path = path
			cmd.Env = append(cmd.Environ(), env...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		}))...)
	n.t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		n.t.Fatalf("chromium: %v", err)
	}
	return ctx
}

// TestNetworkLostAndFound pulls the station's cable out and puts it in again: the
// page stays, blames no server, and goes on judging them.
func TestNetworkLostAndFound(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	c.station.up("cable", stationAddress)
	path := filepath.Join(t.TempDir(), "truechimer.toml")
	c.station.must(os.WriteFile(path, []byte(c.serve()), 0o600))
	s := startStation(t, c.station.within(), "-config", path)
	b := visit(t, c.station.chromium())
	b.visit(s.plain + "/details")
	b.allServers(time.Minute, "ok")
	c.pull()
	b.allServers(time.Minute, "not judged")
	b.says(patience, "probably on this station's side")
	// How far requests get is looked at one server after the other.
	b.until(time.Minute, `/(first|next) hop/.test(document.body.innerText)`)
	c.plug()
	b.allServers(time.Minute, "ok")
	s.noBlame()
}
