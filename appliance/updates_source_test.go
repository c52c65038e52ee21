package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// TestUpdateSource: what image, card and truechimer.toml say, together.
func TestUpdateSource(t *testing.T) {
	root := string(tuftest.New(epoch).Initial())
	const image = `{"urls":["https://one.example.net","http://two.example.net"],"channel":"beta","epoch":7,"floor":{"root":3,"issued":"2026-12-01T00:00:00Z"}}`
	on := config.Default().Update
	mine := config.Update{Enabled: true, Channel: "mine", URLs: []string{"https://mine.example.net"}}
	for name, c := range map[string]struct {
		origin, root, own string // empty: not there
		conf              config.Update
		kept, bundled     bool
		hosts, channel    string
		hold              string
	}{
		"nothing":                 {conf: on, channel: "stable", hold: "There is no update host"},
		"an image":                {origin: image, root: root, conf: on, hosts: "https://one.example.net http://two.example.net", channel: "beta"},
		"switched off":            {origin: image, root: root, own: root, hosts: "https://one.example.net http://two.example.net", channel: "beta", hold: "Updates are switched off in truechimer.toml."},
		"a host of one's own":     {origin: image, root: root, conf: mine, hosts: "https://mine.example.net", channel: "mine"},
		"a root of one's own":     {own: root, conf: mine, hosts: "https://mine.example.net", channel: "mine"},
		"a root without a host":   {own: root, conf: on, channel: "stable", hold: "There is no update host"},
		"a bundle without a host": {root: root, conf: on, bundled: true, channel: "stable"},
		"a bundle without a root": {conf: on, bundled: true, channel: "stable", hold: "but no root.json"},
		"a host without a root":   {conf: mine, hosts: "https://mine.example.net", channel: "mine", hold: "but no root.json"},
		"one that was kept":       {conf: mine, kept: true, hosts: "https://mine.example.net", channel: "mine"},
		"a damaged image":         {origin: image[:40], root: root, conf: on, channel: "stable", hold: "is damaged (etc/truechimer/update.json: "},
		"a damaged root":          {origin: image, root: root[:40], conf: on, hosts: "https://one.example.net http://two.example.net", channel: "beta", hold: "is damaged (etc/truechimer/root.json: "},
		"a bad own root":          {origin: image, root: root, own: "no", conf: on, hosts: "https://one.example.net http://two.example.net", channel: "beta"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{root: t.TempDir(), bootDevice: card(t, nil)}
			if c.origin != "" {
				imageFile(t, p, origin.Path, c.origin)
			}
			if c.root != "" {
				imageFile(t, p, origin.RootPath, c.root)
			}
			if c.own != "" {
				p.bootDevice = cardWith(t, map[string]string{ownRootName: c.own})
			}
			got := p.updateSource(c.conf, c.bundled, func(string) bool { return c.kept })
			if strings.Join(got.hosts, " ") != c.hosts || got.channel != c.channel || (got.hold == "") != (c.hold == "") || !strings.Contains(got.hold, c.hold) {
				t.Errorf("%q, %q, hold %q", got.hosts, got.channel, got.hold)
			}
			if c.own == root && c.conf.Enabled != bytes.Equal(got.own, []byte(root)) || (c.own == "no") != (got.ownErr != nil) {
				t.Errorf("own root %.20q, %v", got.own, got.ownErr)
			}
			if c.hosts != "" && c.origin != "" && (got.epoch != 7 || got.floor.Root != 3 || got.floor.Issued.IsZero()) {
				t.Errorf("epoch %d, floor %+v", got.epoch, got.floor)
			}
		})
	}
}

// TestWithoutPartitions: a card that cannot be opened is a state to show, and is
// looked for again.
func TestWithoutPartitions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*platform)
		want   string
	}{
		"not found":  {func(p *platform) { p.state = "" }, "the state partition was not found"},
		"gone":       {func(p *platform) { p.rootB += "x" }, "the other root partition: open "},
		"which slot": {func(p *platform) { p.slot = "" }, "running from slot"},
	} {
		t.Run(name, func(t *testing.T) {
			p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
			was := p.rootB
			c.change(p)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				r := tuftest.New(epoch)
				offer(t, r, "1.2.0")
				w.releases = r
				if name == "gone" {
					time.AfterFunc(time.Hour, func() {
						if err := os.Symlink(was, p.rootB); err != nil {
							t.Error(err)
						}
					})
				}
				w.atEnd = func(s *station) {
					if u := s.Status().Update; name != "gone" && (u.State != "off" || !strings.Contains(u.Summary, c.want)) || name == "gone" && u.State != "idle" {
						t.Errorf("%s: %s", u.State, u.Summary)
					}
				}
				s, j := live(t, w, p, 2*time.Hour)
				if len(s.Notices) != 0 || len(j.lines(c.want)) != 1 {
					t.Errorf("notices %q, log %q", s.Notices, j.lines(c.want))
				}
			})
		})
	}
}

func TestVersionInARoot(t *testing.T) {
	root := rootOf(t, "1.2.3")
	if v := versionIn(bytes.NewReader(root)); v != "1.2.3" {
		t.Errorf("%q", v)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "zeros": make([]byte, 1<<20), "cut off": root[:120], "another one's end": append(bytes.Clone(root[:96]), make([]byte, 1<<20)...),
		"a long one": rootOf(t, strings.Repeat("9", 65)),
	} {
		if v := versionIn(bytes.NewReader(b)); v != "" {
			t.Errorf("%s: %q", name, v)
		}
	}
}

func TestDateOfTheBootLoader(t *testing.T) {
	p := &platform{root: t.TempDir()}
	if d := p.eeprom(); d != 0 {
		t.Errorf("%d without one", d)
	}
	const at = "proc/device-tree/chosen/bootloader/build-timestamp"
	imageFile(t, p, at, "\x67\x8a\x4d\x5f")
	if d := p.eeprom(); d != 0x678a4d5f {
		t.Errorf("%d", d)
	}
	for _, bad := range []string{"", "\x01", "\x01\x02\x03\x04\x05"} {
		if err := os.WriteFile(filepath.Join(p.root, at), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := p.eeprom(); d != 0 {
			t.Errorf("%q: %d", bad, d)
		}
	}
}

// TestExpiryIsKept: when the metadata expired is known afterwards, too, unless it
// was another part of it that has.
func TestExpiryIsKept(t *testing.T) {
	r := tuftest.New(epoch)
	r.Publish()
	var at atomic.Pointer[time.Time]
	w := watched{update.NewRepository(r, tuf.DirStore(t.TempDir())), &at}
	ask := func(now time.Time) error {
		_, err := w.Refresh(t.Context(), update.Trust{Initial: r.Initial(), Now: now})
		return err
	}
	later := epoch.AddDate(0, 0, tuftest.OnlineDays+1)
	if err := ask(later); !errors.Is(err, tuf.ErrExpired) || at.Load() != nil {
		t.Errorf("expired from the start: %v, %v", err, at.Load())
	}
	if err := ask(epoch); err != nil {
		t.Fatal(err)
	}
	known := *at.Load()
	if err := ask(later); !errors.Is(err, tuf.ErrExpired) || at.Load() == nil || !at.Load().Equal(known) || known.After(later) {
		t.Errorf("expired: %v, %v, want %v", err, at.Load(), known)
	}
	far := later.AddDate(10, 0, 0)
	at.Store(&far)
	if err := ask(later); !errors.Is(err, tuf.ErrExpired) || at.Load() != nil {
		t.Errorf("%v has expired, which is said to be valid until %v", err, at.Load())
	}
}
