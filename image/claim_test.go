package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// owner is a visitor's browser that has been told to trust the station's certificate.
type owner struct {
	t    *testing.T
	base string // of the page over TLS
	http.Client
	fingerprint string // of the certificate that it was shown last, as browsers show it
}

func newOwner(t *testing.T, base string) *owner {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{t: t, base: base}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error {
		sum := sha256.Sum256(c.PeerCertificates[0].Raw)
		o.fingerprint = strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
		return nil
	}}}
	t.Cleanup(transport.CloseIdleConnections)
	// An emulated processor takes its time for the password.
	o.Client = http.Client{Transport: transport, Jar: jar, Timeout: 60 * time.Second}
	return o
}

// read gives where a request ended and what came of it.
func (o *owner) read(resp *http.Response, err error) (path, body string) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		o.t.Fatalf("%s: %s\n%s", resp.Request.URL, resp.Status, b)
	}
	return resp.Request.URL.Path, string(b)
}

var formToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// send fills in the form at a path, and returns where that led.
func (o *owner) send(path string, fields url.Values) string {
	o.t.Helper()
	at, _ := o.fill(path, fields)
	return at
}

// fill is send, and returns what is to be read there, too.
func (o *owner) fill(path string, fields url.Values) (at, body string) {
	o.t.Helper()
	at, body = o.read(o.Get(o.base + path))
	if at != path {
		o.t.Fatalf("%s led to %s:\n%s", path, at, body)
	}
	fields.Set("token", o.find(formToken, body))
	return o.read(o.PostForm(o.base+path, fields))
}

// find is what an expression has in brackets.
func (o *owner) find(what *regexp.Regexp, body string) string {
	o.t.Helper()
	m := what.FindStringSubmatch(body)
	if m == nil {
		o.t.Fatalf("there is no %s:\n%s", what, body)
	}
	return html.UnescapeString(m[1])
}

// claim has the station claimed by its first visitor, and its password, which is
// lost at once, set anew with the claim code. It returns who is logged in then.
func (s *bench) claim() *owner {
	s.t.Helper()
	first := newOwner(s.t, s.secure)
	if _, text := first.read(first.Get(s.url + "/claim")); !strings.Contains(text, "Your browser will warn you") {
		s.t.Errorf("port 80 answers\n%s", text)
	}
	began := time.Now()
	if at := first.send("/claim", url.Values{"password": {"a red attic door"}}); at != "/settings/servers" {
		s.t.Errorf("claiming led to %s", at)
	}
	s.t.Logf("claimed in %.1f s", time.Since(began).Seconds())
	if said := s.consoleLines("fingerprint " + first.fingerprint); len(said) == 0 {
		s.t.Errorf("the console does not say the certificate's fingerprint %s", first.fingerprint)
	}

	second := newOwner(s.t, s.secure)
	if at, _ := second.read(second.Get(s.secure + "/claim")); at != "/login" {
		s.t.Errorf("the second visitor is at %s", at)
	}
	if at := second.send("/lost", url.Values{"code": {s.bed.code}, "password": {"a blue attic door"}}); at != "/account" {
		s.t.Errorf("the claim code led to %s", at)
	}
	if at, _ := first.read(first.Get(s.secure + "/account")); at != "/login" {
		s.t.Errorf("who knew the lost password is at %s", at)
	}
	first.login()
	return first
}

// login is with the password that claim has set.
func (o *owner) login() {
	o.t.Helper()
	if at := o.send("/login", url.Values{"password": {"a blue attic door"}}); at != "/account" {
		o.t.Errorf("the password led to %s", at)
	}
}
