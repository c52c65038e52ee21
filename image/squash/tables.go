package squash

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
)

// Numbers of the format (fs/squashfs/squashfs_fs.h).
const (
	magic          = 0x73717368 // "hsqs"
	superblockSize = 96
	metadataSize   = 8 << 10
	metadataStored = 1 << 15 // in a metadata block's header
	blockStored    = 1 << 24 // in a file's list of blocks
	zlib           = 1

	flagStoredInodes    = 1 << 0
	flagStoredData      = 1 << 1
	flagStoredFragments = 1 << 3
	flagNoFragments     = 1 << 4
	flagStoredXattrs    = 1 << 8
	flagNoXattrs        = 1 << 9
	flagStoredIDs       = 1 << 11

	typeDir     = 1
	typeFile    = 2
	typeSymlink = 3
	typeLongDir = 8

	none32 = math.MaxUint32
	none64 = math.MaxUint64

	// A directory header counts up to 256 entries, whose inodes begin in the
	// same metadata block and whose numbers differ from its own by an int16.
	maxRun = 256
	// listingExtra is what a directory's size is more than its listing's.
	listingExtra = 3
)

var le = binary.LittleEndian

// table is a metadata table before it is cut into blocks.
type table []byte

// place is where the byte at offset i of a table will be: the start of its
// metadata block, bytes from the table's start on the disk, and the offset in it.
func place(i int) (block uint32, offset uint16) {
	return uint32(i / metadataSize * (metadataSize + 2)), uint16(i % metadataSize)
}

// blocks appends the table in metadata blocks to dst.
func (t table) blocks(dst []byte) []byte {
	for len(t) > 0 {
		n := min(len(t), metadataSize)
		dst = le.AppendUint16(dst, uint16(n)|metadataStored)
		dst = append(dst, t[:n]...)
		t = t[n:]
	}
	return dst
}

// planner lays out everything but the files' content, which it only gives
// their places: without compression these follow from the sizes.
type planner struct {
	mtime  uint32
	data   int64 // end of the content so far, bytes from the start of the image
	files  []*node
	inodes table
	dirs   table
	count  uint32 // of inodes
}

func (p *planner) plan(root *node) error {
	p.number(root)
	// The kernel only wants some number here; mksquashfs takes the first unused one.
	return p.add(root, p.count+1)
}

// number gives a directory's entries consecutive numbers, in the order of its
// listing, so that those of a run never differ by more than the run is long.
func (p *planner) number(dir *node) {
	if dir.number == 0 { // the root
		p.count++
		dir.number = p.count
	}
	for _, n := range dir.children {
		p.count++
		n.number = p.count
	}
	for _, n := range dir.children {
		if n.mode.IsDir() {
			p.number(n)
		}
	}
}

// add appends the inodes of n and of all below it. What a directory holds
// comes before it, because its listing says where those inodes are.
func (p *planner) add(n *node, parent uint32) error {
	for _, c := range n.children {
		if err := p.add(c, n.number); err != nil {
			return err
		}
	}
	switch n.mode.Type() {
	case fs.ModeDir:
		p.addDir(n, parent)
	case fs.ModeSymlink:
		p.header(n, typeSymlink)
		p.inodes = le.AppendUint32(p.inodes, 1) // links to it
		p.inodes = le.AppendUint32(p.inodes, uint32(len(n.target)))
		p.inodes = append(p.inodes, n.target...)
	default:
		return p.addFile(n)
	}
	return nil
}

// header appends what all inodes begin with.
func (p *planner) header(n *node, typ uint16) {
	n.inode = len(p.inodes)
	p.inodes = le.AppendUint16(p.inodes, typ)
	p.inodes = le.AppendUint16(p.inodes, permissions(n.mode))
	p.inodes = le.AppendUint16(p.inodes, 0) // index of the uid
	p.inodes = le.AppendUint16(p.inodes, 0) // index of the gid
	p.inodes = le.AppendUint32(p.inodes, p.mtime)
	p.inodes = le.AppendUint32(p.inodes, n.number)
}

func (p *planner) addFile(n *node) error {
	if p.data > maxData {
		return fmt.Errorf("%s: the files before it have more than 4 GiB together, which is not supported", n.path)
	}
	n.start = p.data
	if n.size == 0 {
		n.start = 0 // as mksquashfs does; there is nothing to find
	}
	p.data += n.size
	p.files = append(p.files, n)

	p.header(n, typeFile)
	p.inodes = le.AppendUint32(p.inodes, uint32(n.start))
	p.inodes = le.AppendUint32(p.inodes, none32) // no fragment
	p.inodes = le.AppendUint32(p.inodes, 0)      // offset in the fragment
	p.inodes = le.AppendUint32(p.inodes, uint32(n.size))
	for left := n.size; left > 0; left -= blockSize {
		p.inodes = le.AppendUint32(p.inodes, uint32(min(left, blockSize))|blockStored)
	}
	return nil
}

