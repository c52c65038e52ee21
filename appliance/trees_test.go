package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// told is a tree in a line: each step's id and how it is, what needs it in brackets.
func told(s status.Step) string {
	out := s.ID + " " + s.State
	if len(s.Next) > 0 {
		var next []string
		for _, n := range s.Next {
			next = append(next, told(n))
		}
		out += " (" + strings.Join(next, ", ") + ")"
	}
	return out
}

// wording is the text of the step of an id.
func wording(s status.Step, id string) string {
	if s.ID == id {
		return s.Text
	}
	for _, n := range s.Next {
		if t := wording(n, id); t != "" {
			return t
		}
	}
	return ""
}

func TestNetworkTree(t *testing.T) {
	own := netip.MustParsePrefix("192.168.7.9/24")
	leased := network.State{
		Link: "eth0", Addresses: []netip.Prefix{own}, DNS: []netip.Addr{netip.MustParseAddr("192.168.7.1")},
		Lease: &network.Lease{Address: own, Router: netip.MustParseAddr("192.168.7.1")},
	}
	alone, direct, unrouted := leased, leased, leased
	alone.DNS = nil
	unrouted.Lease = &network.Lease{Address: own}
	direct.Lease, direct.LinkLocal, direct.Reason = nil, netip.MustParseAddr("169.254.1.2"), "no DHCP server answers"
	direct.Addresses = []netip.Prefix{netip.MustParsePrefix("169.254.1.2/16")}
	direct.DNS = nil
	answers := []status.Server{{Sent: 4, Reach: 1}, {Sent: 4}}
	silent := []status.Server{{Sent: 4}, {Sent: 4}}
	name := func(led bool) monitor.Result {
		r := monitor.Result{Target: monitor.Target{Server: monitor.Server{Host: "ntp.example.net"}}, Reason: "the name leads nowhere"}
		if led {
			r.Target.Addr = netip.MustParseAddrPort("192.0.2.1:123")
		}
		return r
	}
	checked := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	hosted := &status.Update{Hosts: []string{"https://updates.example.net"}, Checked: &checked}
	failing := &status.Update{Hosts: hosted.Hosts, Failure: "no route to host"}
	list := []status.Assignments{{Source: status.AssignmentsURL, State: status.AssignmentsKept, Failure: "no route to host"}}
	for what, c := range map[string]struct {
		f    netFacts
		want string
		id   string // of a step that
		says string
	}{
		"all well": {netFacts{own: true, state: leased, servers: answers, results: []monitor.Result{name(true)}, update: hosted},
			"link works (address works (route works (dns works (update_host works), servers works)))", "servers", "1 of 2 answer"},
		"no cable": {netFacts{own: true, state: network.State{Reason: "no cable has a carrier"}, servers: silent, results: []monitor.Result{name(false)}, update: failing, lists: list},
			"link fails (address waits (route waits (dns waits (list_of_servers waits, update_host waits), servers waits)))", "update_host", "waits for the DNS"},
		"a cable to a computer": {netFacts{own: true, state: direct, servers: silent},
			"link works (address fails (route waits (dns waits, servers waits)))", "address", "only one of this link: no DHCP server answers"},
		"no router": {netFacts{own: true, state: unrouted, servers: answers},
			"link works (address works (route fails (dns waits, servers works)))", "route", "no router leads"},
		"router silent": {netFacts{own: true, state: leased, silent: true, servers: silent},
			"link works (address works (route fails (dns waits, servers waits)))", "dns", "waits for the route"},
		"no resolver": {netFacts{own: true, state: alone, servers: answers, results: []monitor.Result{name(false)}, lists: list},
			"link works (address works (route works (dns fails (list_of_servers waits), servers works)))", "list_of_servers", "waits for the DNS"},
		"names lead nowhere": {netFacts{own: true, state: leased, servers: silent, results: []monitor.Result{name(false)}, update: failing},
			"link works (address works (route works (dns fails (update_host waits), servers fails)))", "dns", "the name leads nowhere"},
		"the host is down": {netFacts{own: true, state: leased, results: []monitor.Result{name(true)}, update: failing, lists: list},
			"link works (address works (route works (dns works (list_of_servers fails, update_host fails), servers unknown)))", "update_host", "no route to host"},
		"a program on somebody's computer": {netFacts{servers: answers},
			"link unknown (address unknown (route unknown (dns unknown, servers works)))", "link", "does not look after"},
	} {
		tree := c.f.tree()
		if got := told(tree); got != c.want {
			t.Errorf("%s: %s\nwant %s", what, got, c.want)
		}
		if got := wording(tree, c.id); !strings.Contains(got, c.says) {
			t.Errorf("%s: %s says %q, want %q", what, c.id, got, c.says)
		}
	}
}

