// Package bundle is an update in one file, for stations without a network: what
// a repository has for one board and channel.
//
// It is a tar in the POSIX ustar format (IEEE 1003.1-1988) of regular files, under
// the names that they have in the repository: the chain of roots, the timestamp,
// the snapshot and the targets that it names, the manifest, and the pack. There
// are no deltas in it. Nothing of it is trusted: it is a mirror, what it says is
// verified in the same way, and it expires with its timestamp.
package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"path"
	"time"
)

const (
	// Ending is how the names of bundles end.
	Ending = ".truechimer"
	// MaxFiles is more than a chain of roots that anybody follows at once.
	MaxFiles = 512
)

// ErrFormat says that a file is no bundle.
var ErrFormat = errors.New("not a bundle: copy it onto the card again")

// Bundle is a bundle that has been opened. Its methods may be called from several
// goroutines.
type Bundle struct {
	r     io.ReaderAt
	files map[string]span
}

type span struct{ offset, length int64 }

// Open reads the list of files of a bundle of size bytes, and no content. Its
// memory is that list. Errors are ErrFormat and those of r.
func Open(r io.ReaderAt, size int64) (*Bundle, error) {
	all := io.NewSectionReader(r, 0, size)
	b := &Bundle{r: r, files: map[string]span{}}
	for t := tar.NewReader(all); ; {
		// A header that spans more than a block tells of names or sizes that ustar
		// does not have, and would be read into memory.
		if err := plainHeader(all); err != nil {
			return nil, err
		}
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrFormat, err)
		}
		at, err := all.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		_, twice := b.files[h.Name]
		switch {
		case h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR:
			return nil, fmt.Errorf("%w (%.100q is no plain file)", ErrFormat, h.Name)
		case h.Name != path.Clean(h.Name) || !fs.ValidPath(h.Name) || twice:
			return nil, fmt.Errorf("%w (a file is called %.100q)", ErrFormat, h.Name)
		case h.Size < 0 || h.Size > size-at:
			return nil, fmt.Errorf("%w (%s is cut off)", ErrFormat, h.Name)
		case len(b.files) == MaxFiles:
			return nil, fmt.Errorf("%w (more than %d files)", ErrFormat, MaxFiles)
		}
		b.files[h.Name] = span{at, h.Size}
		// Behind the content there are zeros up to the next block.
		if _, err := all.Seek(at+(h.Size+blockSize-1)/blockSize*blockSize, io.SeekStart); err != nil {
			return nil, err
		}
		t = tar.NewReader(all)
	}
	if len(b.files) == 0 {
		return nil, fmt.Errorf("%w (there is nothing in it)", ErrFormat)
	}
	return b, nil
}

const (
	blockSize  = 512
	typeAt     = 156 // IEEE 1003.1-1988, ustar interchange format
	magicAt    = 257
	ustarMagic = "ustar\x0000"
)

// plainHeader looks at the header that comes next, and leaves it there: it is a
// regular file's of ustar, or zeros, which end a bundle.
func plainHeader(r *io.SectionReader) error {
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	h := make([]byte, blockSize)
	if _, err := r.ReadAt(h, at); err != nil {
		if err == io.EOF {
			return fmt.Errorf("%w (it is cut off)", ErrFormat)
		}
		return err
	}
	if string(h) == string(make([]byte, blockSize)) {
		return nil
	}
	if string(h[magicAt:magicAt+len(ustarMagic)]) != ustarMagic || h[typeAt] != tar.TypeReg {
		return fmt.Errorf("%w (at %d)", ErrFormat, at)
	}
	return nil
}

// Get reads a file of at most limit bytes. One that is not there is
// fs.ErrNotExist. It is a tuf.Source.
func (b *Bundle) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, ok := b.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if s.length > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read: %w", name, s.length, limit, ErrFormat)
	}
	out := make([]byte, s.length)
	if n, err := b.r.ReadAt(out, s.offset); n < len(out) {
		return nil, fmt.Errorf("%s: %w", name, whole(err))
	}
	return out, nil
}

// Range gives length bytes from from on of a file: exactly those, or the reader
// ends with an error. Nothing is read before the reader is.
func (b *Bundle) Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, ok := b.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if from < 0 || length < 0 || from > s.length || length > s.length-from {
		return nil, fmt.Errorf("%s: %d bytes at %d of %d: %w", name, length, from, s.length, ErrFormat)
	}
	return io.NopCloser(io.NewSectionReader(b.r, s.offset+from, length)), nil
}

// Names are those of all files, in no order.
func (b *Bundle) Names() iter.Seq[string] { return maps.Keys(b.files) }

// Has says whether there is a file of that name.
func (b *Bundle) Has(name string) bool { _, ok := b.files[name]; return ok }

func whole(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// File is a file to be put into a bundle.
type File struct {
	Name string // in the repository
	Size int64  // bytes; Open's reader yields exactly as many
	Open func() (io.ReadCloser, error)
}

// Write writes a bundle: the same bytes for the same files in the same order.
func Write(w io.Writer, files []File) error {
	if len(files) > MaxFiles {
		return fmt.Errorf("%d files, at most %d fit into a bundle", len(files), MaxFiles)
	}
	t := tar.NewWriter(w)
	for _, f := range files {
		err := t.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: f.Name, Size: f.Size, Mode: 0o644,
			ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		})
		if err == nil {
			err = put(t, f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return t.Close()
}

func put(t *tar.Writer, f File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(t, r)
	if err == nil && n != f.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}
