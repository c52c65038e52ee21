package monitor

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// afar is a server that a list from elsewhere names.
func afar(name, host string) Server {
	s := at(name, host)
	s.Remote = true
	return s
}

// A list from elsewhere leads nowhere that only the station's owner may name,
// by number or by name.
func TestRefusedFromAfar(t *testing.T) {
	tests := []struct{ host, reason string }{
		{"192.168.1.1", "RFC 1918"}, {"127.0.0.1", "loopback"}, {"fd00::1", "RFC 4193"}, {"192.0.2.1", "documentation"},
		{"100.64.0.1", "RFC 6598"}, {"::ffff:10.0.0.1", "RFC 1918"}, {"64:ff9b::192.168.1.1", "a way to 192.168.1.1"},
		{"rebound.example", "leads nowhere that may be asked: 192.168.1.1 is a private address"}, {"itself.example", "loopback"},
	}
	list := []Server{afar("fine", "mixed.example"), at("own", "192.168.1.1")}
	for i, tt := range tests {
		list = append(list, afar(string(rune('a'+i)), tt.host))
	}
	setup := func(w *fakeWorld, _ *Config) {
		w.names["rebound.example"] = addrs("192.168.1.1", "fd00::1", "192.168.1.1")
		w.names["itself.example"] = addrs("::1")
		w.names["mixed.example"] = addrs("10.0.0.1", "1.1.1.1")
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(time.Minute)
		for i, tt := range tests {
			if r := w.want(string(rune('a'+i)), NotJudged); !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%s: %q, want %q", tt.host, r.Reason, tt.reason)
			}
		}
		w.want("own", OK)
		if r := w.want("fine", OK); r.Target.Addr.Addr().String() != "1.1.1.1" || r.Reason != "" {
			t.Errorf("%+v", r)
		}
		for _, r := range w.requests("") {
			if r.id != "own" && r.id != "fine" {
				t.Errorf("asked %+v", r)
			}
		}
		// The same server on another's word is another one.
		asked := len(w.requests("192.168.1.1"))
		w.assign(afar("own", "192.168.1.1"))
		w.pass(time.Hour)
		w.want("own", NotJudged)
		if n := len(w.requests("192.168.1.1")) - asked; n != 0 {
			t.Errorf("%d requests to what a list names", n)
		}
	})
}

// A name that begins to lead inside (DNS rebinding) moves nothing: its last
// address is asked on while it answers, and blamed for nothing.
func TestRebinding(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.names["a.example"] = addrs("1.1.1.1") }
	inWorld(t, []Server{afar("a", "a.example"), at("b", "192.0.2.2"), at("c", "192.0.2.3"), at("d", "192.0.2.4")}, setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		w.want("a", OK)
		w.setName("a.example", "192.168.1.1", "169.254.169.254")
		w.pass(70 * time.Minute)
		r := w.want("a", OK)
		if !strings.Contains(r.Reason, "a.example leads nowhere any more") || !strings.Contains(r.Reason, "169.254.169.254") || r.Target.Addr.Addr().String() != "1.1.1.1" {
			t.Errorf("%+v", r)
		}
		w.set("1.1.1.1", fakeServer{offset: 80 * ms})
		w.pass(10 * time.Minute)
		if r := w.want("a", NotJudged); !strings.HasPrefix(r.Reason, "it would be off (80 ms ahead") || r.Offset == nil {
			t.Errorf("%+v", r)
		}
		// The name comes back, and with it the verdict.
		w.setName("a.example", "1.1.1.1")
		w.pass(20 * time.Minute)
		if r := w.want("a", Off); strings.Contains(r.Reason, "leads") {
			t.Errorf("%+v", r)
		}
		// Once its last address is silent, nobody is asked any more.
		w.setName("a.example", "192.168.1.1")
		w.set("1.1.1.1", fakeServer{what: OutcomeTimeout})
		w.pass(70 * time.Minute)
		if r := w.want("a", NotJudged); !strings.Contains(r.Reason, "leads nowhere that may be asked") || r.Target.Addr.IsValid() {
			t.Errorf("%+v", r)
		}
		if n := len(w.requests("192.168.1.1")) + len(w.requests("169.254.169.254")); n != 0 {
			t.Errorf("%d requests inside", n)
		}
	})
}

