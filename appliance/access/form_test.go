package access

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/web"
)

func TestHostileBodies(t *testing.T) {
	a := claimed(t)
	v := visitorOf(t, a, near)
	token := "token=" + v.token("/login")
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"too large":           {token + "&password=" + strings.Repeat("x", formMost), 413},
		"too many fields":     {token + strings.Repeat("&a", fieldsMost), 400},
		"a broken escape":     {token + "&password=%zz", 400},
		"semicolons":          {token + ";password=x", 400},
		"no UTF-8":            {token + "&password=%ff%fe%fd%fc%fb%fa%f9%f8%f7%f6", 400},
		"a name of no UTF-8":  {token + "&%ff=x", 400},
		"a zero byte":         {token + "&password=three%00small%00words", 400},
		"nothing":             {"", 403},
		"two passwords":       {token + "&password=three+small+words&password=three+small+words", 403},
		"a long password":     {token + "&password=" + strings.Repeat("x", 60000), 403},
		"markup as the error": {token + "&password=<script>&next=<script>", 403},
	} {
		got := v.raw("/login", c.body)
		if got.code != c.want || v.isIn() || strings.Contains(got.body, "<script") || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: %d, want %d; %s", name, got.code, c.want, got.body)
		}
		a.tries.right(hostOf(near))
	}
	for _, kind := range []string{"", "multipart/form-data; boundary=x", "application/json", "text/plain", ";;", "application/x-www-form-urlencoded; charset=\x00"} {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(token+"&password=three+small+words"))
		r.Header.Set("Content-Type", kind)
		if got := v.send(r); got.code != 415 {
			t.Errorf("%q: %d", kind, got.code)
		}
	}
}

// TestSlowBody: who sends a form a byte at a time is cut off, and others are served
// meanwhile.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		server := web.Server(a.Handler(rest), slog.New(slog.DiscardHandler))
		server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return FromHost(ctx) }
		l := pipes{make(chan net.Conn), make(chan struct{})}
		done := make(chan struct{})
		go func() { server.Serve(l); close(done) }()
		dial := func() net.Conn {
			here, there := net.Pipe()
			l.conns <- there
			return here
		}
		slow := dial()
		began := time.Now()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			io.WriteString(slow, "POST /login HTTP/1.1\r\nHost: station\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n")
			for {
				time.Sleep(time.Second)
				if _, err := slow.Write([]byte("a")); err != nil {
					return
				}
			}
		}()
		go io.Copy(io.Discard, slow)
		time.Sleep(5 * time.Second)
		quick := dial()
		go io.WriteString(quick, "GET /login HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n")
		if b, err := io.ReadAll(quick); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
			t.Errorf("%v %s", err, b)
		}
		<-sent
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("it was cut off after %v", took)
		}
		slow.Close()
		server.Close()
		<-done
	})
}

// pipes are a listener that has no network.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error { close(p.ended); return nil }

// FuzzForm: whatever is accepted is bounded and can be shown.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "token=a&password=b", "a=%41&a=b&c", "%zz", "a;b", "a=%00", "=&=&=", strings.Repeat("&", fieldsMost), "a=%ff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		form, err := parseForm(b)
		if err != nil {
			return
		}
		n := 0
		for key, values := range form {
			n += len(values)
			if s := key + strings.Join(values, ""); strings.ToValidUTF8(s, "") != s || strings.Contains(s, "\x00") {
				t.Errorf("accepted %q", s)
			}
			if got := one(form, key); len(values) != 1 && got != "" {
				t.Errorf("of several values of %q one was taken", key)
			}
		}
		if n > fieldsMost || len(b) > formMost {
			t.Errorf("%d fields in %d bytes", n, len(b))
		}
	})
}

// FuzzRequest: no request makes the handler panic, claims the station or gets to
// what is guarded.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/login", "192.0.2.9", "192.0.2.77:4000", "__Host-truechimer=x", "application/x-www-form-urlencoded", "token=a&password=b")
	f.Add("GET", "/login?next=/account", "[fd00::9]", "[fe80::1%eth0]:1", "__Host-truechimer-visitor=AAAA", "", "")
	f.Add("POST", "/lost", "a", "host(2):3", "", "multipart/form-data", "code=7Q2-rt.9_xKm&password=three+small+words")
	f.Add("GET", "/account", "\"><script>", "", "a", "", "")
	f.Fuzz(func(t *testing.T, method, path, host, from, cookies, kind, body string) {
		r, err := http.NewRequest(method, "http://x/", strings.NewReader(body))
		if err != nil {
			return
		}
		w := newWorld(t)
		o := w.options()
		o.Code = code
		a := open(t, o)
		a.Handle("/settings", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it came to the settings") }))
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		r.Host, r.RemoteAddr = host, from
		r.Header.Set("Cookie", cookies)
		r.Header.Set("Content-Type", kind)
		for _, tls := range []bool{false, true} {
			v := visitorOf(t, a, from)
			v.host, v.plain = host, !tls
			r := r.Clone(t.Context())
			r.Body = io.NopCloser(strings.NewReader(body))
			got := v.send(r)
			if strings.Contains(got.body, "<script") || got.code == 0 {
				t.Errorf("%d %s", got.code, got.body)
			}
			if hash, _ := a.password(); hash != "" {
				t.Error("claimed without a token")
			}
		}
	})
}
