package squash

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// ErrFormat says that an image is not what Write writes: it is damaged, or
// another program made it.
var ErrFormat = errors.New("not a root file system of ours")

// Bounds of what Read takes from an image that it does not trust.
const (
	maxTable = 64 << 20 // bytes of a metadata table
	maxItems = 1 << 18  // files, directories and links
	maxDepth = 64       // directories within each other
)

// Item is one file, directory or symbolic link of an image.
type Item struct {
	Path   string // as in Entry
	Mode   fs.FileMode
	Target string // of a link
	Offset int64  // of a file: where its content begins, bytes from the start of the image
	Size   int64  // of a file, bytes
}

// Content is a file's bytes.
func (i Item) Content(image io.ReaderAt) *io.SectionReader {
	return io.NewSectionReader(image, i.Offset, i.Size)
}

// Read lists what is in an image that Write wrote, directories before what is
// in them, in the order of their names. size is how many bytes image has at the
// most. Nothing in the image is trusted; what Write would not have written is
// ErrFormat. Its memory is the inode and directory tables, at most 64 MiB each.
func Read(image io.ReaderAt, size int64) ([]Item, error) {
	var s [superblockSize]byte
	if _, err := io.ReadFull(io.NewSectionReader(image, 0, min(size, superblockSize)), s[:]); err != nil {
		return nil, fmt.Errorf("squashfs: superblock: %w", err)
	}
	if le.Uint32(s[:]) != magic || le.Uint32(s[28:]) != 4 || le.Uint16(s[22:]) != blockLog {
		return nil, fmt.Errorf("squashfs: %w: it begins with %x", ErrFormat, s[:4])
	}
	inodes, dirs, ids := le.Uint64(s[64:]), le.Uint64(s[72:]), le.Uint64(s[80:])
	if inodes > dirs || dirs > ids || ids > uint64(max(size, 0)) || ids-inodes > maxTable {
		return nil, fmt.Errorf("squashfs: %w: tables at %d, %d and %d of %d bytes", ErrFormat, inodes, dirs, ids, size)
	}
	r := &tables{data: int64(inodes), seen: map[uint32]bool{}}
	var err error
	if r.inodes, err = readTable(image, int64(inodes), int64(dirs)); err != nil {
		return nil, fmt.Errorf("squashfs: inodes: %w", err)
	}
	if r.dirs, err = readTable(image, int64(dirs), int64(ids)); err != nil {
		return nil, fmt.Errorf("squashfs: directories: %w", err)
	}
	root := le.Uint64(s[32:])
	if root>>16 > math.MaxUint32 {
		return nil, fmt.Errorf("squashfs: %w: root inode at %#x", ErrFormat, root)
	}
	if err := r.walk(".", uint32(root>>16), uint16(root), 0); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	return r.items, nil
}

// tables are an image's metadata while it is walked.
type tables struct {
	inodes, dirs blocks
	data         int64 // end of the files' content
	items        []Item
	seen         map[uint32]bool // inode numbers of directories: a tree has no loops
}

// blocks is a metadata table: its blocks' content, and where in it the block
// that begins at an offset of the table on the disk begins.
type blocks struct {
	content []byte
	at      map[uint32]int
}

func readTable(image io.ReaderAt, from, to int64) (blocks, error) {
	raw := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(image, from, to-from), raw); err != nil {
		return blocks{}, err
	}
	b := blocks{at: map[uint32]int{}}
	for off := 0; off < len(raw); {
		if len(raw)-off < 2 {
			return b, fmt.Errorf("%w: half a block header", ErrFormat)
		}
		h := le.Uint16(raw[off:])
		n := int(h &^ metadataStored)
		if h&metadataStored == 0 || n == 0 || n > metadataSize || n > len(raw)-off-2 {
			return b, fmt.Errorf("%w: metadata block header %#x", ErrFormat, h)
		}
		b.at[uint32(off)] = len(b.content)
		b.content = append(b.content, raw[off+2:][:n]...)
		off += 2 + n
	}
	return b, nil
}

// from is the table from a place on; n bytes of it at the least.
func (b blocks) from(block uint32, offset uint16, n int) ([]byte, error) {
	i, ok := b.at[block]
	if !ok || int(offset) >= metadataSize || i+int(offset)+n > len(b.content) {
		return nil, fmt.Errorf("%w: nothing lies at block %d, offset %d", ErrFormat, block, offset)
	}
	return b.content[i+int(offset):], nil
}

const (
	shortestInode = 24 // bytes; a link's, without its target
	fileInode     = 32 // without the list of blocks
	dirInode      = 32
	longDirInode  = 40
)

