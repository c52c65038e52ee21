package settings

import (
	"errors"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/network"
)

func parse(t testing.TB, s string) config.Config {
	t.Helper()
	c, err := config.Parse("f", []byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAddAServer: one field, one look at what changes, and it is watched, also after
// the next start; from which it can be taken back.
func TestAddAServer(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, config.Default()).login()
	id, page := w.draft(w.post(pathServers, pathServers, "address", "ntp.example.net"))
	if got := text(page); !strings.Contains(got, "Server ntp.example.net Before not set After ntp.example.net, may be off by 25ms") || !strings.Contains(got, " ntp.example.net: it answers, after 1.0 ms.") {
		t.Errorf("%s", got)
	}
	if len(w.store.Now().Servers) != 0 || len(w.station.applied) != 0 {
		t.Error("it is watched before it was kept")
	}
	if got := w.post(pathChange+"?draft="+id, pathChange, "draft", id); got.code != 303 || got.to != Path+"?done=kept" {
		t.Fatalf("%d %s %s", got.code, got.to, text(got.body))
	}
	if n := len(w.station.applied); n != 1 || len(w.station.applied[0].Servers) != 1 || w.station.restarts != 0 {
		t.Errorf("applied %d times, %d restarts", n, w.station.restarts)
	}
	if got := text(w.get(Path + "?done=kept").body); !strings.Contains(got, "kept and in force") || !strings.Contains(got, "1 is watched") {
		t.Errorf("%s", got)
	}
	if got := w.post(pathServers, pathChange, "draft", id); got.code != 404 {
		t.Errorf("kept twice: %d", got.code)
	}
	if c := config.Load(config.Sources{}, dir).Config; len(c.Servers) != 1 || c.Servers[0].Host != "ntp.example.net" {
		t.Errorf("the next start has %+v", c.Servers)
	}
	which := pathServer + "?name=ntp.example.net"
	if got := w.keepAt(which, pathServer, "which", "ntp.example.net", "address", "192.0.2.7", "name", "cellar", "limit", "5", "interval", "30", "reference", "yes"); got.code != 200 || !strings.Contains(got.body, "starts anew") || w.station.restarts != 1 {
		t.Errorf("another reference: %d, %d restarts: %s", got.code, w.station.restarts, text(got.body))
	}
	want := parse(t, "[[server]]\nname='cellar'\naddress='192.0.2.7'\nlimit='5ms'\ninterval='30s'\nreference=true\n")
	if got := w.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	w.keepAt(pathServer+"?name=cellar", pathServer, "which", "cellar", "do", "remove")
	if got := w.store.Now(); len(got.Servers) != 0 || got.Reference != "" {
		t.Errorf("taken away: %+v", got)
	}
	// Each change can be taken back, the older ones too.
	if got := text(w.get(pathPast).body); strings.Count(got, "Go back to before this") != 3 {
		t.Errorf("%s", got)
	}
	w.keepAt(pathPast, pathPast, "number", "0", "what", "the server cellar")
	if got := w.store.Now(); !reflect.DeepEqual(got, want) {
		t.Errorf("taken back: %+v, want %+v", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, HistoryName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func (w *world) keepAt(page, path string, fields ...string) answer {
	w.t.Helper()
	id, _ := w.draft(w.post(page, path, fields...))
	return w.post(pathChange+"?draft="+id, pathChange, "draft", id)
}

// TestMistakes: each is told with the field's name and what to write, nothing is
// changed, and what was typed is still there.
func TestMistakes(t *testing.T) {
	start := parse(t, "[[server]]\naddress='a.example.net'\n[wifi]\nssid='home'\npassword='abcdefgh-secret'\n")
	w := newWorld(t, t.TempDir(), start)
	w.station.manager = network.New(network.Options{})
	w.login()
	long := strings.Repeat("x", 5000)
	for what, c := range map[string]struct {
		path   string
		fields []string
		want   string
	}{
		"a web address":      {pathServers, []string{"address", "https://ntp.example.net/"}, `is a web address ("https"); write "ntp.example.net"`},
		"nothing":            {pathServers, []string{"address", " "}, "This server has no address"},
		"twice":              {pathServers, []string{"address", "a.example.net"}, `is called "a.example.net" too`},
		"markup":             {pathServers, []string{"address", `"><script>alert(1)</script>`}, "is"},
		"TOML":               {pathServers, []string{"address", "b.example.net\"\n[web]\nlisten=\":1\""}, "is"},
		"a long one":         {pathServers, []string{"address", long}, "is no host name"},
		"a limit":            {pathServers, []string{"address", "b.example.net", "limit", "99999999"}, "is out of bounds"},
		"a bound":            {pathServers, []string{"address", "b.example.net", "limit", "fast"}, `Limit "fast" is no time`},
		"a hat":              {pathReceiver, []string{"hat", "top"}, `Hat "top" is not known`},
		"a speed":            {pathReceiver, []string{"baud", "9601"}, "Baud 9601 is no speed"},
		"a word for a speed": {pathReceiver, []string{"baud", "quick"}, "Baud is text"},
		"a device":           {pathReceiver, []string{"device", "/etc/passwd"}, `Device "/etc/passwd" is no serial port`},
		"a pulse":            {pathReceiver, []string{"pps", "/dev/sda"}, "Pps"},
		"a cable":            {pathReceiver, []string{"cable_delay_ns", "99999"}, "Cable_delay_ns 99999 is out of bounds"},
		"an address":         {pathNetwork, []string{"address4", "192.0.2.0/24", "mdns", "yes"}, "stands for the whole net"},
		"another family":     {pathNetwork, []string{"address4", "2001:db8::7/64", "mdns", "yes"}, "is of the other family"},
		"a router":           {pathNetwork, []string{"gateway4", "192.0.2.1", "mdns", "yes"}, "has no fixed IPv4 address"},
		"a VLAN":             {pathNetwork, []string{"vlan", "4095", "mdns", "yes"}, "Vlan 4095 is out of bounds"},
		"a password":         {pathNetwork, []string{"ssid", "home", "password", "s3cr3t-", "mdns", "yes"}, "The password has 7 characters"},
		"hours":              {Path + "/update", []string{"window", "2-5"}, `Window "2-5" is no part of a day`},
		"an update host":     {Path + "/update", []string{"hosts", "https://a.example.net ftp://b.example.net/"}, `Url "ftp://b.example.net/" is no web address`},
		"a secret in a host": {Path + "/update", []string{"hosts", "https://me:word@a.example.net"}, "This url has an @ in it"},
		"many hosts":         {Path + "/update", []string{"hosts", strings.Repeat("https://a.example.net\n", 9)}, "There are 9 update hosts"},
		"a list by http":     {pathList, []string{"url", "http://lists.example.net/a"}, "is not https"},
		"TOML in a list":     {pathList, []string{"url", "https://a.example.net/\"\n[web]\nlisten=\":1\""}, "has blanks or letters that addresses lack"},
		"a token":            {pathList, []string{"url", "https://a.example.net/x", "secret", "s3cr3t- \r\nHost: b"}, "The token is empty or has a character that tokens lack"},
		"a list too often":   {pathList, []string{"url", "https://a.example.net/x", "interval", "1s"}, "is out of bounds"},
		"no PTP clock":       {pathPTP, []string{"device", "/dev/sda", "bound", "1ms"}, `Device "/dev/sda" is no PTP clock`},
		"a PTP clock's word": {pathPTP, []string{"device", "/dev/ptp0"}, "Nobody says how right this clock is"},
		"a wide PTP clock":   {pathPTP, []string{"device", "/dev/ptp0", "bound", "1h"}, "is out of bounds"},
		"a channel":          {Path + "/update", []string{"channel", "../x"}, "is no name of a channel"},
		"a name":             {Path + "/name", []string{"name", "a\u202eb"}, "has a character that cannot be shown"},
		"a zone":             {Path + "/name", []string{"timezone", "here and there"}, "is no name of a time zone"},
		"no such zone":       {Path + "/name", []string{"timezone", "Mars/Olympus"}, `No time zone is called "Mars/Olympus"`},
	} {
		got := w.post(c.path, c.path, c.fields...)
		if got.code != 422 || !strings.Contains(text(got.body), c.want) || !strings.Contains(got.body, `role="alert"`) {
			t.Errorf("%s: %d %s", what, got.code, text(got.body))
		}
		if strings.Contains(got.body, "<script") || strings.Contains(got.body, "s3cr3t-") || strings.Contains(got.body, "abcdefgh-secret") {
			t.Errorf("%s: %s", what, got.body)
		}
		if v := c.fields[1]; what == "a speed" && !strings.Contains(got.body, `value="`+v+`"`) {
			t.Errorf("%s: what was typed is gone", what)
		}
	}
	if !reflect.DeepEqual(w.store.Now(), start) || len(w.station.applied) != 0 {
		t.Errorf("changed to %+v", w.store.Now())
	}
	for _, path := range []string{Path, pathServers, pathNetwork, pathPast, pathReceiver, pathList, pathPTP, pathMoved, pathUpdate} {
		if got := w.get(path); got.code != 200 || strings.Contains(got.body, "abcdefgh-secret") {
			t.Errorf("%s: %d", path, got.code)
		}
	}
}

// TestWhoMayChange: who is not logged in, a form without its token, one that is too
// large and a name that is gone change nothing.
func TestWhoMayChange(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default())
	w.station.manager = network.New(network.Options{})
	pages := []string{Path, pathServers, pathServer, pathReceiver, pathNetwork, pathPast, pathChange, pathRestart, Path + "/name", Path + "/update"}
	for _, path := range pages {
		if got := w.get(path); got.code != 303 || !strings.HasPrefix(got.to, "/login") {
			t.Errorf("%s: %d %s", path, got.code, got.to)
		}
	}
	w.login()
	token := w.token(pathServers)
	for what, form := range map[string]url.Values{
		"no token": {"address": {"ntp.example.net"}}, "another": {"token": {token + "x"}, "address": {"ntp.example.net"}},
		"two": {"token": {token, token}, "address": {"ntp.example.net"}},
	} {
		for _, path := range pages {
			if got := w.raw(path, form); got.code != 403 {
				t.Errorf("%s at %s: %d", what, path, got.code)
			}
		}
	}
	if got := w.raw(pathServers, url.Values{"token": {token}, "address": {strings.Repeat("x", 1<<17)}}); got.code != 413 {
		t.Errorf("too large: %d", got.code)
	}
	for path, fields := range map[string][]string{
		pathServer: {"which", "none", "do", "remove"}, pathChange: {"draft", "none"}, pathTrial: {"id", "none", "do", "keep"},
	} {
		if got := w.post(pathServers, path, fields...); got.code != 404 {
			t.Errorf("%s: %d %s", path, got.code, text(got.body))
		}
	}
	for _, n := range []string{"", "-1", "0", "9", "x"} {
		if got := w.post(pathServers, pathPast, "number", n); got.code != 409 {
			t.Errorf("settings before %q: %d", n, got.code)
		}
	}
	if len(w.station.applied) != 0 || w.station.restarts != 0 {
		t.Error("something was changed")
	}
}

// TestChangedMeanwhile: of two changes that were made of the same settings the second
// does not undo the first.
func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	first, _ := w.draft(w.post(pathServers, pathServers, "address", "a.example.net"))
	second, _ := w.draft(w.post(Path+"/name", Path+"/name", "name", "attic"))
	if got := w.post(pathServers, pathChange, "draft", first); got.code != 303 {
		t.Errorf("%d", got.code)
	}
	if got := w.post(pathServers, pathChange, "draft", second); got.code != 409 || !strings.Contains(text(got.body), "changed meanwhile") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if got := w.post(pathServers, pathServers, "address", "b.example.net"); got.code != 303 {
		t.Error(got.code)
	}
	if got := w.post(Path+"/name", Path+"/name", "name", ""); got.to != Path+"?done=same" {
		t.Errorf("the same: %s", got.to)
	}
	if c := w.store.Now(); len(c.Servers) != 1 || c.Name != "" {
		t.Errorf("%+v", c)
	}
}

// TestRestartRefused: what could not be put in force is kept, and said to be.
func TestRestartRefused(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	w.station.refuses = errors.New("a new version is on trial")
	if got := w.keep(pathReceiver, "baud", "9600", "configure", "yes"); got.code != 409 || !strings.Contains(text(got.body), "a new version is on trial") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if got := w.get(Path); !strings.Contains(got.body, pathRestart) || w.store.Now().Receiver.Baud != 9600 {
		t.Errorf("%s", text(got.body))
	}
	w.station.refuses = nil
	if got := w.post(Path, pathRestart); got.code != 200 || w.station.restarts != 1 {
		t.Errorf("%d, %d restarts", got.code, w.station.restarts)
	}
}

// TestCardCannotBeWritten: nothing is changed that the next start would not have.
func TestCardCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, dir, config.Default()).login()
	if got := w.keep(pathServers, "address", "a.example.net"); got.code != 500 || !strings.Contains(text(got.body), "could not be kept, so nothing was changed") {
		t.Errorf("%d %s", got.code, text(got.body))
	}
	if len(w.store.Now().Servers) != 0 || len(w.station.applied) != 0 {
		t.Error("it was changed")
	}
}

