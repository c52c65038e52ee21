// Package packed reads and writes compressed disk images.
package packed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Suffix is what the name of a file that Pack wrote ends with, behind ".img".
const Suffix = ".xz"

// Dictionary is how far back, in bytes, the packer looks for what it has
// written before; who unpacks needs that much memory. A Raspberry Pi image
// takes 30.3 MB with 8 MiB, 27.9 MB with 64 MiB; zstd at its best takes
// 28.5 MB with 128 MiB, and fewer programs that write cards read it.
const Dictionary = 64 << 20

// maxDictionary bounds the memory that unpacking takes, in bytes.
const maxDictionary = 128 << 20

var (
	// ErrTooLarge says that more comes out of a file than its reader accepts.
	ErrTooLarge = errors.New("too large")
	// ErrDamaged says that a compressed file cannot be unpacked.
	ErrDamaged = errors.New("damaged or incomplete; download it again")
)

// Pack compresses r into w as xz: the same bytes for the same bytes. It takes
// about a minute for a Raspberry Pi image.
func Pack(w io.Writer, r io.Reader) error {
	x, err := xz.WriterConfig{DictCap: Dictionary, CheckSum: xz.CRC64}.NewWriter(w)
	if err != nil {
		return err
	}
	if _, err := io.Copy(x, r); err != nil {
		return err
	}
	return x.Close()
}

// Image is an image file while it is read, unpacked.
type Image struct {
	file  *os.File
	count *counter
	plain io.Reader
	left  int64
	end   func()
	name  string

	// Packed is how many bytes the file has; Size how many are in it, 0 where
	// only unpacking tells.
	Packed, Size int64
}

// Open opens an image file, whose content says whether it is compressed with
// xz or zstd or not at all. More than limit bytes are ErrTooLarge.
func Open(name string, limit int64) (*Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	i, err := open(f, limit)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return i, nil
}

func open(f *os.File, limit int64) (*Image, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	i := &Image{file: f, name: f.Name(), count: &counter{r: f}, Packed: st.Size(), left: limit, end: func() {}}
	// xz reads its header byte by byte.
	buffered := bufio.NewReaderSize(i.count, 1<<20)
	magic, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		if err := checkDictionary(buffered); err != nil {
			return nil, err
		}
		if i.plain, err = (xz.ReaderConfig{SingleStream: true}).NewReader(buffered); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
		}
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		d, err := zstd.NewReader(buffered, zstd.WithDecoderMaxWindow(maxDictionary), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
		}
		i.plain, i.end = d, d.Close
	default:
		i.plain, i.Size = buffered, i.Packed
	}
	return i, nil
}

// Done is how many bytes of the file have been read, at most Packed.
func (i *Image) Done() int64 { return i.count.n }

// Read reads the image, unpacked.
func (i *Image) Read(b []byte) (int, error) {
	if i.left < 0 {
		return 0, fmt.Errorf("%s: %w", i.name, ErrTooLarge)
	}
	if int64(len(b)) > i.left+1 { // one more shows that it is too large
		b = b[:i.left+1]
	}
	n, err := i.plain.Read(b)
	if i.left -= int64(n); i.left < 0 {
		return n - 1, fmt.Errorf("%s: %w", i.name, ErrTooLarge)
	}
	var system *os.PathError
	if err != nil && err != io.EOF && !errors.As(err, &system) {
		err = fmt.Errorf("%s: %w: %v", i.name, ErrDamaged, err)
	}
	return n, err
}

// Close closes the file.
func (i *Image) Close() error {
	i.end()
	return i.file.Close()
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// checkDictionary refuses an xz file whose first block wants more memory than
// anybody's image does: the decoder would take it all at once. The format is
// in the xz file format specification 1.2.1, sections 2.1.1 and 3.1.
func checkDictionary(b *bufio.Reader) error {
	const streamHeader, longest = 12, 1024
	head, _ := b.Peek(streamHeader + longest)
	if len(head) < streamHeader+2 || head[streamHeader] == 0 {
		return nil // no block: whoever decodes it says what is wrong
	}
	block := head[streamHeader:]
	block = block[:min(len(block), (int(block[0])+1)*4)]
	flags, at := block[1], 2
	for _, bit := range []byte{0x40, 0x80} { // compressed and uncompressed size, base 128
		for flags&bit != 0 && at < len(block) {
			at++
			if block[at-1]&0x80 == 0 {
				break
			}
		}
	}
	const lzma2 = 0x21
	if flags&3 != 0 || at+3 > len(block) || block[at] != lzma2 || block[at+1] != 1 {
		return fmt.Errorf("%w: its filter is not LZMA2 alone", ErrDamaged)
	}
	size, err := lzma.DecodeDictCap(block[at+2])
	if err != nil || size > maxDictionary {
		return fmt.Errorf("unpacking it takes more than the %d MiB of memory that images take: %w", maxDictionary>>20, ErrTooLarge)
	}
	return nil
}
