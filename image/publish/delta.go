package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/artifact/delta"
)

// LastReleases is how many releases back there are deltas from.
const LastReleases = 3

// minSaving is how many bytes a delta has to save against the chunks that a
// station lacks: less is not worth a file.
const minSaving = 64 << 10

// Deltas makes the differences between a channel's last releases for a board
// and the one that is staged, and stages that with them: to be called after
// Add and before anybody signs. It takes a while and much memory (see
// delta.Diff).
func (r *Repository) Deltas(ctx context.Context, board, channel string) error {
	s, p, err := r.current()
	if err != nil {
		return err
	}
	name := targetName(channel, board)
	if p.targets == nil {
		return fmt.Errorf("%s: %w: add a release with publish add", r.path("staged"), errNothingStaged)
	}
	m, err := r.manifest(p.targets, name)
	if err != nil {
		return err
	}
	former, err := r.former(s, name, m.Version)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "truechimer-delta-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	m.Deltas = nil
	for _, old := range former {
		for _, pair := range pairs(old, m) {
			if len(m.Deltas) == artifact.MaxDeltas {
				break
			}
			d, err := r.delta(ctx, tmp, old, m, pair)
			if err != nil {
				return fmt.Errorf("from %s: %w", old.Version, err)
			}
			if d == nil {
				continue
			}
			r.log("from %s: %.2f MB instead of %.2f MB", old.Version, float64(d.File.Size)/1e6, float64(pair.missing)/1e6)
			m.Deltas = append(m.Deltas, *d)
		}
	}
	_, err = r.addManifest(s, p, name, m)
	return err
}

// former are the last releases of a target before a version, the newest first.
// What is not in the repository any more is passed over.
func (r *Repository) former(s *state, name, before string) (list []*artifact.Manifest, err error) {
	for t := s.targets(); t != nil && len(list) < LastReleases; t, err = r.before(t) {
		m, err := r.manifest(t, name)
		if err != nil || !exists(r.path(m.Pack.Name)) || semver.Compare("v"+m.Version, "v"+before) >= 0 {
			continue
		}
		if !slices.ContainsFunc(list, func(o *artifact.Manifest) bool { return o.Version == m.Version }) {
			list = append(list, m)
		}
	}
	return list, err
}

// objectPair is what a station has, and what a new release has in its place.
type objectPair struct {
	from, to int   // objects of the old and of the new release
	missing  int64 // bytes of chunks to fetch without a delta
}

// pairs are the objects that a delta may save something for, the largest
// savings first. A station runs from one slot and writes the other.
func pairs(old, m *artifact.Manifest) (list []objectPair) {
	have := make(map[artifact.Sum]bool)
	for _, c := range old.Chunks {
		have[c.Sum] = true
	}
	add := func(from, to int) {
		p := objectPair{from: from, to: to}
		for _, c := range m.ObjectChunks(to) {
			if !have[c.Sum] {
				p.missing += int64(c.Packed)
			}
		}
		same := func(o objectPair) bool { return o.from == from && o.to == to }
		if p.missing > minSaving && old.Objects[from].Size > 0 && !slices.ContainsFunc(list, same) {
			list = append(list, p)
		}
	}
	add(old.Root, m.Root)
	for running, written := range map[string]string{"a": "b", "b": "a"} {
		at := make(map[string]int)
		for _, f := range old.Slots[running] {
			at[f.Path] = f.Object
		}
		for _, f := range m.Slots[written] {
			if from, ok := at[f.Path]; ok {
				add(from, f.Object)
			}
		}
	}
	slices.SortFunc(list, func(a, b objectPair) int {
		return cmp.Or(cmp.Compare(b.missing, a.missing), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	return list
}

// delta makes one, or returns nil where it would save too little.
func (r *Repository) delta(ctx context.Context, tmp string, old, m *artifact.Manifest, p objectPair) (*artifact.Delta, error) {
	from, err := r.unpacked(tmp, old, p.from)
	if err != nil {
		return nil, err
	}
	to, err := r.unpacked(tmp, m, p.to)
	if err != nil {
		return nil, err
	}
	t, err := newTemp(r.path("files"), 0o644)
	if err != nil {
		return nil, err
	}
	defer t.drop()
	sum := sha256.New()
	if err := delta.Diff(ctx, io.MultiWriter(t, sum), from, to); err != nil {
		return nil, err
	}
	size, err := t.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	if p.missing-size < minSaving {
		return nil, nil
	}
	o := old.Objects[p.from]
	d := &artifact.Delta{From: o.Sum, FromSize: o.Size, To: p.to, Sum: artifact.Sum(sum.Sum(nil))}
	d.File = artifact.File{Name: artifact.DeltaName(d.Sum), Size: size}
	if err := t.keep(r.path(d.File.Name)); err != nil {
		return nil, err
	}
	return d, r.changed(r.path(d.File.Name))
}

// unpacked is a file with an object's content, by its hash.
func (r *Repository) unpacked(dir string, m *artifact.Manifest, object int) (name string, err error) {
	name = filepath.Join(dir, m.Objects[object].Sum.String())
	if exists(name) {
		return name, nil
	}
	pack, err := os.Open(r.path(m.Pack.Name))
	if err != nil {
		return "", err
	}
	defer pack.Close()
	t, err := newTemp(dir, 0o600)
	if err != nil {
		return "", err
	}
	defer t.drop()
	if err := unpackObject(t, pack, m, object); err != nil {
		return "", fmt.Errorf("%s: %w", path.Base(m.Pack.Name), err)
	}
	return name, t.keep(name)
}