// TestNetworkOnTrial: a change of the network goes back by itself, unless who made it
// confirms it, at the old address or at the new one without a session there.
func TestNetworkOnTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := newWorld(t, dir, parse(t, "[wifi]\nssid='home'\npassword='12345678'\n"))
		start := w.store.Now()
		m := network.New(network.Options{Network: start.Network, Wifi: start.Wifi, Keep: w.store.KeepNetwork})
		w.station.manager = m
		w.login()
		change := func(address string) (id string) {
			t.Helper()
			got := w.keep(pathNetwork, "address4", address, "ssid", "home", "mdns", "yes")
			u, err := url.Parse(got.to)
			if err != nil || got.code != 303 || u.Path != pathTrial {
				t.Fatalf("%d %s %s", got.code, got.to, text(got.body))
			}
			synctest.Wait()
			if len(m.Settings().Network.Addresses) != 0 {
				t.Error("the network is changed before the answer is out")
			}
			// It loads again when the trial is over: until then it is what says where to look.
			if page := w.get(got.to); !strings.Contains(page.body, "https://"+strings.TrimSuffix(address, "/24")+"/settings/trial?id=") || !strings.Contains(page.body, `http-equiv="refresh" content="75; url=/settings/trial?id=`) {
				t.Errorf("%s", page.body)
			}
			time.Sleep(tryAfter)
			synctest.Wait()
			if s := m.Settings(); len(s.Network.Addresses) != 1 || s.Wifi == nil || s.Wifi.Password.Reveal() != "12345678" {
				t.Fatalf("%+v is in force", s)
			}
			return u.Query().Get("id")
		}
		kept := func() int { return len(config.Load(config.Sources{}, dir).Config.Network.Addresses) }

		id := change("192.0.2.7/24")
		time.Sleep(network.TrialTime)
		synctest.Wait()
		if len(m.Settings().Network.Addresses) != 0 || kept() != 0 || len(w.store.Now().Network.Addresses) != 0 {
			t.Error("what nobody confirmed stays")
		}
		if got := w.post(pathNetwork, pathTrial, "id", id, "do", "keep"); !strings.Contains(text(got.body), "Nobody said within a minute") || !strings.Contains(text(got.body), "as it was before") || kept() != 0 {
			t.Errorf("too late: %s", text(got.body))
		}

		id = change("192.0.2.8/24")
		if !strings.Contains(w.get(pathNetwork).body, pathTrial+"?id="+id) {
			t.Error("the page of the network does not say that it is on trial")
		}
		if got := w.post(pathTrial+"?id="+id, pathTrial, "id", id, "do", "back"); len(m.Settings().Network.Addresses) != 0 || !strings.Contains(text(got.body), "You had it go back: the network is as it was before") {
			t.Errorf("given up: %s", text(got.body))
		}

		// Whose browser does not get as far as the page that asks has it begin, too.
		w.keep(pathNetwork, "address4", "192.0.2.10/24", "ssid", "home", "mdns", "yes")
		time.Sleep(tryLatest)
		synctest.Wait()
		if len(m.Settings().Network.Addresses) != 1 {
			t.Error("a change whose page nobody asked for does not begin")
		}
		time.Sleep(network.TrialTime)
		synctest.Wait()

		id = change("192.0.2.9/24")
		there := *w // the same person at the new address, where the browser has no session
		there.cookies, there.host = map[string]string{}, "192.0.2.9"
		if got := there.post(pathTrial+"?id="+id+"x", pathTrial, "id", id+"x", "do", "keep"); got.code != 403 && got.code != 404 || kept() != 0 {
			t.Errorf("with another id: %d", got.code)
		}
		if got := there.raw(pathTrial, url.Values{"id": {id}, "do": {"keep"}}); got.code != 403 || kept() != 0 {
			t.Errorf("without a token: %d", got.code)
		}
		if got := there.post(pathTrial+"?id="+id, pathTrial, "id", id, "do", "keep"); got.code != 200 || !strings.Contains(text(got.body), "the new network stays") {
			t.Errorf("%d %s", got.code, text(got.body))
		}
		if got := there.get(Path); got.code != 303 {
			t.Errorf("who confirmed a network may see settings: %d", got.code)
		}
		time.Sleep(2 * network.TrialTime)
		synctest.Wait()
		c := config.Load(config.Sources{}, dir).Config
		if kept() != 1 || len(m.Settings().Network.Addresses) != 1 || c.Wifi == nil || c.Wifi.Password.Reveal() != "12345678" {
			t.Errorf("confirmed: %+v", c)
		}
		if past, _ := w.store.Past(); len(past) != 1 || past[0].What != "the network" {
			t.Errorf("%+v", past)
		}
	})
}

