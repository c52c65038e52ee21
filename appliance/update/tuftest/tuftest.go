// Package tuftest makes TUF repositories for tests, signed with go-tuf's own
// repository code, and serves them.
//
// They look like those of a publisher: consistent snapshots, root and targets
// signed by two of three keys each, timestamp and snapshot by one and the same.
package tuftest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// How long what is signed is valid.
const (
	RootDays    = 730
	TargetsDays = 365
	OnlineDays  = 14
)

// Repo is a repository. Its exported fields may be changed before what they
// say is signed; its methods are for one goroutine, but for those that serve.
type Repo struct {
	Now       time.Time // the publisher's clock
	Root      *metadata.Metadata[metadata.RootType]
	Timestamp *metadata.Metadata[metadata.TimestampType]
	Snapshot  *metadata.Metadata[metadata.SnapshotType]
	Targets   *metadata.Metadata[metadata.TargetsType]
	Keys      map[string][]ed25519.PrivateKey // of each role

	generation int
	content    map[string][]byte // target files by name

	mu    sync.Mutex
	files map[string][]byte // what is served
	asked []string
}

// New makes a repository whose version 1 of everything is published at a time,
// without target files. Its keys are the same each time.
func New(now time.Time) *Repo {
	r := &Repo{Now: now, Keys: map[string][]ed25519.PrivateKey{}, content: map[string][]byte{}, files: map[string][]byte{}}
	r.Root, r.Timestamp, r.Snapshot, r.Targets = metadata.Root(), metadata.Timestamp(), metadata.Snapshot(), metadata.Targets()
	for _, version := range []*int64{&r.Timestamp.Signed.Version, &r.Snapshot.Signed.Version, &r.Targets.Signed.Version, &r.Root.Signed.Version} {
		*version = 0
	}
	r.Rotate(metadata.ROOT, metadata.TARGETS, metadata.TIMESTAMP, metadata.SNAPSHOT)
	r.Publish()
	return r
}

// Initial is the first root.
func (r *Repo) Initial() []byte { return r.File("metadata/1.root.json") }

// Rotate gives roles new keys and publishes a new root that says so, signed by
// the old root's keys and the new one's. What the roles signed before has to
// be published again.
func (r *Repo) Rotate(roles ...string) {
	old := r.Keys[metadata.ROOT]
	r.generation++
	for _, role := range roles {
		n, name := 3, role
		if role == metadata.TIMESTAMP || role == metadata.SNAPSHOT {
			n, name = 1, "online"
		}
		for _, id := range slices.Clone(r.Root.Signed.Roles[role].KeyIDs) {
			must(0, r.Root.Signed.RevokeKey(id, role))
		}
		r.Keys[role] = nil
		for i := range n {
			k := key(name, r.generation, i)
			r.Keys[role] = append(r.Keys[role], k)
			must(0, r.Root.Signed.AddKey(must(metadata.KeyFromPublicKey(k.Public())), role))
		}
		r.Root.Signed.Roles[role].Threshold = (n + 1) / 2
	}
	r.PublishRoot(old...)
}

// PublishRoot publishes the next version of the root, signed by two of its own
// keys and by others.
func (r *Repo) PublishRoot(others ...ed25519.PrivateKey) {
	s := &r.Root.Signed
	s.Version++
	s.Expires = r.in(RootDays)
	s.UnrecognizedFields = map[string]any{"issued": r.Now.UTC().Format(time.RFC3339)}
	keys := slices.Clone(r.Keys[metadata.ROOT][:2])
	for _, k := range others {
		if !slices.ContainsFunc(keys, func(have ed25519.PrivateKey) bool { return have.Equal(k) }) {
			keys = append(keys, k)
		}
	}
	r.Put(fmt.Sprintf("metadata/%d.root.json", s.Version), Sign(r.Root, keys...))
}

// Add makes a file one of the targets that the next Publish signs.
func (r *Repo) Add(name string, b []byte) {
	r.content[name] = b
	r.Targets.Signed.Targets[name] = must(metadata.TargetFile().FromBytes(name, b, "sha256"))
}

