package squash_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// item is one inode as the reader found it.
type item struct {
	mode   fs.FileMode
	mtime  uint32
	nlink  uint32 // of directories
	data   []byte // of files
	target string // of links
	long   bool   // a directory with a long inode
	// listing is the size that a directory's inode says, 3 more than its listing has.
	listing uint32
}

// reader reads images the way the Linux kernel does and is strict about all
// that the writer promises beyond the format.
type reader struct {
	image         []byte
	inodes, dirs  []byte         // tables without the block headers
	inodeAt       map[uint32]int // block start on the disk -> offset in inodes
	dirAt         map[uint32]int
	numbers       map[uint32]string
	runs, maxRun  int // directory headers, entries of the largest
	listingBlocks int // metadata blocks of directories
}

var le = binary.LittleEndian

// read parses an image into path -> item; "." is the root.
func read(image []byte) (items map[string]item, r *reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("image is broken: %v", p)
		}
	}()
	r = &reader{image: image, numbers: map[uint32]string{}}
	if len(image)%4096 != 0 {
		return nil, nil, fmt.Errorf("%d bytes are no multiple of 4096", len(image))
	}
	s := image[:96]
	const flags = 1 | 2 | 8 | 1<<4 | 1<<8 | 1<<9 | 1<<11
	for _, f := range []struct {
		name      string
		got, want uint64
	}{
		{"magic", uint64(le.Uint32(s)), 0x73717368},
		{"block size", uint64(le.Uint32(s[12:])), 131072},
		{"fragments", uint64(le.Uint32(s[16:])), 0},
		{"compressor", uint64(le.Uint16(s[20:])), 1},
		{"block log", uint64(le.Uint16(s[22:])), 17},
		{"flags", uint64(le.Uint16(s[24:])), flags},
		{"ids", uint64(le.Uint16(s[26:])), 1},
		{"version", uint64(le.Uint32(s[28:])), 4},
		{"xattr table", le.Uint64(s[56:]), math.MaxUint64},
		{"export table", le.Uint64(s[88:]), math.MaxUint64},
	} {
		if f.got != f.want {
			return nil, nil, fmt.Errorf("%s is %#x, want %#x", f.name, f.got, f.want)
		}
	}
	used, idIndex := le.Uint64(s[40:]), le.Uint64(s[48:])
	inodeStart, dirStart := le.Uint64(s[64:]), le.Uint64(s[72:])
	// The kernel wants the id index, 8 bytes for one block, to end the file system.
	if idIndex+8 != used || used > uint64(len(image)) || uint64(len(image))-used >= 4096 {
		return nil, nil, fmt.Errorf("id index at %d, %d bytes used of %d", idIndex, used, len(image))
	}
	if pad := image[used:]; !bytes.Equal(pad, make([]byte, len(pad))) {
		return nil, nil, fmt.Errorf("padding is not zero")
	}
	idStart := le.Uint64(image[idIndex:])
	if got := image[idStart:idIndex]; !bytes.Equal(got, []byte{4, 0x80, 0, 0, 0, 0}) {
		return nil, nil, fmt.Errorf("id table is %x", got)
	}
	r.inodes, r.inodeAt, _ = metadata(image[inodeStart:dirStart])
	r.dirs, r.dirAt, r.listingBlocks = metadata(image[dirStart:idStart])

	items = map[string]item{}
	root := le.Uint64(s[32:])
	if err := r.walk(items, ".", uint32(root>>16), uint16(root), le.Uint32(s[4:])+1, 0, 1); err != nil {
		return nil, nil, err
	}
	if count := le.Uint32(s[4:]); int(count) != len(items) {
		return nil, nil, fmt.Errorf("superblock counts %d inodes, the tree has %d", count, len(items))
	}
	return items, r, nil
}

// metadata joins the blocks of a table: all stored, all but the last full.
func metadata(b []byte) (table []byte, at map[uint32]int, blocks int) {
	at = map[uint32]int{}
	for off := 0; off < len(b); blocks++ {
		h := le.Uint16(b[off:])
		n := int(h &^ 0x8000)
		if h&0x8000 == 0 || n == 0 || n > 8192 || n < 8192 && off+2+n != len(b) {
			panic(fmt.Sprintf("metadata block header %#x at %d", h, off))
		}
		at[uint32(off)] = len(table)
		table = append(table, b[off+2:off+2+n]...)
		off += 2 + n
	}
	return table, at, blocks
}

func lookup(at map[uint32]int, block uint32, offset uint16) int {
	i, ok := at[block]
	if !ok || offset >= 8192 {
		panic(fmt.Sprintf("no metadata block at %d, offset %d", block, offset))
	}
	return i + int(offset)
}

