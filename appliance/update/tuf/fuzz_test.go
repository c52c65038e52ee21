package tuf_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// instead is a Source that has something else under one name.
type instead struct {
	tuf.Source
	name string
	b    []byte
}

func (i instead) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if name == i.name {
		return i.b, nil
	}
	return i.Source.Get(ctx, name, limit)
}

// FuzzRefresh puts any bytes in the place of any file. Nothing panics, and
// what a station trusts is what the publisher has signed.
func FuzzRefresh(f *testing.F) {
	names := []string{"3.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"}
	signed := tuftest.New(day0)
	signed.Add(manifest, []byte("{}"))
	signed.PublishRoot()
	signed.Publish()
	initial, files := signed.Initial(), signed.Files()
	for i, name := range names {
		for _, like := range []string{"2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", "1.targets.json"} {
			f.Add(uint8(i), files["metadata/"+like])
		}
		f.Add(uint8(i), []byte(`{"signed":{"_type":"timestamp","spec_version":"1.0","version":9,"meta":{"snapshot.json":null}}}`))
		f.Add(uint8(i), []byte(name))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		s := &station{store: newMemory(), first: initial, now: day0}
		trusted, err := s.refreshFrom(instead{signed, "metadata/" + names[int(which)%len(names)], b})
		if err == nil {
			wantVersions(t, trusted, [4]int64{2, 2, 2, 2})
		}
		for kept, got := range s.store.files {
			if !known(files, got) && !sameTimestamp(files["metadata/timestamp.json"], got) {
				t.Errorf("%s is kept, which nobody has signed: %q", kept, got)
			}
		}
	})
}

func known(files map[string][]byte, b []byte) bool {
	for _, have := range files {
		if bytes.Equal(have, b) {
			return true
		}
	}
	return false
}

// sameTimestamp says whether two files say the same: signatures are over the
// canonical form, and no hash of the timestamp is signed.
func sameTimestamp(a, b []byte) bool {
	var signed [2][]byte
	for i, b := range [][]byte{a, b} {
		m, err := metadata.Timestamp().FromBytes(b)
		if err != nil {
			return false
		}
		if signed[i], err = json.Marshal(m.Signed); err != nil {
			return false
		}
	}
	return bytes.Equal(signed[0], signed[1])
}

// FuzzSigned has the publisher sign anything that go-tuf can read as metadata:
// where signatures no longer help, nothing panics.
func FuzzSigned(f *testing.F) {
	signed := tuftest.New(day0)
	for i, m := range []any{signed.Root.Signed, signed.Timestamp.Signed, signed.Snapshot.Signed, signed.Targets.Signed} {
		b, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	f.Add(uint8(1), []byte(`{"_type":"timestamp","spec_version":"1.0.0","version":2,"meta":{"snapshot.json":{"version":-1}}}`))
	f.Add(uint8(3), []byte(`{"_type":"targets","spec_version":"1.0.0","version":1,"targets":{"x":{"length":-1,"hashes":{"a":""}}}}`))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		b = fmt.Appendf(nil, `{"signatures":[],"signed":%s}`, b)
		name, kept := "", map[string][]byte{"root.json": signed.Initial()}
		switch which % 4 {
		case 0:
			name, b = "metadata/2.root.json", resign(metadata.Root(), b, signed.Keys[metadata.ROOT])
		case 1:
			name, b = "metadata/timestamp.json", resign(metadata.Timestamp(), b, signed.Keys[metadata.TIMESTAMP])
		case 2:
			name, b = "metadata/1.snapshot.json", resign(metadata.Snapshot(), b, signed.Keys[metadata.SNAPSHOT])
			kept["snapshot.json"] = b // where no hash is asked for
		case 3:
			name, b = "metadata/1.targets.json", resign(metadata.Targets(), b, signed.Keys[metadata.TARGETS])
		}
		if b == nil {
			return
		}
		s := &station{store: &memory{kept, -1}, now: day0}
		trusted, err := s.refreshFrom(instead{signed, name, b})
		if err == nil {
			_, _ = trusted.Find(t.Context(), "x")
			_, _ = trusted.Target("x")
		}
	})
}

// resign signs what b says; nil: go-tuf cannot.
func resign[T metadata.Roles](m *metadata.Metadata[T], b []byte, keys []ed25519.PrivateKey) (out []byte) {
	defer func() {
		if recover() != nil {
			out = nil // it is our step that has to cope with this, not the publisher's
		}
	}()
	if _, err := m.FromBytes(b); err != nil {
		return nil
	}
	return tuftest.Sign(m, keys...)
}

// FuzzKept puts any bytes in the place of what is kept. The station gets well.
func FuzzKept(f *testing.F) {
	s := newStation()
	s.repo.Publish()
	if _, err := s.refreshFrom(s.repo); err != nil {
		f.Fatal(err)
	}
	kept, files, initial := s.store.files, s.repo.Files(), s.first
	names := []string{"root.json", "timestamp.json", "snapshot.json", "targets.json"}
	for i := range names {
		for _, b := range kept {
			f.Add(uint8(i), b)
		}
		f.Add(uint8(i), []byte("{}"))
	}
	r := tuftest.New(day0)
	r.SetFiles(files)
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		s := &station{repo: r, store: newMemory(), first: initial, now: day0.Add(time.Hour)}
		s.store.files = maps.Clone(kept)
		s.store.files[names[int(which)%len(names)]] = b
		trusted, err := s.refreshFrom(r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		wantVersions(t, trusted, [4]int64{1, 2, 2, 2})
	})
}
