package tuf_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// mirrors is a Source of several, of which it asks one until told otherwise.
type mirrors struct {
	all []tuf.Source
	at  int
}

func (m *mirrors) Mirrors() int { return len(m.all) }
func (m *mirrors) Next()        { m.at = (m.at + 1) % len(m.all) }
func (m *mirrors) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	return m.all[m.at].Get(ctx, name, limit)
}

// A mirror that is stale or lies costs a round, no more.
func TestMirrors(t *testing.T) {
	s := newStation()
	s.repo.Add(manifest, []byte("{}"))
	s.repo.Publish()
	stale := tuftest.New(day0)
	stale.SetFiles(s.repo.Files())
	s.repo.Publish()
	s.good(t)
	s.repo.Publish()
	liar := tuftest.New(day0)
	liar.SetFiles(map[string][]byte{"metadata/timestamp.json": []byte("welcome")})

	m := &mirrors{all: []tuf.Source{stale, liar, s.repo}}
	trusted, err := s.refreshFrom(m)
	if err != nil {
		t.Fatal(err)
	}
	wantVersions(t, trusted, [4]int64{1, 4, 4, 4})
	if m.at != 2 {
		t.Errorf("mirror %d is asked, want 2", m.at)
	}

	// The same for a file.
	m.at = 1
	target, err := trusted.Target(manifest)
	if err != nil {
		t.Fatal(err)
	}
	liar.Put(target.Path, []byte("[]"))
	var b strings.Builder
	if err := trusted.Download(t.Context(), manifest, &b); err != nil || b.String() != "{}" {
		t.Errorf("%q, %v", b.String(), err)
	}

	m = &mirrors{all: []tuf.Source{stale, liar}}
	if _, err := s.refreshFrom(m); !errors.Is(err, tuf.ErrRollback) || !errors.Is(err, tuf.ErrFormat) {
		t.Errorf("%v, want what was wrong with each", err)
	}
}

// at is a place in a JSON document.
func at(doc map[string]any, path ...string) map[string]any {
	for _, p := range path {
		doc = doc[p].(map[string]any)
	}
	return doc
}

// Metadata that their own keys have signed, but that lack what is looked for.
func TestShape(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		spoil func(signed map[string]any)
	}{
		"a null role":         {"2.root.json", func(s map[string]any) { at(s, "roles")["targets"] = nil }},
		"a null key":          {"2.root.json", func(s map[string]any) { at(s, "keys")["x"] = nil }},
		"no timestamp role":   {"2.root.json", func(s map[string]any) { delete(at(s, "roles"), "timestamp") }},
		"no snapshot named":   {"timestamp.json", func(s map[string]any) { s["meta"] = map[string]any{} }},
		"a null snapshot":     {"timestamp.json", func(s map[string]any) { at(s, "meta")["snapshot.json"] = nil }},
		"a list of snapshots": {"timestamp.json", func(s map[string]any) { s["meta"] = []any{} }},
		"a number":            {"timestamp.json", func(s map[string]any) { at(s, "meta")["snapshot.json"] = 7 }},
		"version 0":           {"timestamp.json", func(s map[string]any) { s["version"] = 0 }},
		"version 1.5":         {"timestamp.json", func(s map[string]any) { s["version"] = 1.5 }},
		"version 1e30":        {"timestamp.json", func(s map[string]any) { s["version"] = 1e30 }},
		"specification 2":     {"timestamp.json", func(s map[string]any) { s["spec_version"] = "2.0.0" }},
		"no specification":    {"timestamp.json", func(s map[string]any) { delete(s, "spec_version") }},
		"no date":             {"timestamp.json", func(s map[string]any) { s["expires"] = "never" }},
		"another type":        {"timestamp.json", func(s map[string]any) { s["_type"] = "root" }},
		"an unknown type":     {"timestamp.json", func(s map[string]any) { s["_type"] = "mirrors" }},
		"no targets named":    {"1.snapshot.json", func(s map[string]any) { s["meta"] = map[string]any{} }},
		"a null target":       {"1.targets.json", func(s map[string]any) { s["targets"] = map[string]any{"x": nil} }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation()
			s.good(t)
			files := s.repo.Files()
			if c.file == "2.root.json" {
				files["metadata/2.root.json"] = files["metadata/1.root.json"]
			}
			var doc map[string]any
			if err := json.Unmarshal(files["metadata/"+c.file], &doc); err != nil {
				t.Fatal(err)
			}
			c.spoil(at(doc, "signed"))
			b, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			s.repo.Put("metadata/"+c.file, b)
			if strings.Contains(c.file, "1.") {
				s.store.files = map[string][]byte{"root.json": s.store.files["root.json"]}
				sign(s.repo, c.file, b)
			}
			s.bad(t, tuf.ErrFormat, "timestamp.json", "snapshot.json")
		})
	}
}

// sign makes the timestamp and the snapshot name a file without hashes.
func sign(r *tuftest.Repo, file string, b []byte) {
	if file == "1.targets.json" {
		r.Snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(1)
		r.PublishSnapshot()
		return
	}
	r.Timestamp.Signed.Meta["snapshot.json"] = metadata.MetaFile(1)
	r.PublishTimestamp()
}

// A key of the wrong length makes the standard library panic, which must not
// reach anybody.
func TestKeyOfWrongLength(t *testing.T) {
	s := newStation()
	for _, k := range s.repo.Root.Signed.Keys {
		k.Value.PublicKey = k.Value.PublicKey[:20]
	}
	s.first = tuftest.Sign(s.repo.Root, s.repo.Keys[metadata.ROOT]...)
	s.bad(t, tuf.ErrFormat)
}

// What has to be compared with each other is bounded.
func TestManySignatures(t *testing.T) {
	s := newStation()
	var doc map[string]any
	if err := json.Unmarshal(s.first, &doc); err != nil {
		t.Fatal(err)
	}
	list := doc["signatures"].([]any)
	for range 100 {
		list = append(list, list[0])
	}
	doc["signatures"] = list
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	s.repo.Put("metadata/2.root.json", b)
	if _, err := s.refreshFrom(s.repo); !errors.Is(err, tuf.ErrFormat) || !strings.Contains(err.Error(), "102 signatures") {
		t.Errorf("%v", err)
	}
}

// So is what is made of a file in memory.
func TestManyValues(t *testing.T) {
	for _, junk := range []string{strings.Repeat("[", 9000) + strings.Repeat("]", 9000), "[0" + strings.Repeat(",0", 9000) + "]"} {
		s := newStation()
		s.repo.Put("metadata/2.root.json", bytes.Replace(s.first, []byte(`"signed": {`), []byte(`"signed": {"x": `+junk+`,`), 1))
		if _, err := s.refreshFrom(s.repo); !errors.Is(err, tuf.ErrFormat) || !strings.Contains(err.Error(), "values") {
			t.Errorf("%v", err)
		}
	}
}
