package access

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/access/password/passwordtest"
)

const (
	right = "three small words"
	code  = "7Q2-rt.9_xKm"
	near  = "192.0.2.77:40000"
	far   = "203.0.113.5:40000"
)

var build = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// cheap is a hash that costs next to nothing.
func cheap(t testing.TB, s string) password.Hash {
	t.Helper()
	return passwordtest.Cheap(s)
}

// world is what a station under test meets.
type world struct {
	mu    sync.Mutex
	addrs []net.Addr
	told  map[string]string
	log   bytes.Buffer
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func addr(t testing.TB, s string) net.Addr {
	t.Helper()
	ip, n, err := net.ParseCIDR(s)
	if err != nil {
		t.Fatal(err)
	}
	return &net.IPNet{IP: ip, Mask: n.Mask}
}

func newWorld(t testing.TB, addrs ...string) *world {
	w := &world{told: map[string]string{}}
	if addrs == nil {
		addrs = []string{"127.0.0.1/8", "192.0.2.9/24", "fe80::9/64", "fd00:1:2:3::9/64"}
	}
	for _, s := range addrs {
		w.addrs = append(w.addrs, addr(t, s))
	}
	return w
}

func (w *world) options() Options {
	return Options{
		Name: "attic", Host: "truechimer-7f3a", Build: build,
		Interfaces: func() ([]net.Addr, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.addrs, nil },
		Secure:     func() net.Addr { return &net.TCPAddr{IP: net.IPv6unspecified, Port: 443} },
		Tell:       func(topic, text string) { w.mu.Lock(); defer w.mu.Unlock(); w.told[topic] = text },
		Log:        slog.New(slog.NewTextHandler(w, nil)),
	}
}

func open(t testing.TB, o Options) *Access {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rest is what the station serves otherwise.
var rest = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("the page at " + r.URL.Path)) })

// visitor is a browser, as far as that matters.
type visitor struct {
	t       testing.TB
	h       http.Handler
	from    string
	host    string
	plain   bool // no TLS
	vm      bool // the host of the virtual machine
	header  http.Header
	cookies map[string]string
	set     []*http.Cookie // by the last answer
}

func visitorOf(t testing.TB, a *Access, from string) *visitor {
	return &visitor{t: t, h: a.Handler(rest), from: from, host: "192.0.2.9", header: http.Header{}, cookies: map[string]string{}}
}

type answer struct {
	code int
	to   string // where it sends the visitor
	body string
	http.Header
}

func (v *visitor) send(r *http.Request) answer {
	r.RemoteAddr, r.Host = v.from, v.host
	if !v.plain {
		r.TLS = &tls.ConnectionState{}
	}
	if v.vm {
		r = r.WithContext(FromHost(r.Context()))
	}
	for k, list := range v.header {
		r.Header[k] = list
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	resp := w.Result()
	v.set = resp.Cookies()
	for _, c := range v.set {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), w.Body.String(), resp.Header}
}

func (v *visitor) get(path string) answer {
	v.t.Helper()
	return v.send(httptest.NewRequest("GET", path, nil))
}

// raw sends a form as it is.
func (v *visitor) raw(path, body string) answer {
	v.t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.send(r)
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is what the form at a path has.
func (v *visitor) token(path string) string {
	v.t.Helper()
	m := tokenField.FindStringSubmatch(v.get(path).body)
	if m == nil {
		return ""
	}
	return m[1]
}

// post loads the page with the form and sends it. fields are names and values.
func (v *visitor) post(page, path string, fields ...string) answer {
	v.t.Helper()
	form := url.Values{Field: {v.token(page)}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return v.raw(path, form.Encode())
}

func (v *visitor) login(s string) answer { return v.post("/login", "/login", "password", s) }

func (v *visitor) isIn() bool { return v.get("/account").code == http.StatusOK }