// A list of names that lose and find addresses moves no more than names of the
// station's owner do: an address still found is kept.
func TestRemoteNamesArePinned(t *testing.T) {
	setup := func(w *fakeWorld, _ *Config) { w.names["a.example"] = addrs("1.1.1.1", "2600::1") }
	inWorld(t, []Server{afar("a", "a.example")}, setup, func(w *fakeWorld) {
		w.pass(time.Minute)
		w.wantIDs("a/ipv4=1.1.1.1 a/ipv6=2600::1")
		w.setName("a.example", "10.0.0.1", "1.1.1.2", "fe80::1", "1.1.1.1", "2600::2", "2600::1")
		w.pass(3 * time.Hour)
		w.wantIDs("a/ipv4=1.1.1.1 a/ipv6=2600::1")
		asked := len(w.requests("1.1.1.1"))
		w.assign(afar("b", "192.168.0.1"), afar("a", "A.Example"), afar("a", "b.example"))
		w.pass(5 * time.Second)
		w.wantIDs("a/ipv4=1.1.1.1 a/ipv6=2600::1 b=invalid IP")
		if n := len(w.requests("1.1.1.1")) - asked; n > 1 {
			t.Errorf("%d requests in 5 s to a server that did not change", n)
		}
		w.pass(3 * time.Hour)
		if n := len(w.requests("1.1.1.2")) + len(w.requests("2600::2")); n != 0 {
			t.Errorf("%d requests to addresses that were not needed", n)
		}
	})
}

// What comes back through one's own router is noticed, and convicts nobody.
func TestHairpin(t *testing.T) {
	own := addrs("198.51.100.7")
	list := []Server{at("split", "ntp.example.net"), at("lan", "ntp.lan"), at("number", "192.168.1.8"), at("back", "back.example.net"), afar("listed", "1.1.1.1"), at("x", "192.0.2.9")}
	setup := func(w *fakeWorld, c *Config) {
		w.names["ntp.example.net"] = addrs("192.168.1.5")
		w.names["ntp.lan"] = addrs("192.168.1.6")
		w.names["back.example.net"] = addrs("198.51.100.7")
		for _, a := range []string{"192.168.1.5", "192.168.1.6", "192.168.1.8"} {
			w.byAddr[a] = fakeServer{offset: 80 * ms}
		}
		w.byAddr["198.51.100.7"] = fakeServer{what: OutcomeRefused}
		c.Own = func() []netip.Addr { w.mu.Lock(); defer w.mu.Unlock(); return own }
	}
	inWorld(t, list, setup, func(w *fakeWorld) {
		w.pass(10 * time.Minute)
		if r := w.want("split", NotJudged); !strings.Contains(r.Reason, "it would be off (80 ms ahead") || !strings.Contains(r.Reason, "ntp.example.net leads to 192.168.1.5") {
			t.Errorf("%+v", r)
		}
		w.want("lan", Off)
		w.want("number", Off)
		if r := w.want("back", NotJudged); !strings.Contains(r.Reason, "it would be refused") || !strings.Contains(r.Reason, "own network") {
			t.Errorf("%+v", r)
		}
		if r := w.want("listed", OK); r.Reason != "" {
			t.Errorf("%+v", r)
		}
		w.set("192.168.1.5", fakeServer{})
		w.pass(10 * time.Minute)
		if r := w.want("split", OK); !strings.Contains(r.Reason, "others may meet another server") {
			t.Errorf("%+v", r)
		}
		// The station's own address changes.
		w.mu.Lock()
		own = addrs("1.1.1.1")
		w.mu.Unlock()
		w.set("1.1.1.1", fakeServer{what: OutcomeTimeout})
		w.pass(10 * time.Minute)
		w.want("back", Refused)
		if r := w.want("listed", NotJudged); !strings.Contains(r.Reason, "own network") {
			t.Errorf("%+v", r)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range w.history {
			if r.Target.Server.Name == "split" && r.Verdict == Off {
				t.Fatalf("told the sink: %+v", r)
			}
		}
	})
}

func TestEverybodysNames(t *testing.T) {
	for host, want := range map[string]bool{
		"ntp.example.net": true, "ntp.example.net.": true, "a.b": true, "localnet.example": true, "notlan.de": true,
		"ntp": false, "ntp.local": false, "NTP.Local.": false, "lan": false, "a.lan": false, "x.home.arpa": false, "nas.fritz.box": false, "a.internal": false, "": false,
	} {
		if everybodys(host) != want {
			t.Errorf("%q is everybody's: %v", host, !want)
		}
	}
}
