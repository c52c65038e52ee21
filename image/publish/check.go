package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/image/artifact"
)

// checkTargets verifies the manifest and the files of every target that old
// does not have.
func (r *Repository) checkTargets(ctx context.Context, t, old *targetsMetadata) error {
	for _, name := range slices.Sorted(maps.Keys(t.Signed.Targets)) {
		if old != nil {
			if have := old.Signed.Targets[name]; have != nil && have.Equal(*t.Signed.Targets[name]) {
				continue
			}
		}
		m, err := r.manifest(t, name)
		if err == nil {
			err = r.checkFiles(ctx, m)
		}
		if err != nil {
			return fmt.Errorf("%s: %w; if it is damaged, stage it again with publish add", name, err)
		}
	}
	return nil
}

// checkFiles verifies the files that a manifest names, and unpacks everything
// that the release is made of.
func (r *Repository) checkFiles(ctx context.Context, m *artifact.Manifest) error {
	if err := r.checkPack(ctx, m); err != nil {
		return fmt.Errorf("%s: %w", m.Pack.Name, err)
	}
	for _, d := range m.Deltas {
		if err := r.checkDelta(d); err != nil {
			return fmt.Errorf("%s: %w", d.File.Name, err)
		}
	}
	return nil
}

func (r *Repository) checkDelta(d artifact.Delta) error {
	f, err := os.Open(r.path(d.File.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	return checkWhole(f, d.File, artifact.DeltaName)
}

// checkWhole verifies that a file is the one that its name and size tell.
func checkWhole(r io.Reader, want artifact.File, name func(artifact.Sum) string) error {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return err
	}
	if sum := artifact.Sum(h.Sum(nil)); n != want.Size || name(sum) != want.Name {
		return fmt.Errorf("%d bytes, %v: %w", n, sum, artifact.ErrDamaged)
	}
	return nil
}

func (r *Repository) checkPack(ctx context.Context, m *artifact.Manifest) error {
	f, err := os.Open(r.path(m.Pack.Name))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkWhole(f, m.Pack, artifact.PackName); err != nil {
		return err
	}
	for i, o := range m.Objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		h := sha256.New()
		if err := unpackObject(h, f, m, i); err != nil {
			return fmt.Errorf("object %d: %w", i, err)
		}
		if artifact.Sum(h.Sum(nil)) != o.Sum {
			return fmt.Errorf("object %d: %w", i, artifact.ErrDamaged)
		}
	}
	return nil
}

// unpackObject writes an object of a pack.
func unpackObject(w io.Writer, pack io.ReaderAt, m *artifact.Manifest, object int) error {
	packed := make([]byte, artifact.MaxPacked)
	raw := make([]byte, 0, artifact.ChunkSize)
	for _, c := range m.ObjectChunks(object) {
		if _, err := pack.ReadAt(packed[:c.Packed], c.Offset); err != nil {
			return err
		}
		b, err := artifact.Unpack(raw, packed[:c.Packed], c)
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// Check verifies everything that is published as a client does that begins
// with a root.json, nil: the first one. It goes on after an error and returns
// all. The lines are for people.
func (r *Repository) Check(ctx context.Context, root []byte) (lines []string, err error) {
	roots, err := r.roots()
	if err != nil {
		return nil, err
	}
	if root != nil {
		if roots, err = after(roots, root); err != nil {
			return nil, err
		}
	}
	s, err := r.verify(roots, r.now())
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		role    string
		version int64
		expires time.Time
	}{
		{metadata.ROOT, s.Root.Signed.Version, s.Root.Signed.Expires},
		{metadata.TIMESTAMP, s.Timestamp.Signed.Version, s.Timestamp.Signed.Expires},
		{metadata.SNAPSHOT, s.Snapshot.Signed.Version, s.Snapshot.Signed.Expires},
		{metadata.TARGETS, s.targets().Signed.Version, s.targets().Signed.Expires},
	} {
		lines = append(lines, fmt.Sprintf("%s %d is valid until %s", m.role, m.version, m.expires.Format(time.DateOnly)))
	}
	lines = append(lines, s.endings(r.now())...)
	for _, name := range slices.Sorted(maps.Keys(s.targets().Signed.Targets)) {
		m, e := r.manifest(s.targets(), name)
		if e == nil {
			e = r.checkFiles(ctx, m)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %d objects in %.1f MB", name, m.Version, len(m.Objects), float64(m.Pack.Size)/1e6))
	}
	return lines, err
}

// after is the chain of roots from one that somebody trusts on.
func after(roots [][]byte, trusted []byte) ([][]byte, error) {
	root, err := parse[metadata.RootType]("the root to begin with", trusted)
	if err != nil {
		return nil, err
	}
	v := root.Signed.Version
	if v < 1 || v > int64(len(roots)) {
		return nil, fmt.Errorf("the root to begin with is version %d, the repository has %d", v, len(roots))
	}
	return append([][]byte{trusted}, roots[v:]...), nil
}
