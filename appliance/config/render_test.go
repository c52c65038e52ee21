package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// renders says what Render makes of c, which has to be c again.
func renders(t *testing.T, c Config) string {
	t.Helper()
	text := Render(c)
	got, err := Parse("rendered", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	c.Reset = false // it is meant for one start
	if !reflect.DeepEqual(got, c) {
		t.Fatalf("%+v became %+v by\n%s", c, got, text)
	}
	if again := Render(got); !bytes.Equal(again, text) {
		t.Fatalf("%s the second time\n%s", text, again)
	}
	return string(text)
}

func TestRender(t *testing.T) {
	if got := renders(t, Default()); got != "" {
		t.Errorf("the defaults are %q", got)
	}
	full, err := Parse("f", uncomment(DefaultFile()))
	if err != nil {
		t.Fatal(err)
	}
	renders(t, full)
}

// TestRenderOdd: what is seldom written survives.
func TestRenderOdd(t *testing.T) {
	for what, text := range map[string]string{
		"an address for a name": "[[server]]\naddress = 'ntp.example.net.'\n[[server]]\naddress = \"[2001:db8::7]:1123\"\n[[server]]\naddress = \"192.0.2.7:123\"\n",
		"a long one":            "[[server]]\naddress = '" + strings.Repeat("a.", 100) + "example.net:123'\n",
		"a name":                "name = '\"q\" \\ ü'\n[[server]]\nname = 'a\"b'\naddress = '192.0.2.1'\nlimit = '10.5us'\ninterval = '90m'\nreference = true\n",
		"a link":                "[[server]]\naddress = 'fe80::1%eth0'\n",
		"a network":             "[wifi]\nssid = \"a\\u0001b\\u007f\"\npassword = '12\"\\345678'\nhidden = true\ncountry = 'de'\n",
		"hosts":                 "[update]\nenabled = false\nurl = ['https://a.example.net/', 'https://b.example.net']\nwindow = 'any'\n",
		"hours":                 "[update]\nwindow = '22:30-00:05'\n",
		"addresses":             "[network]\naddress = ['192.0.2.7/24', '2001:db8::7/64']\ngateway = ['192.0.2.1', 'fe80::1']\ndns = '192.0.2.1'\nvlan = 7\nmdns = false\n",
		"a list":                "[assignments]\nurl = 'https://lists.example.net/a.json'\ninterval = '1h'\ntoken = 'abc='\n",
		"a clock":               "[ptp]\ndevice = '/dev/ptp1'\nbound = '150ns'\nahead = '37s'\n",
		"a button":              "[station]\nreset_button = 'gpiochip1:5'\n[receiver]\npps = 'GPIO5'\n",
		"a receiver":            "[receiver]\nhat = 'usb'\ndevice = '/dev/ttyUSB0'\nbaud = 9600\npps = 'gpiochip0:3'\nconfigure = false\nantenna = 'moving'\ncable_delay_ns = 20\n",
	} {
		c, err := Parse("f", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		renders(t, c)
	}
}

func FuzzRender(f *testing.F) {
	f.Add(DefaultFile())
	f.Add(uncomment(DefaultFile()))
	f.Add([]byte("[[server]]\naddress = 'a'\nlimit='25ms'\n[wifi]\nssid='b'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("f", b)
		if err != nil || len(Render(c)) > MaxSize {
			return
		}
		renders(t, c)
	})
}

// TestKeep: what was made on the page holds at the next start, until a file on the
// card is changed, whole.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	card := Sources{Card: map[string][]byte{FileName: []byte("name = \"card\"\n"), PreseedName: []byte("[system]\nhostname = \"host\"\n[wlan]\nssid = \"home\"\npassword = \"12345678\"\npassword_encrypted = false\ncountry = \"DE\"\n[locale]\ntimezone = \"Europe/Berlin\"\n")}}
	l := Load(card, dir)
	if l.Config.Name != "card" || l.Config.Wifi == nil || l.Config.Hostname != "host" {
		t.Fatalf("%+v", l)
	}
	c := l.Config
	c.Name = "page"
	c.Servers = []monitor.Server{{Name: "ntp.example.net", Host: "ntp.example.net", Port: 123, Limit: 0.005, Interval: time.Minute}}
	holds := func(what string, s Sources, want Config, from string) {
		t.Helper()
		l := Load(s, dir)
		if !reflect.DeepEqual(l.Config, want) || l.From != from || len(l.Notices) != 0 {
			t.Errorf("%s: %+v, want %+v", what, l, want)
		}
	}
	keep := func(c Config) {
		t.Helper()
		if err := Keep(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	keep(c)
	holds("kept", card, c, FromPerm)
	holds("without the card", Sources{}, c, FromPerm)
	if got, err := Kept(dir); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	c.Wifi, c.Timezone, c.Name = nil, "", ""
	keep(c)
	c.Name = "host" // which is what it is called then
	holds("without what the card was customised with", card, c, FromPerm)
	if b, err := os.ReadFile(filepath.Join(dir, KeptName)); err != nil || bytes.Contains(b, []byte("12345678")) {
		t.Errorf("what was forgotten is still there: %v", err)
	}
	c.Wifi = &Wifi{SSID: "elsewhere", Password: NewSecret("87654321")}
	keep(c)
	holds("another network", card, c, FromPerm)
	if info, err := os.Stat(filepath.Join(dir, KeptName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	card.Card[FileName] = []byte("name = \"changed\"\n")
	want := Default()
	want.Name, want.Hostname = "changed", "host"
	holds("a changed file", card, want, FromFAT)
	if err := os.WriteFile(filepath.Join(dir, KeptName), []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	keep(want)
	want.Hostname = "" // which stood there alone
	holds("after damage", Sources{}, want, FromPerm)
	card.Card = map[string][]byte{}
	c.Servers = make([]monitor.Server, MaxServers+1)
	if Keep(dir, c) == nil {
		t.Error("what no file may say was kept")
	}
	holds("after what was refused", card, want, FromPerm)
}

// TestKeepWithoutAFile: what was made on the page is in force where there never was a
// truechimer.toml, and outlasts a card that is customised anew.
func TestKeepWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	c := Default()
	c.Servers = []monitor.Server{{Name: "ntp.example.net", Host: "ntp.example.net", Port: 123, Limit: monitor.DefaultLimit, Interval: DefaultInterval}}
	if err := Keep(dir, c); err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"Europe/Berlin", "Europe/Paris"} {
		l := Load(Sources{Card: map[string][]byte{PreseedName: []byte("[locale]\ntimezone = \"" + zone + "\"\n")}}, dir)
		if c.Timezone = zone; !reflect.DeepEqual(l.Config, c) {
			t.Errorf("%+v", l.Config)
		}
	}
	if l := Load(Sources{}, dir); !reflect.DeepEqual(l.Config, c) {
		t.Errorf("%+v", l.Config)
	}
}