// TestNetworkNow: who fixes an address reads on the page which one the network gave.
func TestNetworkNow(t *testing.T) {
	four, six := netip.MustParsePrefix("192.0.2.9/24"), netip.MustParsePrefix("2001:db8::9/64")
	router, router6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	for want, s := range map[string]network.State{
		"": {Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::9/64")}},
		"Now the station has 192.0.2.9/24, the router 192.0.2.1, the name servers 192.0.2.1.": {
			Addresses: []netip.Prefix{four, netip.MustParsePrefix("fe80::9/64")}, Lease: &network.Lease{Address: four, Router: router}, DNS: []netip.Addr{router},
		},
		"Now the station has 192.0.2.9/24 and 2001:db8::9/64, the router 192.0.2.1 and fe80::1.": {
			Addresses: []netip.Prefix{four, six}, Gateways: []netip.Addr{router, router6},
		},
	} {
		if got := networkNow(s); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestReset takes a word that is typed.
func TestReset(t *testing.T) {
	w := newWorld(t, t.TempDir(), config.Default()).login()
	for _, word := range []string{"", "yes", "reset it"} {
		if got := w.post(pathReset, pathReset, "word", word); got.code != 422 || w.station.resets != 0 {
			t.Errorf("%q: %d", word, got.code)
		}
	}
	w.station.refuses = errors.New("a new version is on trial")
	if got := w.post(pathReset, pathReset, "word", "reset"); got.code != 409 || !strings.Contains(text(got.body), "on trial") {
		t.Errorf("%d", got.code)
	}
	w.station.refuses = nil
	if got := w.post(pathReset, pathReset, "word", " Reset "); got.code != 200 || w.station.resets != 1 {
		t.Errorf("%d, %d resets", got.code, w.station.resets)
	}
}
