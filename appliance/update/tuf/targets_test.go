package tuf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

const manifest = "stable/rpi/manifest.json"

func TestDownload(t *testing.T) {
	s := newStation()
	want := []byte(`{"format": 1}`)
	s.repo.Add(manifest, want)
	s.repo.Publish()
	trusted := s.good(t)
	target, err := trusted.Target(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if path := fmt.Sprintf("targets/stable/rpi/%x.manifest.json", target.SHA256); target.Path != path || target.Length != int64(len(want)) {
		t.Errorf("%+v, want the path %s", target, path)
	}
	var got bytes.Buffer
	if err := trusted.Download(t.Context(), manifest, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%q, %v", got.Bytes(), err)
	}
	if err := target.Verify(want); err != nil {
		t.Error(err)
	}

	for name, c := range map[string]struct {
		served []byte
		want   error
	}{
		"not there":  {nil, fs.ErrNotExist},
		"short":      {want[:5], tuf.ErrMismatch},
		"empty":      {[]byte{}, tuf.ErrMismatch},
		"other bits": {bytes.ReplaceAll(want, []byte("1"), []byte("2")), tuf.ErrMismatch},
	} {
		s.repo.Put(target.Path, c.served)
		got.Reset()
		if err := trusted.Download(t.Context(), manifest, &got); !errors.Is(err, c.want) || got.Len() != 0 {
			t.Errorf("%s: %v and %d bytes, want %v and none", name, err, got.Len(), c.want)
		}
	}
	s.repo.Put(target.Path, append(want, ' '))
	if err := trusted.Download(t.Context(), manifest, &got); err == nil || got.Len() != 0 {
		t.Errorf("a file that is too long: %v and %d bytes", err, got.Len())
	}

	for _, name := range []string{"stable/rpi4/manifest.json", "", "/", "..", strings.Repeat("x", 5000)} {
		if _, err := trusted.Target(name); !errors.Is(err, tuf.ErrNoTarget) {
			t.Errorf("%.20q: %v", name, err)
		}
		if err := trusted.Download(t.Context(), name, &got); !errors.Is(err, tuf.ErrNoTarget) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// What the metadata say of a file has to make sense, although it is signed.
func TestBadTarget(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(f *metadata.TargetFiles)
		want  string
	}{
		"negative length": {func(f *metadata.TargetFiles) { f.Length = -1 }, "bytes long"},
		"too long":        {func(f *metadata.TargetFiles) { f.Length = tuf.MaxTarget + 1 }, "more than"},
		"unknown hash":    {func(f *metadata.TargetFiles) { f.Hashes = metadata.Hashes{"crc32": {1, 2, 3, 4}} }, "unknown hashing"},
		"one bad hash of two": {func(f *metadata.TargetFiles) {
			f.Hashes["sha512"] = bytes.Repeat([]byte{1}, 64)
		}, "mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation()
			s.repo.Add(manifest, []byte("{}"))
			s.repo.Publish()
			at := "targets/stable/rpi/" + s.repo.Targets.Signed.Targets[manifest].Hashes["sha256"].String() + ".manifest.json"
			c.spoil(s.repo.Targets.Signed.Targets[manifest])
			s.repo.Put("targets/stable/rpi/.manifest.json", s.repo.File(at))
			s.repo.Put("metadata/2.targets.json", tuftest.Sign(s.repo.Targets, s.repo.Keys[metadata.TARGETS]...))
			s.repo.Snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(2)
			s.repo.PublishSnapshot()
			var got bytes.Buffer
			err := s.good(t).Download(t.Context(), manifest, &got)
			if err == nil || !strings.Contains(err.Error(), c.want) || got.Len() != 0 {
				t.Errorf("%v and %d bytes, want an error with %q", err, got.Len(), c.want)
			}
		})
	}
}

// delegate adds a delegation of everything to roles of the online key.
func delegate(r *tuftest.Repo, to *metadata.TargetsType, roles ...string) {
	k, err := metadata.KeyFromPublicKey(r.Keys[metadata.SNAPSHOT][0].Public())
	if err != nil {
		panic(err)
	}
	id, err := k.ID()
	if err != nil {
		panic(err)
	}
	to.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{id: k}}
	for _, role := range roles {
		to.Delegations.Roles = append(to.Delegations.Roles, metadata.DelegatedRole{
			Name: role, KeyIDs: []string{id}, Threshold: 1, Paths: []string{"*"},
		})
		r.Snapshot.Signed.Meta[role+".json"] = metadata.MetaFile(1)
	}
}

// Of two roles that may say the same, the first is asked first.
func TestDelegationOrder(t *testing.T) {
	s := newStation()
	for role, content := range map[string]string{"one": "1", "two": "22"} {
		m := metadata.Targets(day0.Add(day))
		f, err := metadata.TargetFile().FromBytes("x", []byte(content), "sha256")
		if err != nil {
			t.Fatal(err)
		}
		m.Signed.Targets["x"] = f
		s.repo.Put("metadata/1."+role+".json", tuftest.Sign(m, s.repo.Keys[metadata.SNAPSHOT]...))
	}
	delegate(s.repo, &s.repo.Targets.Signed, "one", "two")
	s.repo.Publish()
	if target, err := s.good(t).Find(t.Context(), "x"); err != nil || target.Length != 1 {
		t.Errorf("%+v, %v", target, err)
	}
}

func TestDelegations(t *testing.T) {
	s := newStation()
	chain := func(i int) string { return fmt.Sprintf("role-%d", i) }
	// Each role delegates to the next and back to the first.
	for i := range 40 {
		m := metadata.Targets(day0.Add(365 * day))
		delegate(s.repo, &m.Signed, chain(0), chain(i+1))
		if i == 20 {
			f, err := metadata.TargetFile().FromBytes("found", []byte("x"), "sha256")
			if err != nil {
				t.Fatal(err)
			}
			m.Signed.Targets["found"] = f
		}
		s.repo.Put("metadata/1."+chain(i)+".json", tuftest.Sign(m, s.repo.Keys[metadata.SNAPSHOT]...))
	}
	delegate(s.repo, &s.repo.Targets.Signed, chain(0))
	s.repo.Publish()
	trusted := s.good(t)
	if target, err := trusted.Find(t.Context(), "found"); err != nil || target.Length != 1 {
		t.Errorf("%+v, %v", target, err)
	}
	s.repo.Asked()
	if _, err := trusted.Find(t.Context(), "nowhere"); !errors.Is(err, tuf.ErrNoTarget) {
		t.Errorf("%v", err)
	}
	if n := len(s.repo.Asked()); n != 10 { // 32 roles, of which targets and 21 are kept
		t.Errorf("asked for %d files, want 10", n)
	}

	// Signed by somebody else; and with the name of a role that is another's.
	s.repo.Put("metadata/1.role-0.json", tuftest.Sign(metadata.Targets(day0.Add(day)), s.repo.Keys[metadata.ROOT]...))
	s.store.files = map[string][]byte{}
	if _, err := s.good(t).Find(t.Context(), "found"); !errors.Is(err, tuf.ErrSignature) {
		t.Errorf("%v, want %v", err, tuf.ErrSignature)
	}
	delegate(s.repo, &s.repo.Targets.Signed, "timestamp")
	s.repo.Publish()
	if _, err := s.good(t).Find(t.Context(), "found"); !errors.Is(err, tuf.ErrFormat) {
		t.Errorf("%v, want %v", err, tuf.ErrFormat)
	}
}
