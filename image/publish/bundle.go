package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/bundle"
	"github.com/truechimer/truechimer/image/artifact"
)

// Bundle writes what is published for a board and channel into one file, for
// stations without a network, and returns the version in it. What has expired is
// not written: no station would take it.
func (r *Repository) Bundle(ctx context.Context, board, channel, file string) (version string, err error) {
	if !strings.HasSuffix(file, bundle.Ending) {
		return "", fmt.Errorf("%s: stations look for a name that ends in %s", file, bundle.Ending)
	}
	s, err := r.load()
	if err != nil {
		return "", err
	}
	if s, err = r.verify(s.roots, r.now()); err != nil {
		return "", err
	}
	name := targetName(channel, board)
	m, err := r.manifest(s.targets(), name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", r.Dir, err)
	}
	if err := r.checkPack(ctx, m); err != nil {
		return "", fmt.Errorf("%s: %w", m.Pack.Name, err)
	}
	var files []bundle.File
	for i, b := range s.roots {
		files = append(files, held("metadata/"+versioned(i+1, metadata.ROOT), b))
	}
	snapshot, err := named(s.Timestamp.Signed.Meta, metadata.SNAPSHOT)
	if err != nil {
		return "", err
	}
	targets, err := named(s.Snapshot.Signed.Meta, metadata.TARGETS)
	if err != nil {
		return "", err
	}
	for _, name := range []string{timestampName, snapshot, targets} {
		b, err := readBounded(r.path("metadata", name), maxMetadata)
		if err != nil {
			return "", err
		}
		files = append(files, held("metadata/"+name, b))
	}
	manifest := targetFile(name, s.targets().Signed.Targets[name].Hashes["sha256"])
	b, err := readBounded(r.path(manifest), artifact.MaxManifest)
	if err != nil {
		return "", err
	}
	files = append(files, held(manifest, b), bundle.File{Name: m.Pack.Name, Size: m.Pack.Size, Open: func() (io.ReadCloser, error) {
		return os.Open(r.path(m.Pack.Name))
	}})
	t, err := newTemp(filepath.Dir(file), 0o644)
	if err != nil {
		return "", err
	}
	defer t.drop()
	if err := bundle.Write(t, files); err != nil {
		return "", err
	}
	return m.Version, t.keep(file)
}

func held(name string, b []byte) bundle.File {
	return bundle.File{Name: name, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}
