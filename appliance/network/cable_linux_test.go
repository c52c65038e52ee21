package network

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/ndp"
	"github.com/truechimer/truechimer/appliance/network/mdns"
	"golang.org/x/net/dns/dnsmessage"
)

// named is a station with a name on its link and a page, as appliance wires them.
type named struct {
	*running
	name called
}

// startNamed runs them until the test's end.
func startNamed(t *testing.T, o Options) *named {
	t.Helper()
	n := &named{}
	names := mdns.New(mdns.Options{Host: "attic", Services: []mdns.Service{{Type: "_http._tcp", Port: 80}}, OnName: n.name.set})
	o.OnChange = func(s State) { names.SetLink(mdns.Link{Name: s.Link, Addresses: s.Addresses}) }
	n.running = start(t, o)
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	page := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = page.Serve(l) })
	wg.Go(func() {
		if err := names.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		page.Close()
		wg.Wait()
	})
	return n
}

// found is where the far end finds the station by its name: what it is told over
// the group to, once that is as want says.
func (n *named) found(w *world, to string, want func([]netip.Addr) bool) []netip.Addr {
	n.t.Helper()
	var have []netip.Addr
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		have = nil
		w.far(func() error {
			m, err := lookUp(to, "attic.local.", time.Second)
			if m == nil {
				return err
			}
			for _, r := range append(m.Answers, m.Additionals...) {
				switch b := r.Body.(type) {
				case *dnsmessage.AResource:
					have = append(have, netip.AddrFrom4(b.A))
				case *dnsmessage.AAAAResource:
					have = append(have, netip.AddrFrom16(b.AAAA))
				}
			}
			return nil
		})
		if want(have) {
			return have
		}
	}
	n.t.Fatalf("over %s it is found at %v", to, have)
	return nil
}

// pageAt has the far end look at the page.
func (w *world) pageAt(a netip.Addr) {
	w.t.Helper()
	w.far(func() error {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(a, 80).String(), patience)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

const (
	overFour = "224.0.0.251:5353"
	overSix  = "[ff02::fb%far]:5353"
)

// TestComputerFindsStationInNamespace: on a cable between the station and a
// computer, with no DHCP server, the computer finds the page by the station's name;
// so it does when a lease comes late, and when the cable was out.
func TestComputerFindsStationInNamespace(t *testing.T) { inOwnNamespace(t, computerFindsStation) }

func computerFindsStation(t *testing.T) {
	w := build(t)
	w.mode.Store(silent)
	w.farAddress(false, "192.0.2.1/24") // a computer that got no lease either
	w.farAddress(true, "169.254.1.1/16")
	n := startNamed(t, Options{})
	ofLink := func(list []netip.Addr) bool { return slices.ContainsFunc(list, linkLocalNet.Contains) }
	for _, a := range n.found(w, overFour, ofLink) {
		if linkLocalNet.Contains(a) {
			w.pageAt(a)
		}
	}

	w.farAddress(true, "192.0.2.1/24")
	w.mode.Store(helpful)
	leased := netip.MustParseAddr("192.0.2.10")
	late := func(list []netip.Addr) bool { return slices.Contains(list, leased) && !ofLink(list) }
	n.found(w, overFour, late)
	w.pageAt(leased)

	if err := w.h.LinkSetDown(w.link); err != nil {
		t.Fatal(err)
	}
	n.until("no name without a link", func(s State) bool { return s.Link == "" && n.name.is() == "" })
	w.subnet.Store(51) // the cable goes to another net
	w.farAddress(true, "192.0.51.1/24")
	if err := w.h.LinkSetUp(w.link); err != nil {
		t.Fatal(err)
	}
	moved := netip.MustParseAddr("192.0.51.10")
	have := n.found(w, overFour, func(list []netip.Addr) bool { return slices.Contains(list, moved) })
	if slices.Contains(have, leased) || ofLink(have) {
		t.Errorf("it is still found at an address of the net before: %v", have)
	}
	w.pageAt(moved)
}

// TestRDNSSOnlyInNamespace: on a network of IPv6 alone, whose router advertises
// prefix and resolver, nothing is missing; a router that goes takes all of it along.
func TestRDNSSOnlyInNamespace(t *testing.T) { inOwnNamespace(t, rdnssOnly) }

func rdnssOnly(t *testing.T) {
	w := build(t)
	w.mode.Store(silent)
	n := startNamed(t, Options{})
	const resolver = "2001:db8:1::53"
	router := addrs("fe80::1")
	ours := func(p netip.Prefix) bool { return netip.MustParsePrefix("2001:db8:1::/64").Overlaps(p) }
	s := n.until("an address, a router and a resolver", func(s State) bool {
		if slices.Equal(s.DNS, addrs(resolver)) && slices.ContainsFunc(s.Addresses, ours) && slices.Equal(s.Routers6, router) {
			return true
		}
		w.advertise(resolver, ndp.HopLimit) // again: the socket may not have been open the first time
		return false
	})
	if s.Reason != "" || !s.WayOut() || s.Lease != nil || s.Lease6 != nil {
		t.Errorf("%+v", s)
	}
	if got := n.resolvers(); !slices.Equal(got, []string{resolver}) {
		t.Errorf("resolvers %v", got)
	}
	at := s.Addresses[slices.IndexFunc(s.Addresses, ours)].Addr()
	n.found(w, overSix, func(list []netip.Addr) bool { return slices.Contains(list, at) })

	w.leave(resolver)
	// The address is the station's until its time is over, and leads nowhere.
	s = n.until("the router has taken leave", func(s State) bool { return len(s.DNS) == 0 && len(s.Routers6) == 0 })
	if !strings.Contains(s.Reason, "no DHCP server") || s.WayOut() || !has(s, netip.PrefixFrom(at, 64).String()) {
		t.Errorf("%+v", s)
	}
	if got := routes(t); len(got) != 0 || len(n.resolvers()) != 0 {
		t.Errorf("routes %v and resolvers %v are left", got, n.resolvers())
	}
}

// leave advertises that the router and its resolver are not to be used any more.
func (w *world) leave(dns string) {
	w.t.Helper()
	err := w.ra.WriteTo(&ndp.RouterAdvertisement{
		Options: []ndp.Option{&ndp.RecursiveDNSServer{Servers: addrs(dns)}},
	}, w.control(ndp.HopLimit), netip.MustParseAddr("ff02::1"))
	if err != nil {
		w.t.Error(err)
	}
}
