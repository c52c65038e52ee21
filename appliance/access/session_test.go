package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func claimed(t testing.TB) *Access {
	o := newWorld(t).options()
	o.Preset = cheap(t, right)
	return open(t, o)
}

func TestCookies(t *testing.T) {
	v := visitorOf(t, claimed(t), near)
	seen := 0
	check := func(when string) {
		for _, c := range v.set {
			seen++
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || !c.Expires.IsZero() {
				t.Errorf("%s: %s", when, c)
			}
			if c.MaxAge >= 0 && len(c.Value) != randomLength {
				t.Errorf("%s: %s has %d characters", when, c.Name, len(c.Value))
			}
		}
	}
	v.get("/login")
	check("before")
	v.login(right)
	check("logged in")
	v.post("/account", "/logout")
	check("logged out")
	if seen != 4 {
		t.Errorf("%d cookies were set", seen)
	}
}

// TestFormTokens: what another site, another visitor or an earlier life of the
// station made is not taken.
func TestFormTokens(t *testing.T) {
	a := claimed(t)
	v, other := visitorOf(t, a, near), visitorOf(t, a, near)
	own, others := v.token("/login"), other.token("/login")
	foreign := visitorOf(t, claimed(t), near).token("/login")
	if own == "" || own == others {
		t.Fatal("two visitors have the same token")
	}
	password := "&password=" + url.QueryEscape(right)
	for name, body := range map[string]string{
		"none": "password=" + url.QueryEscape(right), "an empty one": "token=" + password, "another visitor's": "token=" + others + password,
		"another station's": "token=" + foreign + password, "two": "token=" + own + "&token=" + own + password, "a cut one": "token=" + own[1:] + password,
		"the cookie itself": "token=" + v.cookies[cookieVisitor] + password,
	} {
		if got := v.raw("/login", body); got.code != 403 || v.isIn() {
			t.Errorf("%s: %d", name, got.code)
		}
	}
	// The token without the cookie that it belongs to, as another site would send it.
	cookies := v.cookies
	v.cookies = map[string]string{}
	if got := v.raw("/login", "token="+own+password); got.code != 403 {
		t.Errorf("without the cookie: %d", got.code)
	}
	v.cookies = cookies
	if got := v.raw("/login?token="+own, "password="+url.QueryEscape(right)); got.code != 403 {
		t.Errorf("in the address: %d", got.code)
	}
	if got := v.raw("/login", "token="+own+password); got.code != 303 {
		t.Errorf("as it should be: %d", got.code)
	}
	// From before the log-in it is worth nothing afterwards.
	if got := v.raw("/logout/everywhere", "token="+own); got.code != 403 || !v.isIn() {
		t.Errorf("a visitor's token in a session: %d", got.code)
	}
	other.login(right)
	if got := v.raw("/logout/everywhere", "token="+other.token("/account")); got.code != 403 || !v.isIn() {
		t.Errorf("another session's token: %d", got.code)
	}
	for _, path := range []string{"/logout", "/logout/everywhere", "/account/password"} {
		if got := v.get(path); got.to != "/account" || !v.isIn() {
			t.Errorf("GET %s: %+v", path, got)
		}
	}
}

// TestForeignSetsNothing: another site cannot take a visitor's cookie away by what
// it has his browser send.
func TestForeignSetsNothing(t *testing.T) {
	v := visitorOf(t, claimed(t), near)
	v.header.Set("Sec-Fetch-Site", "cross-site")
	if got := v.raw("/login", "password=x"); got.code != 403 || len(v.set) > 0 {
		t.Errorf("%d, %v", got.code, v.set)
	}
}

// TestFixation: whatever cookies came before, the session is another one.
func TestFixation(t *testing.T) {
	a := claimed(t)
	planted := strings.Repeat("A", randomLength)
	v := visitorOf(t, a, near)
	v.cookies[cookieSession] = planted
	v.login(right)
	if v.cookies[cookieSession] == planted || !v.isIn() {
		t.Error("a planted token became a session")
	}
	evil := visitorOf(t, a, far)
	evil.cookies[cookieSession] = planted
	if evil.isIn() {
		t.Error("who planted it is in")
	}
	// Nor does one go on that was somebody else's.
	evil.login(right)
	old := evil.cookies[cookieSession]
	victim := visitorOf(t, a, near)
	victim.cookies[cookieSession] = old
	if got := victim.post("/account", "/login", "password", right); got.code != 303 || victim.cookies[cookieSession] == old {
		t.Errorf("%d", got.code)
	}
	if evil.isIn() || !victim.isIn() {
		t.Error("the session that was planted goes on")
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		v := visitorOf(t, a, near)
		v.login(right)
		for range int(sessionMost/time.Minute)/29 - 1 {
			time.Sleep(29 * time.Minute)
			if !v.isIn() {
				t.Fatal("a session in use has ended")
			}
		}
		time.Sleep(29 * time.Minute)
		v.isIn()
		time.Sleep(29 * time.Minute)
		if v.isIn() {
			t.Error("a session goes on for ever")
		}
		v.login(right)
		time.Sleep(sessionIdle - time.Second)
		if !v.isIn() {
			t.Error("a session has ended too early")
		}
		token := v.token("/account")
		time.Sleep(sessionIdle)
		if v.isIn() {
			t.Error("a session that nobody uses goes on")
		}
		if got := v.raw("/logout/everywhere", "token="+token); got.code != 403 {
			t.Errorf("a form of a session that has ended: %d", got.code)
		}
	})
}

