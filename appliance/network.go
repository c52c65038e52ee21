package main

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/network/mdns"
)

// settleNetwork is how long links and leases may take to come before people
// are told that they are missing.
const settleNetwork = 5 * time.Second

// network is the part that configures the network.
func (s *station) network() func(context.Context) error {
	var m *network.Manager
	names := s.names()
	tellPage := s.tellPage()
	m = network.New(network.Options{
		ResolvConf: "/tmp/resolv.conf", // what the image's /etc/resolv.conf points to
		Hostname:   s.hostname(),
		Wifi:       s.conf.Wifi,
		Network:    s.conf.Network,
		Keep:       s.settings.KeepNetwork,
		Log:        s.log,
		OnChange: func(st network.State) {
			tellPage(st)
			names.SetLink(whereNamed(st, m.Settings()))
			if wanting(st) == "" {
				s.notes.set("network", "")
				return
			}
			time.AfterFunc(settleNetwork, func() { s.notes.set("network", wanting(m.State())) })
		},
	})
	s.manager.Store(m)
	return func(ctx context.Context) error {
		if s.platform.board.LoaderMakesUpNumbers {
			if err := network.SetOwnAddress(s.platform.id); err != nil {
				s.notes.say(slog.LevelWarn, "address", err.Error())
			}
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		// The name takes leave of the link while there still are addresses.
		links, end := context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		wg.Go(func() {
			if err := names.Run(ctx); err != nil {
				s.log.Warn("the station has no name on its link", "err", err)
			}
			<-ctx.Done()
			end()
		})
		wg.Go(func() { _ = s.watchRouter(ctx, m) }) // which returns nil
		if err := m.Run(links); ctx.Err() == nil {
			return err
		}
		return nil
	}
}

// names tells the station's name and its page on its link.
func (s *station) names() *mdns.Responder {
	port := portOf(s.platform.listen, 80)
	services := []mdns.Service{
		{Type: "_http._tcp", Port: port, Text: []string{"path=/"}},
		{Type: "_truechimer._tcp", Port: port, Text: []string{"txtvers=1", "api=/api/v1/status"}},
	}
	if s.platform.secure != "" {
		services = append(services, mdns.Service{Type: "_https._tcp", Port: portOf(s.platform.secure, 443), Text: []string{"path=/"}})
	}
	instance := s.hostname()
	if s.conf.Name != "" {
		instance = s.conf.Name
	}
	return mdns.New(mdns.Options{
		Host: s.hostname(), Instance: instance, Log: s.log, OnName: s.tellName(),
		Services: services,
	})
}

// portOf is that of an address to listen at, or usual where it names none.
func portOf(listen string, usual uint16) uint16 {
	if a, err := net.ResolveTCPAddr("tcp", listen); err == nil && a.Port != 0 {
		return uint16(a.Port)
	}
	return usual
}

// tellName tells by which name the page is found: the status, and once for as long
// as it is the same the log, and by it the console.
func (s *station) tellName() func(name string) {
	told := ""
	return func(name string) {
		s.named.Store(name)
		if name == "" || name == told {
			return
		}
		told = name
		s.log.Info("the page is found on this link at " + s.localPage())
	}
}

// localPage is the page's address by its name on its link; empty: it has none.
func (s *station) localPage() string {
	if name, _ := s.named.Load().(string); name != "" {
		return "http://" + name + typedPort(s.platform.listen) + "/"
	}
	return ""
}

// whereNamed is where the station tells its name; nowhere, where its settings
// say so.
func whereNamed(st network.State, n network.Settings) mdns.Link {
	if n.Network.MDNSOff {
		return mdns.Link{}
	}
	return mdns.Link{Name: st.Link, Addresses: st.Addresses}
}

// tellPage tells the log, and by it the console, where the page is: once for as
// long as it stays there.
func (s *station) tellPage() func(network.State) {
	told := ""
	return func(st network.State) {
		if at := pageAt(st.Addresses, s.hostname(), s.platform.listen); at != "" && at != told {
			told = at
			s.log.Info(at)
		}
	}
}

// hostname is what the station calls itself on the network.
func (s *station) hostname() string {
	if s.conf.Hostname != "" {
		return s.conf.Hostname
	}
	return s.platform.name
}

// wanting says what the network lacks; empty where an address is there that
// reaches beyond the link.
func wanting(st network.State) string {
	beyond := func(p netip.Prefix) bool { return p.Addr().IsGlobalUnicast() }
	if slices.ContainsFunc(st.Addresses, beyond) || st.Reason == "" {
		return ""
	}
	return "The network is not ready: " + st.Reason
}

// pageAt says where the page is; empty while no address is there that another
// host could reach.
func pageAt(list []netip.Prefix, host, listen string) string {
	at := pageAddress(list, listen)
	if at == "" {
		return ""
	}
	if host != "" {
		at += " and http://" + host + typedPort(listen) + "/"
	}
	return "the page is at " + at
}

// typedPort is the port of an address to listen at as it is typed: nothing for 80.
func typedPort(listen string) string {
	if _, p, err := net.SplitHostPort(listen); err == nil && p != "80" {
		return ":" + p
	}
	return ""
}

// pageAddress is the one to type. An address of IPv4 goes first where there are
// both; one of the link, where there is no other.
func pageAddress(list []netip.Prefix, listen string) string {
	var usable, ofLink []netip.Addr
	for _, p := range list {
		switch a := p.Addr(); {
		case a.IsGlobalUnicast():
			usable = append(usable, a)
		case a.Is4() && a.IsLinkLocalUnicast():
			ofLink = append(ofLink, a)
		}
	}
	if usable == nil {
		usable = ofLink
	}
	if usable == nil {
		return ""
	}
	i := max(slices.IndexFunc(usable, netip.Addr.Is4), 0)
	at := usable[i].String()
	if usable[i].Is6() {
		at = "[" + at + "]"
	}
	return "http://" + at + typedPort(listen) + "/"
}