// walk reads the inode at block and offset and all below it. number 0 and
// typ 0 mean any; parent is the inode number expected as a directory's parent.
func (r *reader) walk(items map[string]item, path string, block uint32, offset uint16, parent, number uint32, typ uint16) error {
	b := r.inodes[lookup(r.inodeAt, block, offset):]
	kind, self := le.Uint16(b), le.Uint32(b[12:])
	if uid, gid := le.Uint16(b[4:]), le.Uint16(b[6:]); uid != 0 || gid != 0 {
		return fmt.Errorf("%s: uid %d, gid %d", path, uid, gid)
	}
	if other, ok := r.numbers[self]; ok || self == 0 || number != 0 && self != number {
		return fmt.Errorf("%s: inode number %d (%q has it), listing says %d", path, self, other, number)
	}
	r.numbers[self] = path
	perm := le.Uint16(b[2:])
	it := item{mode: fs.FileMode(perm & 0o777), mtime: le.Uint32(b[8:])}
	for bit, flag := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if perm&bit != 0 {
			it.mode |= flag
		}
	}
	basic := kind
	var err error
	switch kind {
	case 1:
		it.mode |= fs.ModeDir
		it.nlink, it.listing = le.Uint32(b[20:]), uint32(le.Uint16(b[24:]))
		if got := le.Uint32(b[28:]); got != parent {
			return fmt.Errorf("%s: parent %d, want %d", path, got, parent)
		}
		err = r.list(items, path, self, le.Uint32(b[16:]), le.Uint16(b[26:]), it.listing, it.nlink)
	case 8:
		basic = 1
		it.mode |= fs.ModeDir
		it.long = true
		it.nlink, it.listing = le.Uint32(b[16:]), le.Uint32(b[20:])
		if got := le.Uint32(b[28:]); got != parent {
			return fmt.Errorf("%s: parent %d, want %d", path, got, parent)
		}
		if n, x := le.Uint16(b[32:]), le.Uint32(b[36:]); n != 0 || x != math.MaxUint32 {
			return fmt.Errorf("%s: %d index entries, xattr %#x", path, n, x)
		}
		err = r.list(items, path, self, le.Uint32(b[24:]), le.Uint16(b[34:]), it.listing, it.nlink)
	case 2:
		it.data, err = r.content(b[16:])
	case 3:
		it.mode |= fs.ModeSymlink
		if n := le.Uint32(b[16:]); n != 1 {
			return fmt.Errorf("%s: %d links", path, n)
		}
		it.target = string(b[24:][:le.Uint32(b[20:])])
	default:
		return fmt.Errorf("%s: inode type %d", path, kind)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if basic != typ {
		return fmt.Errorf("%s: inode type %d, listing says %d", path, kind, typ)
	}
	items[path] = it
	return nil
}

func (r *reader) content(b []byte) ([]byte, error) {
	start, fragment, size := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[12:])
	if fragment != math.MaxUint32 {
		return nil, fmt.Errorf("fragment %d", fragment)
	}
	off := int64(start)
	var data []byte
	for i, left := 16, int64(size); left > 0; i += 4 {
		n := min(left, 131072)
		if got := le.Uint32(b[i:]); got != uint32(n)|1<<24 {
			return nil, fmt.Errorf("block of %#x, want %#x", got, n|1<<24)
		}
		data = append(data, r.image[off:off+n]...)
		off, left = off+n, left-n
	}
	return data, nil
}

func (r *reader) list(items map[string]item, path string, self, block uint32, offset uint16, size, nlink uint32) error {
	if size < 3 {
		return fmt.Errorf("listing of %d bytes", size)
	}
	size -= 3
	var l []byte
	if size > 0 {
		l = r.dirs[lookup(r.dirAt, block, offset):][:size]
	}
	dirs, last := uint32(0), ""
	for len(l) > 0 {
		count, inodes, base := int(le.Uint32(l))+1, le.Uint32(l[4:]), le.Uint32(l[8:])
		if count > 256 {
			return fmt.Errorf("%d entries behind one header", count)
		}
		r.runs++
		r.maxRun = max(r.maxRun, count)
		l = l[12:]
		for range count {
			at, delta, typ, n := le.Uint16(l), int16(le.Uint16(l[2:])), le.Uint16(l[4:]), int(le.Uint16(l[6:]))+1
			name := string(l[8:][:n])
			l = l[8+n:]
			if name <= last {
				return fmt.Errorf("%q comes after %q", name, last)
			}
			last = name
			if typ == 1 {
				dirs++
			}
			child := name
			if path != "." {
				child = path + "/" + name
			}
			if err := r.walk(items, child, inodes, at, self, uint32(int64(base)+int64(delta)), typ); err != nil {
				return err
			}
		}
	}
	if nlink != dirs+2 {
		return fmt.Errorf("%d links, %d subdirectories", nlink, dirs)
	}
	return nil
}

// memory is a file in memory.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if end := int(off) + len(p); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

// discard counts what is written and forgets it.
type discard struct{ n int64 }

func (d *discard) WriteAt(p []byte, off int64) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

// content makes a source that checks that it is opened once and closed.
type content struct {
	io.Reader
	opened, closed int
}

func (c *content) open() (io.ReadCloser, error) { c.opened++; return c, nil }
func (c *content) Close() error                 { c.closed++; return nil }
