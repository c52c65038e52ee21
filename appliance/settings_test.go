package main

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/monitor"
)

// TestApply: servers and the name take effect at once.
func TestApply(t *testing.T) {
	s := testStation(t, &platform{name: "truechimer-7f3a", build: oldestDate}, stopped{})
	_, changes := s.assigned.roster.Servers()
	c := config.Default()
	c.Name = "attic"
	for _, n := range []string{"a", "b", "c"} {
		c.Servers = append(c.Servers, monitor.Server{Name: n, Host: n + ".example.net", Port: 123})
	}
	changed{s}.Apply(c)
	<-changes
	if list, _ := s.assigned.roster.Servers(); len(list) != 3 {
		t.Errorf("%+v is watched", list)
	}
	st := s.Status()
	if st.Station.Name != "attic" || st.Assignments[0].Servers != 3 {
		t.Errorf("%+v, %+v", st.Station, st.Assignments)
	}
	// Three of the owner's own are enough: a list's do not vote beside them.
	if s.assigned.votes(monitor.Server{Name: "x", Remote: true}) {
		t.Error("a list's server votes beside three of the owner's")
	}
	if c := (changed{s}); c.Network() != nil || c.Updates() != nil || c.Antenna() != nil {
		t.Error("a program changes its computer's network, or has releases")
	}
	safe := testStation(t, &platform{safe: true, build: oldestDate}, stopped{})
	changed{safe}.Apply(c)
	if list, _ := safe.assigned.roster.Servers(); len(list) != 0 {
		t.Error("servers are watched in safe mode")
	}
}

// TestStartsAnew: the program ends all its parts, to be started anew.
func TestStartsAnew(t *testing.T) {
	s := testStation(t, &platform{listen: "127.0.0.1:0", build: oldestDate}, stopped{})
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.run(t.Context(), server, newHardware(config.Default(), boards.Board{})) }()
	for range 2 { // twice is once
		if err := (changed{s}).Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; !errors.Is(err, errAnew) {
		t.Errorf("ended with %v", err)
	}
}

// TestConfirmedNetworkIsKept: the next start has the network that was confirmed, also
// after safe mode, and nothing of one that was not.
func TestConfirmedNetworkIsKept(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), bootDevice: cardWith(t, map[string]string{config.FileName: "[wifi]\nssid = 'home'\npassword = '12345678'\n"}), build: oldestDate}
	boot := func() *station {
		t.Helper()
		conf, notices, err := p.loadConfig("")
		if err != nil {
			t.Fatal(err)
		}
		s := testStation(t, p, stopped{})
		s = newStation(p, conf, stopped{}, s.prober, notices, s.log)
		s.network()
		return s
	}
	s := boot()
	n := s.manager.Load().Settings()
	n.Network.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}
	if _, err := s.manager.Load().Try(n, network.TrialTime); err != nil {
		t.Fatal(err)
	}
	s = boot()
	if got := s.manager.Load().Settings(); len(got.Network.Addresses) != 0 || got.Wifi == nil {
		t.Errorf("unconfirmed after a power cut: %+v", got)
	}
	token, err := s.manager.Load().Try(n, network.TrialTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.manager.Load().Confirm(token); err != nil {
		t.Fatal(err)
	}
	s = boot()
	if got := s.manager.Load().Settings(); len(got.Network.Addresses) != 1 || got.Wifi == nil || got.Wifi.Password.Reveal() != "12345678" {
		t.Errorf("confirmed: %+v", got)
	}
	p.safe = true
	s = boot()
	if got := s.settings.Now(); len(got.Network.Addresses) != 1 || len(s.conf.Network.Addresses) != 0 {
		t.Errorf("in safe mode %+v can be changed, and %+v holds", got.Network, s.conf.Network)
	}
}

// TestSettingsOfAProgram: its file is taken when it is changed, as a station takes that
// on its card, and what was changed on the page holds until then.
func TestSettingsOfAProgram(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/my.toml"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("name = \"file\"\n")
	p := &platform{settings: dir + "/keep", build: oldestDate}
	holds := func(what, file, want string) {
		t.Helper()
		if c, _, err := p.loadConfig(file); err != nil || c.Name != want {
			t.Errorf("%s: %q, %v", what, c.Name, err)
		}
	}
	holds("at first", file, "file")
	if err := config.Keep(p.settings, config.Config{Name: "page", Receiver: config.Default().Receiver, Update: config.Default().Update}); err != nil {
		t.Fatal(err)
	}
	holds("changed on the page", file, "page")
	holds("without the file", "", "page")
	write("nmae = \"file\"\n")
	if _, _, err := p.loadConfig(file); err == nil || !strings.Contains(err.Error(), "my.toml:1:1") {
		t.Errorf("a mistake: %v", err)
	}
	write("name = \"changed\"\n")
	holds("changed in the file", file, "changed")
	p.settings = ""
	holds("where nothing is kept", file, "changed")
	holds("and without a file", "", "")
}