func (p *planner) addDir(n *node, parent uint32) {
	begin := len(p.dirs)
	p.list(n.children)
	size := len(p.dirs) - begin + listingExtra
	block, offset := place(begin)
	links := uint32(2) // its name in the parent and its own "."
	for _, c := range n.children {
		if c.mode.IsDir() {
			links++ // the child's ".."
		}
	}
	if size <= math.MaxUint16 {
		p.header(n, typeDir)
		p.inodes = le.AppendUint32(p.inodes, block)
		p.inodes = le.AppendUint32(p.inodes, links)
		p.inodes = le.AppendUint16(p.inodes, uint16(size))
		p.inodes = le.AppendUint16(p.inodes, offset)
		p.inodes = le.AppendUint32(p.inodes, parent)
		return
	}
	p.header(n, typeLongDir)
	p.inodes = le.AppendUint32(p.inodes, links)
	p.inodes = le.AppendUint32(p.inodes, uint32(size))
	p.inodes = le.AppendUint32(p.inodes, block)
	p.inodes = le.AppendUint32(p.inodes, parent)
	p.inodes = le.AppendUint16(p.inodes, 0) // no index: lookups read the listing from its start
	p.inodes = le.AppendUint16(p.inodes, offset)
	p.inodes = le.AppendUint32(p.inodes, none32) // no extended attributes
}

// list appends a directory's listing: runs of entries, each behind a header.
func (p *planner) list(children []*node) {
	for len(children) > 0 {
		first := children[0]
		block, _ := place(first.inode)
		n := 1
		for n < len(children) && n < maxRun {
			if b, _ := place(children[n].inode); b != block {
				break
			}
			n++
		}
		p.dirs = le.AppendUint32(p.dirs, uint32(n-1))
		p.dirs = le.AppendUint32(p.dirs, block)
		p.dirs = le.AppendUint32(p.dirs, first.number)
		for _, c := range children[:n] {
			_, offset := place(c.inode)
			p.dirs = le.AppendUint16(p.dirs, offset)
			p.dirs = le.AppendUint16(p.dirs, uint16(c.number-first.number))
			p.dirs = le.AppendUint16(p.dirs, fileType(c.mode))
			p.dirs = le.AppendUint16(p.dirs, uint16(len(c.name)-1))
			p.dirs = append(p.dirs, c.name...)
		}
		children = children[n:]
	}
}

// finish makes the superblock and all that follows the content.
func (p *planner) finish(root *node) (super, tail []byte) {
	tail = p.inodes.blocks(nil)
	dirStart := p.data + int64(len(tail))
	tail = p.dirs.blocks(tail)
	idStart := p.data + int64(len(tail))
	tail = table{0, 0, 0, 0}.blocks(tail) // the one id: 0
	idIndex := p.data + int64(len(tail))
	tail = le.AppendUint64(tail, uint64(idStart))
	used := p.data + int64(len(tail))
	if over := used % padding; over > 0 {
		tail = append(tail, make([]byte, padding-over)...)
	}

	rootBlock, rootOffset := place(root.inode)
	super = make([]byte, superblockSize)
	le.PutUint32(super[0:], magic)
	le.PutUint32(super[4:], p.count)
	le.PutUint32(super[8:], p.mtime)
	le.PutUint32(super[12:], blockSize)
	le.PutUint32(super[16:], 0) // fragments
	le.PutUint16(super[20:], zlib)
	le.PutUint16(super[22:], blockLog)
	le.PutUint16(super[24:], flagStoredInodes|flagStoredData|flagStoredFragments|flagNoFragments|
		flagStoredXattrs|flagNoXattrs|flagStoredIDs)
	le.PutUint16(super[26:], 1) // ids
	le.PutUint16(super[28:], 4) // version 4.0
	le.PutUint16(super[30:], 0)
	le.PutUint64(super[32:], uint64(rootBlock)<<16|uint64(rootOffset))
	le.PutUint64(super[40:], uint64(used))
	le.PutUint64(super[48:], uint64(idIndex))
	le.PutUint64(super[56:], none64) // extended attributes
	le.PutUint64(super[64:], uint64(p.data))
	le.PutUint64(super[72:], uint64(dirStart))
	le.PutUint64(super[80:], uint64(idStart)) // fragments: an empty table after the directories
	le.PutUint64(super[88:], none64)          // export table
	return super, tail
}

func fileType(m fs.FileMode) uint16 {
	switch m.Type() {
	case fs.ModeDir:
		return typeDir
	case fs.ModeSymlink:
		return typeSymlink
	}
	return typeFile
}

// permissions are the lower twelve bits of a Unix mode.
func permissions(m fs.FileMode) uint16 {
	if m.Type() == fs.ModeSymlink {
		return 0o777
	}
	bits := uint16(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
