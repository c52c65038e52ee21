package network

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/sysfs"
)

// TestSituationsInNamespace: what a network lacks is told as a situation with a
// step to take, by a Manager on a link that really lacks it.
func TestSituationsInNamespace(t *testing.T) { inOwnNamespace(t, situations) }

func situations(t *testing.T) {
	w := build(t)
	w.mode.Store(silent)
	r := start(t, Options{})

	// Some servers have addresses of IPv6; what is asked of them brings nothing here.
	bound := .020
	servers := []status.Server{{Name: "four", Family: "ipv4", Verdict: "ok", Bound: &bound}, {Name: "six", Family: "ipv6", Verdict: "not_judged"}}
	reference := status.Reference{Source: "gps+pps", State: "locked"}
	radio := false
	var rtt *float64
	look := func() status.Advice {
		n := r.m.State().Status(r.m.RouterSilent(), radio)
		n.RouterRTT = rtt
		_, a := advice.Of(status.Status{Network: &n, Servers: servers, Reference: reference})
		return a
	}
	advised := func(id, word string) {
		t.Helper()
		r.until(id, func(State) bool {
			a := look()
			return slices.Contains(a.Situations, id) && a.Network.Word == word
		})
		if a := look(); a.Situation != id || a.Next != advice.ByID(id).Next {
			t.Errorf("%s: %+v", id, a)
		}
	}

	advised("no-lease", "no address")
	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	advised("no-link", "unplugged")
	w.mode.Store(helpful)
	if err := w.h.LinkSetUp(w.link); err != nil {
		t.Fatal(err)
	}
	advised("no-ipv6", "works")

	// The router of the lease is not there: whoever uses it finds out. What the far
	// end has as its own address it would answer for.
	router := netip.MustParseAddr("192.0.2.1")
	here := w.hasAddress(router)
	if here {
		w.farAddress(false, router.String()+"/24")
	}
	r.until("a router that does not answer", func(State) bool {
		poke(t, router)
		return look().Situation == "router-silent"
	})
	advised("router-silent", "cut off")
	w.farAddress(true, router.String()+"/24")
	r.until("the router again", func(State) bool {
		poke(t, router)
		return !r.m.RouterSilent()
	})

	// A router that is far, on a link that is a radio's: half of the time that it
	// takes goes into each bound.
	var took time.Duration
	answers := func(after time.Duration) func(State) bool {
		return func(State) bool {
			var err error
			took, err = r.m.TimeRouter(t.Context()) // an error: this machine was busy for a second
			return err == nil && took > after
		}
	}
	r.until("the router's answer", answers(0))
	w.slow(router, 30*time.Millisecond)
	r.until("its answer 30 ms later", answers(30*time.Millisecond))
	sys := t.TempDir()
	if err := os.MkdirAll(filepath.Join(sys, "sys/class/net/eth0/phy80211"), 0o755); err != nil {
		t.Fatal(err)
	}
	radio = sysfs.Radio(os.DirFS(sys), r.m.State().Link)
	seconds := took.Seconds()
	rtt, servers = &seconds, servers[:1]
	advised("wifi-wide", "works")
	if radio = false; slices.Contains(look().Situations, "wifi-wide") {
		t.Error("Wi-Fi is blamed on a cable")
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.m.TimeRouter(ended); err == nil {
		t.Error("the router was waited for although the test had ended")
	}
}

// TestLeaseWithoutRouter is a net of its own: nothing beyond it can be reached.
func TestLeaseWithoutRouter(t *testing.T) {
	address := netip.MustParsePrefix("192.0.2.10/24")
	s := State{Link: "eth0", Lease: &Lease{Address: address}, Addresses: []netip.Prefix{address}}
	n := s.Status(false, false)
	_, a := advice.Of(status.Status{Network: &n})
	if a.Situation != "no-router" || a.Network.Word != "local only" {
		t.Errorf("%+v", a)
	}
	if _, err := New(Options{}).TimeRouter(t.Context()); err == nil {
		t.Error("a router that there is not was asked")
	}
}

// poke has the kernel ask who has an address.
func poke(t *testing.T, a netip.Addr) {
	c, err := net.Dial("udp", netip.AddrPortFrom(a, 9).String())
	if err != nil {
		return // no route yet
	}
	defer c.Close()
	_, _ = c.Write([]byte{1}) // an error is the kernel's word of the same
}

// hasAddress says whether the far end has an address.
func (w *world) hasAddress(a netip.Addr) bool {
	w.t.Helper()
	list, err := w.h.AddrList(w.link, netlink.FAMILY_V4)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(x netlink.Addr) bool { return x.IP.Equal(a.AsSlice()) })
}

// slow has the far end answer for an address in place of its kernel, some time late.
func (w *world) slow(a netip.Addr, late time.Duration) {
	w.t.Helper()
	var socket *arpSocket
	w.far(func() (err error) {
		// 8: the kernel answers for none of its addresses (ip-sysctl, arp_ignore).
		if err := os.WriteFile("/proc/sys/net/ipv4/conf/"+w.link.Attrs().Name+"/arp_ignore", []byte("8"), 0o644); err != nil {
			return err
		}
		socket, err = openARP(w.link)
		return err
	})
	mac := hardware(w.link.Attrs().HardwareAddr)
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(func() { cancel(); <-ended; socket.conn.Close() })
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			p, ok, err := socket.receive(ctx, time.Second)
			if err != nil {
				return
			}
			if ok && !p.reply && p.target == a {
				sleep(ctx, late)
				_ = socket.send(arp{reply: true, from: mac, sender: a, target: p.sender})
			}
		}
	}()
}
