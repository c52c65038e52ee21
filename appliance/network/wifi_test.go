package network

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

// The vectors are those of IEEE 802.11-2020 section J.4.2.
func TestWifiKey(t *testing.T) {
	const psk = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
	for _, c := range []struct{ ssid, password, want string }{
		{"IEEE", "password", psk},
		{"ThisIsASSID", "ThisIsAPassword", "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"},
		{strings.Repeat("Z", 32), strings.Repeat("a", 32), "becb93866bb8c3832cb777c2f559807c8c59afcb6eae734885001300a981cc62"},
		{"any", strings.ToUpper(psk), psk},
		{"any", "", ""},
	} {
		key, err := wifiKey(c.ssid, config.NewSecret(c.password))
		if got := hex.EncodeToString(key); err != nil || got != c.want || (key == nil) != (c.want == "") {
			t.Errorf("%s: %s, %v; want %s", c.ssid, got, err, c.want)
		}
	}
}

// air is a radio, a cable and what is around them, in virtual time.
type air struct {
	mu      sync.Mutex
	started time.Time
	story   []string // what happened, with its time
	cable   bool     // has a carrier
	absent  error    // no radio
	seen    bool     // the network
	scanErr error
	joinErr error
	hangs   chan struct{} // the radio's driver: until this is closed
	deaf    bool          // the network: it does not answer
	up      bool          // the radio's carrier
	late    bool          // the carrier never comes
	key     []byte
	hidden  bool
	country string
	changed *bell
}

const (
	cableLink = 2
	radioLink = 3
)

func (a *air) tell(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.story = append(a.story, fmt.Sprintf("%v ", time.Since(a.started))+fmt.Sprintf(format, args...))
}

// set changes what is around, as the kernel would tell.
func (a *air) set(f func()) {
	a.mu.Lock()
	f()
	a.mu.Unlock()
	a.changed.ring()
}

func (a *air) get(f func() bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return f()
}

func (a *air) wired() (int, string) {
	if a.get(func() bool { return a.cable }) {
		return cableLink, ""
	}
	return 0, "eth0 has no carrier; is the cable plugged in at both ends?"
}

func (a *air) carrier(index int) bool {
	return a.get(func() bool { return index == cableLink && a.cable || index == radioLink && a.up })
}

func (a *air) session(ctx context.Context, index int) {
	a.tell("uses %d", index)
	defer a.tell("used %d", index)
	for ctx.Err() == nil {
		change := a.changed.next()
		if !a.carrier(index) {
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
		}
	}
}

func (a *air) find(context.Context) (int, string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return radioLink, "wlan0", a.absent
}

func (a *air) prepare(_ context.Context, index int, country string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.country = country
	return nil
}

func (a *air) scan(ctx context.Context, index int, ssid string, hidden bool) (bool, error) {
	a.tell("scans")
	a.mu.Lock()
	hangs := a.hangs
	a.hidden = hidden
	a.mu.Unlock()
	if hangs != nil {
		<-hangs // whatever ctx says
	}
	sleep(ctx, 3*time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen, errors.Join(ctx.Err(), a.scanErr)
}

func (a *air) join(ctx context.Context, index int, ssid string, key []byte) error {
	a.tell("joins")
	if a.get(func() bool { return a.deaf }) {
		<-ctx.Done()
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key = key
	if a.joinErr == nil && !a.late {
		a.up = true
	}
	return a.joinErr
}

func (a *air) leave(context.Context, int) error {
	a.tell("leaves")
	a.set(func() { a.up = false })
	return nil
}

// flying starts a Manager's choice in virtual time; what it returns ends it.
func flying(t *testing.T, w *config.Wifi, a *air) (*Manager, func()) {
	t.Helper()
	var log bytes.Buffer
	tm := usual()
	tm.jitter = func() float64 { return 0.5 }
	m := New(Options{Wifi: w, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), times: tm})
	a.changed, a.started = &bell{}, time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.choose(ctx, a, a, a.changed)
	}()
	synctest.Wait()
	return m, func() {
		cancel()
		start := time.Now()
		<-ended
		if d := time.Since(start); d > tm.leave {
			t.Errorf("it took %v to end", d)
		}
		if w == nil {
			return
		}
		if p := w.Password.Reveal(); p != "" && strings.Contains(log.String(), p) {
			t.Error("the password is in the log")
		}
	}
}

