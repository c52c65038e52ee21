package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/logring"
	"github.com/truechimer/truechimer/appliance/web"
)

// shows is what a person reads on a page, which has to be there.
func shows(t *testing.T, browser *http.Client, address string) string {
	t.Helper()
	r, page := ask(t, browser, address, nil)
	if r.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", address, r.Status)
	}
	return strings.Join(readable(page), " ")
}

// TestHostileRequests to the whole station, over the network and TLS: each is answered
// in words or cut off, and the page is there after each.
func TestHostileRequests(t *testing.T) {
	browser, at, end := managed(t, t.TempDir())
	defer end()
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, path, kind, body string
		code                     int
		says                     string
	}{
		"a form of a megabyte":   {"POST", "/login", form, "password=" + strings.Repeat("x", 1<<20), 413, "This form is larger than any of the station's"},
		"the same for settings":  {"POST", "/settings/servers", form, strings.Repeat("a=b&", 1<<18), 413, "This form is larger than any of the station's"},
		"a thousand fields":      {"POST", "/claim", form, strings.Repeat("a&", 30_000), 400, "This is no form that the station understands"},
		"a form without a token": {"POST", "/claim", form, "password=three+small+words", 403, "form"},
		"a broken escape":        {"POST", "/claim", form, "password=%zz", 400, "This is no form that the station understands"},
		"another kind of form":   {"POST", "/claim", "application/json", "{}", 415, "This is no form that the station understands"},
		"a form for the page":    {"POST", "/", form, "a=b", 405, "This address can only be read"},
		"a folder above":         {"GET", "/servers/..%2f..%2fetc%2fpasswd", "", "", 404, "No server of this name is watched"},
		"a server of markup":     {"GET", "/servers/%3Cscript%3E", "", "", 404, "No server of this name is watched"},
		"a zero byte":            {"GET", "/%00", "", "", 404, "There is nothing at this address"},
		"an order of nonsense":   {"GET", "/details?sort=%ff&refresh=%zz&before=" + strings.Repeat("9", 5000), "", "", 200, "Servers"},
		"a long address":         {"GET", "/" + strings.Repeat("x", 32<<10), "", "", 431, "Request Header Fields Too Large"},
	} {
		r, err := http.NewRequest(c.method, at+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		res, err := browser.Do(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if text := strings.Join(readable(string(b)), " "); err != nil || res.StatusCode != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s, %v; want %d, %q: %.600s", name, res.Status, err, c.code, c.says, text)
		}
		if bytes.Contains(b, []byte("<script>")) {
			t.Errorf("%s: %s", name, b)
		}
		if page := shows(t, browser, at+"/"); !strings.Contains(page, "Next step") {
			t.Errorf("%s: then the page says %s", name, page)
		}
	}
}

// TestAMillionLinesOnThePage: of all that was logged the last lines are shown, and how
// many there were.
func TestAMillionLinesOnThePage(t *testing.T) {
	s := testStation(t, &platform{name: "attic", lines: &logring.Ring{}}, stopped{})
	log := slog.New(slog.NewTextHandler(s.platform.lines, nil))
	const n = 1_000_000
	for i := range n {
		log.Warn("<script>a sentence that nobody needs", "i", i)
	}
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	here := httptest.NewServer(server.Handler)
	defer here.Close()
	page := shows(t, here.Client(), here.URL+web.LogPath)
	for _, want := range []string{fmt.Sprint("<script>a sentence that nobody needs\" i=", n-1), fmt.Sprint(n-logring.Lines, " older lines are not kept")} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in %.1000s", want, page)
		}
	}
	if len(page) > 200<<10 {
		t.Errorf("%d bytes", len(page))
	}
	shows(t, here.Client(), here.URL+"/")
}

// TestDamagedJournalOnThePage: whatever became of the files of a journal, the page of a
// server shows what is left of them, and says where there is none what is wrong.
func TestDamagedJournalOnThePage(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		says   string // on the details; empty: nothing, since the journal goes on
	}{
		"bytes of chance here and there": {func(t *testing.T, dir string) {
			eachFile(t, dir, func(b []byte) []byte {
				for range len(b) / 500 {
					b[random.Intn(len(b))] ^= byte(1 + random.Intn(255))
				}
				return b
			})
		}, ""},
		"nothing but chance": {func(t *testing.T, dir string) {
			eachFile(t, dir, func(b []byte) []byte { random.Read(b); return b })
		}, ""},
		"files cut short": {func(t *testing.T, dir string) {
			eachFile(t, dir, func(b []byte) []byte { return b[:len(b)/3] })
		}, ""},
		"a file where the directory was": {func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("x"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "The journal of exchanges cannot be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
			dir := filepath.Join(p.perm, journalName)
			synctest.Test(t, func(t *testing.T) { live(t, newWorld(lack{}), p, 30*time.Minute) })
			c.damage(t, dir)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				w.atEnd = func(*station) {
					browser := w.visitor()
					shows(t, browser, "http://station/")
					if page := shows(t, browser, "http://station/details"); c.says != "" && !strings.Contains(page, c.says) || c.says == "" && strings.Contains(page, "journal of exchanges cannot") {
						t.Errorf("the details do not say %q: %.1500s", c.says, page)
					}
					page := shows(t, browser, "http://station/servers/"+url.PathEscape(firstServer))
					if kept := strings.Contains(page, "The journal of exchanges is not open"); kept == (c.says == "") {
						t.Errorf("%.1500s", page)
					}
				}
				s, _ := live(t, w, p, 30*time.Minute)
				if s.Advice.Time.Word != "known" || c.says == "" && (s.Journal.Records < 50 || s.Journal.Dropped != 0) {
					t.Errorf("%+v, %+v", s.Advice, s.Journal)
				}
			})
		})
	}
}

// firstServer is the id of the first server of dayFile.
const firstServer = "192.0.2.1"

// eachFile writes every file of a directory anew.
func eachFile(t *testing.T, dir string, change func([]byte) []byte) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(name, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestClockYearsOff: whatever the station's clock shows when it starts, the page is
// there and says that the time is not proven, and it is right once the receiver has
// told the time. A server that is years off is named as one.
func TestClockYearsOff(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, at := range map[string]time.Time{
		"1970": time.Unix(1000, 0), "the year 2038": time.Unix(1<<31+5, 0), "sixty years ahead": epoch.Add(60 * year), "a century ahead": epoch.Add(100 * year),
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				w.diff = at.UnixNano() - w.mono()
				w.wrong = func(server string) time.Duration {
					if server == "198.51.100.1" {
						return 20 * year
					}
					return 0
				}
				early := make(chan string, 1)
				time.AfterFunc(5*time.Second, func() { early <- shows(t, w.visitor(), "http://station/") })
				w.atEnd = func(*station) {
					page := shows(t, w.visitor(), "http://station/")
					if !strings.Contains(page, "198.51.100.1 is off by") || !strings.Contains(page, "3 of 4 servers are right") {
						t.Errorf("later: %s", page)
					}
				}
				live(t, w, p, 40*time.Minute)
				if page := <-early; !strings.Contains(page, "not proven") {
					t.Errorf("at the start: %s", page)
				}
			})
		})
	}
}
