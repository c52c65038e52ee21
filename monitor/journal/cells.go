package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
)

// cells is a small file that is written in place: each value goes into the cell
// after the one before, round and round, so that a write that is torn leaves those
// before it. The value that counts is the one with the highest number.
type cells struct {
	dir    Dir
	name   string
	count  int // of cells
	stride int // bytes from one to the next
	file   File
	last   uint64 // number of the last value; 0: there is none
}

// load reads all values there are, in the order of their numbers from the newest
// back. A cell that is torn or damaged counts as empty.
func (c *cells) load(visit func(data []byte)) error {
	f, err := c.dir.Open(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, ErrNoFile) {
		return errors.Join(err, c.dir.Remove(c.name)) // and then there is room for one
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, c.count*c.stride)
	n, err := f.ReadAt(b, 0)
	if n < len(b) && err != io.EOF {
		return err
	}
	found := map[uint64][]byte{}
	for at := 0; at+slotSize <= n; at += c.stride {
		cell := b[at : at+slotSize]
		number := binary.LittleEndian.Uint64(cell[4:])
		// Each number has its place: one that lies elsewhere was not written by us.
		if binary.LittleEndian.Uint32(cell) != crc32.Checksum(cell[4:], castagnoli) || number == 0 || number > maxSeq || c.place(number) != at {
			continue
		}
		found[number] = cell[12:]
		c.last = max(c.last, number)
	}
	for i := range uint64(c.count) {
		if data, ok := found[c.last-i]; ok && i < c.last {
			visit(data)
		}
	}
	return nil
}

func (c *cells) place(number uint64) int { return int(number%uint64(c.count)) * c.stride }

// write makes data, 52 bytes at the most, the newest value, for good.
func (c *cells) write(data []byte) (err error) {
	if c.file == nil {
		if c.file, err = c.dir.Make(c.name, int64(c.count*c.stride)); err != nil {
			c.file = nil
			return err
		}
	}
	b := make([]byte, slotSize)
	binary.LittleEndian.PutUint64(b[4:], c.last+1)
	copy(b[12:], data)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	if _, err = c.file.WriteAt(b, int64(c.place(c.last+1))); err == nil {
		err = c.file.Sync()
	}
	if err != nil {
		// The next try goes to the same place: the other one may hold the last value.
		return errors.Join(fmt.Errorf("%s: %w", c.name, err), c.close())
	}
	c.last++
	return nil
}

func (c *cells) close() error {
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}
