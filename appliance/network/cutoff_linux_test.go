package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/access/password/passwordtest"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/settings"
)

// TestCutOffInNamespace: a person who changes the station's address on its page to one
// that nobody can reach finds it at the old one again, when the trial is over.
func TestCutOffInNamespace(t *testing.T) { network.InOwnNamespace(t, cutOff) }

// still is a station that the change of its network does not concern otherwise.
type still struct{ m *network.Manager }

func (still) Apply(config.Config)                        {}
func (still) Restart() error                             { return errors.New("it was to restart") }
func (still) Reset() error                               { return errors.New("it was to reset") }
func (still) Antenna() []byte                            { return nil }
func (still) SetAntenna([]byte) error                    { return nil }
func (still) Moved() error                               { return nil }
func (still) Identity() []byte                           { return nil }
func (still) SetIdentity([]byte) error                   { return nil }
func (still) Updates() settings.Updates                  { return nil }
func (still) Ask(context.Context, string, uint16) string { return "" }
func (s still) Network() settings.Network                { return s.m }

func cutOff(t *testing.T) {
	const word, trial = "three small words", 10 * time.Minute
	w := network.Build(t)
	conf := config.Default()
	conf.Network.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.9/24")}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	dir := t.TempDir()
	store := settings.NewStore(settings.StoreOptions{Dir: dir, Config: conf, Now: func() (time.Time, bool) { return time.Now(), true }, Log: log})
	m := network.Start(t, network.Options{Network: conf.Network, Keep: store.KeepNetwork})

	l, err := net.Listen("tcp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	a, err := access.New(access.Options{Interfaces: net.InterfaceAddrs, Secure: l.Addr, Preset: passwordtest.Cheap(word), Build: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := settings.New(settings.Options{Store: store, Station: still{m}, Owner: a, Trial: trial})
	if err != nil {
		t.Fatal(err)
	}
	pages.Register(a)
	go a.Run(t.Context())
	server := &http.Server{Handler: a.Handler(http.NotFoundHandler())}
	go server.Serve(tls.NewListener(l, a.TLS()))
	t.Cleanup(func() { server.Close() })

	jar, _ := cookiejar.New(nil) // has no error
	browser := &http.Client{Jar: jar, Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
			w.Far(func() error {
				c, err = (&net.Dialer{Timeout: 500 * time.Millisecond}).DialContext(ctx, network, address)
				return nil
			})
			return c, err
		},
	}}
	const at = "https://192.0.2.9"
	ask := func(path string, form url.Values) (string, *http.Response, error) {
		var r *http.Response
		var err error
		if form == nil {
			r, err = browser.Get(at + path)
		} else {
			r, err = browser.PostForm(at+path, form)
		}
		if err != nil {
			return "", nil, err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return string(b), r, err
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within a minute", what)
			}
		}
	}
	reached := func() bool { _, _, err := ask("/login", nil); return err == nil }
	send := func(page, path string, form url.Values) (string, *http.Response) {
		t.Helper()
		body, _, err := ask(page, nil)
		if err != nil {
			t.Fatal(err)
		}
		token := regexp.MustCompile(`name="token" value="([^"]+)`).FindStringSubmatch(body)
		if token == nil {
			t.Fatalf("%s has no form: %s", page, body)
		}
		form.Set("token", html.UnescapeString(token[1]))
		body, r, err := ask(path, form)
		if err != nil {
			t.Fatal(err)
		}
		return body, r
	}
	until("the page", reached)
	send("/login", "/login", url.Values{"password": {word}})
	_, r := send("/settings/network", "/settings/network", url.Values{"address4": {"198.51.100.9/24"}, "mdns": {"yes"}})
	draft := r.Request.URL.Query().Get("draft")
	body, r := send(r.Request.URL.RequestURI(), "/settings/change", url.Values{"draft": {draft}})
	if !strings.Contains(body, "https://198.51.100.9/settings/trial?id=") {
		t.Fatalf("%s: %s", r.Request.URL, body)
	}
	id := r.Request.URL.RequestURI()
	until("the change", func() bool { return !reached() })
	if _, on := m.Trial(); !on {
		t.Error("cut off, and nothing is on trial")
	}
	// The trial's end is brought near: however slow this machine is, it was cut off before.
	if _, err := m.Try(m.Settings(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	until("the old address", reached)
	if body, _, err = ask(id, nil); err != nil || !strings.Contains(body, "as it was before") {
		t.Errorf("%v %s", err, body)
	}
	if _, on := m.Trial(); on || len(store.Now().Network.Addresses) != 1 || store.Now().Network.Addresses[0] != conf.Network.Addresses[0] {
		t.Errorf("afterwards: %+v", store.Now().Network)
	}
	if past, _ := store.Past(); len(past) != 0 {
		t.Errorf("kept: %+v", past)
	}
}
