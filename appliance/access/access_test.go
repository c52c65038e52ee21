package access

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func TestClaim(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*visitor)
		code   string // what the station has
		sends  string // what the visitor sends; the password is right
		want   int
	}{
		{"near", nil, "", "", 303},
		{"near, by the name", func(v *visitor) { v.host = "Truechimer-7F3A.local:443" }, "", "", 303},
		{"near, by IPv6", func(v *visitor) { v.from = "[fd00:1:2:3::77]:4000"; v.host = "[fd00:1:2:3::9]" }, "", "", 303},
		{"near, by a link-local address", func(v *visitor) { v.from = "[fe80::77%eth0]:4000" }, "", "", 303},
		{"the host of the machine", func(v *visitor) { v.from = "host(2):1024"; v.host = "localhost"; v.plain = true; v.vm = true }, "", "", 303},
		{"from afar", func(v *visitor) { v.from = far }, "", "", 403},
		{"from afar with the code", func(v *visitor) { v.from = far }, code, code, 303},
		{"from afar with a wrong code", func(v *visitor) { v.from = far }, code, code + "x", 403},
		{"from afar without it", func(v *visitor) { v.from = far }, code, "", 403},
		{"from afar where there is none", func(v *visitor) { v.from = far }, "", code, 403},
		{"another site's name that leads here", func(v *visitor) { v.host = "evil.example.com" }, "", "", 403},
		{"a name that begins like ours", func(v *visitor) { v.host = "truechimer-7f3a.evil.example" }, "", "", 403},
		{"by a proxy that is near", func(v *visitor) { v.header.Set("X-Forwarded-For", "203.0.113.5") }, "", "", 403},
		{"another site", func(v *visitor) { v.header.Set("Sec-Fetch-Site", "cross-site") }, "", "", 403},
		{"another site in an old browser", func(v *visitor) { v.header.Set("Origin", "https://evil.example.com") }, "", "", 403},
		{"another port of this host", func(v *visitor) { v.header.Set("Origin", "https://192.0.2.9:8443") }, "", "", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newWorld(t).options()
			o.Code = c.code
			a := open(t, o)
			v := visitorOf(t, a, near)
			if c.change != nil {
				c.change(v)
			}
			got := v.post("/claim", "/claim", "password", right, "code", c.sends)
			if got.code != c.want {
				t.Fatalf("%d %s", got.code, got.body)
			}
			hash, _ := a.password()
			if (hash != "") != (c.want == 303) || v.isIn() != (c.want == 303) {
				t.Errorf("answered %d, and the hash is %q", got.code, hash)
			}
		})
	}
}

// TestNoClaimWithoutTLS: nothing is taken that others could have read.
func TestNoClaimWithoutTLS(t *testing.T) {
	a := open(t, newWorld(t).options())
	v := visitorOf(t, a, near)
	token := v.token("/claim")
	v.plain = true
	if got := v.raw("/claim", url.Values{Field: {token}, "password": {right}}.Encode()); got.code != 403 || len(v.set) > 0 {
		t.Errorf("%d, %v", got.code, v.set)
	}
	if hash, _ := a.password(); hash != "" {
		t.Error("claimed")
	}
}

// TestClaimedOnce: by the first of many, and by no replay.
func TestClaimedOnce(t *testing.T) {
	o := newWorld(t).options()
	o.Dir = t.TempDir()
	a := open(t, o)
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	var bodies []string
	for i := range gateMost {
		v := visitorOf(t, a, fmt.Sprintf("192.0.2.%d:40000", 100+i))
		form := url.Values{Field: {v.token("/claim")}, "password": {fmt.Sprint(right, i)}}.Encode()
		bodies = append(bodies, form)
		all.Go(func() {
			got := v.raw("/claim", form)
			mu.Lock()
			defer mu.Unlock()
			codes[got.code]++
			if in := v.isIn(); in != (got.code == 303) {
				t.Errorf("%d, and logged in: %v", got.code, in)
			}
		})
	}
	all.Wait()
	// On a machine that is busy some may not have had a turn.
	if codes[303] != 1 || codes[409]+codes[503] != gateMost-1 {
		t.Errorf("%v", codes)
	}
	before, _ := a.password()
	v := visitorOf(t, a, near)
	if got := v.raw("/claim", bodies[0]); got.code != 403 {
		t.Errorf("a replay without the cookie: %d", got.code)
	}
	if got := v.post("/login", "/claim", "password", "another password"); got.code != 409 {
		t.Errorf("claimed again: %d", got.code)
	}
	if got := v.get("/claim"); got.to != "/login" {
		t.Errorf("%+v", got)
	}
	if after, _ := a.password(); after != before {
		t.Error("the password is another one")
	}
	if hash, _ := open(t, o).password(); hash != before {
		t.Error("it was not kept")
	}
}

func TestClaimWithABadPassword(t *testing.T) {
	a := open(t, newWorld(t).options())
	v := visitorOf(t, a, near)
	for _, s := range []string{"", "short", strings.Repeat("x", 129), "nul\x00nul nul"} {
		if got := v.post("/claim", "/claim", "password", s); got.code != 422 && got.code != 400 || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%q: %d", s, got.code)
		}
	}
}

