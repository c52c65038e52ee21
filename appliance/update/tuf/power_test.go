package tuf_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// The power may fail between any two writes, and then again: what is kept is
// always verified, and the next Refresh ends where it would have ended.
func TestPowerCut(t *testing.T) {
	base := newStation()
	base.repo.Publish()
	base.repo.Publish()
	base.good(t)
	// All at once: roots, versions that begin again, and online keys that have
	// changed, although the old one is not yet revoked: so what is kept would
	// still verify.
	base.repo.Rotate(metadata.ROOT)
	for _, role := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT} {
		if err := base.repo.Root.Signed.AddKey(base.repo.Root.Signed.Keys[base.repo.Root.Signed.Roles["root"].KeyIDs[0]], role); err != nil {
			t.Fatal(err)
		}
	}
	base.repo.PublishRoot()
	base.repo.Timestamp.Signed.Version, base.repo.Snapshot.Signed.Version = 0, 0
	base.repo.Publish()
	base.repo.PublishRoot()

	whole := *base
	whole.store = &memory{maps.Clone(base.store.files), -1}
	want := whole.good(t).Floor()

	cuts := 0
	for first := 0; ; first++ {
		s := *base
		s.store = &memory{maps.Clone(base.store.files), first}
		_, err := s.refreshFrom(s.repo)
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) || !errors.Is(err, tuf.ErrStore) {
			t.Fatalf("cut before write %d: %v", first, err)
		}
		cuts++
		for second := range 8 {
			again := s
			again.store = &memory{maps.Clone(s.store.files), second}
			if _, err := again.refreshFrom(again.repo); err != nil && !errors.Is(err, errCut) {
				t.Fatalf("cuts before writes %d and %d: %v", first, second, err)
			}
			again.store.left = -1
			trusted, err := again.refreshFrom(again.repo)
			if err != nil {
				t.Fatalf("after cuts before writes %d and %d: %v", first, second, err)
			}
			if trusted.Floor() != want {
				t.Errorf("after cuts before writes %d and %d: %+v, want %+v", first, second, trusted.Floor(), want)
			}
			if !maps.EqualFunc(again.store.files, whole.store.files, bytes.Equal) {
				t.Errorf("after cuts before writes %d and %d something else is kept", first, second)
			}
		}
	}
	if cuts != 8 { // two deleted, three roots, timestamp, snapshot, targets
		t.Errorf("%d places for a cut, want 8", cuts)
	}
}

func TestDirStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	s := tuf.DirStore(dir)
	if _, err := s.Load("root.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that it does not exist", err)
	}
	if err := s.Delete("root.json"); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"one", "another"} {
		if err := s.Save("root.json", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Load("root.json"); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if err := s.Delete("root.json"); err != nil {
		t.Error(err)
	}
	if _, err := s.Load("root.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that it does not exist", err)
	}
	for _, name := range []string{"", "..", "../x", "/x", "a/b", `a\b`} {
		if err := s.Save(name, nil); err == nil {
			t.Errorf("%q was saved", name)
		}
		if _, err := s.Load(name); err == nil {
			t.Errorf("%q was loaded", name)
		}
		if err := s.Delete(name); err == nil {
			t.Errorf("%q was deleted", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "root.json"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("root.json"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v, want that it is too long", err)
	}
}

func TestRefreshIntoDir(t *testing.T) {
	s := newStation()
	o := tuf.Options{Source: s.repo, Store: tuf.DirStore(t.TempDir()), Initial: s.first, Now: day0}
	for range 2 {
		trusted, err := tuf.Refresh(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		wantVersions(t, trusted, [4]int64{1, 1, 1, 1})
		o.Initial, o.Floor = nil, trusted.Floor()
	}
}
