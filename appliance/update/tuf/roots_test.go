package tuf_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

func TestRootChain(t *testing.T) {
	s := newStation()
	for range 4 {
		s.repo.Rotate(metadata.ROOT)
	}
	wantVersions(t, s.good(t), [4]int64{5, 1, 1, 1})
	if got, want := s.repo.Asked(), []string{
		"metadata/2.root.json", "metadata/3.root.json", "metadata/4.root.json", "metadata/5.root.json",
		"metadata/6.root.json", "metadata/timestamp.json", "metadata/1.snapshot.json", "metadata/1.targets.json",
	}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	// What is kept is not fetched again, and the chain goes on from there.
	s.good(t)
	if got, want := s.repo.Asked(), []string{"metadata/6.root.json", "metadata/timestamp.json"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

// A root that has expired may be one in the chain, but not its end.
func TestRootChainExpired(t *testing.T) {
	s := newStation()
	s.now = day0.AddDate(3, 0, 0)
	s.bad(t, tuf.ErrExpired)
	s.repo.Now = s.now
	s.repo.Rotate(metadata.ROOT)
	s.bad(t, tuf.ErrExpired, "root.json") // the timestamp's turn; the new root is kept
	s.repo.Publish()
	wantVersions(t, s.good(t), [4]int64{2, 2, 2, 2})
}

func TestRootChainBroken(t *testing.T) {
	s := newStation()
	for range 4 {
		s.repo.Rotate(metadata.ROOT)
	}
	third := s.repo.File("metadata/3.root.json")

	// A missing link cannot be told from an end of the chain, but by the floor.
	s.repo.Put("metadata/3.root.json", nil)
	s.floor.Root = 5
	s.bad(t, tuf.ErrRollback, "root.json")

	s.repo.Put("metadata/3.root.json", s.repo.File("metadata/4.root.json"))
	s.bad(t, tuf.ErrSignature)
	s.repo.Put("metadata/3.root.json", s.repo.File("metadata/2.root.json"))
	s.bad(t, tuf.ErrMismatch)
	s.repo.Put("metadata/3.root.json", []byte("<html>Sign in to the hotel's network</html>"))
	s.bad(t, tuf.ErrFormat)

	s.repo.Put("metadata/3.root.json", third)
	wantVersions(t, s.good(t), [4]int64{5, 1, 1, 1})
}

func TestRotateEveryRole(t *testing.T) {
	s := newStation()
	s.good(t)
	for _, roles := range [][]string{
		{metadata.ROOT}, {metadata.TARGETS}, {metadata.TIMESTAMP, metadata.SNAPSHOT}, {metadata.SNAPSHOT},
		{metadata.ROOT, metadata.TARGETS, metadata.TIMESTAMP, metadata.SNAPSHOT},
	} {
		// Until they sign anew, what the old keys have signed is worth nothing.
		s.repo.Rotate(roles...)
		if !slices.Equal(roles, []string{metadata.ROOT}) {
			if _, err := s.refreshFrom(s.repo); err == nil {
				t.Errorf("%q: keys that were revoked are trusted", roles)
			}
		}
		s.repo.Publish()
		s.good(t)
	}
	if s.floor.Root != 6 {
		t.Errorf("root %d, want 6", s.floor.Root)
	}
}

// A new root needs the threshold of the old one's keys and of its own.
func TestRootThreshold(t *testing.T) {
	for name, keys := range map[string]func(old, fresh []ed25519.PrivateKey) []ed25519.PrivateKey{
		"one old key": func(old, fresh []ed25519.PrivateKey) []ed25519.PrivateKey {
			return append(slices.Clone(fresh), old[0])
		},
		"one key of its own": func(old, fresh []ed25519.PrivateKey) []ed25519.PrivateKey {
			return append(slices.Clone(old), fresh[0])
		},
		"none": func(old, fresh []ed25519.PrivateKey) []ed25519.PrivateKey { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation()
			s.good(t)
			old := s.repo.Keys[metadata.ROOT]
			s.repo.Rotate(metadata.ROOT)
			s.repo.Put("metadata/2.root.json", tuftest.Sign(s.repo.Root, keys(old, s.repo.Keys[metadata.ROOT])...))
			s.bad(t, tuf.ErrSignature)
		})
	}
}

func TestInitialRoot(t *testing.T) {
	good := newStation().first
	for name, c := range map[string]struct {
		root []byte
		want error
	}{
		"none":            {nil, tuf.ErrNoRoot},
		"empty":           {[]byte{}, tuf.ErrFormat},
		"no JSON":         {[]byte("root"), tuf.ErrFormat},
		"of another kind": {newStation().repo.File("metadata/timestamp.json"), tuf.ErrFormat},
		"cut":             {good[:len(good)/2], tuf.ErrFormat},
		"changed":         {bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 2`), 1), tuf.ErrSignature},
	} {
		s := newStation()
		s.first = c.root
		t.Run(name, func(t *testing.T) { s.bad(t, c.want) })
	}
	// One that is kept and has rotted is no worse than none.
	s := newStation()
	s.good(t)
	s.store.files["root.json"] = s.store.files["root.json"][:100]
	s.good(t)
	s.store.files["root.json"], s.first = s.store.files["root.json"][:100], nil
	s.bad(t, tuf.ErrNoRoot)
	if _, err := s.refreshFrom(s.repo); errors.Is(err, tuf.ErrFormat) {
		t.Errorf("%v: the server is blamed", err)
	}

	// The initial root is kept only after all has been verified.
	s = newStation()
	s.repo.Put("metadata/1.targets.json", nil)
	s.bad(t, fs.ErrNotExist, "timestamp.json", "snapshot.json")
	if s.store.files["root.json"] != nil {
		t.Error("an initial root is kept that has led to nothing")
	}
}

// The number of roots in one go is bounded; the next Refresh goes on.
func TestManyRoots(t *testing.T) {
	s := newStation()
	for range 300 {
		s.repo.PublishRoot()
	}
	wantVersions(t, s.good(t), [4]int64{257, 1, 1, 1})
	wantVersions(t, s.good(t), [4]int64{301, 1, 1, 1})
}
