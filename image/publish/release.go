package publish

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// file is one that is about to be published.
type file struct {
	name string // below metadata
	b    []byte
}

// Release publishes what is staged and has enough signatures, with snapshot
// and timestamp signed by the online key. Everything is verified before
// anything is written, as a client would. ErrThreshold says that signatures
// are missing.
//
// Before the first release, root and targets are both staged; later one of
// them, or both.
func (r *Repository) Release(ctx context.Context, online ed25519.PrivateKey) error {
	s, err := r.load()
	if err != nil && !errors.Is(err, ErrNotPublished) {
		return err
	}
	p, err := r.pending(s)
	if err != nil {
		return err
	}
	if p.root == nil && p.targets == nil {
		return r.nothingStaged()
	}
	if err := complete(s, p); err != nil {
		return fmt.Errorf("%s: %w", r.path("staged"), err)
	}
	next, files, err := r.next(s, p, online)
	if err != nil {
		return err
	}
	var old *targetsMetadata
	if s != nil {
		old = s.targets()
	}
	if err := r.checkTargets(ctx, next.targets(), old); err != nil {
		return err
	}
	for _, f := range files {
		if err := r.write(r.path("metadata", f.name), f.b); err != nil {
			return err
		}
	}
	r.log("released: root %d, targets %d, snapshot %d, timestamp %d", next.Root.Signed.Version,
		next.targets().Signed.Version, next.Snapshot.Signed.Version, next.Timestamp.Signed.Version)
	return r.unstage()
}

// nothingStaged ends a release that was interrupted at its very end.
func (r *Repository) nothingStaged() error {
	if exists(r.staged(metadata.ROOT)) || exists(r.staged(metadata.TARGETS)) {
		r.log("released already")
		return r.unstage()
	}
	return fmt.Errorf("%s: %w: add a release with publish add, or change keys with publish rotate", r.path("staged"), errNothingStaged)
}

var errNothingStaged = errors.New("nothing is staged")

func (r *Repository) unstage() error {
	return errors.Join(r.remove(r.staged(metadata.ROOT)), r.remove(r.staged(metadata.TARGETS)))
}

// complete says whether everything staged has its signatures.
func complete(s *state, p pending) error {
	var all []Progress
	if p.root != nil {
		all = append(all, progress(metadata.ROOT, voters(s, p, metadata.ROOT), p.root))
	}
	if p.targets != nil {
		all = append(all, progress(metadata.TARGETS, voters(s, p, metadata.TARGETS), p.targets))
	}
	for _, g := range all {
		if g.Missing > 0 {
			return fmt.Errorf("%s.json: %w: %d more, with publish sign -role %s", g.Role, ErrThreshold, g.Missing, g.Role)
		}
	}
	return nil
}

// next is what a client will see, and the files for it in the order in which
// they have to appear.
func (r *Repository) next(s *state, p pending, online ed25519.PrivateKey) (*state, []file, error) {
	var files []file
	var roots [][]byte
	if s != nil {
		roots = slices.Clone(s.roots)
	}
	if p.root != nil {
		b, err := p.root.ToBytes(true)
		if err != nil {
			return nil, nil, err
		}
		roots = append(roots, b)
		files = append(files, file{versioned(p.root.Signed.Version, metadata.ROOT), b})
	}
	if len(roots) == 0 {
		return nil, nil, fmt.Errorf("%s: %w: there is no root; begin anew with publish init", r.Dir, ErrNotPublished)
	}
	targets := p.targets
	if targets == nil {
		if s == nil {
			return nil, nil, fmt.Errorf("%s is missing: begin anew with publish init", r.staged(metadata.TARGETS))
		}
		targets = s.targets()
	}
	b, err := targets.ToBytes(true)
	if err != nil {
		return nil, nil, err
	}
	if p.targets != nil {
		files = append(files, file{versioned(targets.Signed.Version, metadata.TARGETS), b})
	} else if b, err = readBounded(r.path("metadata", versioned(targets.Signed.Version, metadata.TARGETS)), maxMetadata); err != nil {
		return nil, nil, err
	}
	if err := checkOnline(roots[len(roots)-1], online); err != nil {
		return nil, nil, err
	}
	more, err := r.onlineFiles(s, metaFile(targets.Signed.Version, b), online)
	if err != nil {
		return nil, nil, err
	}
	files = append(files, more...)
	next, err := verify(roots, r.now(), r.reader(files))
	if err != nil {
		return nil, nil, fmt.Errorf("what would be published is not valid: %w", err)
	}
	return next, files, nil
}

// checkOnline says whether a key is the one that a root names as the online key.
func checkOnline(root []byte, key ed25519.PrivateKey) error {
	m, err := parse[metadata.RootType](metadata.ROOT, root)
	if err != nil {
		return err
	}
	public, err := metadata.KeyFromPublicKey(key.Public())
	if err != nil {
		return err
	}
	id, err := public.ID()
	if err != nil {
		return err
	}
	if want := m.Signed.Roles[metadata.TIMESTAMP].KeyIDs; !slices.Contains(want, id) {
		return fmt.Errorf("key %s: %w: root %d has another online key", short(id), ErrWrongKey, m.Signed.Version)
	}
	return nil
}

