package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/squash"
)

// openFile opens a partition that is a file.
func openFile(path string, writable bool) (partition, error) {
	how := os.O_RDONLY
	if writable {
		how = os.O_RDWR
	}
	f, err := os.OpenFile(path, how, 0)
	return fileDevice{f}, err
}

type fileDevice struct{ *os.File }

func (fileDevice) Drop() error { return nil }

// updatable gives a platform the partitions of a card, the first slot of which
// runs, and an image that updates from updateHost.
func updatable(t *testing.T, p *platform) *platform {
	t.Helper()
	dir := t.TempDir()
	sparse := func(name string, size int64) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err == nil {
			err = errors.Join(f.Truncate(size), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	unpackOutside(t)
	p.slot, p.root = "a", filepath.Join(dir, "root")
	p.state, p.rootA, p.rootB = sparse("p5", bootfs.StateSize), sparse("p2", 512<<20), sparse("p3", 512<<20)
	imageFile(t, p, origin.Path, `{"urls":["http://`+updateHost+`"],"channel":"stable","epoch":0}`)
	imageFile(t, p, origin.RootPath, string(tuftest.New(epoch).Initial()))
	return p
}

// unpackOutside has the package's decoder, which it keeps, made outside of the
// bubbles of virtual time: none could use another one's.
func unpackOutside(t *testing.T) {
	t.Helper()
	var pack bytes.Buffer
	p := artifact.NewPacker(&pack)
	if _, err := p.Add(strings.NewReader("something")); err != nil {
		t.Fatal(err)
	}
	var m artifact.Manifest
	_ = p.Finish(&m) // which names no release
	if _, err := artifact.Unpack(nil, pack.Bytes(), m.Chunks[0]); err != nil {
		t.Fatal(err)
	}
}

func imageFile(t *testing.T, p *platform, name, content string) {
	t.Helper()
	path := filepath.Join(p.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// offer makes a release the newest one of a repository.
func offer(t *testing.T, r *tuftest.Repo, version string) {
	t.Helper()
	m := artifact.Manifest{Format: artifact.Format, Board: "rpi", Arch: "arm64", Channel: "stable", Version: version, Notes: "What is new.", Slots: map[string][]artifact.SlotFile{}}
	var pack bytes.Buffer
	p := artifact.NewPacker(&pack)
	add := func(b []byte) int {
		n, err := p.Add(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	m.Root = add(rootOf(t, version))
	for _, slot := range []string{"a", "b"} {
		m.Slots[slot] = []artifact.SlotFile{{Path: "vmlinuz", Object: add([]byte("kernel of " + version))}, {Path: "cmdline.txt", Object: add([]byte("slot=" + slot))}}
	}
	if err := p.Finish(&m); err != nil {
		t.Fatal(err)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.Add("stable/rpi/manifest.json", b)
	r.Publish()
	r.Put(m.Pack.Name, pack.Bytes())
}

// rootOf is a root file system that knows its version.
func rootOf(t *testing.T, version string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := func(path string) squash.Entry { return squash.Entry{Path: path, Mode: fs.ModeDir | 0o755} }
	text := version + "\n"
	_, err = squash.Write(f, []squash.Entry{dir("etc"), dir("etc/truechimer"), {Path: "etc/truechimer/version", Mode: 0o644, Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNewestVersion: the whole way from the image's files to the page.
func TestNewestVersion(t *testing.T) {
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		r := tuftest.New(epoch)
		offer(t, r, "1.2.0")
		w.releases = r
		s, _ := live(t, w, p, time.Hour)
		u := s.Update
		if u.State != "idle" || u.Freshness != "fresh" || u.Checked == nil || u.Next == nil || u.Expires == nil || u.Channel != "stable" || u.Hosts[0] != "http://"+updateHost ||
			u.Failure != "" || u.Candidate != nil || u.Other != nil || w.restarts.Load() != 0 {
			t.Errorf("%+v", u)
		}
		if d := u.Expires.Sub(epoch); d < 13*24*time.Hour || d > 15*24*time.Hour {
			t.Errorf("it holds until %v", u.Expires)
		}
	})
}

// anyHour is dayFile for a station that may restart at once.
const anyHour = dayFile + "[update]\nwindow = \"any\"\n"

// TestNewerVersionWaitsForTheWindow of the station's own time zone.
func TestNewerVersionWaitsForTheWindow(t *testing.T) {
	const file = "timezone = \"Europe/Berlin\"\n" + dayFile + "[update]\nwindow = \"02:00-05:00\"\n"
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(file))})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		r := tuftest.New(epoch)
		offer(t, r, "1.3.0")
		w.releases = r
		s, _ := live(t, w, p, 30*time.Minute)
		u := s.Update
		if u.State != "idle" || u.Summary != "Version 1.3.0 is taken between 02:00 and 05:00 CET." || u.Candidate == nil || w.restarts.Load() != 0 {
			t.Errorf("%+v, %d restarts", u, w.restarts.Load())
		}
		// Midnight in UTC is one in the morning there.
		if u.Next == nil || u.Next.Before(epoch.Add(time.Hour)) || !u.Next.Before(epoch.Add(4*time.Hour)) {
			t.Errorf("next: %v", u.Next)
		}
	})
}

// tryNewer is a card on which version 1.3.0 is about to be tried, and where it
// came from.
func tryNewer(t *testing.T) (*platform, *tuftest.Repo) {
	t.Helper()
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(anyHour))})
	r := tuftest.New(epoch)
	offer(t, r, "1.3.0")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		w.releases = r
		s, _ := live(t, w, p, time.Hour)
		if u := s.Update; u.State != "restart" || u.Candidate == nil || *u.Candidate != "1.3.0" || w.restarts.Load() == 0 {
			t.Errorf("%+v, %d restarts", u, w.restarts.Load())
		}
	})
	b, err := os.Open(p.rootB)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if v := versionIn(b); v != "1.3.0" {
		t.Errorf("the other slot has version %q", v)
	}
	return p, r
}

