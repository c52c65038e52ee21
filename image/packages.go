package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/image/debian"
)

// packageStore unpacks Debian packages, once each.
type packageStore struct {
	debian.Store
}

// newPackageStore keeps packages in the user's cache; what lies in the
// directories beside is taken first.
func newPackageStore(beside []string, log func(string, ...any)) (*packageStore, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return &packageStore{debian.Store{Cache: filepath.Join(cache, "packages"), Beside: beside, Log: log}}, nil
}

// unpacked gives the directory that a package's files are in.
func (s *packageStore) unpacked(ctx context.Context, pin debian.Pin) (string, error) {
	dir := filepath.Join(s.Cache, "unpacked", pin.SHA256)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	files, err := s.Get(ctx, pin)
	if err != nil {
		return "", err
	}
	if s.Log != nil {
		s.Log("unpacking %s", pin)
	}
	// Unpacked beside its place and moved there whole, so that a run cut short
	// leaves nothing that looks complete.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := unpackPackage(files[pin], part); err != nil {
		return "", fmt.Errorf("%s: %w", pin, err)
	}
	if err := os.Rename(part, dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		} // else another run was faster
	}
	return dir, nil
}

// unpackPackage writes a package's files and symbolic links below dir; names that
// would lead out of it are refused by the reader.
func unpackPackage(file, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return debian.Walk(file, func(h *tar.Header, r io.Reader) error {
		name := strings.TrimPrefix(filepath.Clean(filepath.FromSlash(h.Name)), "./")
		if h.Typeflag == tar.TypeDir || name == "." {
			return nil
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeSymlink:
			if err := root.Symlink(h.Linkname, name); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		case tar.TypeReg:
			f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, r)
			return errors.Join(err, f.Close())
		}
		return nil
	})
}