func TestTimeTree(t *testing.T) {
	device, open, short, speed, pin := "/dev/ttyAMA0", status.AntennaOpen, status.AntennaShort, status.ReceiverSpeed, "GPIO4"
	rx := status.Receiver{Device: &device}
	loud := 40
	heard := func(n int) (list []status.Satellite) {
		for range n {
			list = append(list, status.Satellite{CN0: &loud})
		}
		return append(list, status.Satellite{})
	}
	const now = int64(100e9)
	pulsing := gpspps.Info{LastPulse: now - 1e9}
	lost := gpspps.Info{LastPulse: now - 50e9}
	in := func(state, reason string) status.Reference { return status.Reference{State: state, Reason: reason} }
	with := func(r status.Reference, n int) status.Reference { r.Satellites = heard(n); return r }
	for what, c := range map[string]struct {
		st   status.Status
		fix  fixState
		info gpspps.Info
		want string
		id   string
		says string
	}{
		"locked": {status.Status{Receiver: rx, Reference: with(in("locked", ""), 9)}, fixGood, pulsing,
			"receiver works (antenna works (fix works (pulse works (lock works))))", "antenna", "hears 9 satellites"},
		"no receiver": {status.Status{Reference: in("cold", "no receiver")}, fixUnknown, gpspps.Info{},
			"receiver fails (antenna waits (fix waits (pulse waits (lock waits))))", "lock", "waits for the pulse"},
		"indoors": {status.Status{Receiver: rx, Reference: with(in("cold", "no fix"), 2)}, fixNone, gpspps.Info{},
			"receiver works (antenna waits (fix waits (pulse waits (lock waits))))", "antenna", "2 of the 4 satellites"},
		"antenna off": {status.Status{Receiver: rx, Reference: with(in("cold", "no fix"), 0)}, fixNone, gpspps.Info{},
			"receiver works (antenna fails (fix waits (pulse waits (lock waits))))", "fix", "waits for the antenna"},
		"no pulse": {status.Status{Receiver: rx, Reference: with(in("numbering", "no pulse"), 8)}, fixGood, gpspps.Info{},
			"receiver works (antenna works (fix works (pulse fails (lock waits))))", "pulse", "none has come"},
		"pulse lost": {status.Status{Receiver: rx, Reference: with(in("holdover", "no pulse for 50 s"), 8)}, fixGood, lost,
			"receiver works (antenna works (fix works (pulse fails (lock waits))))", "pulse", "50 s ago"},
		"antenna open": {status.Status{Receiver: status.Receiver{Device: &device, Antenna: &open}, Reference: with(in("cold", "no fix"), 1)}, fixNone, gpspps.Info{},
			"receiver works (antenna fails (fix waits (pulse waits (lock waits))))", "antenna", "none connected"},
		"antenna short": {status.Status{Receiver: status.Receiver{Device: &device, Antenna: &short}, Reference: with(in("cold", "no fix"), 0)}, fixNone, gpspps.Info{},
			"receiver works (antenna fails (fix waits (pulse waits (lock waits))))", "antenna", "shorted"},
		"wrong speed": {status.Status{Receiver: status.Receiver{Trouble: &speed}, Reference: in("cold", "no receiver")}, fixUnknown, gpspps.Info{},
			"receiver fails (antenna waits (fix waits (pulse waits (lock waits))))", "receiver", "at another speed"},
		"pulse on another pin": {status.Status{Receiver: status.Receiver{Device: &device, PulseElsewhere: &pin}, Reference: with(in("numbering", "no pulse"), 8)}, fixGood, gpspps.Info{},
			"receiver works (antenna works (fix works (pulse fails (lock waits))))", "pulse", "comes on GPIO4"},
		"numbering": {status.Status{Receiver: rx, Reference: with(in("numbering", "leap seconds unconfirmed"), 8)}, fixGood, pulsing,
			"receiver works (antenna works (fix works (pulse works (lock waits))))", "lock", "leap seconds unconfirmed"},
		"suspect": {status.Status{Receiver: rx, Reference: with(in("suspect", "the servers disagree"), 8)}, fixGood, pulsing,
			"receiver works (antenna works (fix works (pulse works (lock fails))))", "lock", "the servers disagree"},
		"a pulse alone": {status.Status{Reference: status.Reference{State: "locked", PulseAlone: true}}, fixUnknown, pulsing,
			"pulse works (lock works)", "pulse", "every second"},
		"servers stand in": {status.Status{Reference: in("locked", "5 of 6 servers agree; receiver: no receiver")}, fixUnknown, gpspps.Info{},
			"receiver fails (antenna waits (fix waits (pulse waits (lock works))))", "lock", "from elsewhere: 5 of 6"},
	} {
		tree := timeTree(&c.st, c.fix, c.info, now)
		if got := told(tree); got != c.want {
			t.Errorf("%s: %s\nwant %s", what, got, c.want)
		}
		if got := wording(tree, c.id); !strings.Contains(got, c.says) {
			t.Errorf("%s: %s says %q, want %q", what, c.id, got, c.says)
		}
	}
}

func TestFixState(t *testing.T) {
	var a above
	if a.fixed() != fixUnknown || len(a.status()) != 0 {
		t.Error("something is known of nothing")
	}
	for _, c := range []struct {
		f    gpspps.Fix
		want fixState
	}{{gpspps.Fix{}, fixUnknown}, {gpspps.Fix{NoFix: true}, fixNone}, {gpspps.Fix{Valid: true, Mode: 3}, fixGood}, {gpspps.Fix{}, fixGood}, {gpspps.Fix{Mode: 1}, fixNone}} {
		a.heard(c.f)
		if got := a.fixed(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.f, got, c.want)
		}
	}
}
