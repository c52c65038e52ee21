package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dir is where the files of a journal are.
type Dir interface {
	// Open opens a file; the error is fs.ErrNotExist where there is none.
	Open(name string) (File, error)
	// Make opens a file that has size bytes from now on, whatever happens: those
	// that were not there before are written as zeros, so that later writes find
	// their place on the card and change nothing but it.
	Make(name string, size int64) (File, error)
	Remove(name string) error
}

// File is a file of a journal.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync returns when the bytes that were written outlast a power cut.
	Sync() error
}

// OpenDir makes a directory if need be and opens it. What lies there is treated as
// hostile: nothing but plain files of the directory itself is opened.
func OpenDir(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &directory{root: root, path: path}, nil
}

// ErrNoFile says that something else lies where a file should.
var ErrNoFile = errors.New("it is no plain file")

type directory struct {
	root *os.Root
	path string
}

type file struct {
	*os.File
	readOnly error // why it cannot be written
}

func (d *directory) Open(name string) (File, error) {
	f, err := d.open(name, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *directory) open(name string, flags int) (*file, error) {
	// Without O_NONBLOCK a pipe would be waited for.
	f, err := d.root.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK|flags, 0o600)
	var readOnly error
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		readOnly = err
		f, err = d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	}
	if err != nil {
		if info, e := d.root.Lstat(name); e == nil && !info.Mode().IsRegular() {
			err = errors.Join(err, fmt.Errorf("%s: %w", filepath.Join(d.path, name), ErrNoFile))
		}
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: %w", filepath.Join(d.path, name), ErrNoFile))
	}
	return &file{f, readOnly}, nil
}

func (d *directory) Make(name string, size int64) (File, error) {
	f, err := d.open(name, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := d.fill(f, size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d *directory) fill(f *file, size int64) error {
	has, err := f.Size()
	if err != nil {
		return err
	}
	if has > size {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	zeros := make([]byte, min(max(size-has, 0), 256<<10))
	for at := has; at < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at)
		if err != nil {
			// A full file system has better uses for what was had.
			return errors.Join(err, f.Truncate(has))
		}
		at += int64(n)
	}
	if err := f.File.Sync(); err != nil {
		return err
	}
	return d.sync()
}

func (d *directory) Remove(name string) error {
	if err := d.root.Remove(name); err != nil {
		return err
	}
	return d.sync()
}

// sync makes what was made or removed outlast a power cut.
func (d *directory) sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if f.readOnly != nil {
		return 0, f.readOnly
	}
	return f.File.WriteAt(p, off)
}

func (f *file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync leaves out what tells only when the file was changed.
func (f *file) Sync() error { return syncData(f.File) }
