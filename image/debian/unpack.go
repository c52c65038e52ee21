package debian

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// NewStore keeps packages in the user's cache; what lies in the directories
// beside is taken first.
func NewStore(beside []string, log func(string, ...any)) (*Store, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("a cache for Debian's packages: %w", err)
	}
	return &Store{Cache: filepath.Join(dir, "truechimer", "packages"), Beside: beside, Log: log}, nil
}

// Unpacked gives the directory that each pin's files are in. A package is
// unpacked once, into the cache; nobody but this cache's owner can write there.
func (s *Store) Unpacked(ctx context.Context, pins ...Pin) (map[Pin]string, error) {
	dirs := make(map[Pin]string)
	var missing []Pin
	for _, p := range pins {
		if err := p.check(); err != nil {
			return nil, err
		}
		dirs[p] = filepath.Join(s.Cache, "unpacked", p.SHA256)
		if _, err := os.Stat(dirs[p]); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return dirs, nil
	}
	files, err := s.Get(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for p, file := range files {
		if s.Log != nil {
			s.Log("unpacking %s", p)
		}
		if err := unpackInto(dirs[p], file); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return dirs, nil
}

// unpackInto unpacks beside dir and moves it there whole, so that a run cut
// short leaves nothing that looks complete.
func unpackInto(dir, file string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := Unpack(file, part); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return err
		} // else another run was faster
	}
	return nil
}

// Unpack writes a package's files and symbolic links below dir, which exists.
// Nothing is written outside of it, whatever names and links say.
func Unpack(file, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return Walk(file, func(h *tar.Header, r io.Reader) error {
		name := filepath.FromSlash(h.Name)
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeSymlink {
			return nil // directories come with their files
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeSymlink {
			err := root.Symlink(h.Linkname, name)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s comes twice", h.Name)
			}
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	})
}
