package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestUpdateHosts(t *testing.T) {
	for in, want := range map[string]string{
		"https://updates.example.net":         "https://updates.example.net",
		"https://updates.example.net/":        "https://updates.example.net",
		"http://192.0.2.7:8080/a/b//":         "http://192.0.2.7:8080/a/b",
		"HTTPS://Updates.example.net/~me/%20": "HTTPS://Updates.example.net/~me/%20",
		"http://[fe80::1%25eth0]/x":           "http://[fe80::1%25eth0]/x",
	} {
		if got, w := readUpdateURL(in); got != want || w != (wrong{}) {
			t.Errorf("%s: %q, %+v", in, got, w)
		}
	}
	for in, want := range map[string]string{
		"":                                      "no https:// in front",
		"updates.example.net/x":                 "no https:// in front",
		"//updates.example.net":                 "no https:// in front",
		"file:///etc/passwd":                    "is no web address",
		"https://":                              "names no host",
		"https:///x":                            "names no host",
		"https://:443/":                         "names no host",
		"https://a..b/":                         "names no host",
		"https://255.255.255.255/":              "names no host",
		"https://example.net:0/":                "names no host",
		"https://example.net:port/":             "is no web address",
		"https://example.net/?x":                "has a ?",
		"https://example.net/?":                 "has a ?",
		"https://example.net/#":                 "has a ?",
		"https://exämple.net/":                  "blanks or letters",
		"https://example.net/\n":                "blanks or letters",
		"https://x/" + strings.Repeat("y", 500): "510 characters",
	} {
		if got, w := readUpdateURL(in); !strings.Contains(w.problem, want) || got != "" {
			t.Errorf("%q: %q, %+v, want %q", in, got, w, want)
		}
	}
	if _, w := readUpdateURL("https://me:hunter2@example.net"); w.problem == "" || strings.Contains(w.problem+w.instead, "hunter2") {
		t.Errorf("%+v", w)
	}
}

func TestUpdateSwitchedOff(t *testing.T) {
	for text, want := range map[string]bool{"": true, "[update]": true, "[update]\nenabled = false": false, "[update]\nenabled = true": true} {
		if c, err := Parse("f", []byte(text)); err != nil || c.Update.Enabled != want {
			t.Errorf("%q: %+v, %v", text, c.Update, err)
		}
	}
}

func TestUpdateWindow(t *testing.T) {
	for in, want := range map[string]Window{
		"any": {}, "00:00-00:01": {0, time.Minute}, "23:59-00:00": {24*time.Hour - time.Minute, 0}, "02:00-05:00": {2 * time.Hour, 5 * time.Hour},
	} {
		if got, w := readWindow(in); w != (wrong{}) || *got != want {
			t.Errorf("%s: %+v, %+v", in, got, w)
		}
	}
	for _, in := range []string{"", "Any", "02:00", "02:00-", "02:00-02:00", "24:00-01:00", "02:60-03:00", "02:00 - 05:00", "02:00-05:00\n", "02:00-05:00-06:00", "-2:00-05:00"} {
		if got, w := readWindow(in); got != nil || !strings.Contains(w.problem, "is no part of a day") {
			t.Errorf("%q: %+v, %+v", in, got, w)
		}
	}
	if c, err := Parse("f", []byte("[update]")); err != nil || c.Update.Window != nil {
		t.Errorf("%+v, %v", c.Update, err)
	}
}

// TestUpdateIsKept: as all of truechimer.toml is.
func TestUpdateIsKept(t *testing.T) {
	const own = "[update]\nenabled = false\nchannel = \"mine\"\nurl = \"https://updates.example.net/\"\n"
	dir := t.TempDir()
	Load(onCard(FileName, own), dir)
	l := Load(Sources{}, dir)
	if u := l.Config.Update; l.From != FromPerm || u.Enabled || u.Channel != "mine" || len(u.URLs) != 1 || u.URLs[0] != "https://updates.example.net" {
		t.Errorf("%s: %+v", l.From, u)
	}
	// A host that goes before the card does so as a whole.
	s := onCard(FileName, own)
	s.SMBIOS = []byte(good)
	if l := Load(s, t.TempDir()); !l.Config.Update.Enabled || l.Config.Update.URLs != nil {
		t.Errorf("%+v", l.Config.Update)
	}
}

// TestMistakesDoNotShowThePasswordOfAHost: neither in quotation marks nor bare.
func TestMistakesDoNotShowThePasswordOfAHost(t *testing.T) {
	for _, name := range []string{"testdata/invalid-update.toml", "testdata/invalid-update-bare.toml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("f", data); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatAnImageMaySay(t *testing.T) {
	for url, want := range map[string]string{
		"https://updates.example.net": "", "https://updates.example.net/": "slash at its end", "updates.example.net": "no https://",
	} {
		if err := CheckUpdateHost(url); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if CheckUpdateChannel("stable") != nil || CheckUpdateChannel("") == nil || CheckUpdateChannel("../x") == nil {
		t.Error("channels")
	}
}
