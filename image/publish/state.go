package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

type (
	rootMetadata    = metadata.Metadata[metadata.RootType]
	targetsMetadata = metadata.Metadata[metadata.TargetsType]
)

// state is what a repository publishes, verified as a client would, but for
// expiry.
type state struct {
	*trustedmetadata.TrustedMetadata
	roots [][]byte // files, from version 1 on
}

// targets is what is published; nil: nothing yet.
func (s *state) targets() *targetsMetadata { return s.Targets[metadata.TARGETS] }

// load reads what is published. It is ErrNotPublished where there is nothing,
// or less than a client needs.
func (r *Repository) load() (*state, error) {
	roots, err := r.roots()
	if err != nil {
		return nil, err
	}
	s, err := r.verify(roots, time.Time{})
	if err == nil {
		return s, nil
	}
	// A release that was interrupted has written the root that is still staged,
	// and not yet what it vouches for.
	if len(roots) > 0 && r.stagedAlready(roots[len(roots)-1]) {
		return r.verify(roots[:len(roots)-1], time.Time{})
	}
	return nil, err
}

// current is what is published, and what is staged on top of it.
func (r *Repository) current() (*state, pending, error) {
	s, err := r.load()
	if err != nil {
		return nil, pending{}, err
	}
	p, err := r.pending(s)
	return s, p, err
}

// roots are the root files, from version 1 on.
func (r *Repository) roots() (list [][]byte, err error) {
	for {
		b, err := readBounded(r.path("metadata", versioned(len(list)+1, metadata.ROOT)), maxMetadata)
		if errors.Is(err, fs.ErrNotExist) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
}

func versioned[I int | int64](version I, role string) string {
	return fmt.Sprintf("%d.%s.json", version, role)
}

// verify does what a client does that knows the first root only. The zero time
// is before all expiry.
func (r *Repository) verify(roots [][]byte, now time.Time) (*state, error) {
	if len(roots) == 0 {
		return nil, fmt.Errorf("%s: %w: make it with publish init", r.Dir, ErrNotPublished)
	}
	return verify(roots, now, func(name string) ([]byte, error) {
		b, err := readBounded(r.path("metadata", name), maxMetadata)
		if errors.Is(err, fs.ErrNotExist) && name == timestampName {
			err = fmt.Errorf("%s: %w: end its first release with publish release", r.Dir, ErrNotPublished)
		}
		return b, err
	})
}

const timestampName = metadata.TIMESTAMP + ".json"

// verify verifies metadata that read gives, which need not be on the disk.
func verify(roots [][]byte, now time.Time, read func(name string) ([]byte, error)) (s *state, err error) {
	defer func() {
		if v := recover(); v != nil { // go-tuf cannot bear null in places
			s, err = nil, fmt.Errorf("the metadata is malformed: %v", v)
		}
	}()
	chain, err := trustedmetadata.New(roots[0])
	if err != nil {
		return nil, fmt.Errorf("the root to begin with: %w", err)
	}
	chain.RefTime = now
	for _, b := range roots[1:] {
		name := versioned(chain.Root.Signed.Version+1, metadata.ROOT)
		if _, err := chain.UpdateRoot(b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	step := func(name string, update func(b []byte) error) error {
		b, err := read(name)
		if err == nil {
			if err = update(b); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		return err
	}
	if err := step(timestampName, func(b []byte) error { _, err := chain.UpdateTimestamp(b); return err }); err != nil {
		return nil, err
	}
	name, err := named(chain.Timestamp.Signed.Meta, metadata.SNAPSHOT)
	if err != nil {
		return nil, err
	}
	if err := step(name, func(b []byte) error { _, err := chain.UpdateSnapshot(b, false); return err }); err != nil {
		return nil, err
	}
	if name, err = named(chain.Snapshot.Signed.Meta, metadata.TARGETS); err != nil {
		return nil, err
	}
	if err := step(name, func(b []byte) error { _, err := chain.UpdateTargets(b); return err }); err != nil {
		return nil, err
	}
	return &state{chain, roots}, nil
}

// named is the file that metadata names for a role.
func named(meta map[string]*metadata.MetaFiles, role string) (string, error) {
	m := meta[role+".json"]
	if m == nil {
		return "", fmt.Errorf("the metadata names no %s.json", role)
	}
	return versioned(m.Version, role), nil
}

// newest is the highest version that a role has a file of, published or left
// by an interrupted command; 0: none.
func (r *Repository) newest(role string) (version int64, err error) {
	files, err := os.ReadDir(r.path("metadata"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, f := range files {
		digits, rest, _ := strings.Cut(f.Name(), ".")
		if v, err := strconv.ParseInt(digits, 10, 64); err == nil && rest == role+".json" {
			version = max(version, v)
		}
	}
	return version, err
}
