package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestInvalidFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-*.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse("truechimer.toml", data)
			if err == nil {
				t.Fatalf("accepted as %+v", c)
			}
			if !reflect.DeepEqual(c, Default()) {
				t.Errorf("with an error came %+v", c)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".toml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestParseFull(t *testing.T) {
	data, err := os.ReadFile("testdata/valid-full.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name:     "attic",
		Timezone: "America/Argentina/Buenos_Aires",
		Wifi:     &Wifi{SSID: "Dachboden über uns", Password: NewSecret("eight+ characters"), Country: "AR", Hidden: true},
		Network: Network{
			Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::7/64"), netip.MustParsePrefix("10.1.2.3/8")},
			Gateways:  []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")},
			DNS:       []netip.Addr{netip.MustParseAddr("2001:db8::53")}, VLAN: 4094, MDNSOff: true,
		},
		Receiver: Receiver{Hat: "auto", Device: "/dev/serial/by-id/usb-u-blox_AG_7-if00", Baud: 38400, Pulse: "gpiochip0:18", Moving: true, CableDelay: 10000},
		Update:   Update{Enabled: true, Channel: "beta-2", URLs: []string{"https://updates.example.net/truechimer", "http://[2001:db8::9]:8080"}, Window: &Window{22*time.Hour + 30*time.Minute, time.Hour + 5*time.Minute}},
		Web:      Web{Listen: "[::1]:8080", Secure: ":8443"},
		Admin:    Admin{PasswordHash: NewSecret("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0$AAAAAAAAAAAAAAAAAAAAAA"), ClaimCode: NewSecret("7Q2-rt.9_xKm")},
		Servers: []monitor.Server{
			{Name: "ntp.example.net", Host: "ntp.example.net", Port: 123, Limit: 0.025, Interval: 64 * time.Second},
			{Name: "cellar", Host: "2001:db8::7", Port: 1123, Limit: 0.005, Interval: 16 * time.Second},
			{Name: "2001:db8::8", Host: "2001:db8::8", Port: 123, Limit: 0.25, Interval: 64 * time.Second},
		},
		Reference: "cellar",
		Hardware:  []string{"enp3s0", "eth1.12"},
	}
	notepad := append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))...)
	for name, data := range map[string][]byte{"as it is": data, "saved by Notepad": notepad} {
		if got, err := Parse("f", data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
}

// TestPulseAlone: with whoever can say which second it marks.
func TestPulseAlone(t *testing.T) {
	const receiver, server = "[receiver]\npps = \"/dev/pps0\"\npps_alone = true\ncable_delay_ns = 100\n", "[[server]]\naddress = \"192.0.2.%d\"\n"
	want := Receiver{Hat: Auto, Device: Auto, Pulse: "/dev/pps0", PulseAlone: true, Configure: true, CableDelay: 100}
	for _, who := range []string{
		fmt.Sprintf(server, 1) + "reference = true\n",
		"[ptp]\ndevice = \"/dev/ptp0\"\nbound = \"1us\"\n",
		fmt.Sprintf(server+server+server, 1, 2, 3),
	} {
		if c, err := Parse("f", []byte(receiver+who)); err != nil || c.Receiver != want {
			t.Errorf("%s: %+v, %v", who, c.Receiver, err)
		}
	}
	if c, err := Parse("f", []byte("[receiver]\npps_alone = false\nhat = \"adafruit\"\n")); err != nil || c.Receiver.PulseAlone {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestParseNothing(t *testing.T) {
	for _, data := range []string{"", "\xef\xbb\xbf", "\r\n# nothing", "[receiver]\nbaud = 0\n[network]", "[update]\nenabled = true\nurl = \"\""} {
		if got, err := Parse("f", []byte(data)); err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("%q: got %+v, %v", data, got, err)
		}
	}
	if d := Default(); d.Receiver != (Receiver{Hat: "auto", Device: "auto", Pulse: "auto", Configure: true}) || len(d.Servers) != 0 {
		t.Errorf("the default is %+v", d)
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"ntp.example.net":      "ntp.example.net 123",
		"ntp.example.net.":     "ntp.example.net 123",
		"ntp.example.net:1123": "ntp.example.net 1123",
		"localhost":            "localhost 123",
		"192.0.2.7":            "192.0.2.7 123",
		"192.0.2.7:65535":      "192.0.2.7 65535",
		"2001:DB8::7":          "2001:db8::7 123",
		"[2001:db8::7]":        "2001:db8::7 123",
		"[2001:db8::7]:1":      "2001:db8::7 1",
		"::ffff:192.0.2.7":     "192.0.2.7 123",
		"fe80::1%eth0":         "fe80::1%eth0 123",
		"127.0.0.1:11123":      "127.0.0.1 11123",
	} {
		host, port, w := readAddress(in)
		if got := fmt.Sprint(host, " ", port); got != want || w != (wrong{}) {
			t.Errorf("%s: got %s, %+v, want %s", in, got, w, want)
		}
	}
	for _, in := range []string{"[192.0.2.7]:123", "[ntp]", "a:b:c", "-a", "a..b", ".", "1.2.3.4.5", "ntp:", ":123", "192.0.2.7:123:", "240.0.0.1", "0.1.2.3", "ff02::101", "fe80::1%a b", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", "a/b", "a\x00", "ntp.example.net:+1"} {
		if host, port, w := readAddress(in); w == (wrong{}) {
			t.Errorf("%q became %s, %d", in, host, port)
		}
	}
}

func TestDurationsAtTheirBounds(t *testing.T) {
	for s, ok := range map[string]bool{"10us": true, "9us": false, "10s": true, "10.001s": false, "-5ms": false, "5ms": true, "1e3ms": false, "9999999999h": false} {
		if _, w := readDuration("limit", s, "25ms", MinLimit, MaxLimit); (w == (wrong{})) != ok {
			t.Errorf("%s: %+v", s, w)
		}
	}
}

func TestTooMuch(t *testing.T) {
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "[[server]]\naddress = \"192.0.2.%d\"\n", i)
	}
	c, err := Parse("f", []byte(b.String()))
	if err != nil || len(c.Servers) != 200 {
		t.Fatalf("%d servers, %v", len(c.Servers), err)
	}
	b.WriteString("  [[server]]\naddress = \"192.0.2.200\"\n[[server]]\n")
	if _, err := Parse("f", []byte(b.String())); err == nil || err.Error() != "f:401:5: there are 202 servers; write 200 at the most" {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("f", bytes.Repeat([]byte("\n"), MaxSize)); err != nil {
		t.Error(err)
	}
	if _, err := Parse("f", bytes.Repeat([]byte("\n"), MaxSize+1)); err == nil || !strings.Contains(err.Error(), "65537 bytes") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("f", []byte(strings.Repeat("[[server]]\n", 150))); err == nil {
		t.Error("servers without addresses were accepted")
	} else if errs, ok := errors.AsType[*Errors](err); !ok || len(errs.List) != 10 || errs.More != 140 || !strings.HasSuffix(err.Error(), "f: and 140 more mistakes") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("f", []byte("a = "+strings.Repeat("[", 60000))); err == nil {
		t.Error("sixty thousand open brackets were accepted")
	}
}

// A file made to be slow must not keep a small board busy for long.
func BenchmarkHostile(b *testing.B) {
	for name, line := range map[string]string{
		"keys": "", "dotted": "a.", "tables": "[[a]]\n", "quotes": "\"", "inline": "a={", "servers": "[[server]]\na=1\n",
	} {
		var s strings.Builder
		for i := 0; s.Len() < MaxSize-16; i++ {
			if name == "keys" {
				fmt.Fprintf(&s, "k%d = 1\n", i)
			} else {
				s.WriteString(line)
			}
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse("f", []byte(s.String())); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// uncomment takes the # away in front of every example.
func uncomment(data []byte) []byte {
	var out []string
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "#"); ok && rest != "" && rest[0] != ' ' {
			line = rest
		}
		out = append(out, line)
	}
	return []byte(strings.Join(out, "\n"))
}

func TestDefaultFile(t *testing.T) {
	c, err := Parse(FileName, DefaultFile())
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("the file as shipped says %+v, %v", c, err)
	}
	c, err = Parse(FileName, uncomment(DefaultFile()))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name:     "attic",
		Reset:    true,
		Timezone: "Europe/Berlin",
		Wifi:     &Wifi{SSID: "our network", Password: NewSecret("the password"), Country: "DE"},
		Network: Network{
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64")},
			Gateways:  []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")},
			DNS:       []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, VLAN: 12,
		},
		Receiver:    Receiver{Hat: "adafruit", Device: "/dev/ttyAMA0", Baud: 9600, Pulse: "GPIO18", Configure: true, CableDelay: 50},
		ResetButton: "GPIO5",
		Update:      Update{Enabled: true, Channel: "stable", URLs: []string{"https://updates.example.net/truechimer"}, Window: &Window{2 * time.Hour, 5 * time.Hour}},
		Web:         Web{Listen: "127.0.0.1:8080", Secure: "127.0.0.1:8443"},
		PTP:         &PTP{Device: "/dev/ptp0", Bound: 100e-6, Ahead: 37 * time.Second},
		Assignments: &Assignments{URL: "https://lists.example.net/attic.json", Interval: 15 * time.Minute, Token: NewSecret("the-token")},
		Hardware:    []string{"eth0"},
		Servers: []monitor.Server{
			{Name: "cellar", Host: "ntp.example.net", Port: 123, Limit: 0.025, Interval: 64 * time.Second},
			{Name: "192.0.2.7:123", Host: "192.0.2.7", Port: 123, Limit: 0.005, Interval: 64 * time.Second},
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("its examples say %+v\nwant %+v", c, want)
	}
	DefaultFile()[0] = 'x'
	if DefaultFile()[0] != '#' {
		t.Error("the default file can be changed")
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(DefaultFile())
	f.Add(uncomment(DefaultFile()))
	f.Add([]byte("update = {enabled = false, url = [\"https://a.example/x/\", \"http://192.0.2.1\"], channel = \"x\"}\n"))
	f.Add([]byte("assignments = {url = \"https://a.example/x\", interval = \"1m\", token = \"abc==\"}\n"))
	f.Add([]byte("network = {address = [\"192.0.2.7/31\", \"2001:db8::7/127\"], gateway = \"192.0.2.6\", dns = \"fe80::1\", vlan = 1}\n"))
	f.Add([]byte("server.name = 1\n\"a.b\".c = {d = [1, {e = 2}]}\n[[server.x]]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if err != nil {
			errs, ok := errors.AsType[*Errors](err)
			if !ok || len(errs.List) == 0 || len(errs.List) > maxErrors {
				t.Fatalf("got %#v", err)
			}
			for _, e := range errs.List {
				text := lineAt(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), e.Line)
				if e.Line < 1 || e.Column < 1 || e.Column > len(text)+2 || e.Problem == "" || e.Instead == "" {
					t.Errorf("%v is not in the file", e)
				}
			}
			if strings.ContainsAny(err.Error(), "\x00\x1b\r") {
				t.Errorf("%q would upset a terminal", err)
			}
			return
		}
		for _, u := range c.Update.URLs {
			if len(u) > maxURL || strings.ContainsAny(u, "@?# ") || !strings.HasPrefix(u, "http") {
				t.Errorf("accepted the update host %q", u)
			}
		}
		if ch := c.Update.Channel; ch != "" && !channelShape.MatchString(ch) || len(c.Update.URLs) > MaxUpdateHosts {
			t.Errorf("accepted %+v", c.Update)
		}
		if a := c.Assignments; a != nil && (len(a.URL) > maxURL || strings.ContainsAny(a.URL, "@?# ") || !strings.HasPrefix(strings.ToLower(a.URL), "http") ||
			a.Interval < MinAssignmentsInterval || a.Interval > MaxAssignmentsInterval || strings.ContainsAny(a.Token.Reveal(), "\r\n \"")) {
			t.Errorf("accepted %+v", a)
		}
		if err := c.Network.Check(); err != nil {
			t.Errorf("accepted %+v, %v", c.Network, err)
		}
		names := map[string]bool{}
		for _, s := range c.Servers {
			if names[s.Name] || s.Name == "" || s.Host == "" || s.Port == 0 || s.Limit < 1e-5 || s.Limit > 10 || s.Interval < 2*time.Second || s.Interval > 24*time.Hour {
				t.Errorf("accepted %+v", s)
			}
			names[s.Name] = true
		}
		if len(c.Servers) > MaxServers || c.Receiver.Baud != 0 && c.Receiver.Baud < 4800 || c.Receiver.Hat == "" || c.Receiver.Device == "" || c.Receiver.Pulse == "" || c.Receiver.CableDelay < 0 || c.Receiver.CableDelay > MaxCableDelay {
			t.Errorf("accepted %+v", c)
		}
	})
}

func TestPulseNames(t *testing.T) {
	for name, good := range map[string]bool{
		"auto": true, "off": true, "dcd": true, "GPIO18": true, "PIN12": true, "gpiochip0:3": true, "/dev/pps0": true, "/dev/pps12": true,
		"": false, "gpiochip0": false, "/dev/pps": false, "/dev/pps0/../mem": false, "/dev/ppsx": false, "/dev/mem": false, "pps 0": false,
	} {
		if w := checkPulse(name); (w == wrong{}) != good {
			t.Errorf("%q: %+v", name, w)
		}
	}
}
