package debian

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

const (
	windowMax = 128 << 20 // bytes that zstd may look back; what zstd itself accepts at most
	moduleMax = 64 << 20  // bytes of one plain module; Debian's largest has some 20 MB
)

// ErrTooLarge says that something is larger than anything that images need.
var ErrTooLarge = errors.New("too large")

// decompressor is the plain content of what a file of such a name holds. Close
// gives its memory back.
func decompressor(name string, r io.Reader) (io.ReadCloser, error) {
	switch path.Ext(name) {
	case ".xz":
		x, err := xz.ReaderConfig{}.NewReader(r)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case ".gz":
		return gzip.NewReader(r)
	}
	return io.NopCloser(r), nil
}

// Decompress returns a kernel module under its plain name: "x.ko.xz", "x.ko.zst"
// and "x.ko.gz" become "x.ko". Other names come back as they are. A module has at
// most 64 MiB.
func Decompress(name string, b []byte) (plainName string, plain []byte, err error) {
	return decompress(name, b, moduleMax)
}

func decompress(name string, b []byte, max int64) (plainName string, plain []byte, err error) {
	ext := path.Ext(name)
	if ext != ".xz" && ext != ".zst" && ext != ".gz" {
		return name, b, nil
	}
	r, err := decompressor(name, bytes.NewReader(b))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	plain, err = io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(plain)) > max {
		return "", nil, fmt.Errorf("%s: %w: more than %d bytes", name, ErrTooLarge, max)
	}
	return strings.TrimSuffix(name, ext), plain, nil
}
