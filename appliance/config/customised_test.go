package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const key = "6c1f0b5e8d2a947733e0c4b1a6f8d9021e5c7b3a48f60d91b2c3d4e5f6071829"

// form of a file in testdata/card by the beginning of its name.
func readCard(t *testing.T, file string, data []byte) given {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), "-")
	switch name {
	case "preseed", "custom":
		g, _, err := readPreseed(file, data)
		if err != nil {
			t.Error(err)
		}
		return g
	case "firstrun":
		return readFirstrun(data)
	case "network":
		return readNetworkConfig(data)
	case "user":
		return readUserData(data)
	case "wpa_supplicant":
		return readSupplicant(data)
	}
	t.Fatalf("what is %s?", file)
	return given{}
}

func TestCardsAsTheyAreWritten(t *testing.T) {
	want := map[string]given{
		"preseed-imager.toml":      {"attic-clock", "Europe/Berlin", &Wifi{`Dachboden "5 GHz"`, NewSecret(key), "DE", true}},
		"preseed-bytes.toml":       {"", "", &Wifi{"\xff\x00\xc3\xbc", Secret{}, "GB", false}},
		"custom-bookworm.toml":     {"shed", "Europe/London", &Wifi{"Garden", NewSecret("tomatoes and beans"), "GB", false}},
		"firstrun-imager.sh":       {"cellar", "Europe/Vienna", &Wifi{"Mira's place; & $more", NewSecret(key), "AT", true}},
		"firstrun-old.sh":          {"", "", &Wifi{"Chez nous", NewSecret(key), "FR", true}},
		"network-config-imager":    {"", "", &Wifi{`Café "Nord"`, NewSecret(key), "DE", true}},
		"network-config-open":      {"", "", &Wifi{"Guests", Secret{}, "NL", false}},
		"network-config-ubuntu":    {"", "", &Wifi{"home", NewSecret("it's a secret: #1"), "", false}},
		"user-data-imager":         {"loft", "Europe/Oslo", nil},
		"wpa_supplicant-hand.conf": {"", "", &Wifi{`a "quoted" name`, NewSecret("pass = word"), "US", false}},
		"wpa_supplicant-crlf.conf": {"", "", &Wifi{"å", Secret{}, "SE", true}},
	}
	files, err := filepath.Glob("testdata/card/*")
	if err != nil || len(files) != len(want) {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		windows := append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))...)
		if strings.Contains(file, "crlf") {
			windows = data
		}
		for _, data := range [][]byte{data, windows} {
			if got := readCard(t, file, data); !reflect.DeepEqual(got, want[filepath.Base(file)]) {
				t.Errorf("%s: got %+v with %+v", file, got, got.wifi)
			}
		}
	}
}

func TestShapesThatAreNotRead(t *testing.T) {
	for _, script := range []string{
		"imager_custom set_hostname $NAME", "imager_custom set_hostname `hostname`", `imager_custom set_hostname "$(hostname)"`,
		"imager_custom set_hostname 'open", "imager_custom set_hostname", "imager_custom set_hostname 'a b'", "# imager_custom set_hostname a",
		"imager_custom set_wlan '' 'password' 'DE'", "imager_custom set_wlan -h", "imager_custom set_wlan 'a' 'short' 'DE'", "imager_custom set_timezone '../x'",
		"network={\nssid=\"a\"\npsk=\"password\"\n", "network={\nssid=\"a\"\n}\n",
	} {
		if g := readFirstrun([]byte(script)); !g.nothing() {
			t.Errorf("%q: %+v, %+v", script, g, g.wifi)
		}
	}
	if g := readFirstrun([]byte(`/x/imager_custom set_wlan -p a\ b "pass\"word\$" de # now`)); g.wifi == nil || g.wifi.SSID != "a b" || g.wifi.Password.Reveal() != `pass"word$` || g.wifi.Country != "DE" {
		t.Errorf("%+v", g.wifi)
	}
	const above = "wifis:\n wlan0:\n  access-points:\n"
	for _, file := range []string{
		above + "   a: {password: 12345678}\n",
		above + "   a:\n    auth: {key-management: psk}\n",
		above + "   a:\n    auth:\n     key-management: psk\n",
		above + "   a:\n    password: |\n     12345678\n",
		above + "   a:\n    password:\n",
		above + "   a:\n    password: short\n",
		above + "   \"a\\q\":\n    password: 12345678\n",
		above + "   \"a\":\n    password: \"12345678\n",
		above + "\ta:\n\t\tpassword: 12345678\n",
		above + "   - a:\n",
		above + "   a: \"open\n",
		above + "   a: b\n",
		strings.Repeat("a:\n", 3),
	} {
		if g := readNetworkConfig([]byte(file)); !g.nothing() {
			t.Errorf("%q: %+v", file, g.wifi)
		}
	}
	var many strings.Builder
	many.WriteString(above)
	for range 4000 {
		many.WriteString("   '" + strings.Repeat("a", many.Len()%30) + "':\n    password: x\n")
	}
	if g := readNetworkConfig([]byte(many.String())); !g.nothing() {
		t.Errorf("%+v", g.wifi)
	}
}

