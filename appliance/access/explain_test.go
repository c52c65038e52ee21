package access

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestExplain: without TLS there is nothing but what will happen, and the way on.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	a := open(t, w.options())
	for _, path := range []string{"/claim", "/login", "/lost", "/account", "/account/password", "/logout", "/logout/everywhere"} {
		v := visitorOf(t, a, far)
		v.plain = true
		got := v.get(path)
		if got.code != 200 || len(v.set) > 0 || strings.Contains(got.body, "<form") || !strings.Contains(got.body, "<svg") ||
			!strings.Contains(got.body, `href="https://192.0.2.9`+path+`"`) || got.to != "" {
			t.Errorf("%s: %d, %v, %s", path, got.code, v.set, got.body)
		}
	}
	v := visitorOf(t, a, far)
	v.plain = true
	_, text, _ := strings.Cut(v.get("/claim").body, `<p class="meaning">`)
	text, _, _ = strings.Cut(text, "</p>")
	text = strings.ReplaceAll(text, "192.0.2.9", "it")
	if n := strings.Count(text, ". ") + 1; n != 2 || len(strings.Fields(text)) > 85 {
		t.Errorf("%d sentences, %d words: %s", n, len(strings.Fields(text)), text)
	}
}

// TestExplainLink leads to this station, whatever a visitor calls it.
func TestExplainLink(t *testing.T) {
	everywhere, one := &net.TCPAddr{IP: net.IPv6unspecified, Port: 443}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8443}
	for _, c := range []struct {
		at         net.Addr
		host, want string
	}{
		{everywhere, "192.0.2.9", "https://192.0.2.9/login"},
		{everywhere, "192.0.2.9:80", "https://192.0.2.9/login"},
		{everywhere, "[fd00::9]:80", "https://[fd00::9]/login"},
		{everywhere, "fd00::9", "https://[fd00::9]/login"},
		{everywhere, "truechimer-7f3a.local", "https://truechimer-7f3a.local/login"},
		{everywhere, "time.example.net.", "https://time.example.net/login"},
		{everywhere, "", "https://198.51.100.4/login"},
		{everywhere, "a b", "https://198.51.100.4/login"},
		{everywhere, "evil@example", "https://198.51.100.4/login"},
		{everywhere, "x/../y", "https://198.51.100.4/login"},
		{everywhere, `"><script>`, "https://198.51.100.4/login"},
		{everywhere, strings.Repeat("a", 400), "https://198.51.100.4/login"},
		{one, "192.0.2.9:8080", "https://127.0.0.1:8443/login"},
		{&net.TCPAddr{Port: 8443}, "192.0.2.9:8080", "https://192.0.2.9:8443/login"},
	} {
		o := newWorld(t).options()
		o.Secure = func() net.Addr { return c.at }
		r := httptest.NewRequest("GET", "/login", nil)
		r.Host = c.host
		r = r.WithContext(contextWith(r, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 4), Port: 80}))
		rec := httptest.NewRecorder()
		open(t, o).Handler(rest).ServeHTTP(rec, r)
		if body := rec.Body.String(); !strings.Contains(body, `href="`+c.want+`"`) || strings.Contains(body, "<script") {
			_, got, _ := strings.Cut(body, `class="button" href="`)
			t.Errorf("%q: %.80s, want %s", c.host, got, c.want)
		}
	}
	o := newWorld(t).options()
	o.Secure = func() net.Addr { return nil }
	v := visitorOf(t, open(t, o), near)
	if v.plain = true; v.get("/login").code != 503 {
		t.Error("a way to where nothing is served")
	}
}

// TestHeaders are on every answer, whoever asks for what.
func TestHeaders(t *testing.T) {
	a := claimed(t)
	a.Handle("/settings", rest)
	in := visitorOf(t, a, near)
	in.login(right)
	plain := visitorOf(t, a, near)
	plain.plain = true
	for who, v := range map[string]*visitor{"nobody": visitorOf(t, a, far), "who is logged in": in, "without TLS": plain} {
		for _, path := range []string{"/claim", "/login", "/lost", "/account", "/account/password", "/logout", "/logout/everywhere", "/settings"} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
				got := v.send(httptest.NewRequest(method, path, nil))
				for name, want := range map[string]string{
					"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
					"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
					"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": map[bool]string{false: "same-origin"}[v.plain],
				} {
					if got.Get(name) != want {
						t.Errorf("%s, %s %s: %s is %q", who, method, path, name, got.Get(name))
					}
				}
				if strings.Contains(got.body, "<script") || strings.Contains(got.body, "style=") || strings.Contains(got.body, " on") && strings.Contains(got.body, "onclick") {
					t.Errorf("%s, %s %s: the policy would not let this be shown: %s", who, method, path, got.body)
				}
			}
		}
	}
	if got := in.get(a.style); got.code != 200 || !strings.Contains(got.Get("Cache-Control"), "immutable") || got.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the style sheet: %+v", got.Header)
	}
}

// TestRestIsReadable: what was there before needs neither TLS nor an owner.
func TestRestIsReadable(t *testing.T) {
	for _, a := range []*Access{open(t, newWorld(t).options()), claimed(t)} {
		v := visitorOf(t, a, far)
		v.plain = true
		for _, path := range []string{"/", "/api/v1/status", "/metrics", "/healthz", "/nothing", "/loginx", "/login/", "//login"} {
			if got := v.get(path); got.body != "the page at "+strings.Split(path, "?")[0] {
				t.Errorf("%s: %d %s", path, got.code, got.body)
			}
		}
		r := httptest.NewRequest(http.MethodPost, a.style, nil)
		if got := v.send(r); !strings.HasPrefix(got.body, "the page at") {
			t.Errorf("POST to the style sheet: %s", got.body)
		}
	}
}

func contextWith(r *http.Request, local net.Addr) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, local)
}
