package main

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
)

func TestWantingNetwork(t *testing.T) {
	address := []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}
	for _, c := range []struct {
		st   network.State
		want string
	}{
		{network.State{}, ""},
		{network.State{Addresses: address, Reason: "no lease"}, ""},
		{network.State{Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::7/64"), netip.MustParsePrefix("169.254.3.4/16")}, Reason: "no lease"},
			"The network is not ready: no lease"},
		{network.State{Reason: "eth0 has no carrier; is the cable plugged in at both ends?"},
			"The network is not ready: eth0 has no carrier; is the cable plugged in at both ends?"},
	} {
		if got := wanting(c.st); got != c.want {
			t.Errorf("%+v: %q, want %q", c.st, got, c.want)
		}
	}
}

func TestPageAt(t *testing.T) {
	const lan4, lan6, link, own = "192.0.2.7/24", "2001:db8::7/64", "fe80::7/64", "127.0.0.1/8"
	for _, c := range []struct {
		addresses    []string
		host, listen string
		want         string
	}{
		{nil, "a", ":80", ""},
		{[]string{link, own}, "a", ":80", ""},
		{[]string{link, lan6, lan4}, "truechimer-ab12", ":80", "the page is at http://192.0.2.7/ and http://truechimer-ab12/"},
		{[]string{link, lan6}, "attic", ":8080", "the page is at http://[2001:db8::7]:8080/ and http://attic:8080/"},
		{[]string{link, "169.254.3.4/16"}, "", ":80", "the page is at http://169.254.3.4/"},
		{[]string{"169.254.3.4/16", lan4}, "", ":80", "the page is at http://192.0.2.7/"},
		{[]string{lan4}, "", "", "the page is at http://192.0.2.7/"},
	} {
		var list []netip.Prefix
		for _, a := range c.addresses {
			list = append(list, netip.MustParsePrefix(a))
		}
		if got := pageAt(list, c.host, c.listen); got != c.want {
			t.Errorf("%v: %q, want %q", c.addresses, got, c.want)
		}
	}
}

// TestPageIsToldWhenItMoves: once for each place.
func TestPageIsToldWhenItMoves(t *testing.T) {
	var log bytes.Buffer
	s := testStation(t, &platform{name: "truechimer-ab12", listen: ":80"}, stopped{})
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	s.conf.Hostname = "shed"
	told := s.tellPage()
	at := func(a ...string) {
		var st network.State
		for _, a := range a {
			st.Addresses = append(st.Addresses, netip.MustParsePrefix(a))
		}
		told(st)
	}
	at()
	at("fe80::7/64")
	at("fe80::7/64", "192.0.2.7/24")
	at("fe80::7/64", "192.0.2.7/24", "2001:db8::7/64")
	at()
	at("192.0.2.7/24")
	at("192.0.2.8/24")
	for want, times := range map[string]int{
		"http://192.0.2.7/ and http://shed/": 1, "http://192.0.2.8/ and http://shed/": 1, "the page is at": 2,
	} {
		if n := strings.Count(log.String(), want); n != times {
			t.Errorf("%q %d times, want %d, in %s", want, n, times, log.String())
		}
	}
}

func TestTimezoneIsTold(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	if z := s.Status().Station.Timezone; z != nil {
		t.Errorf("%q of nothing", *z)
	}
	s.conf.Timezone = "Europe/Berlin"
	if z := s.Status().Station.Timezone; z == nil || *z != "Europe/Berlin" {
		t.Errorf("%v", z)
	}
}

// TestWifiIsNoNoticeByItself: it is joined, and what is missing is said by the network.
func TestWifiIsNoNoticeByItself(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	s.conf.Wifi = &config.Wifi{SSID: "home", Password: config.NewSecret("hunter2hunter2")}
	s.network()
	if n := strings.Join(s.Status().Notices, "\n"); strings.Contains(n, "Wi-Fi") || strings.Contains(n, "hunter2") {
		t.Errorf("%q", n)
	}
}

// TestNameIsToldOnTheLink: unless the settings say that it is not.
func TestNameIsToldOnTheLink(t *testing.T) {
	st := network.State{Link: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}}
	if l := whereNamed(st, network.Settings{}); l.Name != "eth0" || len(l.Addresses) != 1 {
		t.Errorf("%+v", l)
	}
	if l := whereNamed(st, network.Settings{Network: config.Network{MDNSOff: true}}); l.Name != "" || l.Addresses != nil {
		t.Errorf("%+v", l)
	}
}

// TestNameIsLogged: once for each name.
func TestNameIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := testStation(t, &platform{name: "truechimer-ab12", listen: ":8080"}, stopped{})
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	tell := s.tellName()
	for _, name := range []string{"", "attic.local", "", "attic.local", "attic-2.local"} {
		tell(name)
	}
	if got := log.String(); strings.Count(got, "http://attic.local:8080/") != 1 || strings.Count(got, "http://attic-2.local:8080/") != 1 || strings.Count(got, "\n") != 2 {
		t.Errorf("%s", got)
	}
}