// Publish publishes the next version of targets, snapshot and timestamp.
func (r *Repo) Publish() {
	s := &r.Targets.Signed
	s.Version++
	s.Expires = r.in(TargetsDays)
	s.UnrecognizedFields = map[string]any{"issued": r.Now.UTC().Format(time.RFC3339)}
	for name, b := range r.content {
		r.Put("targets/"+r.prefixed(name), b)
	}
	signed := Sign(r.Targets, r.Keys[metadata.TARGETS][:2]...)
	r.Put(r.versioned(metadata.TARGETS, s.Version), signed)
	r.Snapshot.Signed.Meta["targets.json"] = meta(s.Version, signed)
	r.PublishSnapshot()
}

// PublishSnapshot publishes the next version of snapshot and timestamp.
func (r *Repo) PublishSnapshot() {
	s := &r.Snapshot.Signed
	s.Version++
	s.Expires = r.in(OnlineDays)
	signed := Sign(r.Snapshot, r.Keys[metadata.SNAPSHOT]...)
	r.Put(r.versioned(metadata.SNAPSHOT, s.Version), signed)
	r.Timestamp.Signed.Meta["snapshot.json"] = meta(s.Version, signed)
	r.PublishTimestamp()
}

// PublishTimestamp publishes the next version of the timestamp.
func (r *Repo) PublishTimestamp() {
	s := &r.Timestamp.Signed
	s.Version++
	s.Expires = r.in(OnlineDays)
	r.Put("metadata/timestamp.json", Sign(r.Timestamp, r.Keys[metadata.TIMESTAMP]...))
}

// Sign signs metadata with keys, nothing else with it, and returns the file.
func Sign[T metadata.Roles](m *metadata.Metadata[T], keys ...ed25519.PrivateKey) []byte {
	m.ClearSignatures()
	for _, k := range keys {
		must(m.Sign(must(signature.LoadED25519Signer(k))))
	}
	return must(m.ToBytes(true))
}

// key is the i-th key of a generation of a role.
func key(role string, generation, i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "tuftest %s %d %d", role, generation, i))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (r *Repo) in(days int) time.Time { return r.Now.UTC().Truncate(time.Second).AddDate(0, 0, days) }

// versioned is the name of a role's file.
func (r *Repo) versioned(role string, version int64) string {
	if r.Root.Signed.ConsistentSnapshot {
		return fmt.Sprintf("metadata/%d.%s.json", version, role)
	}
	return "metadata/" + role + ".json"
}

// prefixed is the name of a target's file.
func (r *Repo) prefixed(name string) string {
	if !r.Root.Signed.ConsistentSnapshot {
		return name
	}
	dir, base := path.Split(name)
	return dir + r.Targets.Signed.Targets[name].Hashes["sha256"].String() + "." + base
}

func meta(version int64, b []byte) *metadata.MetaFiles {
	m := metadata.MetaFile(version)
	sum := sha256.Sum256(b)
	m.Length, m.Hashes = int64(len(b)), metadata.Hashes{"sha256": sum[:]}
	return m
}

// must is for what cannot fail with the keys and fields made here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Put serves b under a name, whatever it is; nil: nothing.
func (r *Repo) Put(name string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b == nil {
		delete(r.files, name)
		return
	}
	r.files[name] = b
}

// File is what is served under a name.
func (r *Repo) File(name string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[name]
}

// Files are all that is served. SetFiles serves others, such as older ones.
func (r *Repo) Files() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.files)
}

// SetFiles serves files instead of those that were served.
func (r *Repo) SetFiles(files map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = maps.Clone(files)
}

// Asked returns the names that were asked for since it was called last.
func (r *Repo) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *Repo) ask(name string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, name)
	b, ok := r.files[name]
	return b, ok
}

// Get implements tuf.Source, without any network.
func (r *Repo) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	b, ok := r.ask(name)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !ok:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%s: %d bytes, more than %d", name, len(b), limit)
	}
	return bytes.Clone(b), nil
}

// ServeHTTP implements http.Handler, with entity tags and ranges.
func (r *Repo) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	name := strings.TrimPrefix(q.URL.Path, "/")
	b, ok := r.ask(name)
	if !ok {
		http.NotFound(w, q)
		return
	}
	sum := sha256.Sum256(b)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(b))
}

// Serve serves over loopback until the test ends, and returns the URL.
func (r *Repo) Serve(t testing.TB) string {
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL + "/"
}
