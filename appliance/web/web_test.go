package web

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/status"
)

func val(v float64) *float64 { return &v }
func whole(n int) *int       { return &n }
func said(s string) *string  { return &s }

var testTime = time.Date(2026, 7, 1, 14, 3, 22, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := testTime.Add(-d); return &t }

type fixed struct {
	status  status.Status
	samples []status.Sample
}

func (f fixed) Status() status.Status    { return f.status }
func (f fixed) Samples() []status.Sample { return f.samples }

// wellStation is locked and watches one server of every kind.
func wellStation() status.Status {
	slot := "a"
	s := status.Status{
		Schema: 1, Time: testTime,
		Station: status.Station{ID: "7f3a9c0e5b1d48f2", Name: "truechimer-7f3a", Version: "v0.1.0", Board: "rpi", Slot: &slot, Uptime: 98765},
		Reference: status.Reference{Source: "gps+pps", State: "locked", Offset: val(-2.31e-7), Uncertainty: val(1.2e-6), Bound: val(1.19e-5),
			Frequency: val(-3.214), SatellitesUsed: whole(9), SatellitesSeen: whole(13),
			Counters: status.Counters{Fixes: 98765, FixesInvalid: 3, Checksum: 12, NoiseBytes: 4021, Pulses: 98760, PulsesUsed: 98741, PulsesDoubled: 1,
				PulsesMissing: 5, PulsesUnnumbered: 24, PulsesLost: 2, Votes: 6123}},
		Receiver: status.Receiver{Device: said("/dev/ttyAMA0"), Baud: whole(9600), Protocol: said("nmea"), Pulse: said("GPIO18")},
		Clock: &status.Clock{Steered: true, Synchronized: true, EstimatedError: val(1.5e-6), GreatestError: val(1.3e-5), Steps: 1, GPSLessUTC: whole(18), TAILessUTC: whole(37),
			Leap: &status.Leap{Change: 1, At: testTime, Receiver: true}},
		Assignments: []status.Assignments{
			{Source: "file", State: "current", Servers: 2},
			{Source: "url", State: "kept", URL: said("https://lists.example.net/attic.json"), Servers: 1, Age: val(7200), Next: val(340), Failure: "no route"},
		},
		Probe: status.Probe{Exchanges: 6789, Strays: 7, Panics: 1},
		Network: &status.Network{Link: "eth0", IPv4: true, Gateways: []string{"192.0.2.1"}, DNS: []string{"192.0.2.53", "2001:db8::53"}, LocalName: said("truechimer-7f3a.local"),
			Addresses: []status.Address{
				{Address: "192.0.2.7/24", Origin: status.AddressDHCP, Lasts: val(3540)},
				{Address: "2001:db8::7/64", Origin: status.AddressFixed},
				{Address: "fe80::7/64", Origin: status.AddressOfLink},
			}},
		Journal: &status.Journal{Records: 4711, Waiting: 12, Written: 409600, Size: 8 << 20, Oldest: ago(24 * time.Hour)},
		Servers: []status.Server{
			{ID: "alpha", Name: "alpha", Address: "192.0.2.10:123", Family: "ipv4", Verdict: "ok", Assured: true, Offset: val(2.14e-4), Uncertainty: val(1.9e-4),
				Bound: val(1.4e-3), Limit: .025, RTT: val(2.71e-3), Stratum: whole(1), Score: val(20), Loss: val(0), Last: ago(3 * time.Second)},
			{ID: "gamma", Name: "gamma", Address: "203.0.113.80:123", Family: "ipv4", Verdict: "off", Provisional: true, Reason: "three exchanges in a row are too far ahead",
				Offset: val(.08012), Uncertainty: val(1.1e-3), Bound: val(5.9e-3), Limit: .025, RTT: val(11.7e-3), Stratum: whole(2), Score: val(-34.6), Loss: val(.012), Last: ago(4 * time.Second)},
			{ID: "epsilon", Name: "epsilon", Address: "[2001:db8::99]:123", Family: "ipv6", Verdict: "unreachable", Reason: "no reply to the last 5 requests",
				Limit: .025, Score: val(-98), Loss: val(1), Last: ago(26 * time.Hour), Path: cutPath()},
		},
		Notices: []string{"truechimer.toml, line 12, column 9: write interval = \"16s\""},
	}
	s.Summary, _ = advice.Of(s)
	return s
}