var attic = &config.Wifi{SSID: "attic", Password: config.NewSecret("eight+ characters"), Country: "AR"}

func (a *air) told() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.story, ", ")
}

func TestWifiIsJoinedAndLeftForACable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &air{seen: true}
		_, end := flying(t, attic, a)
		time.Sleep(time.Minute)
		a.set(func() { a.cable = true })
		time.Sleep(time.Minute)
		a.set(func() { a.cable = false })
		time.Sleep(time.Minute)
		end()
		want := "0s scans, 3s joins, 3s uses 3, 1m0s used 3, 1m0s leaves, 1m0s uses 2, 2m0s used 2, 2m0s scans, 2m3s joins, 2m3s uses 3, 3m0s used 3, 3m0s leaves"
		if a.told() != want {
			t.Errorf("%s\nwant %s", a.told(), want)
		}
		if hex.EncodeToString(a.key) == "" || a.country != "AR" || a.hidden {
			t.Errorf("key %x, country %q, hidden %v", a.key, a.country, a.hidden)
		}
	})
}

// A driver that hangs, whatever it is asked, holds up Wi-Fi alone.
func TestWifiNeverHoldsUpACable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &air{hangs: make(chan struct{})}
		m, end := flying(t, attic, a)
		time.Sleep(time.Second)
		a.set(func() { a.cable = true })
		time.Sleep(time.Minute)
		a.set(func() { a.cable = false })
		time.Sleep(time.Minute)
		if want := "0s scans, 2s uses 2, 1m1s used 2"; a.told() != want {
			t.Errorf("%s\nwant %s", a.told(), want)
		}
		if want := "the driver of the Wi-Fi radio does not answer"; m.State().Reason != want {
			t.Errorf("%q, want %q", m.State().Reason, want)
		}
		end()
		close(a.hangs)
	})
}

func TestWifiSaysWhatIsMissing(t *testing.T) {
	open := &config.Wifi{SSID: "attic"}
	hidden := &config.Wifi{SSID: "attic", Hidden: true}
	for name, c := range map[string]struct {
		w    *config.Wifi
		a    *air
		want string
	}{
		"no radio":    {attic, &air{absent: errNoRadio}, "there is no radio for Wi-Fi; eth0 has no carrier"},
		"no firmware": {attic, &air{absent: fmt.Errorf("%w: the radio sdio mmc1:0001:1 is there", errNoFirmware)}, "no Wi-Fi firmware: the radio sdio mmc1:0001:1"},
		"not found":   {attic, &air{}, `the Wi-Fi network "attic" is not found; is it in reach`},
		"hidden":      {hidden, &air{}, `the hidden Wi-Fi network "attic" is not found`},
		"password":    {attic, &air{seen: true, joinErr: &refusal{15}}, `"attic" does not let the station in (code 15); is the password right`},
		"not open":    {open, &air{seen: true, joinErr: &refusal{17}}, `"attic" does not let the station in (code 17); is it open`},
		"no answer":   {attic, &air{seen: true, deaf: true}, `"attic" does not answer`},
		"no keys":     {attic, &air{seen: true, joinErr: errUnable}, `"attic" has a password, and wlan0 cannot join it: the radio leaves the exchange`},
		"no carrier":  {attic, &air{seen: true, late: true}, `has joined the Wi-Fi network "attic", but has no carrier`},
		"odd":         {attic, &air{seen: true, joinErr: errors.New("device busy")}, "could not be joined over wlan0: device busy"},
		"busy":        {attic, &air{scanErr: errors.New("busy"), joinErr: &refusal{1}}, "is the password right"},
		"no Wi-Fi":    {nil, &air{}, "eth0 has no carrier"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, end := flying(t, c.w, c.a)
				for range 60 {
					if strings.Contains(m.State().Reason, c.want) {
						end()
						return
					}
					time.Sleep(time.Second)
				}
				t.Errorf("%q, want %q", m.State().Reason, c.want)
				end()
			})
		})
	}
}

