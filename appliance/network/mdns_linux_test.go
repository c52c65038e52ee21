package network

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/network/mdns"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// TestMDNSInNamespace: the station is found by its name over both families, takes
// another where that is another's, and answers no more once it has stopped.
func TestMDNSInNamespace(t *testing.T) { inOwnNamespace(t, mdnsOnLink) }

// called is the name that a responder has.
type called struct{ atomic.Value }

func (c *called) set(name string) { c.Store(name) }

func (c *called) is() string {
	name, _ := c.Load().(string)
	return name
}

func mdnsOnLink(t *testing.T) {
	w := build(t)
	services := []mdns.Service{{Type: "_http._tcp", Port: 80}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	var farName, ownName called
	far := mdns.New(mdns.Options{Host: "attic", Services: services, OnName: farName.set})
	far.SetLink(mdns.Link{Name: "far", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("fe80::1/64")}})
	wg.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(w.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		if err := far.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r := start(t, Options{})
	r.until("the other's name", func(s State) bool { return farName.is() == "attic.local" && has(s, "192.0.2.10/24") })

	own := mdns.New(mdns.Options{Host: "attic", Services: services, OnName: ownName.set})
	stopped, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- own.Run(stopped) }()
	s := r.until("IPv6", func(s State) bool {
		return slices.ContainsFunc(s.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	})
	own.SetLink(mdns.Link{Name: s.Link, Addresses: s.Addresses})
	r.until("two names", func(State) bool { // which of the two has which is the RFC's, and of who was slow, business
		names := []string{ownName.is(), farName.is()}
		slices.Sort(names)
		return slices.Equal(names, []string{"attic-2.local", "attic.local"})
	})
	name := ownName.is() + "."

	look := func(to string, patience time.Duration) *dnsmessage.Message {
		t.Helper()
		var m *dnsmessage.Message
		w.far(func() (err error) {
			m, err = lookUp(to, name, patience)
			return err
		})
		return m
	}
	for _, to := range []string{"224.0.0.251:5353", "[ff02::fb%far]:5353"} {
		m := look(to, patience)
		if m == nil {
			t.Fatalf("no answer over %s", to)
		}
		var have []netip.Addr
		for _, a := range append(m.Answers, m.Additionals...) {
			switch b := a.Body.(type) {
			case *dnsmessage.AResource:
				have = append(have, netip.AddrFrom4(b.A))
			case *dnsmessage.AAAAResource:
				have = append(have, netip.AddrFrom16(b.AAAA))
			}
		}
		for _, p := range s.Addresses {
			if !slices.Contains(have, p.Addr()) {
				t.Errorf("over %s the answer is %v, without %s", to, have, p.Addr())
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if ownName.is() != "" {
		t.Errorf("it is still %q", ownName.is())
	}
	if m := look("224.0.0.251:5353", 300*time.Millisecond); m != nil {
		t.Errorf("an answer after the end: %+v", m)
	}
}

// lookUp asks for an address as a resolver does that knows no multicast; nil:
// nobody answers.
func lookUp(to, name string, patience time.Duration) (*dnsmessage.Message, error) {
	dst, err := net.ResolveUDPAddr("udp", to)
	if err != nil {
		return nil, err
	}
	ifi, err := net.InterfaceByName("far")
	if err != nil {
		return nil, err
	}
	network := "udp6"
	if dst.IP.To4() != nil {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if network == "udp4" {
		err = ipv4.NewPacketConn(c).SetMulticastInterface(ifi)
	} else {
		err = ipv6.NewPacketConn(c).SetMulticastInterface(ifi)
	}
	if err != nil {
		return nil, err
	}
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		return nil, err
	}
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		if _, err := c.WriteTo(b, dst); err != nil {
			return nil, err
		}
		if err := c.SetReadDeadline(time.Now().Add(min(patience, time.Second))); err != nil {
			return nil, err
		}
		buf := make([]byte, 9000)
		n, _, err := c.ReadFrom(buf)
		var m dnsmessage.Message
		if err == nil && m.Unpack(buf[:n]) == nil && m.Response && m.ID == q.ID {
			return &m, nil
		}
	}
	return nil, nil
}
