package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/settings"
)

// managed is a program whose page is served, also over TLS, and a browser that
// trusts nothing but its certificate.
func managed(t *testing.T, keep string) (browser *http.Client, at string, end func()) {
	t.Helper()
	s := testStation(t, &platform{name: "attic", listen: "127.0.0.1:0", secure: "127.0.0.1:0", keep: keep, build: oldestDate}, stopped{})
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.listen("tcp", s.platform.listen)
	if err != nil {
		t.Fatal(err)
	}
	s.page.Store(plain.Addr())
	secure, err := s.listenSecurely()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	all := s.parts
	all.keep(ctx, partPage, func(context.Context) error { return s.servePage(server, plain) })
	all.keep(ctx, partSecure, func(context.Context) error { return s.serveSecurely(server, secure) })
	all.keep(ctx, "certificate", s.access.Run)
	jar, _ := cookiejar.New(nil) // has no error
	browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error {
			if got := fmt.Sprintf("%X", sha256.Sum256(c.PeerCertificates[0].Raw)); got != strings.ReplaceAll(s.access.Fingerprint(), ":", "") {
				return errors.New("another certificate: " + got)
			}
			return c.PeerCertificates[0].VerifyHostname("127.0.0.1")
		}}}}
	return browser, "https://" + secure.Addr().String(), func() {
		browser.CloseIdleConnections()
		cancel()
		server.Close()
		all.running.Wait()
	}
}

func ask(t *testing.T, browser *http.Client, address string, form url.Values) (*http.Response, string) {
	t.Helper()
	var r *http.Response
	var err error
	if form == nil {
		r, err = browser.Get(address)
	} else {
		r, err = browser.PostForm(address, form)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

// TestClaimOverTLS: from the first page to an owner who is known after a restart,
// with one field typed.
func TestClaimOverTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keep")
	browser, at, end := managed(t, dir)
	token := func(page string) string {
		m := regexp.MustCompile(`name="token" value="([^"]+)`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no token in %s", page)
		}
		return m[1]
	}
	_, page := ask(t, browser, at+"/", nil)
	if !strings.Contains(page, `href="`+settings.Path+`"`) {
		t.Error("the page does not say where to begin")
	}
	r, _ := ask(t, browser, at+settings.Path, nil)
	r, _ = ask(t, browser, at+r.Header.Get("Location"), nil)
	r, page = ask(t, browser, at+r.Header.Get("Location"), nil)
	if n := strings.Count(page, "<input") - strings.Count(page, `type="hidden"`) - strings.Count(page, ` hidden>`); n != 1 || r.StatusCode != 200 {
		t.Fatalf("%d, %d fields to type: %s", r.StatusCode, n, page)
	}
	if r, page = ask(t, browser, at+"/claim", url.Values{"token": {token(page)}, "password": {"three small words"}}); r.StatusCode != 303 {
		t.Fatalf("%d %s", r.StatusCode, page)
	}
	if r, page = ask(t, browser, at+settings.Path, nil); r.StatusCode != 200 {
		t.Errorf("%d %s", r.StatusCode, page)
	}
	end()
	browser, at, end = managed(t, dir)
	defer end()
	_, page = ask(t, browser, at+"/login", nil)
	if r, page = ask(t, browser, at+"/login", url.Values{"token": {token(page)}, "password": {"three small words"}}); r.StatusCode != 303 {
		t.Errorf("after a restart: %d %s", r.StatusCode, page)
	}
}

// TestWhereItIsServedOverTLS: a program that was told one address takes no other.
func TestWhereItIsServedOverTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("TRUECHIMER_ID", "")
	taken := l.Addr().String()
	err = logic(t.Context(), []string{"-http", "127.0.0.1:0", "-https", taken})
	if err == nil || !strings.Contains(err.Error(), "-https") || !strings.Contains(err.Error(), taken) {
		t.Errorf("ended with %v", err)
	}
	path := filepath.Join(t.TempDir(), "my.toml")
	if err := os.WriteFile(path, []byte("[web]\nlisten = \"127.0.0.1:0\"\nsecure = \""+taken+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := logic(t.Context(), []string{"-config", path}); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("ended with %v", err)
	}
	for _, c := range []struct{ listen, secure, want string }{
		{"", "", "default"}, {"127.0.0.1:80", "", ""}, {"127.0.0.1:80", ":1", ":1"}, {"", ":1", ":1"},
	} {
		p := &platform{secure: "default"}
		if p.secureAt(c.listen, c.secure); p.secure != c.want {
			t.Errorf("%+v: %q", c, p.secure)
		}
	}
	p := &platform{station: true, secure: ":443"}
	if p.secureAt(":8080", ""); p.secure != ":443" {
		t.Errorf("a station: %q", p.secure)
	}
}

// TestStationWithoutTLS goes on with all else where the port is taken.
func TestStationWithoutTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := testStation(t, &platform{station: true, secure: l.Addr().String()}, stopped{})
	if got, err := s.listenSecurely(); got != nil || err != nil || s.secure.Load() != nil {
		t.Errorf("%v, %v", got, err)
	}
	if s.serveSecurely(nil, nil) == nil {
		t.Error("served on a port that was taken")
	}
}

