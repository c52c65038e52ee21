package network

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
)

func fixedAt(a string) Settings {
	return Settings{Network: config.Network{Addresses: []netip.Prefix{netip.MustParsePrefix(a)}}}
}

// TestTrial: what nobody confirms goes back in time; what is confirmed stays and
// is kept; of several changes the last confirmed one comes back.
func TestTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []Settings
		fails := false
		m := New(Options{Keep: func(s Settings) error {
			if fails {
				return errors.New("the card is full")
			}
			kept = append(kept, s)
			return nil
		}})
		holds := func(what string, want Settings, trying bool) {
			t.Helper()
			if got := m.Settings(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v holds, want %+v", what, got, want)
			}
			if _, ok := m.Trial(); ok != trying {
				t.Errorf("%s: a trial %v, want %v", what, ok, trying)
			}
		}
		try := func(s Settings) string {
			t.Helper()
			token, err := m.Try(s, TrialTime)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		asked, one, two := Settings{}, fixedAt("192.0.2.7/24"), fixedAt("192.0.2.8/24")
		holds("at first", asked, false)
		token := try(one)
		time.Sleep(TrialTime - 1)
		holds("just before the end", one, true)
		if until, _ := m.Trial(); !until.Equal(time.Now().Add(1)) {
			t.Errorf("it ends at %v", until)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		holds("after it", asked, false)
		if err := m.Confirm(token); !errors.Is(err, ErrNoTrial) {
			t.Errorf("confirmed too late: %v", err)
		}

		token = try(one)
		for _, wrong := range []string{"", "x", strings.ToLower(token)} {
			if err := m.Confirm(wrong); !errors.Is(err, ErrNoTrial) {
				t.Errorf("confirmed with %q: %v", wrong, err)
			}
		}
		if len(kept) != 0 {
			t.Errorf("kept unconfirmed: %+v", kept)
		}
		if err := m.Confirm(token); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * TrialTime)
		holds("confirmed", one, false)
		if !reflect.DeepEqual(kept, []Settings{one}) {
			t.Errorf("kept %+v", kept)
		}

		first := try(two)
		time.Sleep(TrialTime / 2)
		token = try(asked)
		if first == token {
			t.Error("the same token again")
		}
		if err := m.Confirm(first); !errors.Is(err, ErrNoTrial) {
			t.Errorf("what was replaced was confirmed: %v", err)
		}
		time.Sleep(TrialTime - 1) // the first one's end has passed
		holds("replaced", asked, true)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		holds("neither confirmed", one, false)

		token = try(two)
		if err := m.GiveUp("x"); !errors.Is(err, ErrNoTrial) {
			t.Error(err)
		}
		if err := m.GiveUp(token); err != nil {
			t.Error(err)
		}
		holds("given up", one, false)

		fails = true
		if err := m.Confirm(try(two)); err == nil || !strings.Contains(err.Error(), "the card is full") {
			t.Error(err)
		}
		holds("not kept", one, false)
		for what, c := range map[string]struct {
			s Settings
			d time.Duration
		}{
			"a host's address": {fixedAt("192.0.2.0/24"), TrialTime},
			"a name":           {Settings{Wifi: &config.Wifi{}}, TrialTime},
			"a password":       {Settings{Wifi: &config.Wifi{SSID: "a", Password: config.NewSecret("short")}}, TrialTime},
			"a country":        {Settings{Wifi: &config.Wifi{SSID: "a", Country: "DEU"}}, TrialTime},
			"no time":          {one, 0},
			"too much time":    {one, time.Hour},
		} {
			if _, err := m.Try(c.s, c.d); err == nil || strings.Contains(err.Error(), "short") {
				t.Errorf("%s: %v", what, err)
			}
		}
		holds("refused", one, false)
	})
}

// TestTrialAndPowerCut: whenever the power fails, the next start has what was
// confirmed last.
func TestTrialAndPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "network.json")
	boot := func() *Manager {
		var o Options
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &o.Network)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		o.Keep = func(s Settings) error {
			text, err := json.Marshal(s.Network)
			if err != nil {
				return err
			}
			return durable.WriteFile(path, text)
		}
		return New(o)
	}
	m := boot()
	if _, err := m.Try(fixedAt("192.0.2.7/24"), TrialTime); err != nil {
		t.Fatal(err)
	}
	if m = boot(); len(m.Settings().Network.Addresses) != 0 {
		t.Errorf("unconfirmed settings after a power cut: %+v", m.Settings())
	}
	token, err := m.Try(fixedAt("192.0.2.7/24"), TrialTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Confirm(token); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Try(fixedAt("192.0.2.8/24"), TrialTime); err != nil {
		t.Fatal(err)
	}
	if m = boot(); !reflect.DeepEqual(m.Settings(), fixedAt("192.0.2.7/24")) {
		t.Errorf("after a power cut: %+v", m.Settings())
	}
}