// reader reads what is about to be published, and beside it what is.
func (r *Repository) reader(files []file) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		for _, f := range files {
			if f.name == name {
				return f.b, nil
			}
		}
		return readBounded(r.path("metadata", name), maxMetadata)
	}
}

// metaFile is how snapshot and timestamp name a file: with its hash and
// length, so that clients know how much to fetch.
func metaFile(version int64, b []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(b)
	return &metadata.MetaFiles{Version: version, Length: int64(len(b)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// onlineFiles are a new snapshot of targets and the timestamp of it.
func (r *Repository) onlineFiles(s *state, targets *metadata.MetaFiles, online ed25519.PrivateKey) ([]file, error) {
	version, err := r.newest(metadata.SNAPSHOT)
	if err != nil {
		return nil, err
	}
	if s != nil {
		version = max(version, s.Snapshot.Signed.Version)
	}
	// A file that an interrupted command left has perhaps been copied to a
	// server already: its name is not used again.
	version++
	snapshot := metadata.Snapshot(r.now().Add(OnlineExpiry))
	snapshot.Signed.Version = version
	snapshot.Signed.Meta = map[string]*metadata.MetaFiles{metadata.TARGETS + ".json": targets}
	if err := addSignature(snapshot, online); err != nil {
		return nil, err
	}
	b, err := snapshot.ToBytes(true)
	if err != nil {
		return nil, err
	}
	t, err := r.timestampFile(s, metaFile(version, b), online)
	return []file{{versioned(version, metadata.SNAPSHOT), b}, t}, err
}

func (r *Repository) timestampFile(s *state, snapshot *metadata.MetaFiles, online ed25519.PrivateKey) (file, error) {
	t := metadata.Timestamp(r.now().Add(OnlineExpiry))
	if s != nil {
		t.Signed.Version = s.Timestamp.Signed.Version + 1
	}
	t.Signed.Meta = map[string]*metadata.MetaFiles{metadata.SNAPSHOT + ".json": snapshot}
	if err := addSignature(t, online); err != nil {
		return file{}, err
	}
	b, err := t.ToBytes(true)
	return file{timestampName, b}, err
}

// Timestamp says anew that what is published is what is newest: to be called
// every day. The snapshot is made anew when half of its time is over.
func (r *Repository) Timestamp(online ed25519.PrivateKey) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	if v, err := r.newest(metadata.ROOT); err != nil || v != s.Root.Signed.Version {
		return errors.Join(err, fmt.Errorf("%s: a release was interrupted: end it with publish release", r.Dir))
	}
	if err := checkOnline(s.roots[len(s.roots)-1], online); err != nil {
		return err
	}
	var files []file
	if s.Snapshot.Signed.Expires.Sub(r.now()) < OnlineExpiry/2 {
		files, err = r.onlineFiles(s, s.Snapshot.Signed.Meta[metadata.TARGETS+".json"], online)
	} else {
		var t file
		t, err = r.timestampFile(s, s.Timestamp.Signed.Meta[metadata.SNAPSHOT+".json"], online)
		files = []file{t}
	}
	if err != nil {
		return err
	}
	next, err := verify(s.roots, r.now(), r.reader(files))
	if err != nil {
		return fmt.Errorf("what would be published is not valid: %w", err)
	}
	for _, f := range files {
		if err := r.write(r.path("metadata", f.name), f.b); err != nil {
			return err
		}
	}
	r.log("timestamp %d is valid until %s", next.Timestamp.Signed.Version, next.Timestamp.Signed.Expires.Format(time.DateOnly))
	for _, line := range next.endings(r.now()) {
		r.log("%s", line)
	}
	return nil
}

// soon is how long before it expires people are told to renew metadata.
const soon = 60 * 24 * time.Hour

// endings say which offline-signed metadata will expire soon.
func (s *state) endings(now time.Time) (list []string) {
	for _, m := range []struct {
		name, way string
		expires   time.Time
	}{
		{"root", "publish rotate", s.Root.Signed.Expires},
		{"targets", "publish add, or publish rotate", s.targets().Signed.Expires},
	} {
		if m.expires.Sub(now) < soon {
			list = append(list, fmt.Sprintf("the %s metadata expires on %s, and no station updates after that: renew it with %s", m.name, m.expires.Format(time.DateOnly), m.way))
		}
	}
	return list
}

// sameSigned says whether two files of metadata say the same, whoever signed.
func sameSigned[T metadata.Roles](a, b *metadata.Metadata[T]) bool {
	x, errX := (&metadata.Metadata[T]{Signed: a.Signed}).ToBytes(false)
	y, errY := (&metadata.Metadata[T]{Signed: b.Signed}).ToBytes(false)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// stagedAlready says whether a root on the disk is the one that is staged.
func (r *Repository) stagedAlready(b []byte) bool {
	staged, err := readStaged[metadata.RootType](r, metadata.ROOT)
	if err != nil || staged == nil {
		return false
	}
	root, err := parse[metadata.RootType](metadata.ROOT, b)
	return err == nil && sameSigned(staged, root)
}
