package publish

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/durable"
)

// writeFile writes a file in one step: path holds what it held before or all
// of b.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	t, err := newTemp(filepath.Dir(path), mode)
	if err != nil {
		return err
	}
	defer t.drop()
	if _, err := t.Write(b); err != nil {
		return err
	}
	return t.keep(path)
}

// temp is a file that has no name of its own yet.
type temp struct {
	*os.File
	mode fs.FileMode
}

// tempPattern is what files are called that an interrupted command left.
const tempPattern = ".new-*"

// newTemp makes a file in a directory, which is made where it is missing.
func newTemp(dir string, mode fs.FileMode) (*temp, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, tempPattern) // with mode 0600
	if err != nil {
		return nil, err
	}
	return &temp{f, mode}, nil
}

// keep gives the file its name, in the directory that it was made in.
func (t *temp) keep(path string) error {
	if err := errors.Join(t.Chmod(t.mode), t.Sync(), t.Close()); err != nil {
		return err // what may not be whole takes nobody's place
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// drop removes the file unless it has been kept.
func (t *temp) drop() {
	t.Close()
	os.Remove(t.Name())
}

// readBounded reads a small file.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, most)
	}
	return b, nil
}
