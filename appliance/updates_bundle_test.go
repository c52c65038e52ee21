package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/appliance/update/origin"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// bundleOf is a repository in one file.
func bundleOf(t *testing.T, r *tuftest.Repo) string {
	t.Helper()
	var list []bundle.File
	all := r.Files()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b := all[name]
		list = append(list, bundle.File{Name: name, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	var out bytes.Buffer
	if err := bundle.Write(&out, list); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// offering is a repository that was made at a time and has a release.
func offering(t *testing.T, at time.Time, version string) *tuftest.Repo {
	t.Helper()
	r := tuftest.New(at)
	offer(t, r, version)
	return r
}

// withBundle is a station with files beside its truechimer.toml; hosts says
// whether its image names an update host.
func withBundle(t *testing.T, hosts bool, files map[string]string) *platform {
	t.Helper()
	files["truechimer.toml"] = anyHour
	p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: cardWith(t, files)})
	if !hosts {
		if err := os.Remove(filepath.Join(p.root, origin.Path)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// about are the notices that are about bundles.
func about(notices []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(notices), func(n string) bool { return !strings.Contains(n, "bundle") }), "|")
}

// TestBundle takes a station without any host from its image's release to the one
// in the bundle, which is left where it is.
func TestBundle(t *testing.T) {
	text := bundleOf(t, offering(t, epoch, "1.3.0"))
	p := withBundle(t, false, map[string]string{"Attic 1.3.0.TrueChimer": text, "._Attic 1.3.0.truechimer": "a Mac's"})
	boot := func(version string, state string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.version = version
			s, _ := live(t, w, p, time.Hour)
			if u := s.Update; u.State != state || (w.restarts.Load() > 0) != (state == "restart") || len(u.Hosts) != 0 {
				t.Errorf("%+v", u)
			}
			if n := about(s.Notices); !strings.Contains(n, "Releases are taken from the bundle Attic 1.3.0.TrueChimer on the card.") {
				t.Errorf("notices %q", n)
			}
		})
	}
	boot("1.2.0", "restart")
	p.slot = "b"
	boot("1.3.0", "idle")
	if at := committed(t, p); at != bootfs.SlotB {
		t.Errorf("slot %s is committed", at)
	}
	fat, end, err := p.openCard()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	got, err := fat.ReadFile("Attic 1.3.0.TrueChimer", 1<<20)
	if err != nil || string(got) != text {
		t.Errorf("the bundle is another one afterwards: %v", err)
	}
}

// TestBundleBesideHosts: a host that answers counts; the bundle where none does.
func TestBundleBesideHosts(t *testing.T) {
	newest := offering(t, epoch, "1.2.0")
	offer(t, newest, "1.3.0")
	text := bundleOf(t, newest)
	for name, c := range map[string]struct {
		lack   lack
		host   *tuftest.Repo
		notice string
		state  string
	}{
		"no network":       {lack{unlinked: true}, nil, "Releases are taken from the bundle", "restart"},
		"no answer":        {lack{hostless: true}, nil, "Releases are taken from the bundle", "restart"},
		"a host of old":    {lack{}, offering(t, epoch.AddDate(0, 0, -20), "1.2.0"), "Releases are taken from the bundle", "restart"},
		"a host that does": {lack{}, offering(t, epoch, "1.2.0"), "The update host answers", "idle"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withBundle(t, true, map[string]string{"x.truechimer": text})
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				if c.host != nil {
					w.releases = c.host
				}
				s, _ := live(t, w, p, 2*time.Hour)
				if s.Update.State != c.state || !strings.Contains(about(s.Notices), c.notice) {
					t.Errorf("%+v, notices %q", s.Update, s.Notices)
				}
			})
		})
	}
}

