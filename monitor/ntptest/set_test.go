package ntptest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func startSet(t *testing.T) *Set {
	t.Helper()
	s, err := StartSet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// What the servers of a set are like, asked over the wire.
func TestSet(t *testing.T) {
	s := startSet(t)
	names := []string{"right-1", "right-2", "right-3", "ahead", "unsynchronized", "dead"}
	if got := s.Names(); !slices.Equal(got, names) {
		t.Fatalf("names %v, want %v", got, names)
	}
	s.Names()[0] = "changed"
	if s.Names()[0] != "right-1" {
		t.Error("the set's own list of names was handed out")
	}
	for _, name := range names[:5] {
		const rounding = 1e-6 // a float64 of seconds since 1970
		c, want := dial(t, s.addrs[name]), 0.0
		if name == "ahead" {
			want = 0.08
		}
		sent := float64(time.Now().UnixNano()) / 1e9
		b := exchange(t, c)
		came := float64(time.Now().UnixNano()) / 1e9
		t2, t3 := ntpSeconds(b[32:])-want, ntpSeconds(b[40:])-want
		if t2 < sent-rounding || t3 > came+rounding || (b[0]>>6 == 3) != (name == "unsynchronized") {
			t.Errorf("%s: T2 %g s after the request, T3 %g s before the reply, leap %d", name, t2-sent, came-t3, b[0]>>6)
		}
	}
	if got := s.servers["dead"].String(); got != "dead" {
		t.Errorf("dead is %q", got)
	}
}

// The keys are those of truechimer.toml, see appliance/config.
func TestSetConfig(t *testing.T) {
	s := startSet(t)
	s.Add("chronyd", netip.MustParseAddrPort("127.0.0.1:11123"))
	for host, want := range map[string]string{"10.0.2.2": "10.0.2.2:11123", "::1": "[::1]:11123"} {
		var doc map[string][]map[string]any
		if err := toml.Unmarshal(s.Config(host), &doc); err != nil {
			t.Fatalf("%v in\n%s", err, s.Config(host))
		}
		list := doc["server"]
		if len(doc) != 1 || len(list) != 7 {
			t.Fatalf("%d tables, %d servers, want 1 and 7", len(doc), len(list))
		}
		for i, name := range s.Names() {
			address, _ := list[i]["address"].(string)
			interval, _ := list[i]["interval"].(string)
			d, err := time.ParseDuration(interval)
			if list[i]["name"] != name || len(list[i]) != 3 || err != nil || d < 2*time.Second {
				t.Errorf("%s: %v", name, list[i])
			}
			if i < 6 && !strings.HasSuffix(address, ":"+strings.Split(s.addrs[name].String(), ":")[1]) {
				t.Errorf("%s: address %q", name, address)
			}
		}
		if got := list[6]["address"]; got != want {
			t.Errorf("address %q, want %q", got, want)
		}
	}
}

func TestSetControl(t *testing.T) {
	s := startSet(t)
	s.Add("chronyd", netip.MustParseAddrPort("127.0.0.1:11123"))
	if err := s.Control("right-2", "stratum", "5"); err != nil {
		t.Fatal(err)
	}
	if b := exchange(t, dial(t, s.addrs["right-2"])); b[1] != 5 {
		t.Errorf("stratum %d, want 5", b[1])
	}
	if b := exchange(t, dial(t, s.addrs["right-1"])); b[1] != 1 {
		t.Errorf("another server's stratum is %d, want 1", b[1])
	}
	for words, want := range map[string]string{
		"":                "write: server NAME",
		"right-1":         "write: server NAME",
		"nobody dead":     `no server is called "nobody"; there are right-1, right-2`,
		"chronyd dead":    "chronyd is a real server",
		"right-1 ofset 1": `"ofset" is no behaviour of a server, write one of: right`,
	} {
		err := s.Control(strings.Fields(words)...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want one line with %q", words, err, want)
		}
	}
}

func TestSetClose(t *testing.T) {
	s := startSet(t)
	s.Close()
	s.Close()
	for name, addr := range s.addrs {
		again, err := Start(addr.String())
		if err != nil {
			t.Errorf("%s still has its port: %v", name, err)
			continue
		}
		again.Close()
	}
}
