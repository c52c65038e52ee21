package ntptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Set is a handful of servers to judge, each with a name: what a station needs
// to show everything it can say.
type Set struct {
	names   []string
	servers map[string]*Server
	addrs   map[string]netip.AddrPort
}

// StartSet starts three servers that are right, one that is 80 ms ahead, one
// that is unsynchronized and one that never answers, on loopback.
func StartSet() (*Set, error) {
	s := &Set{servers: make(map[string]*Server), addrs: make(map[string]netip.AddrPort)}
	for _, d := range []struct {
		name      string
		behaviour []string
	}{
		{"right-1", []string{"right"}},
		{"right-2", []string{"right"}},
		{"right-3", []string{"right"}},
		{"ahead", []string{"offset", "80ms"}},
		{"unsynchronized", []string{"unsynchronized"}},
		{"dead", []string{"dead"}},
	} {
		server, err := Start("127.0.0.1:0")
		if err == nil {
			err = server.Set(d.behaviour...)
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		s.servers[d.name] = server
		s.Add(d.name, server.Addr())
	}
	return s, nil
}

// Add names one more server, which is not the set's own to control.
func (s *Set) Add(name string, addr netip.AddrPort) {
	s.names = append(s.names, name)
	s.addrs[name] = addr
}

// Names are the names of all servers.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Config is the truechimer.toml that assigns the servers to a station that
// sees this machine as host.
func (s *Set) Config(host string) []byte {
	var b strings.Builder
	for _, n := range s.names {
		addr := net.JoinHostPort(host, strconv.Itoa(int(s.addrs[n].Port())))
		fmt.Fprintf(&b, "[[server]]\nname = %q\naddress = %q\ninterval = \"8s\"\n\n", n, addr)
	}
	return []byte(b.String())
}

// Control tells a server how to behave: a name and what Server.Set takes.
func (s *Set) Control(args ...string) error {
	if len(args) < 2 {
		return errors.New("write: server NAME right|dead|offset 80ms")
	}
	server, ok := s.servers[args[0]]
	switch {
	case ok:
		return server.Set(args[1:]...)
	case slices.Contains(s.names, args[0]):
		return fmt.Errorf("%s is a real server and cannot be told to misbehave", args[0])
	}
	return fmt.Errorf("no server is called %.40q; there are %s", args[0], strings.Join(s.names, ", "))
}

// Close ends the servers.
func (s *Set) Close() {
	for _, server := range s.servers {
		server.Close()
	}
}
