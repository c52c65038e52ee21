package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		times int
		want  error
	}{{0, nil}, {1, nil}, {5, nil}, {6, ErrRefused}, {1 << 30, ErrRefused}} {
		asked := 0
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); n < c.times {
				http.Redirect(w, r, fmt.Sprint("/", n+1), http.StatusFound)
			}
		})
		if _, err := client.Get(t.Context(), "0", 1000); !errors.Is(err, c.want) || asked > 6 {
			t.Errorf("%d redirects: %v after %d requests, want %v", c.times, err, asked, c.want)
		}
	}
}

// A server may send the station to another one, but not everywhere.
func TestRedirectTo(t *testing.T) {
	for to, want := range map[string]string{
		"http://u:p@127.0.0.1/": "with a password",
		"file:///etc/passwd":    "redirected from http to file",
		"ftp://127.0.0.1/":      "redirected from http to ftp",
		"http://":               "",
		":":                     "",
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
		})
		if _, err := c.Get(t.Context(), "x", 1000); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", to, err, want)
		}
	}
}

// A server must not make the station ask others on its own local net.
func TestRedirectInside(t *testing.T) {
	knocked := false
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { knocked = true }))
	defer inside.Close()
	send := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL+"/reboot", http.StatusFound)
	}
	c := serve(t, send)
	if _, err := c.Get(t.Context(), "x", 1000); !errors.Is(err, ErrRefused) || knocked {
		t.Errorf("%v, knocked: %v", err, knocked)
	}
	// The operator's own mirrors may send to each other.
	outer := httptest.NewServer(http.HandlerFunc(send))
	defer outer.Close()
	c, err := New(Options{Bases: []string{outer.URL, inside.URL}, Limits: quick})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Get(t.Context(), "x", 1000); err != nil || !knocked {
		t.Errorf("%v, knocked: %v", err, knocked)
	}

	for address, want := range map[string]bool{
		"203.0.113.1:80": true, "[2001:db8::1]:443": true,
		"10.0.0.1:80": false, "192.168.1.1:80": false, "172.16.0.1:80": false, "127.0.0.1:80": false, "169.254.1.1:80": false,
		"100.64.0.1:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false,
		"[::1]:80": false, "[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "[fd00::1]:80": false, "[ff02::1]:80": false,
		"[::ffff:192.168.1.1]:80": false, "pipe": false, "": false,
	} {
		if public(address) != want {
			t.Errorf("%s is public: %v", address, !want)
		}
	}
}

func TestTLS(t *testing.T) {
	plain := httptest.NewServer(says(200, "plain"))
	defer plain.Close()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL+"/x", http.StatusFound)
			return
		}
		fmt.Fprint(w, r.Proto)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail, as they shall
	s.StartTLS()
	defer s.Close()
	get := func(name string, o Options) (string, error) {
		o.Bases, o.Limits = []string{s.URL, plain.URL}, quick
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := c.get(t.Context(), c.bases[0]+name, 100)
		return string(b), err
	}
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if got, err := get("x", Options{Roots: roots}); err != nil || got != "HTTP/1.1" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := get("down", Options{Roots: roots}); !errors.Is(err, ErrRefused) {
		t.Errorf("https to http: %q, %v", got, err)
	}
	if got, err := get("x", Options{}); err == nil {
		t.Errorf("an unknown authority: %q", got)
	}
	// Certificates are judged by the time that is given, not by the clock's.
	late := func() time.Time { return time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC) }
	if got, err := get("x", Options{Roots: roots, Now: late}); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired certificate: %q, %v", got, err)
	}
	if p, err := bundledRoots(); err != nil || p.Equal(x509.NewCertPool()) {
		t.Errorf("the bundled authorities: %v", err)
	}
}

// A redirect from http to https is taken, and what is dialled is what it says.
func TestRedirectUp(t *testing.T) {
	s := httptest.NewTLSServer(says(200, "secure"))
	defer s.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://example.com/x", http.StatusMovedPermanently)
	}))
	defer plain.Close()
	var dialled []string
	c, err := New(Options{
		Bases: []string{plain.URL}, Limits: quick,
		Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			if address == "example.com:443" { // the name in httptest's certificate
				conn, err := new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
				return from{conn}, err
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Get(t.Context(), "x", 100); err != nil || string(got) != "secure" || len(dialled) != 2 {
		t.Errorf("%q, %v, dialled %q", got, err, dialled)
	}
}

// from is a connection that seems to go to the internet.
type from struct{ net.Conn }

func (from) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 443}
}