// walk adds the inode at a place and all that is below it.
func (r *tables) walk(path string, block uint32, offset uint16, depth int) error {
	if len(r.items) >= maxItems || depth > maxDepth {
		return fmt.Errorf("%.100s: %w: more than %d entries, or %d directories within each other", path, ErrFormat, maxItems, maxDepth)
	}
	b, err := r.inodes.from(block, offset, shortestInode)
	if err != nil {
		return fmt.Errorf("%.100s: %w", path, err)
	}
	item := Item{Path: path, Mode: mode(le.Uint16(b[2:]))}
	need := map[uint16]int{typeDir: dirInode, typeFile: fileInode, typeLongDir: longDirInode, typeSymlink: shortestInode}[le.Uint16(b)]
	if need == 0 || len(b) < need {
		return fmt.Errorf("%.100s: %w: inode type %d", path, ErrFormat, le.Uint16(b))
	}
	switch le.Uint16(b) {
	case typeDir:
		return r.directory(item, b, le.Uint32(b[16:]), le.Uint16(b[26:]), uint32(le.Uint16(b[24:])), depth)
	case typeLongDir:
		return r.directory(item, b, le.Uint32(b[24:]), le.Uint16(b[34:]), le.Uint32(b[20:]), depth)
	case typeSymlink:
		n := int64(le.Uint32(b[20:]))
		if n > maxTarget || n > int64(len(b)-shortestInode) {
			return fmt.Errorf("%.100s: %w: a link target of %d bytes", path, ErrFormat, n)
		}
		item.Mode |= fs.ModeSymlink
		item.Target = string(b[shortestInode:][:n])
	case typeFile:
		if err := r.file(&item, b); err != nil {
			return err
		}
	}
	r.items = append(r.items, item)
	return nil
}

// file reads where a file's content is: in one piece, since all blocks are stored.
func (r *tables) file(item *Item, b []byte) error {
	item.Offset, item.Size = int64(le.Uint32(b[16:])), int64(le.Uint32(b[28:]))
	count := (item.Size + blockSize - 1) / blockSize
	if le.Uint32(b[20:]) != none32 || item.Offset+item.Size > r.data || count*4 > int64(len(b)-fileInode) {
		return fmt.Errorf("%.100s: %w: %d bytes at %d", item.Path, ErrFormat, item.Size, item.Offset)
	}
	for i, left := fileInode, item.Size; left > 0; i, left = i+4, left-blockSize {
		if want := uint32(min(left, blockSize)) | blockStored; le.Uint32(b[i:]) != want {
			return fmt.Errorf("%.100s: %w: a block that is compressed or left out", item.Path, ErrFormat)
		}
	}
	return nil
}

func (r *tables) directory(item Item, b []byte, block uint32, offset uint16, size uint32, depth int) error {
	number := le.Uint32(b[12:])
	if r.seen[number] || size < listingExtra {
		return fmt.Errorf("%.100s: %w: a directory that is met twice, or has no size", item.Path, ErrFormat)
	}
	r.seen[number] = true
	item.Mode |= fs.ModeDir
	r.items = append(r.items, item)
	size -= listingExtra
	if size == 0 {
		return nil
	}
	if size > maxTable {
		return fmt.Errorf("%.100s: %w: a listing of %d bytes", item.Path, ErrFormat, size)
	}
	l, err := r.dirs.from(block, offset, int(size))
	if err != nil {
		return fmt.Errorf("%.100s: %w", item.Path, err)
	}
	l = l[:size]
	broken := fmt.Errorf("%.100s: %w: a broken listing", item.Path, ErrFormat)
	for last := ""; len(l) > 0; {
		if len(l) < 12 || le.Uint32(l) >= maxRun {
			return broken
		}
		count, inodes := int(le.Uint32(l))+1, le.Uint32(l[4:])
		l = l[12:]
		for range count {
			if len(l) < 8 || len(l) < 8+int(le.Uint16(l[6:]))+1 {
				return broken
			}
			at, n := le.Uint16(l), int(le.Uint16(l[6:]))+1
			name := string(l[8:][:n])
			l = l[8+n:]
			if name <= last || checkPath(name) != nil || name == "." {
				return broken
			}
			last = name
			if item.Path != "." {
				name = item.Path + "/" + name
			}
			if err := r.walk(name, inodes, at, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// mode is the reverse of permissions.
func mode(bits uint16) fs.FileMode {
	m := fs.FileMode(bits) & fs.ModePerm
	for bit, flag := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			m |= flag
		}
	}
	return m
}
