package delta

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	bsdiffMagic  = "BSDIFF40"
	bsdiffHeader = 32
	bsdiffTriple = 24
)

// bsdiff is a patch of the format that bsdiff 4 writes: a header, then three
// bzip2 streams, of triples, of bytes to add and of bytes to insert.
//
//	 0  8 bytes  "BSDIFF40"
//	 8  8 bytes  length of the triples' stream
//	16  8 bytes  length of the stream of bytes to add
//	24  8 bytes  size of the new file
//
// A triple is how many bytes to add to the old file's, how many to insert, and
// how far to go in the old file then. Numbers are little-endian with the sign in
// the highest bit.
type bsdiff struct {
	triples, add, insert *bufio.Reader
	newSize              int64
}

// maxRun is how many changed bytes the runs that are written have at most.
const maxRun = 1 << 10

// openBSDiff opens a patch of so many bytes.
func openBSDiff(r io.ReaderAt, size int64) (*bsdiff, error) {
	var h [bsdiffHeader]byte
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), h[:]); err != nil {
		return nil, fmt.Errorf("bsdiff's header: %w", noEOF(err))
	}
	triples, add, newSize := number(h[8:]), number(h[16:]), number(h[24:])
	rest := size - bsdiffHeader
	if string(h[:len(bsdiffMagic)]) != bsdiffMagic || triples < 0 || triples > rest || add < 0 || add > rest-triples ||
		newSize < 0 || newSize > MaxSize {
		return nil, fmt.Errorf("bsdiff's header: %x makes no sense in %d bytes", h, size)
	}
	stream := func(at, n int64) *bufio.Reader {
		return bufio.NewReader(bzip2.NewReader(bufio.NewReader(io.NewSectionReader(r, bsdiffHeader+at, n))))
	}
	return &bsdiff{stream(0, triples), stream(triples, add), stream(triples+add, rest-triples-add), newSize}, nil
}

// number reads a number of bsdiff's.
func number(b []byte) int64 {
	u := binary.LittleEndian.Uint64(b)
	n := int64(u &^ (1 << 63))
	if u>>63 != 0 {
		return -n
	}
	return n
}

// transcode writes a patch as a delta.
func (b *bsdiff) transcode(w io.Writer, oldSize int64) error {
	if _, err := w.Write(header(oldSize, b.newSize)); err != nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(window),
		zstd.WithEncoderCRC(false), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	return errors.Join(b.records(z, oldSize), z.Close())
}

// records writes a patch as a delta's records. Triples that make nothing become
// part of the next record's seek.
func (b *bsdiff) records(w io.Writer, oldSize int64) error {
	triples := maxRecords(b.newSize)
	var pos, seek int64
	for left := b.newSize; left > 0; {
		if triples--; triples < 0 {
			return errors.New("bsdiff finds too little in common")
		}
		var t [bsdiffTriple]byte
		if _, err := io.ReadFull(b.triples, t[:]); err != nil {
			return fmt.Errorf("bsdiff's triples: %w", noEOF(err))
		}
		differ, insert, next := number(t[:]), number(t[8:]), number(t[16:])
		if differ < 0 || differ > left || insert < 0 || insert > left-differ ||
			pos < 0 || pos > oldSize || differ > oldSize-pos || next < -oldSize || next > oldSize {
			return fmt.Errorf("bsdiff's triples: %d, %d, %d at %d of %d where %d bytes are left", differ, insert, next, pos, oldSize, left)
		}
		if differ+insert > 0 {
			r := binary.AppendVarint(nil, seek)
			r = binary.AppendUvarint(r, uint64(differ))
			r = binary.AppendUvarint(r, uint64(insert))
			if _, err := w.Write(r); err != nil {
				return err
			}
			seek = 0
		}
		if err := b.runs(w, differ); err != nil {
			return fmt.Errorf("bsdiff's bytes to add: %w", noEOF(err))
		}
		if _, err := io.CopyN(w, b.insert, insert); err != nil {
			return fmt.Errorf("bsdiff's bytes to insert: %w", noEOF(err))
		}
		pos, seek, left = pos+differ+next, seek+next, left-differ-insert
	}
	return nil
}

// runs writes the next n bytes to add as runs.
func (b *bsdiff) runs(w io.Writer, n int64) error {
	var run, changed []byte
	for n > 0 {
		var same uint64
		for changed = changed[:0]; n > 0 && len(changed) < maxRun; n-- {
			c, err := b.add.ReadByte()
			if err != nil {
				return err
			}
			if c == 0 && len(changed) > 0 {
				if err := b.add.UnreadByte(); err != nil {
					return err
				}
				break
			}
			if c == 0 {
				same++
			} else {
				changed = append(changed, c)
			}
		}
		run = binary.AppendUvarint(run[:0], same)
		run = binary.AppendUvarint(run, uint64(len(changed)))
		if _, err := w.Write(append(run, changed...)); err != nil {
			return err
		}
	}
	return nil
}
