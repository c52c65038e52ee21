package delta

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Patch writes to w the new file that a delta makes out of the old one. It
// takes less than 8 MB of memory, reads the old file between 0 and oldSize only,
// and never writes more than newSize bytes; whether they are the right ones, the
// caller finds out by their hash. Where the sizes that the delta is for are
// others, nothing is written. The delta is read to its end, and has to end where
// its frame does. Errors are ErrDamaged and those of w, old and delta.
func Patch(w io.Writer, old io.ReaderAt, oldSize int64, delta io.Reader, newSize int64) error {
	if err := checkSizes(oldSize, newSize); err != nil {
		return err
	}
	in := &source{r: delta}
	var h [headerSize]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return in.explain("its header", err)
	}
	if string(h[:]) != string(header(oldSize, newSize)) {
		return fmt.Errorf("%w: it does not begin as one from %d to %d bytes", ErrDamaged, oldSize, newSize)
	}
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return in.explain("its frame", err)
	}
	defer d.Close()
	p := patcher{
		source: in, in: bufio.NewReaderSize(d, bufferSize), out: bufio.NewWriterSize(w, bufferSize),
		old: old, oldSize: oldSize, left: newSize, records: maxRecords(newSize),
	}
	for p.left > 0 {
		if err := p.record(); err != nil {
			return err
		}
	}
	if _, err := p.in.ReadByte(); err == nil {
		return fmt.Errorf("%w: it goes on behind %d bytes", ErrDamaged, newSize)
	} else if err != io.EOF {
		return in.explain("its end", err)
	}
	return p.out.Flush()
}

const bufferSize = 64 << 10

// source is the delta as it arrives.
type source struct {
	r   io.Reader
	err error // why it did, if it ended before its end
}

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// explain says why what could not be read: because it could not be fetched, or
// because it is no delta.
func (s *source) explain(what string, err error) error {
	if s.err != nil {
		return fmt.Errorf("delta: %w", s.err)
	}
	return fmt.Errorf("%w: %s: %w", ErrDamaged, what, noEOF(err))
}

// patcher applies records.
type patcher struct {
	source  *source
	in      *bufio.Reader
	out     *bufio.Writer
	old     io.ReaderAt
	oldSize int64
	pos     int64 // in the old file
	left    int64 // of the new file
	records int64 // how many more there may be

	buf [16 << 10]byte
}

// record applies one.
func (p *patcher) record() error {
	if p.records--; p.records < 0 {
		return fmt.Errorf("%w: too many records", ErrDamaged)
	}
	seek, err := binary.ReadVarint(p.in)
	if err != nil {
		return p.source.explain("a record", err)
	}
	differ, insert, err := p.counts(p.left)
	if err != nil {
		return err
	}
	if seek < -p.pos || seek > p.oldSize-p.pos || differ > p.oldSize-p.pos-seek {
		return fmt.Errorf("%w: %d bytes at %d%+d of an old file of %d", ErrDamaged, differ, p.pos, seek, p.oldSize)
	}
	p.pos += seek
	if err := p.differ(differ); err != nil {
		return err
	}
	return p.insert(insert)
}

// counts reads how many bytes the two parts of a record or run make, which are
// together at least one and at most limit.
func (p *patcher) counts(limit int64) (first, second int64, err error) {
	var n [2]uint64
	for i := range n {
		if n[i], err = binary.ReadUvarint(p.in); err != nil {
			return 0, 0, p.source.explain("a record", err)
		}
	}
	if n[0] > uint64(limit) || n[1] > uint64(limit)-n[0] || n[0]+n[1] == 0 {
		return 0, 0, fmt.Errorf("%w: %d and %d bytes where at most %d can follow", ErrDamaged, n[0], n[1], limit)
	}
	return int64(n[0]), int64(n[1]), nil
}

// differ makes n bytes of those of the old file, by runs.
func (p *patcher) differ(n int64) (err error) {
	var same, changed int64 // left of the run
	for n > 0 {
		b := p.buf[:min(n, int64(len(p.buf)))]
		if k, err := p.old.ReadAt(b, p.pos); k < len(b) {
			return fmt.Errorf("the old file: %w", noEOF(err))
		}
		for at := int64(0); at < int64(len(b)); {
			if same+changed == 0 {
				if same, changed, err = p.counts(n - at); err != nil {
					return err
				}
			}
			k := min(same, int64(len(b))-at)
			same, at = same-k, at+k
			k = min(changed, int64(len(b))-at)
			if err := p.add(b[at : at+k]); err != nil {
				return err
			}
			changed, at = changed-k, at+k
		}
		if _, err := p.out.Write(b); err != nil {
			return err
		}
		p.pos, p.left, n = p.pos+int64(len(b)), p.left-int64(len(b)), n-int64(len(b))
	}
	return nil
}

// add adds the next bytes to those of the old file.
func (p *patcher) add(b []byte) error {
	for i := range b {
		c, err := p.in.ReadByte()
		if err != nil {
			return p.source.explain("a record", err)
		}
		b[i] += c
	}
	return nil
}

// insert makes n bytes of the next ones.
func (p *patcher) insert(n int64) error {
	for n > 0 {
		b := p.buf[:min(n, int64(len(p.buf)))]
		if _, err := io.ReadFull(p.in, b); err != nil {
			return p.source.explain("a record", err)
		}
		if _, err := p.out.Write(b); err != nil {
			return err
		}
		p.left, n = p.left-int64(len(b)), n-int64(len(b))
	}
	return nil
}