// committed is the slot that boots.
func committed(t *testing.T, p *platform) bootfs.Slot {
	t.Helper()
	f, err := os.OpenFile(p.state, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := bootctl.Open(boards.LoaderUBoot, bootfs.Slot(p.slot), bootctl.Parts{State: f})
	if err != nil {
		t.Fatal(err)
	}
	now, err := c.Current()
	if err != nil {
		t.Fatal(err)
	}
	return now.Committed
}

// TestNewerVersionIsKept: it is tried, shows that it is well, and is what boots
// from then on.
func TestNewerVersionIsKept(t *testing.T) {
	p, r := tryNewer(t)
	if at := committed(t, p); at != bootfs.SlotA {
		t.Fatalf("slot %s is committed before anything was tried", at)
	}
	p.slot = "b"
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		w.version, w.releases = "1.3.0", r
		var after time.Duration
		w.atEnd = func(s *station) { after = time.Since(s.born) }
		if s, _ := live(t, w, p, time.Hour); s.Update.State != "idle" || s.Update.Candidate != nil || w.restarts.Load() != 0 {
			t.Errorf("after %v: %+v, %d restarts", after, s.Update, w.restarts.Load())
		}
	})
	if at := committed(t, p); at != bootfs.SlotB {
		t.Errorf("slot %s is committed", at)
	}
}

// TestNewerVersionIsNotKept where it lacks what the one before it had, and the one
// before it tells why.
func TestNewerVersionIsNotKept(t *testing.T) {
	for want, l := range map[string]lack{
		"its receiver has no fix":                    {mute: true},
		"it cannot verify what the update host says": {hostless: true},
		"no time server has answered":                {unlinked: true},
	} {
		t.Run(want, func(t *testing.T) {
			p, r := tryNewer(t)
			p.slot = "b"
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(l)
				w.version = "1.3.0"
				if !l.hostless {
					w.releases = r
				}
				if s, _ := live(t, w, p, 11*time.Minute); s.Update.State != "restart" || !strings.Contains(s.Update.Summary, want) || w.restarts.Load() == 0 {
					t.Errorf("%+v, %d restarts", s.Update, w.restarts.Load())
				}
			})
			if at := committed(t, p); at != bootfs.SlotA {
				t.Errorf("slot %s is committed", at)
			}
			p.slot = "a"
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				w.releases = r
				u := func() status.Update { s, _ := live(t, w, p, 20*time.Minute); return *s.Update }()
				if u.State != "waiting" || u.Tries != 1 || u.Candidate == nil || *u.Candidate != "1.3.0" || !strings.Contains(u.Summary, want) || w.restarts.Load() != 0 {
					t.Errorf("back again: %+v", u)
				}
				if u.Other == nil || *u.Other != "1.3.0" {
					t.Errorf("in the other slot: %v", u.Other)
				}
			})
		})
	}
}

// TestOwnRoot: root.json on the card counts until somebody was trusted.
func TestOwnRoot(t *testing.T) {
	mine := tuftest.New(epoch)
	mine.Rotate("root", "targets", "timestamp", "snapshot")
	own := mine.File("metadata/2.root.json")
	sum := sha256.Sum256(own)
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: cardWith(t, map[string]string{"truechimer.toml": dayFile, "root.json": string(own)})})
	boot := func(r *tuftest.Repo, host string, want string, state string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.releases = r
			s, _ := live(t, w, p, time.Hour)
			if n := strings.Join(s.Notices, "|"); (n == "") != (want == "") || !strings.Contains(n, want) || s.Update.State != state {
				t.Errorf("%s: notices %q, want %q; state %s, want %s (%s)", host, n, want, s.Update.State, state, s.Update.Summary)
			}
		})
	}
	mine.Publish()
	offer(t, mine, "1.2.0")
	theirs := tuftest.New(epoch)
	offer(t, theirs, "1.2.0")
	boot(theirs, "others' host", "SHA-256 begins with "+hex.EncodeToString(sum[:])[:16], "waiting")
	boot(mine, "own host", "says from now on whose releases", "idle")
	boot(mine, "own host, again", "", "idle")
	boot(theirs, "others' host, after that", "", "waiting")

	p = updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
	boot(theirs, "the image's", "", "idle")
	p.bootDevice = cardWith(t, map[string]string{"truechimer.toml": dayFile, "root.json": string(own)})
	boot(theirs, "too late", "this station has begun to trust others", "idle")
	p.bootDevice = cardWith(t, map[string]string{"truechimer.toml": dayFile, "root.json": "{}"})
	boot(theirs, "none", "The root.json on the card is not taken: it is no root metadata of TUF", "idle")
	p.bootDevice = cardWith(t, map[string]string{"truechimer.toml": dayFile, "root.json": strings.Repeat(" ", origin.MaxRoot+1)})
	boot(theirs, "too large", "The root.json on the card is not taken: ", "idle")
}
