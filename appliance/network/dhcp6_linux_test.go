package network

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/server6"
	"github.com/mdlayher/ndp"
)

// world6 is a DHCPv6 server at the other end.
type world6 struct {
	*world
	silent                              atomic.Bool
	anybody                             atomic.Bool // what is for this server alone is not answered
	last                                atomic.Int32
	life                                atomic.Int32 // of what is granted, seconds
	informed, granted, renewed, rebound atomic.Int32
	declined                            atomic.Int32
}

func build6(t *testing.T) *world6 {
	w := &world6{world: build(t)}
	w.last.Store(7)
	w.life.Store(60)
	var s *server6.Server
	w.far(func() (err error) {
		s, err = server6.NewServer("far", nil, w.serve6)
		return err
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve() })
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return w
}

func (w *world6) serve6(conn net.PacketConn, peer net.Addr, d dhcpv6.DHCPv6) {
	m, ok := d.(*dhcpv6.Message)
	if !ok || w.silent.Load() || w.anybody.Load() && m.MessageType == dhcpv6.MessageTypeRenew {
		return
	}
	kind := dhcpv6.MessageTypeReply
	mods := []dhcpv6.Modifier{dhcpv6.WithServerID(server6A), dhcpv6.WithDNS(net.ParseIP("2001:db8:1::54"))}
	if ia := m.Options.OneIANA(); ia != nil {
		give := &dhcpv6.OptIANA{IaId: ia.IaId, T1: time.Second, T2: 2 * time.Second}
		a := net.ParseIP("2001:db8:1::")
		a[15] = byte(w.last.Load())
		life := time.Duration(w.life.Load()) * time.Second
		give.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: a, PreferredLifetime: life, ValidLifetime: life})
		mods = append(mods, dhcpv6.WithOption(give))
	}
	switch m.MessageType {
	case dhcpv6.MessageTypeSolicit:
		kind = dhcpv6.MessageTypeAdvertise
		// Another client's offer and one without an address come first.
		for _, odd := range [][]dhcpv6.Modifier{{dhcpv6.WithClientID(server6B), mods[0], mods[2]}, {dhcpv6.WithClientID(m.Options.ClientID()), mods[0]}} {
			w.send6(conn, peer, m, kind, odd)
		}
	case dhcpv6.MessageTypeInformationRequest:
		w.informed.Add(1)
	case dhcpv6.MessageTypeRequest:
		w.granted.Add(1)
	case dhcpv6.MessageTypeRenew:
		w.renewed.Add(1)
	case dhcpv6.MessageTypeRebind:
		w.rebound.Add(1)
	case dhcpv6.MessageTypeDecline:
		w.declined.Add(1)
		w.last.Add(1)
	}
	w.send6(conn, peer, m, kind, append(mods, dhcpv6.WithClientID(m.Options.ClientID())))
}

func (w *world6) send6(conn net.PacketConn, peer net.Addr, to *dhcpv6.Message, kind dhcpv6.MessageType, mods []dhcpv6.Modifier) {
	m := &dhcpv6.Message{MessageType: kind, TransactionID: to.TransactionID}
	for _, mod := range mods {
		mod(m)
	}
	_, _ = conn.WriteTo(m.ToBytes(), peer)
}

// route advertises a router whose net has DHCPv6, or not.
func (w *world6) route(managed, other bool) {
	err := w.ra.WriteTo(&ndp.RouterAdvertisement{
		RouterLifetime: 30 * time.Minute, ManagedConfiguration: managed, OtherConfiguration: other,
		Options: []ndp.Option{&ndp.PrefixInformation{PrefixLength: 64, OnLink: true, ValidLifetime: time.Hour, PreferredLifetime: time.Hour, Prefix: netip.MustParseAddr("2001:db8:1::")}},
	}, w.control(ndp.HopLimit), netip.MustParseAddr("ff02::1"))
	if err != nil {
		w.t.Error(err)
	}
}

// TestIPv6OnlyInNamespace: on a network without IPv4, resolvers and then an
// address come by DHCPv6 as its router says, and nothing is missing.
func TestIPv6OnlyInNamespace(t *testing.T) { inOwnNamespace(t, ipv6Only) }

func ipv6Only(t *testing.T) {
	w := build6(t)
	w.mode.Store(silent)
	w.farAddress(true, "2001:db8:1::7/128") // what the server will give first
	r := start(t, Options{})
	managed := false
	until := func(what string, ok func(State) bool) State {
		t.Helper()
		return r.until(what, func(s State) bool {
			if ok(s) {
				return true
			}
			w.route(managed, true) // again: the socket may not have been open the first time
			return false
		})
	}
	s := until("resolvers", func(s State) bool { return slices.Equal(s.DNS, addrs("2001:db8:1::54")) })
	if s.Lease6 == nil || s.Lease6.Address.IsValid() || w.granted.Load() != 0 || w.informed.Load() == 0 {
		t.Errorf("%+v, %+v", s, s.Lease6)
	}
	managed = true
	until("an address that is another's", func(State) bool { return w.declined.Load() > 0 })
	w.last.Store(8)
	s = until("an address", func(s State) bool { return has(s, "2001:db8:1::8/128") && s.Lease6 != nil })
	if s.Reason != "" || !s.WayOut() || s.Lease != nil || !slices.Equal(r.resolvers(), []string{"2001:db8:1::54"}) {
		t.Errorf("%+v, %v", s, r.resolvers())
	}
	if got := routes(t); len(got) != 1 || got[0] != "fe80::1" {
		t.Errorf("routes %v", got)
	}
	n := w.renewed.Load()
	r.until("renewals", func(s State) bool { return w.renewed.Load() > n && s.Lease6 != nil })
	w.anybody.Store(true)
	n = w.rebound.Load()
	r.until("rebinding", func(s State) bool { return w.rebound.Load() > n && has(s, "2001:db8:1::8/128") })
	w.life.Store(3)
	r.until("a short lease", func(s State) bool { return s.Lease6 != nil && s.Lease6.End.Sub(s.Lease6.Start) == 3*time.Second })
	w.silent.Store(true)
	r.until("the end of the lease", func(s State) bool {
		return s.Lease6 == nil && !has(s, "2001:db8:1::8/128") && strings.Contains(s.Reason, "DHCPv6") && len(s.DNS) == 0
	})
	w.silent.Store(false)
	w.anybody.Store(false)
	r.until("a new one", func(s State) bool { return has(s, "2001:db8:1::8/128") && s.Reason == "" })
	r.stop()
	for _, p := range ofKernel(t) {
		if p.Bits() == 128 {
			t.Errorf("the address %s is left", p)
		}
	}
}