// It goes on for ever, and not too often; what is missing may come.
func TestWifiIsTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &air{absent: errNoRadio}
		m, end := flying(t, attic, a)
		if want := "waiting for the Wi-Fi radio to start; eth0 has no carrier"; !strings.HasPrefix(m.State().Reason, want) {
			t.Errorf("at first: %q, want %q", m.State().Reason, want)
		}
		time.Sleep(time.Hour)
		if a.told() != "" {
			t.Errorf("without a radio: %s", a.told())
		}
		a.set(func() { a.absent = nil })
		time.Sleep(24 * time.Hour)
		if n := strings.Count(a.told(), "scans"); n < 24*55 || n > 24*62 {
			t.Errorf("%d scans in a day", n)
		}
		a.set(func() { a.seen, a.story = true, nil })
		time.Sleep(2 * time.Minute)
		if !strings.HasSuffix(a.told(), "uses 3") {
			t.Errorf("the network has come: %s", a.told())
		}
		// Lost after a while, it is joined anew soon.
		a.set(func() { a.story = nil })
		before := time.Since(a.started)
		a.set(func() { a.up = false })
		time.Sleep(time.Minute)
		if want := fmt.Sprintf("%v used 3, %v leaves, %v scans", before, before, before+2*time.Second); !strings.HasPrefix(a.told(), want) {
			t.Errorf("lost: %s, want %s", a.told(), want)
		}
		end()
	})
}

func TestSilentRadio(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for want, bus := range map[string]fstest.MapFS{
		"":                 {"pci/devices/0000:00:02.0/class": file("0x020000\n"), "sdio/devices/mmc1:0001:3/class": file("0x02\n")},
		"sdio mmc1:0001:1": {"sdio/devices/mmc1:0001:1/class": file("0x00\n"), "sdio/devices/mmc1:0001:3/class": file("0x02\n")},
		"pci 0000:03:00.0": {"pci/devices/0000:03:00.0/class": file("0x028000\n")},
	} {
		if got := silentRadio(bus); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := silentRadio(fstest.MapFS{}); got != "" {
		t.Errorf("%q in nothing", got)
	}
}

func TestHasSSID(t *testing.T) {
	for _, c := range []struct {
		elements string
		ssid     string
		want     bool
	}{
		{"\x00\x05attic\x01\x01\x82", "attic", true},
		{"\x01\x01\x82\x00\x05attic", "attic", true},
		{"\x00\x02\xff\x00", "\xff\x00", true}, // bytes of any value
		{"\x00\x00\x01\x01\x82", "attic", false},
		{"\x00\x06attic", "attic", false},              // cut short
		{"\x00\x05shed.\x00\x05attic", "attic", false}, // the first is the name
		{"\xdd\x07\x00\x05attic\x01", "attic", false},  // inside of another element
		{"\x00\x05attic", "attic and shed", false},
		{"", "attic", false}, {"\x00", "attic", false},
	} {
		if got := hasSSID([]byte(c.elements), c.ssid); got != c.want {
			t.Errorf("%q in %q: %v", c.ssid, c.elements, got)
		}
	}
}

func FuzzHasSSID(f *testing.F) {
	f.Add([]byte("\x00\x05attic\x01\x01\x82"), "attic")
	f.Add([]byte("\x01\x01\x82\x00\xff"), "")
	f.Fuzz(func(t *testing.T, b []byte, ssid string) {
		if hasSSID(b, ssid) && !bytes.Contains(b, append([]byte{0, byte(len(ssid))}, ssid...)) {
			t.Errorf("%q in %q", ssid, b)
		}
	})
}
