package publish

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
)

// A station's own client gets a release out of one file, from the first root on
// and across rotations.
func TestBundle(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	root, floor, err := r.Trust()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(Rotation{Remove: []RoleKey{{RoleOnline, p.file(t, "online")}}, Add: []RoleKey{{RoleOnline, p.file(t, "other-1")}}}); err != nil {
		t.Fatal(err)
	}
	sign(t, r, p, "root-1", "root-2")
	if err := r.Release(t.Context(), p.key("other-1")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x"+bundle.Ending)
	again := filepath.Join(t.TempDir(), "y"+bundle.Ending)
	for _, path := range []string{file, again} {
		if version, err := r.Bundle(t.Context(), "rpi", "stable", path); err != nil || version != "1.0.0" {
			t.Fatalf("%q, %v", version, err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := os.ReadFile(again); err != nil || !bytes.Equal(b, c) {
		t.Errorf("two bundles of the same differ: %v", err)
	}
	opened, err := bundle.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := tuf.Refresh(t.Context(), tuf.Options{Source: opened, Store: tuf.DirStore(t.TempDir()), Initial: root, Floor: floor, Now: r.Now})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := trusted.Download(t.Context(), "stable/rpi/manifest.json", &text); err != nil {
		t.Fatal(err)
	}
	m, err := artifact.Parse(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	pack, err := opened.Range(t.Context(), m.Pack.Name, 0, m.Pack.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkWhole(pack, m.Pack, artifact.PackName); err != nil {
		t.Error(err)
	}
}

func TestBundleRefuses(t *testing.T) {
	r, p := newRepository(t)
	publish(t, r, p, "1.0.0")
	dir := t.TempDir()
	refuse := func(what, board, name, want string) {
		t.Helper()
		if _, err := r.Bundle(t.Context(), board, "stable", filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", what, left, err)
		}
	}
	refuse("another name", "rpi", "x.tar", bundle.Ending)
	refuse("no such board", "vm", "x"+bundle.Ending, "no target stable/vm/manifest.json")
	now := r.Now
	r.Now = now.AddDate(0, 0, 15)
	refuse("expired", "rpi", "x"+bundle.Ending, "expired")
	r.Now = now
	packs, err := filepath.Glob(r.path("files", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	f, err := os.OpenFile(packs[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), 1000); err != nil {
		t.Fatal(err)
	}
	refuse("damaged", "rpi", "x"+bundle.Ending, artifact.ErrDamaged.Error())
}
