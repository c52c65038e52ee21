package bootfs

import (
	"io"
)

// Content is what a file holds, read from where it lies in the partition a piece
// at a time. It is an io.ReaderAt, and as stale as the FS that it is of.
type Content struct {
	r    io.ReaderAt
	runs []Extent
	size int64
}

// Content finds a file for reading it in pieces. Errors are those of Extents.
func (f *FS) Content(path string) (*Content, error) {
	runs, err := f.Extents(path)
	if err != nil {
		return nil, err
	}
	c := &Content{r: f.r, runs: runs}
	for _, x := range runs {
		c.size += x.Length
	}
	return c, nil
}

// Size is the file's length, bytes.
func (c *Content) Size() int64 { return c.size }

// ReadAt implements io.ReaderAt.
func (c *Content) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	for _, x := range c.runs {
		if n == len(b) {
			return n, nil
		}
		if off >= x.Length {
			off -= x.Length
			continue
		}
		part := b[n:min(len(b), n+int(min(x.Length-off, int64(len(b)))))]
		if err := readAt(c.r, part, x.Offset+off); err != nil {
			return n, err
		}
		n, off = n+len(part), 0
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
