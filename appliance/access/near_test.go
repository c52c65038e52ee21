package access

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	a := open(t, newWorld(t, "127.0.0.1/8", "::1/128", "192.0.2.9/24", "198.51.100.1/32", "10.0.0.1/7", "100.64.0.1/10", "fe80::9/64", "2001:db8:1:2::9/64", "2001:db8:ff00::1/40").options())
	for from, want := range map[string]bool{
		"192.0.2.1:1": true, "192.0.2.255:1": true, "[::ffff:192.0.2.1]:1": true, "192.0.3.1:1": false, "198.51.100.1:1": true, "198.51.100.2:1": false,
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::2]:1": false, "100.127.0.1:1": true, "100.128.0.1:1": false,
		"11.0.0.1:1": false, "10.0.0.2:1": false, // in a prefix that says nothing
		"[fe80::1]:1": true, "[fe80::1%wlan0]:1": true, "[fe80:0:0:1::1]:1": false, "[2001:db8:1:2:ffff::]:1": true, "[2001:db8:1:3::1]:1": false,
		"[2001:db8:ff00::2]:1": false, "203.0.113.5:1": false, "": false, "@": false, "host(2):1": false, "192.0.2.1": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from
		if got := a.near(r); got != want {
			t.Errorf("%s: %v", from, got)
		}
		for _, h := range []string{"Via", "Forwarded", "X-Real-IP"} {
			r.Header = http.Header{}
			r.Header.Set(h, "192.0.2.1")
			if a.near(r) {
				t.Errorf("%s: near by a proxy that sets %s", from, h)
			}
		}
	}
}

// TestNoAddresses: nobody is near where nobody knows what near is.
func TestNoAddresses(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Interfaces = func() ([]net.Addr, error) { return nil, errors.New("no netlink") }
	v := visitorOf(t, open(t, o), near)
	if got := v.get("/claim"); got.code != 403 || !strings.Contains(w.told["addresses"], "no netlink") {
		t.Errorf("%d, told %q", got.code, w.told)
	}
}

func TestOwnName(t *testing.T) {
	a := open(t, newWorld(t).options())
	for host, want := range map[string]bool{
		"192.0.2.9": true, "192.0.2.9:8443": true, "[fd00::9]": true, "[fd00::9]:8443": true, "fd00::9": true, "localhost:1": true,
		"truechimer-7f3a": true, "TRUECHIMER-7f3a.local.:443": true, "truechimer-7f3a.lan": false, "x.truechimer-7f3a.local": false, "": false, "..": false, "[": false, "evil.example:443": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if r.Host = host; a.byOwnName(r) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
	o := newWorld(t).options()
	o.Host = ""
	r := httptest.NewRequest("GET", "/", nil)
	for _, r.Host = range []string{"", ".local"} {
		if open(t, o).byOwnName(r) {
			t.Errorf("%q is the name of a station that has none", r.Host)
		}
	}
}