// namedAir tells which network is joined.
type namedAir struct{ *air }

func (a namedAir) join(ctx context.Context, index int, ssid string, key []byte) error {
	a.tell("joins %s", ssid)
	return a.air.join(ctx, index, ssid, key)
}

// TestTrialOfWifi: another network is joined, and the one from before again when
// nobody confirms it.
func TestTrialOfWifi(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Wifi: &config.Wifi{SSID: "home"}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		a := namedAir{&air{started: time.Now(), seen: true, changed: &m.changed}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.choose(ctx, a, a, &m.changed)
		}()
		time.Sleep(time.Minute)
		if _, err := m.Try(Settings{Wifi: &config.Wifi{SSID: "shed"}}, TrialTime); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * TrialTime)
		token, err := m.Try(Settings{}, TrialTime) // no Wi-Fi at all
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Confirm(token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cancel()
		<-done
		var joined []string
		for _, s := range a.story {
			if _, ssid, ok := strings.Cut(s, " joins "); ok {
				joined = append(joined, ssid)
			}
		}
		if !reflect.DeepEqual(joined, []string{"home", "shed", "home"}) {
			t.Errorf("joined %q in %q", joined, a.story)
		}
		if a.up {
			t.Errorf("the radio is still in a network: %q", a.story)
		}
	})
}

// TestWayOutOfFixed: a fixed address leads beyond the net only by a router that a
// person named; and what is missing is told as it is for both families.
func TestWayOutOfFixed(t *testing.T) {
	const four, six, other = "192.0.2.7/24", "2001:db8::7/64", "2001:db8::8/64"
	for name, c := range map[string]struct {
		fixed, addresses, gateways, routers []string
		want                                bool
	}{
		"with a router":                {[]string{four}, []string{four}, []string{"192.0.2.1"}, nil, true},
		"without":                      {[]string{four}, []string{four}, nil, nil, false},
		"another family's router":      {[]string{four, six}, []string{four}, []string{"fe80::1"}, nil, false},
		"not set yet":                  {[]string{four}, nil, []string{"192.0.2.1"}, nil, false},
		"IPv6":                         {[]string{six}, []string{six}, []string{"fe80::1"}, nil, true},
		"IPv6 without a router":        {[]string{six}, []string{six}, nil, nil, false},
		"IPv6 beside an advertisement": {[]string{six}, []string{six, other}, nil, []string{"fe80::1"}, true},
		"IPv6 by a router of the net":  {[]string{six}, []string{six}, nil, []string{"fe80::1"}, true},
		"IPv6 whose router is gone":    {[]string{six}, []string{six, other}, nil, nil, false},
	} {
		var s State
		for _, a := range c.fixed {
			s.Fixed = append(s.Fixed, netip.MustParsePrefix(a))
		}
		for _, a := range c.addresses {
			s.Addresses = append(s.Addresses, netip.MustParsePrefix(a))
		}
		s.Gateways, s.Routers6 = addrs(c.gateways...), addrs(c.routers...)
		if got := s.WayOut(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	global := []netip.Prefix{netip.MustParsePrefix(other)}
	for _, c := range []struct {
		s    State
		want string
	}{
		{State{Reason: "no lease", only4: true}, "no lease"},
		{State{Reason: "no lease", only4: true, Addresses: global, Routers6: addrs("fe80::1")}, ""},
		{State{Reason: "no lease", only4: true, Addresses: global}, "no lease"},
		{State{Reason: "the lease ended", Addresses: global, Routers6: addrs("fe80::1")}, "the lease ended"},
		{State{Reason: "no lease", only4: true, six: "no DHCPv6"}, "no lease; no DHCPv6"},
		{State{six: "no DHCPv6", LinkLocal: netip.MustParseAddr("169.254.3.4")}, "no DHCPv6"},
		{State{Reason: "no lease", only4: true, LinkLocal: netip.MustParseAddr("169.254.3.4")}, "no lease; until then the station is at 169.254.3.4 on this link"},
	} {
		if got := c.s.shown().Reason; got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}