// TestResetFile is found by the names that editors give it.
func TestResetFile(t *testing.T) {
	for name, want := range map[string]bool{"reset-password.txt": true, "RESET-PASSWORD": true, "Reset-Password.txt.txt": true, "reset.txt": false} {
		p := &platform{bootDevice: cardWith(t, map[string]string{name: "please"})}
		b, err := p.readReset()
		if want && (err != nil || string(b) != "please") || !want && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	p := &platform{bootDevice: filepath.Join(t.TempDir(), "none")}
	if _, err := p.readReset(); err == nil {
		t.Error("a card that is not there was read")
	}
}

// TestResetByTheCard: a station whose owner lost the password is claimed anew.
func TestResetByTheCard(t *testing.T) {
	p := &platform{station: true, name: "truechimer-7f3a", perm: t.TempDir(), bootDevice: cardWith(t, nil)}
	hash := password.New("three small words")
	conf := config.Default()
	conf.Admin.PasswordHash = config.NewSecret(hash.String())
	claimable := func() bool {
		t.Helper()
		s := testStation(t, p, stopped{})
		s.conf = conf
		a, err := s.newAccess()
		if err != nil {
			t.Fatal(err)
		}
		return a.Claimable()
	}
	if claimable() {
		t.Error("a password that truechimer.toml sets does not count")
	}
	conf = config.Default()
	if claimable() {
		t.Error("it is forgotten")
	}
	p.bootDevice = cardWith(t, map[string]string{access.ResetName: ""})
	if !claimable() {
		t.Error("it is not forgotten")
	}
}

func TestPrintPassword(t *testing.T) {
	for in, ok := range map[string]bool{"three small words\n": true, "three small words": true, "three small words\r\nmore\n": true, "short\n": false, "": false, strings.Repeat("x", 500): false} {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = runPassword(nil, f, &out)
		f.Close()
		if (err == nil) != ok || (out.Len() > 0) != ok {
			t.Errorf("%.20q: %v, %q", in, err, out.String())
		}
		if !ok {
			continue
		}
		h, err := password.Parse(strings.TrimSuffix(out.String(), "\n"))
		if err != nil || !h.Matches("three small words") {
			t.Errorf("%q: %q, %v", in, out.String(), err)
		}
		if _, err := config.Parse("f", []byte("[admin]\npassword_hash = '"+h.String()+"'\n")); err != nil {
			t.Error(err)
		}
	}
	if runPassword([]string{"three small words"}, nil, nil) == nil {
		t.Error("a password was taken where others see it")
	}
}
