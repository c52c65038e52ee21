package web

import (
	"bytes"
	"encoding/xml"
	"flag"
	"html/template"
	"io"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

var renew = flag.Bool("update", false, "write the golden fragments anew")

// golden compares one part of the page with its file, line by line without
// indentation and empty lines.
func golden(t *testing.T, part string, data any, file string) {
	t.Helper()
	tmpl, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.ExecuteTemplate(&b, part, data); err != nil {
		t.Fatal(err)
	}
	got := lines(b.String())
	file = filepath.Join("testdata", file)
	if *renew {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != lines(string(want)) {
		t.Errorf("%s differs (go test -run %s -update writes it anew):\n%s", file, t.Name(), got)
	}
}

func lines(s string) string {
	var kept []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n") + "\n"
}

func TestGoldenFragments(t *testing.T) {
	v := newView(tidy(wellStation()), nil, Build{}, "")
	golden(t, "verdict", v, "verdict.html")
	golden(t, "notices", v, "notices.html")
	golden(t, "reference", v.Reference, "reference-locked.html")
	golden(t, "network", v.Network, "network.html")
	golden(t, "server", v.Servers[1], "server-off.html")
	golden(t, "server", v.Servers[2], "server-unreachable.html")

	s := wellStation()
	s.Reference.State, s.Reference.Reason, s.Reference.Holdover = "holdover", "no pulse for 252 s", val(252)
	pulses := []status.Sample{{Age: 20, Offset: 1e-6, Uncertainty: 2e-6, State: "locked"}, {Age: 10, Offset: 0, Uncertainty: 3e-6, State: "holdover"}}
	golden(t, "reference", newView(tidy(s), pulses, Build{}, "").Reference, "reference-holdover.html")
	golden(t, "servers", newView(tidy(status.Status{}), nil, Build{}, ""), "servers-none.html")
}

func TestReceiverInASentence(t *testing.T) {
	for want, r := range map[string]status.Receiver{
		"": {},
		"Receiver on /dev/ttyAMA0 at 9600 baud, pulse on GPIO18.": wellStation().Receiver,
		"Receiver on /dev/ttyACM0, no pulse yet.":                 {Device: said("/dev/ttyACM0"), Protocol: said("nmea")},
		"Adafruit Ultimate GPS HAT on /dev/ttyS0 at 9600 baud, speaking UBX, pulse on GPIO4.": {
			Device: said("/dev/ttyS0"), Baud: whole(9600), Protocol: said("ubx"), Pulse: said("GPIO4"), Hat: said("Adafruit Ultimate GPS HAT")},
		"u-blox NEO-M8N (SPG 3.01) on /dev/ttyS0 at 9600 baud, configured, pulse on GPIO4.": {
			Device: said("/dev/ttyS0"), Baud: whole(9600), Pulse: said("GPIO4"), Model: said("u-blox NEO-M8N (SPG 3.01)"), Setup: said("done")},
		"Adafruit Ultimate GPS HAT, MediaTek PA6H, on /dev/ttyS0, being configured, no pulse yet.": {
			Device: said("/dev/ttyS0"), Hat: said("Adafruit Ultimate GPS HAT"), Model: said("MediaTek PA6H"), Setup: said("under_way")},
		"Receiver on /dev/ttyS0, left as it is since it does not answer, no pulse yet.": {Device: said("/dev/ttyS0"), Setup: said("unanswered")},
		"Receiver on /dev/ttyS0, configured in part, no pulse yet.":                     {Device: said("/dev/ttyS0"), Setup: said("partly")},
		"A pulse on GPIO4, no receiver is heard.":                                       {Pulse: said("GPIO4")},
		"A pulse on GPIO4, stamped 11.7 µs late (± 0.6 µs), no receiver is heard.": {
			Pulse: said("GPIO4"), PulseLate: val(11.68e-6), PulseLateError: val(0.61e-6)},
	} {
		if got := receiver(r, false); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := receiver(status.Receiver{Pulse: said("GPIO4")}, true), "A pulse on GPIO4, from a clock without a receiver."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func render(t *testing.T, s status.Status, samples []status.Sample) string {
	t.Helper()
	return body(t, fetch(handler(t, Options{Source: fixed{s, samples}}), "GET", DetailsPath))
}

// What others wrote is text and nothing else.
func TestHostileText(t *testing.T) {
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}` + "\u202e"
	s := wellStation()
	s.Summary, s.Notices = evil, []string{evil}
	s.Station.Name, s.Station.ID, s.Station.Version, s.Station.Board, s.Station.Slot = evil, evil, evil, evil, nil
	s.Reference.Reason = evil
	s.Receiver.Device, s.Receiver.Pulse, s.Receiver.Hat, s.Receiver.Protocol = said(evil), said(evil), said(evil), said(evil)
	s.Receiver.Model, s.Receiver.Setup = said(evil), said(evil)
	s.Network = &status.Network{Link: evil, Reason: evil, LocalName: said(evil), DNS: []string{evil}, Gateways: []string{evil},
		Addresses: []status.Address{{Address: evil, Origin: evil}}}
	for i := range s.Servers {
		v := &s.Servers[i]
		v.ID, v.Name, v.Address, v.Reason = evil, evil, evil, evil
	}
	samples := []status.Sample{{Age: 1, Offset: 1e-6, Uncertainty: 1e-6, State: evil}}
	for _, path := range []string{"/", DetailsPath} {
		hostileText(t, body(t, fetch(handler(t, Options{Source: fixed{s, samples}}), "GET", path)))
	}
}

func hostileText(t *testing.T, got string) {
	t.Helper()
	for _, bad := range []string{"<script", "<img src=x", "'>", "\u202e"} {
		if strings.Contains(unscripted(got), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(got, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the text itself is missing")
	}
	wellFormed(t, got)
}

// ownScript matches the one way in which a page has a script: a file of the station's.
var ownScript = regexp.MustCompile(`<script src="/assets/[0-9a-f]{12}/[a-z]+\.js" defer=""></script>`)

// unscripted is a page without its own scripts.
func unscripted(page string) string { return ownScript.ReplaceAllString(page, "") }

// void matches the elements that HTML does not close.
var void = regexp.MustCompile(`<(meta|link|img|br)([^>]*)>`)

// wellFormed fails on tags that do not nest: a browser would repair them, each
// in its own way.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	page = strings.Replace(page, "<!DOCTYPE html>", "", 1)
	d := xml.NewDecoder(strings.NewReader(void.ReplaceAllString(page, "<$1$2/>")))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			line, _ := d.InputPos()
			t.Fatalf("line %d: %v", line, err)
		}
	}
}

// The policy forbids scripts and styles within the page, so none may be there.
func TestPageKeepsItsPolicy(t *testing.T) {
	got := render(t, wellStation(), steady(600, 1e-7))
	if !ownScript.MatchString(got) {
		t.Error("the page has lost its scripts")
	}
	for _, bad := range []string{"<script", "<style", " style=", " onload=", "javascript:", "http://", "https://", "data:"} {
		if strings.Contains(unscripted(got), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	wellFormed(t, got)
}

func TestPageInOrder(t *testing.T) {
	got := render(t, wellStation(), steady(60, 1e-7))
	at := 0
	for _, want := range []string{
		"<title>truechimer-7f3a: locked</title>", `<time datetime="2026-07-01T14:03:22Z">2026-07-01 14:03:22</time> UTC`,
		"<h1>Locked to GPS within 1.2\u00a0µs; 1 of 3 servers is right, gamma is off by &#43;80\u00a0ms, epsilon does not answer.</h1>",
		"truechimer.toml, line 12, column 9", `<h2 id="reference">`, "60 pulses", `<svg class="plot"`, `<h2 id="servers">`,
		`>Server</a></th>`, `role="rowheader"><a href="/servers/alpha">alpha</a>`, "gamma", "three exchanges in a row", "epsilon", "<footer>",
		"7f3a9c0e</dd>", "v0.1.0", "1 d 3 h", `href="/api/v1/status"`, `href="/metrics"`,
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or out of order", want)
		}
		at += i
	}
	if strings.Contains(got, "7f3a9c0e5b1d48f2") {
		t.Error("the whole id is shown")
	}
}

func TestPageStandsStillWhenAsked(t *testing.T) {
	h := handler(t, Options{Source: fixed{status: wellStation()}})
	const refresh = `http-equiv="refresh" content="10"`
	if got := body(t, fetch(h, "GET", "/")); !strings.Contains(got, refresh) || !strings.Contains(got, `href="/?refresh=off"`) {
		t.Error("the page does not renew itself, or cannot be stopped")
	}
	if got := body(t, fetch(h, "GET", "/?refresh=off")); strings.Contains(got, "http-equiv") || !strings.Contains(got, ">Resume</a>") {
		t.Error("the page does not stand still")
	}
}

func TestTone(t *testing.T) {
	s := wellStation()
	for _, c := range []struct {
		source, state, verdict string
		want                   tone
	}{
		{"gps+pps", "locked", "ok", toneGood},
		{"gps+pps", "locked", "not_judged", toneGood},
		{"gps+pps", "locked", "off", toneWarn},
		{"gps+pps", "holdover", "ok", toneWarn},
		{"gps+pps", "suspect", "off", toneBad},
		{"quorum", "locked", "ok", toneWait},
		{"none", "cold", "not_judged", toneWait},
	} {
		s.Reference.Source, s.Reference.State = c.source, c.state
		s.Servers = []status.Server{{Verdict: c.verdict, Limit: .025}}
		if got := newView(s, nil, Build{}, "").Tone; got != c.want {
			t.Errorf("%s, %s, %s: %s, want %s", c.source, c.state, c.verdict, got, c.want)
		}
	}
}

// A station that was just switched on may think it is the year 2000.
func TestUnprovenTimeIsCalledThat(t *testing.T) {
	for state, want := range map[string]bool{"cold": true, "numbering": true, "suspect": true, "locked": false, "holdover": false} {
		s := wellStation()
		s.Reference.State = state
		if got := strings.Contains(render(t, s, nil), "</time> UTC, not proven"); got != want {
			t.Errorf("%s: not proven is %v, want %v", state, got, want)
		}
	}
	if got := render(t, status.Status{}, nil); !strings.Contains(got, "time not known yet") {
		t.Error("the zero time is shown as a time")
	}
}

func FuzzPage(f *testing.F) {
	f.Add("gamma", "too far ahead", "locked", 0.08, 1e-3, 12.0)
	f.Add("<b>", "\"'>&\x00\xff]]>", "<", math.Inf(1), math.NaN(), -1.0)
	f.Add("{{.}}", "</title></svg>", "holdover", math.MaxFloat64, math.SmallestNonzeroFloat64, 1e9)
	h, err := New(Options{Source: fixed{}})
	if err != nil {
		f.Fatal(err)
	}
	p := h.(*site).paths["/"].(*page)
	f.Fuzz(func(t *testing.T, name, reason, word string, a, b, age float64) {
		s := wellStation()
		s.Station.Name, s.Summary, s.Notices, s.Reference.Reason = name, reason, []string{reason}, reason
		s.Reference.Source, s.Reference.State = word, word
		s.Reference.Offset, s.Reference.Uncertainty, s.Reference.Bound, s.Reference.Holdover, s.Reference.Frequency = &a, &b, &b, &a, &b
		v := &s.Servers[0]
		v.Name, v.Address, v.Reason, v.Verdict = name, reason, reason, word
		v.Offset, v.Uncertainty, v.Bound, v.Limit, v.RTT, v.Score, v.Loss = &a, &b, &b, b, &a, &b, &a
		samples := []status.Sample{{Age: age, Offset: a, Uncertainty: b, State: word}, {Age: b, Offset: b, Uncertainty: a, State: "holdover"}}
		q := *p
		q.options.Source = fixed{s, samples}
		for _, path := range []string{"/", DetailsPath} {
			r := fetch(&q, "GET", path)
			if r.StatusCode != 200 {
				t.Fatalf("%s: status %d", path, r.StatusCode)
			}
			wellFormed(t, body(t, r))
		}
	})
}

// BenchmarkPage draws the page of ten minutes of pulses and reports its size.
func BenchmarkPage(b *testing.B) {
	h, err := New(Options{Source: fixed{wellStation(), steady(600, 1e-7)}})
	if err != nil {
		b.Fatal(err)
	}
	size := 0
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", DetailsPath, nil))
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size), "page-bytes")
}

func TestBuildComesBeforeStatus(t *testing.T) {
	h := handler(t, Options{Source: fixed{status: wellStation()}, Build: Build{Version: "v9", Slot: "b", Board: "vm-arm64"}})
	got := body(t, fetch(h, "GET", DetailsPath))
	for _, want := range []string{"<dd>v9</dd>", "<dd>b</dd>", "<dd>vm-arm64</dd>"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestOldExchangesShowTheirDay(t *testing.T) {
	v := newServerView(wellStation().Servers[2], testTime)
	if v.Last.Text != "2026-06-30 12:03:22" {
		t.Errorf("an exchange of yesterday is at %s", v.Last.Text)
	}
	v = newServerView(status.Server{Limit: 1, Last: ago(time.Hour)}, testTime)
	if v.Last.Text != "13:03:22" {
		t.Errorf("an exchange of today is at %s", v.Last.Text)
	}
}