func TestStrongerHidesWeaker(t *testing.T) {
	card := onCard(
		PreseedName, "[system]\nhostname = \"one\"\n",
		"firstrun.sh", "imager_custom set_hostname two\nimager_custom set_wlan home 12345678 DE\n",
		"user-data", "hostname: three\ntimezone: Europe/Rome\n",
		"wpa_supplicant.conf", "network={\nssid=\"other\"\npsk=\"87654321\"\n}\n",
		"ssh.txt", "x",
	)
	card.Card["ssh"] = nil // an empty file
	l := Load(card, "")
	if c := l.Config; c.Hostname != "one" || c.Name != "one" || c.Timezone != "Europe/Rome" || c.Wifi == nil || c.Wifi.SSID != "home" {
		t.Errorf("%+v", l.Config)
	}
	want := []string{
		"The card was customised with firstrun.sh, which a station does not run: its Wi-Fi was taken, all else was not. Use truechimer.toml, and delete firstrun.sh to be rid of this notice.",
		"The card was customised with user-data, which a station does not follow: its time zone was taken, all else was not. Use truechimer.toml, and delete user-data to be rid of this notice.",
		"The card was customised with wpa_supplicant.conf, which a station does not follow: nothing in it was taken. Use truechimer.toml, and delete wpa_supplicant.conf to be rid of this notice.",
		"The card was customised with ssh.txt, which a station does not follow: nothing in it was taken. Use truechimer.toml, and delete ssh.txt to be rid of this notice.",
		"The card was customised with ssh, which a station does not follow: nothing in it was taken. Use truechimer.toml, and delete ssh to be rid of this notice.",
	}
	if !reflect.DeepEqual(l.Notices, want) {
		t.Errorf("got %s", strings.Join(l.Notices, "\n"))
	}
	// truechimer.toml hides them all, and a Wi-Fi that cannot be made out is said.
	card.Card[FileName] = []byte("name = \"own\"\ntimezone = \"UTC\"\n[wifi]\nssid = \"mine\"\n")
	l = Load(card, "")
	if c := l.Config; c.Hostname != "one" || c.Name != "own" || c.Timezone != "UTC" || c.Wifi.SSID != "mine" {
		t.Errorf("%+v", l.Config)
	}
	for _, n := range l.Notices {
		if !strings.Contains(n, "nothing in it was taken") {
			t.Errorf("%q, and truechimer.toml gives all of it", n)
		}
	}
	l = Load(onCard("firstrun.sh", "imager_custom set_hostname shed\nimager_custom set_wlan $SSID 12345678\n"), "")
	if l.Config.Name != "shed" || len(l.Notices) != 1 || !strings.Contains(l.Notices[0], "its host name was taken, all else was not, and its Wi-Fi network could not be made out") {
		t.Errorf("%q, %q", l.Config.Name, l.Notices)
	}
	l = Load(onCard("custom.toml", "[wlan]\nssid = 7\n"), "")
	if len(l.Notices) != 2 || !strings.HasPrefix(l.Notices[0], "custom.toml:2:8: ") || !strings.Contains(l.Notices[1], "nothing in it was taken, and its Wi-Fi") {
		t.Errorf("%q", l.Notices)
	}
}

func TestWhatAPreseedSaysInVain(t *testing.T) {
	for file, want := range map[string]string{
		"preseed-imager.toml": "Of rpi-preseed.toml these were not taken: the user, the password and SSH, since a station has no accounts and no shell; [interfaces].",
		"preseed-bytes.toml":  "Of rpi-preseed.toml these were not taken: a fixed address, which belongs into [network] of truechimer.toml.",
	} {
		data, err := os.ReadFile(filepath.Join("testdata/card", file))
		if err != nil {
			t.Fatal(err)
		}
		if l := Load(onCard(PreseedName, string(data)), ""); len(l.Notices) != 1 || l.Notices[0] != want {
			t.Errorf("%s: %q", file, l.Notices)
		}
	}
	const rest = "[boot]\n[connect]\n[runcmd]\n[ethernet]\nmethod = \"disabled\"\n[nonsense]\n"
	want := "Of rpi-preseed.toml these were not taken: that the wired network is off, since a station is reached by it; [boot], [connect] and [runcmd]."
	if l := Load(onCard(PreseedName, rest), ""); len(l.Notices) != 1 || l.Notices[0] != want {
		t.Errorf("%q", l.Notices)
	}
}

func FuzzCustomised(f *testing.F) {
	files, err := filepath.Glob("testdata/card/*")
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
	f.Add([]byte("\"\\x4\\\":\n 'a'':: \"\\U0010ffff\"\n  - x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range CardFiles() {
			if name == FileName {
				continue
			}
			l := Load(Sources{Card: map[string][]byte{name: data}}, "")
			c := l.Config
			if c.Hostname != "" && checkHostname(c.Hostname) != (wrong{}) || c.Timezone != "" && checkTimezone(c.Timezone) != (wrong{}) {
				t.Errorf("%s: taken %q, %q", name, c.Hostname, c.Timezone)
			}
			if len(l.Notices) > maxErrors+3 {
				t.Errorf("%s: %d notices", name, len(l.Notices))
			}
			if strings.ContainsAny(strings.Join(l.Notices, ""), "\x00\x1b\r\n") {
				t.Errorf("%q would upset a terminal", l.Notices)
			}
			if c.Wifi == nil {
				continue
			}
			if p := c.Wifi.Password.Reveal(); checkSSID(c.Wifi.SSID) != (wrong{}) || p != "" && checkPassword(p) != (wrong{}) || c.Wifi.Country != "" && checkCountry(c.Wifi.Country) != (wrong{}) {
				t.Errorf("%s: taken %+v", name, *c.Wifi)
			}
			// What is kept is read again as it was.
			k := kept{taken: map[string]string{}, given: given{c.Hostname, c.Timezone, c.Wifi}, own: Default()}
			text, err := k.text()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := parseKept("f", text); err != nil || !reflect.DeepEqual(back, k) {
				t.Errorf("%s: kept as %s, read as %+v, %v", name, text, back, err)
			}
		}
	})
}
