// Package durable writes files that a power cut leaves either old or new.
package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// WriteFile writes the file at path anew with mode 0600: under another name
// beside it, synced, renamed over it, and the directory synced. Wherever the
// power fails, path holds what it held before or all of b; what is left of the
// other name, path + ".new", is overwritten by the next WriteFile.
func WriteFile(path string, b []byte) error {
	temp := path + ".new"
	if err := writeSynced(temp, b); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return SyncDir(filepath.Dir(path))
}

// ReadBounded reads a file of which no more than one byte above most matters.
func ReadBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// Remove removes the file at path for good. That there is none is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes what was made, renamed or removed in a directory outlast a
// power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
