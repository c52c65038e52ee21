package main

import (
	"context"
	"fmt"
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
		if err := m.Run(links); ctx.Err() == nil {
			return err
		}
		return nil
	}
}

// names tells the station's name and its page on its link.
func (s *station) names() *mdns.Responder {
	port := uint16(80)
	if a, err := net.ResolveTCPAddr("tcp", s.platform.listen); err == nil && a.Port != 0 {
		port = uint16(a.Port)
	}
	instance := s.hostname()
	if s.conf.Name != "" {
		instance = s.conf.Name
	}
	return mdns.New(mdns.Options{
		Host: s.hostname(), Instance: instance, Log: s.log, OnName: s.tellName(port),
		Services: []mdns.Service{
			{Type: "_http._tcp", Port: port, Text: []string{"path=/"}},
			{Type: "_truechimer._tcp", Port: port, Text: []string{"txtvers=1", "api=/api/v1/status"}},
		},
	})
}

// tellName tells the log, and by it the console, by which name the page is found:
// once for as long as it is the same.
func (s *station) tellName(port uint16) func(name string) {
	told := ""
	return func(name string) {
		if name == "" || name == told {
			return
		}
		told = name
		at := "http://" + name
		if port != 80 {
			at += fmt.Sprintf(":%d", port)
		}
		s.log.Info("the page is found on this link at " + at + "/")
	}
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
// host could reach. An address of IPv4 is the one to type where there are both;
// one of the link, where there is no other.
func pageAt(list []netip.Prefix, host, listen string) string {
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
	port := ""
	if _, p, err := net.SplitHostPort(listen); err == nil && p != "80" {
		port = ":" + p
	}
	at := usable[i].String()
	if usable[i].Is6() {
		at = "[" + at + "]"
	}
	text := "the page is at http://" + at + port + "/"
	if host != "" {
		text += " and http://" + host + port + "/"
	}
	return text
}