func TestLogOut(t *testing.T) {
	a := claimed(t)
	v, other := visitorOf(t, a, near), visitorOf(t, a, far)
	v.login(right)
	other.login(right)
	stolen := v.cookies[cookieSession]
	if got := v.post("/account", "/logout"); got.to != "/login" || v.isIn() || !other.isIn() {
		t.Errorf("%+v", got)
	}
	v.cookies[cookieSession] = stolen
	if v.isIn() {
		t.Error("the token is worth something after logging out")
	}
	v.login(right)
	if got := v.post("/account", "/logout/everywhere"); got.to != "/login" || v.isIn() || other.isIn() {
		t.Errorf("everywhere: %+v", got)
	}
}

// TestManySessions: the one that was not used for longest makes room.
func TestManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := claimed(t)
		var all []*visitor
		for range sessionsMost {
			v := visitorOf(t, a, near)
			v.login(right)
			all = append(all, v)
			time.Sleep(time.Second)
		}
		if !all[0].isIn() {
			t.Fatal("the first has ended")
		}
		time.Sleep(time.Second)
		visitorOf(t, a, near).login(right)
		if len(a.sessions) != sessionsMost || !all[0].isIn() || all[1].isIn() {
			t.Errorf("%d sessions", len(a.sessions))
		}
	})
}

// TestPasswordChangedWhileLoggingIn: who knew the old one only does not get in.
func TestPasswordChangedWhileLoggingIn(t *testing.T) {
	a := claimed(t)
	hash, _ := a.password()
	if err := a.replace(hash, cheap(t, "a new password")); err != nil {
		t.Fatal(err)
	}
	if a.begin(hash) != "" {
		t.Error("a session began with the old password")
	}
	if err := a.replace(hash, cheap(t, "a third password")); err == nil {
		t.Error("the new password was replaced by who knew the old one")
	}
}

// TestRequire: nothing comes to a page of settings that its owner did not send.
func TestRequire(t *testing.T) {
	a := claimed(t)
	var came []string
	settings := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came = append(came, r.Method+" "+r.PostFormValue("server"))
		w.Write([]byte(`<input name="token" value="` + Token(r) + `">`))
	})
	a.Handle("/settings", settings)
	alone := a.Require(settings) // in a mux of somebody else's
	v := visitorOf(t, a, near)
	send := func(r *http.Request) int { return v.send(r).code }
	if got := v.get("/settings"); got.code != 303 {
		t.Errorf("%d", got.code)
	}
	if got := v.post("/login", "/settings", "server", "x"); got.code != 403 {
		t.Errorf("a visitor's form: %d", got.code)
	}
	v.login(right)
	if got := v.raw("/settings", "server=x"); got.code != 403 {
		t.Errorf("without a token: %d", got.code)
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"} {
		if code := send(httptest.NewRequest(method, "/settings", nil)); code != 405 {
			t.Errorf("%s: %d", method, code)
		}
	}
	if came != nil {
		t.Fatalf("it came to %q", came)
	}
	if got := v.post("/settings", "/settings", "server", "ntp.example.net"); got.code != 200 {
		t.Errorf("%d", got.code)
	}
	token := v.token("/settings")
	// A body that is no form is the handler's; its token comes in the header.
	upload := func(token string) int {
		r := httptest.NewRequest("POST", "/settings", strings.NewReader("bytes"))
		r.Header.Set("Content-Type", "application/octet-stream")
		if token != "" {
			r.Header.Set(Header, token)
		}
		return send(r)
	}
	if got := []int{upload(""), upload("x"), upload(token)}; got[0] != 415 || got[1] != 403 || got[2] != 200 {
		t.Errorf("uploads: %v", got)
	}
	v.h = alone
	if got := v.raw("/elsewhere", "server=y&token="+token); got.code != 200 {
		t.Errorf("in another mux: %d", got.code)
	}
	v.plain = true
	if got := v.raw("/elsewhere", "server=z&token="+token); got.code != 403 {
		t.Errorf("without TLS: %d", got.code)
	}
	if got := strings.Join(came, ", "); got != "GET , POST ntp.example.net, GET , POST , POST y" {
		t.Errorf("it came to %s", got)
	}
	if Token(httptest.NewRequest("GET", "/", nil)) != "" {
		t.Error("a token for nobody")
	}
}
