package byhand

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseHosts(t *testing.T) {
	addr := netip.MustParseAddr
	for in, want := range map[string]Host{
		"ntp.example.org":         {Name: "ntp.example.org", Port: 123},
		"ntp.example.org:1123":    {Name: "ntp.example.org", Port: 1123},
		"ntp_1.local.":            {Name: "ntp_1.local.", Port: 123},
		"192.0.2.1":               {Name: "192.0.2.1", Addr: addr("192.0.2.1"), Port: 123},
		"192.0.2.1:65535":         {Name: "192.0.2.1", Addr: addr("192.0.2.1"), Port: 65535},
		"::1":                     {Name: "::1", Addr: addr("::1"), Port: 123},
		"[::1]":                   {Name: "::1", Addr: addr("::1"), Port: 123},
		"[::1]:1123":              {Name: "::1", Addr: addr("::1"), Port: 1123},
		"fe80::1%eth0":            {Name: "fe80::1%eth0", Addr: addr("fe80::1%eth0"), Port: 123},
		"[fe80::1%eth0]:1123":     {Name: "fe80::1%eth0", Addr: addr("fe80::1%eth0"), Port: 1123},
		"::ffff:192.0.2.1":        {Name: "::ffff:192.0.2.1", Addr: addr("192.0.2.1"), Port: 123},
		"[2001:db8::1]:123":       {Name: "2001:db8::1", Addr: addr("2001:db8::1"), Port: 123},
		"2001:db8::1:123":         {Name: "2001:db8::1:123", Addr: addr("2001:db8::1:123"), Port: 123},
		"xn--bcher-kva.example:1": {Name: "xn--bcher-kva.example", Port: 1},
	} {
		if got, err := ParseHosts([]string{in}); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	if got, err := ParseHosts([]string{"a", "b:1", "a:123"}); err != nil || len(got) != 2 {
		t.Errorf("the same twice: %+v, %v", got, err)
	}
	for in, want := range map[string]string{
		"":                       "empty",
		":123":                   "empty",
		"a:":                     "1 to 65535",
		"a:0":                    "1 to 65535",
		"a:65536":                "1 to 65535",
		"a:ntp":                  "1 to 65535",
		"[::1":                   "closing bracket",
		"[::1]1123":              "only a colon",
		"[192.0.2.1]:123":        "no IPv6 address",
		"[a]:123":                "no IPv6 address",
		"a:b:c":                  "[2001:db8::1]:123",
		"2001:db8::1::2":         "[2001:db8::1]:123",
		"ntp://a":                "1 to 65535",
		"a/b":                    "without ntp://",
		"a b":                    "without ntp://",
		"a\nb":                   "without ntp://",
		"-x":                     "dash",
		strings.Repeat("a", 254): "254 characters",
	} {
		if _, err := ParseHosts([]string{in}); err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
	if _, err := ParseHosts(nil); err == nil {
		t.Error("no host at all")
	}
	if _, err := ParseHosts(make([]string, maxHosts+1)); err == nil {
		t.Error("too many hosts")
	}
}

func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"a:1", "[::1]:1123", "fe80::1%eth0", "::ffff:192.0.2.1", "[", "]", "[]:", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHost(s)
		if err != nil {
			return
		}
		if h.Port == 0 || h.Name == "" || !h.Addr.IsValid() && badName(h.Name) != "" {
			t.Errorf("%q: %+v", s, h)
		}
	})
}
