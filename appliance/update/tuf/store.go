package tuf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/appliance/durable"
)

// keeper is a Store whose failures to keep something are ErrStore.
type keeper struct{ Store }

func (k keeper) Save(name string, b []byte) error { return notKept(name, k.Store.Save(name, b)) }
func (k keeper) Delete(name string) error         { return notKept(name, k.Store.Delete(name)) }

func notKept(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrStore, name, err)
}

// Forget deletes all that Refresh keeps, so that the next one begins with its
// Initial. ErrStore.
func Forget(s Store) error {
	var failed []error
	for _, name := range []string{rootFile, timestampFile, snapshotFile, targetsFile} {
		failed = append(failed, keeper{s}.Delete(name))
	}
	return errors.Join(failed...)
}

// dirStore is a Store in a directory.
type dirStore string

// DirStore keeps metadata in a directory, which is made when first needed.
func DirStore(dir string) Store { return dirStore(dir) }

func (d dirStore) path(name string) (string, error) {
	if !filepath.IsLocal(name) || strings.ContainsAny(name, `/\`) {
		return "", fmt.Errorf("%.100q is no name of a file", name)
	}
	return filepath.Join(string(d), name), nil
}

// maxKept is the length of the longest file that is read, bytes: the updater
// keeps a manifest of MaxManifest, with a little around it, beside the roles.
const maxKept = 2 << 20

// Load reads a file, of which no more than maxKept is read.
func (d dirStore) Load(name string) ([]byte, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKept+1))
	if err == nil && len(b) > maxKept {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxKept)
	}
	return b, err
}

func (d dirStore) Save(name string, b []byte) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(string(d)); errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(string(d), 0o700); err != nil {
			return err
		}
		if err := durable.SyncDir(filepath.Dir(string(d))); err != nil {
			return err
		}
	}
	return durable.WriteFile(path, b)
}

func (d dirStore) Delete(name string) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return durable.Remove(path)
}