// TestBundleRefused: what is wrong with it is told, and nothing is installed.
func TestBundleRefused(t *testing.T) {
	good := bundleOf(t, offering(t, epoch, "1.3.0"))
	for name, c := range map[string]struct {
		files map[string]string
		toml  string
		want  string
	}{
		"expired":      {files: map[string]string{"x.truechimer": bundleOf(t, offering(t, epoch.AddDate(0, 0, -20), "1.3.0"))}, want: "The bundle x.truechimer on the card is not taken: updates: timestamp: the update metadata has expired"},
		"others' keys": {files: map[string]string{"x.truechimer": othersBundle(t)}, want: "not signed by enough"},
		"cut off":      {files: map[string]string{"x.truechimer": good[:3000]}, want: "not a bundle: copy it onto the card again"},
		"no bundle":    {files: map[string]string{"x.truechimer": "hello"}, want: "not a bundle"},
		"empty":        {files: map[string]string{"x.truechimer": ""}, want: "not a bundle"},
		"two":          {files: map[string]string{"x.truechimer": good, "y.truechimer": good}, want: "more than one bundle"},
		"not there":    {files: map[string]string{"x.truechime": good}},
		"off":          {files: map[string]string{"x.truechimer": good}, toml: "\n[update]\nenabled = false\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := withBundle(t, false, c.files)
			if c.toml != "" {
				c.files["truechimer.toml"] = dayFile + c.toml
				p.bootDevice = cardWith(t, c.files)
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(lack{})
				s, _ := live(t, w, p, time.Hour)
				n := about(s.Notices)
				if (n == "") != (c.want == "") || !strings.Contains(n, c.want) || w.restarts.Load() != 0 {
					t.Errorf("notices %q, want %q, %d restarts: %+v", n, c.want, w.restarts.Load(), s.Update)
				}
			})
		})
	}
}

// TestBundleDamagedPack: what does not verify comes from the host, if there is one.
func TestBundleDamagedPack(t *testing.T) {
	r := offering(t, epoch, "1.3.0")
	all := r.Files()
	for name, b := range all {
		if strings.HasSuffix(name, ".pack") {
			b = bytes.Clone(b)
			for i := range b {
				b[i] ^= 0x55
			}
			all[name] = b
		}
	}
	spoilt := offering(t, epoch, "1.3.0")
	spoilt.SetFiles(all)
	text := bundleOf(t, spoilt)
	if sha256.Sum256([]byte(text)) == sha256.Sum256([]byte(bundleOf(t, r))) {
		t.Fatal("nothing is damaged")
	}
	for _, hosts := range []bool{true, false} {
		p := withBundle(t, hosts, map[string]string{"x.truechimer": text})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.releases = r
			s, _ := live(t, w, p, time.Hour)
			if (s.Update.State == "restart") != hosts || !hosts && !strings.Contains(s.Update.Failure, "cannot be fetched") {
				t.Errorf("hosts %v: %+v", hosts, s.Update)
			}
		})
	}
}

// TestBundleThatDoesNotRead: a boot volume that fails is not a bundle.
func TestBundleThatDoesNotRead(t *testing.T) {
	if o, fat := bundleOn(bytes.NewReader(make([]byte, 4096)), onCard); o.name != "" || o.files != nil || o.note != "" || fat {
		t.Errorf("%+v, %v", o, fat)
	}
	p := &platform{board: boards.Board{}, bootDevice: cardWith(t, map[string]string{"x.truechimer": strings.Repeat("x", 4096)})}
	f, err := os.Open(p.bootDevice)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The list can be read, and what the file holds cannot.
	if o, _ := bundleOn(shortReader{f, bootfs.DataOffset}, onCard); o.files != nil || !strings.Contains(o.note, "The bundle x.truechimer on the card is not taken: ") {
		t.Errorf("%+v", o)
	}
}

// shortReader fails from an offset on.
type shortReader struct {
	io.ReaderAt
	from int64
}

func (s shortReader) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > s.from {
		return 0, errors.New("input/output error")
	}
	return s.ReaderAt.ReadAt(b, off)
}