func TestRedirects(t *testing.T) {
	w := newWorld(t)
	a := open(t, w.options())
	v := visitorOf(t, a, near)
	for path, to := range map[string]string{"/account": "/login?next=/account", "/login": "/claim", "/lost": "/claim", "/logout": "/login?next=/logout"} {
		if got := v.get(path); got.code != 303 || got.to != to {
			t.Errorf("unclaimed, %s: %d to %s", path, got.code, got.to)
		}
	}
	o := w.options()
	o.Preset = cheap(t, right)
	a = open(t, o)
	a.Handle("/settings", rest)
	v = visitorOf(t, a, near)
	if got := v.get("/settings"); got.to != "/login?next=/settings" {
		t.Errorf("%+v", got)
	}
	for next, to := range map[string]string{"/settings": "/settings", "/login": "/account", "//evil.example": "/account", "https://evil.example/": "/account", "/nothing": "/account", "": "/account"} {
		v := visitorOf(t, a, near)
		page := "/login?next=" + url.QueryEscape(next)
		if body := v.get(page).body; strings.Contains(body, "evil") {
			t.Errorf("%s is on the page", next)
		}
		if got := v.post(page, "/login", "password", right, "next", next); got.code != 303 || got.to != to {
			t.Errorf("next %q: %d to %q", next, got.code, got.to)
		}
		if got := v.get(page); got.code != 303 || got.to != to {
			t.Errorf("logged in, next %q: %d to %q", next, got.code, got.to)
		}
	}
}

// TestLost: the code sets the password anew, and ends what there was.
func TestLost(t *testing.T) {
	o := newWorld(t).options()
	o.Preset = cheap(t, right)
	a := open(t, o)
	v := visitorOf(t, a, near)
	if got := v.get("/lost"); got.code != 200 || strings.Contains(got.body, "<form") || !strings.Contains(got.body, ResetName) {
		t.Errorf("without a code: %d %s", got.code, got.body)
	}
	if got := v.post("/login", "/lost", "password", "a new password", "code", ""); got.code != 403 {
		t.Errorf("without a code: %d", got.code)
	}
	o.Code = code
	a = open(t, o)
	old, v := visitorOf(t, a, near), visitorOf(t, a, far)
	if old.login(right); !old.isIn() {
		t.Fatal("not logged in")
	}
	if got := v.post("/lost", "/lost", "password", "a new password", "code", strings.ToLower(code)); got.code != 403 || !old.isIn() {
		t.Errorf("with a wrong code: %d", got.code)
	}
	if got := v.post("/lost", "/lost", "password", "a new password", "code", code); got.code != 303 || !v.isIn() || old.isIn() {
		t.Errorf("with the code: %d", got.code)
	}
	if old.login(right); old.isIn() {
		t.Error("the old password is still taken")
	}
	if old.login("a new password"); !old.isIn() {
		t.Error("the new password is not taken")
	}
}

func TestChangePassword(t *testing.T) {
	o := newWorld(t).options()
	o.Preset, o.Dir = cheap(t, right), t.TempDir()
	a := open(t, o)
	v, other := visitorOf(t, a, near), visitorOf(t, a, far)
	v.login(right)
	other.login(right)
	if !v.isIn() || !other.isIn() {
		t.Fatal("not logged in")
	}
	if got := v.post("/account", "/account/password", "current", "a wrong one", "password", "a new password"); got.code != 403 || !other.isIn() {
		t.Errorf("with a wrong password: %d", got.code)
	}
	if got := v.post("/account", "/account/password", "current", right, "password", "short"); got.code != 422 {
		t.Errorf("to a short one: %d", got.code)
	}
	if got := v.post("/account", "/account/password", "current", right, "password", "a new password"); got.code != 200 || !v.isIn() || other.isIn() {
		t.Errorf("%d %s", got.code, got.body)
	}
	// The one of truechimer.toml does not come back by a restart.
	a = open(t, o)
	v = visitorOf(t, a, near)
	if v.login(right); v.isIn() {
		t.Error("the old one is taken after a restart")
	}
	if v.login("a new password"); !v.isIn() {
		t.Error("the new one is not taken after a restart")
	}
}

// TestCannotBeKept: a password that the next start would forget is not set.
func TestCannotBeKept(t *testing.T) {
	o := newWorld(t).options()
	o.Dir = "/proc/truechimer" // nothing can be made there
	a := open(t, o)
	v := visitorOf(t, a, near)
	got := v.post("/claim", "/claim", "password", right)
	if hash, _ := a.password(); got.code != 500 || hash != "" || !strings.Contains(got.body, "could not be kept") || v.isIn() {
		t.Errorf("%d %s", got.code, got.body)
	}
}

func TestLogSaysNoSecret(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Preset, o.Code, o.Dir = cheap(t, right), code, t.TempDir()
	a := open(t, o)
	v := visitorOf(t, a, near)
	v.login("a wrong password")
	v.post("/lost", "/lost", "password", "a new password", "code", code+"x")
	v.login(right)
	if err := a.renew(build); err != nil {
		t.Fatal(err)
	}
	said := w.logged()
	for _, secret := range []string{"wrong password\"", right, code, "a new password", "argon2id", "PRIVATE", v.cookies[cookieSession]} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in the log:\n%s", secret, said)
		}
	}
	if !strings.Contains(said, "a wrong password was sent") || !strings.Contains(said, "192.0.2.77") || !strings.Contains(said, a.Fingerprint()) {
		t.Errorf("it is not in the log who tried what:\n%s", said)
	}
}

func TestNewWants(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("made of nothing")
	}
	o := newWorld(t).options()
	o.Log, o.Tell, o.Reset = nil, nil, func() ([]byte, error) { return nil, fs.ErrNotExist }
	open(t, o)
}
