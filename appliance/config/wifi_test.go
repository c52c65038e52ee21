package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

const secret = "hunter2hunter2"

// TestPasswordIsNeverShown prints, logs and encodes a configuration in every
// way there is.
func TestPasswordIsNeverShown(t *testing.T) {
	c, err := Parse("f", []byte("[wifi]\nssid = \"home\"\npassword = \""+secret+"\"\n"))
	if err != nil || c.Wifi.Password.Reveal() != secret {
		t.Fatalf("%v, %v", c, err)
	}
	var out bytes.Buffer
	inside := struct{ w Wifi }{*c.Wifi} // fmt cannot call the methods of what is not exported
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, v := range []any{c, &c, c.Wifi, *c.Wifi, c.Wifi.Password, &c.Wifi.Password, []Secret{c.Wifi.Password}, inside, &inside, given{wifi: c.Wifi}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, v := range []any{c, c.Wifi, c.Wifi.Password, map[string]any{"p": c.Wifi.Password}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
		slog.New(slog.NewTextHandler(&out, nil)).Info("all", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("all", "v", v)
	}
	if m, err := toml.Marshal(c.Wifi); err != nil {
		t.Fatal(err)
	} else {
		out.Write(m)
	}
	if hex := fmt.Sprintf("%x", secret); strings.Contains(out.String(), secret) || strings.Contains(strings.ToLower(out.String()), hex) {
		t.Errorf("the password is shown in %s", out.String())
	}
	if !strings.Contains(out.String(), hidden) {
		t.Error("nothing stands in its place")
	}
	if s := NewSecret(""); s != (Secret{}) || s.Reveal() != "" || s.String() != "" {
		t.Errorf("of nothing: %q", s.Reveal())
	}
}

// TestMistakesDoNotShowThePassword: neither of the examples of invalid files
// nor of a file that breaks anywhere.
func TestMistakesDoNotShowThePassword(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-wifi*.toml")
	if err != nil || len(files) < 9 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("f", data); err == nil || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "1234567890") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, file := range []string{
		"[wlan]\nssid = \"home\"\npassword = \"" + secret + "\"\npassword_encrypted = false\n",
		"[wifi]\nssid = \"home\"\npasword = \"" + secret + "\"\n",
	} {
		for cut := range len(file) {
			for _, put := range []string{"", "\"", "=", "[", "\x01", "\n", "{"} {
				broken := file[:cut] + put + file[min(cut+1, len(file)):]
				_, err := Parse("f", []byte(broken))
				_, _, err2 := readPreseed("f", []byte(broken))
				// A key of the table is told as a mistake; only a password that was made one is shown.
				if e := fmt.Sprint(err, err2); strings.Contains(e, secret[1:13]) && !strings.Contains(e, "is not known") {
					t.Errorf("%q: %s", broken, e)
				}
			}
		}
	}
}

func TestBoundsOfAWifi(t *testing.T) {
	for password, ok := range map[string]bool{
		"": false, "1234567": false, "12345678": true, strings.Repeat("x", 63): true, strings.Repeat("x", 64): false,
		strings.Repeat("0aF", 21) + "b": true, strings.Repeat("ü", 4): true, "tab\tinside": false, strings.Repeat("a", 65): false,
	} {
		if w := checkPassword(password); (w == wrong{}) != ok {
			t.Errorf("%q: %+v", password, w)
		}
	}
	for zone, ok := range map[string]bool{
		"UTC": true, "Europe/Berlin": true, "Etc/GMT+1": true, "America/Argentina/Rio_Gallegos": true,
		"": false, "/etc/passwd": false, "../x": false, "Europe/": false, "a/b/c/d": false, "Europe/Berlin ": false, strings.Repeat("a", 65): false,
	} {
		if w := checkTimezone(zone); (w == wrong{}) != ok {
			t.Errorf("%q: %+v", zone, w)
		}
	}
	for host, ok := range map[string]bool{
		"attic": true, "A-1": true, "7": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "a.b": false, "a_b": false, "büro": false, strings.Repeat("a", 64): false,
	} {
		if w := checkHostname(host); (w == wrong{}) != ok {
			t.Errorf("%q: %+v", host, w)
		}
	}
	if checkSSID(strings.Repeat("\xff", 32)) != (wrong{}) || checkSSID(strings.Repeat("a", 33)) == (wrong{}) {
		t.Error("the bounds of a network's name")
	}
}

func TestPreseedWithMistakes(t *testing.T) {
	for file, want := range map[string]string{
		"[system]\nhostname = \"a b\"\n":                                                 `f:2:12: hostname "a b"`,
		"[system]\nhostname = 7\n":                                                       "f:2:12: hostname is a number",
		"[locale]\ntimezone = \"Europe Berlin\"":                                         "f:2:12: timezone",
		"[wlan]\nssid = \"a\"\npassword = \"" + secret + "\"\npassword_encrypted = true": "f:4:22: the password is said to be a key",
		"[wlan]\nssid_hex = \"a\"":                                                       "f:2:12: ssid_hex is not hexadecimal",
		"[wlan]\nssid_hex = \"\"":                                                        "f:2:12: the network's name is empty",
		"[wlan]\nssid = \"a\"\nkey_mgmt = \"wep\"":                                       `f:3:12: key_mgmt "wep"`,
		"wlan = 1":                      "f:1:1: wlan is a number; write [wlan]",
		"[system]\nhostname = attic":    `f:2:12: the value of hostname is neither text in quotation marks nor a number; write hostname = "attic"`,
		"\xff":                          "f:1:1: here is a byte",
		strings.Repeat("\n", MaxSize+1): "more than 65536",
	} {
		g, unused, err := readPreseed("f", []byte(file))
		if _, ok := errors.AsType[*Errors](err); !ok || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: got %v", file, err)
		}
		if !g.nothing() || unused != nil {
			t.Errorf("%q: taken %+v, %q", file, g, unused)
		}
	}
	// What rpi-preseed would pass over is no mistake.
	for _, file := range []string{"", "config_version = 7\n[nonsense]\na = 1\n", "[system]\nhostname = \"\"\n[wlan]\ncountry = \"DE\"\n"} {
		if g, unused, err := readPreseed("f", []byte(file)); err != nil || !g.nothing() || unused != nil {
			t.Errorf("%q: %+v, %q, %v", file, g, unused, err)
		}
	}
}