func handler(t *testing.T, o Options) http.Handler {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func fetch(h http.Handler, method, target string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNewWantsASource(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Options.Source") {
		t.Errorf("New without a source: %v", err)
	}
}

func TestRoutes(t *testing.T) {
	h := handler(t, Options{Source: fixed{status: wellStation()}})
	for _, c := range []struct {
		method, target string
		code           int
		kind, has      string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<h1>Locked to GPS"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/details", 200, "text/html; charset=utf-8", "<h1>Locked to GPS"},
		{"GET", "/?refresh=off", 200, "text/html; charset=utf-8", ">Resume</a>"},
		{"GET", "/api/v1/status", 200, "application/json", `"schema": 1`},
		{"HEAD", "/api/v1/status", 200, "application/json", ""},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "reference_state"},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8", "ok\n"},
		{"POST", "/", 405, "text/plain; charset=utf-8", "can only be read"},
		{"DELETE", "/api/v1/status", 405, "text/plain; charset=utf-8", "can only be read"},
		{"GET", "/index.php", 404, "text/plain; charset=utf-8", "nothing at this address"},
		{"POST", "/index.php", 404, "text/plain; charset=utf-8", "nothing at this address"},
		{"GET", "/api/v1/status/", 404, "text/plain; charset=utf-8", "nothing at this address"},
		{"GET", "/assets/", 404, "text/plain; charset=utf-8", "nothing at this address"},
		{"GET", "/assets/page.html", 404, "text/plain; charset=utf-8", "nothing at this address"},
	} {
		r := fetch(h, c.method, c.target)
		if r.StatusCode != c.code || r.Header.Get("Content-Type") != c.kind || !strings.Contains(body(t, r), c.has) {
			t.Errorf("%s %s: %d, %q; want %d, %q and %q within", c.method, c.target, r.StatusCode, r.Header.Get("Content-Type"), c.code, c.kind, c.has)
		}
		if c.code == 405 && r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow is %q", c.method, c.target, r.Header.Get("Allow"))
		}
		csp := policy
		if c.code == 200 && strings.HasPrefix(c.kind, "text/html") {
			csp = pagePolicy
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": csp, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "Cache-Control": "no-store",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.target, name, got, want)
			}
		}
	}
}

func TestHealthz(t *testing.T) {
	var fault error
	h := handler(t, Options{Source: fixed{}, Alive: func() error { return fault }})
	if r := fetch(h, "GET", "/healthz"); r.StatusCode != 200 || body(t, r) != "ok\n" {
		t.Errorf("alive: %d", r.StatusCode)
	}
	fault = errors.New("the journal has not moved for 12 s,\n5 s is the longest allowed")
	if r := fetch(h, "GET", "/healthz"); r.StatusCode != 503 || body(t, r) != "the journal has not moved for 12 s, 5 s is the longest allowed\n" {
		t.Errorf("not alive: %d", r.StatusCode)
	}
}

// Assets may be kept for good because their address names their content.
func TestAssets(t *testing.T) {
	h := handler(t, Options{Source: fixed{status: wellStation()}})
	page := body(t, fetch(h, "GET", "/"))
	for file, kind := range map[string]string{"page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml", "time.js": "text/javascript; charset=utf-8"} {
		end := strings.Index(page, file+`"`)
		if end < 0 {
			t.Fatalf("the page does not use %s", file)
		}
		address := page[strings.LastIndex(page[:end], `"`)+1 : end+len(file)]
		r := fetch(h, "GET", address)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != kind || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", address, r.StatusCode, r.Header)
		}
		if len(body(t, r)) < 100 {
			t.Errorf("%s is empty", address)
		}
	}
}

// nonsense is what a broken source might return.
func nonsense() status.Status {
	bad := func(v float64) *float64 { return &v }
	nan, inf := math.NaN(), math.Inf(1)
	return status.Status{
		Time:      time.Date(30000, 1, 1, 0, 0, 0, 0, time.UTC),
		Station:   status.Station{Uptime: nan},
		Reference: status.Reference{State: "odd", Source: "odd", Offset: bad(nan), Uncertainty: bad(inf), Bound: bad(-inf), Frequency: bad(nan), Holdover: bad(inf), SatellitesUsed: whole(-1)},
		Servers: []status.Server{
			{Verdict: "odd", Family: "odd", Offset: bad(inf), Uncertainty: bad(nan), Bound: bad(nan), Limit: nan, RTT: bad(inf), Score: bad(nan), Loss: bad(nan), Last: &time.Time{}},
			{Offset: bad(math.MaxFloat64), Bound: bad(math.MaxFloat64), Limit: -1, Last: func() *time.Time { t := time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC); return &t }()},
		},
	}
}

// The page must show something whatever a broken source returns.
func TestBrokenSource(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	s := nonsense()
	samples := []status.Sample{{Age: nan, Offset: 1}, {Age: inf}, {Age: -1}, {Age: 1, Offset: math.MaxFloat64, Uncertainty: math.MaxFloat64}, {Age: 2, Offset: nan, Uncertainty: inf, State: "odd"}}
	h := handler(t, Options{Source: fixed{s, samples}})
	for _, target := range []string{"/", "/api/v1/status", "/metrics"} {
		r := fetch(h, "GET", target)
		b := body(t, r)
		if r.StatusCode != 200 {
			t.Errorf("%s: %d %s", target, r.StatusCode, b)
		}
		for _, word := range []string{"NaN", "Inf", "odd"} {
			if strings.Contains(strings.NewReplacer("Information", "", "evenodd", "").Replace(b), word) {
				t.Errorf("%s shows %q", target, word)
			}
		}
	}
}

func TestServerIsBounded(t *testing.T) {
	s := Server(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("a limit is missing: %+v", s)
	}
	if s.Handler == nil {
		t.Error("the handler is missing")
	}
}
