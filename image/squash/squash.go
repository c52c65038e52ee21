// Package squash writes root file systems: squashfs 4.0 with nothing
// compressed, the same bytes for the same entries.
//
// Nothing is compressed because an update ships the difference between two
// releases' images, and compressed blocks of a changed file have no bytes in
// common. The superblock says zlib all the same, since a kernel refuses a file
// system whose compressor it does not have and gokrazy's kernels have only
// this one; every block is marked as stored.
//
// An image is laid out as
//
//	superblock   96 bytes, written last
//	data         each file's content, one after the other as a walk of the sorted tree meets them
//	inodes       metadata blocks of 8 KiB with a two-byte header each
//	directories  the same
//	id table     one id: everything belongs to root
//	zeros        up to a multiple of 4 KiB
//
// There are no fragments (the tail of a file is a short block), no extended
// attributes, no export table, no hard links, no sparse blocks and no devices.
// The format is described in the Linux kernel's Documentation/filesystems/squashfs.rst
// and fs/squashfs/squashfs_fs.h.
package squash

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"
)

// Entry is one file, directory or symbolic link.
type Entry struct {
	// Path has slashes between its elements and none at its ends; "." is the
	// root directory itself, which need not be given.
	Path string
	// Mode is the type (regular, directory or symbolic link) with the
	// permissions and setuid, setgid and sticky bits. A link's are always 0777.
	Mode fs.FileMode
	// Size is the length of a regular file in bytes.
	Size int64
	// Open opens a regular file's content, which must be Size bytes long. It
	// is called once, with one file open at a time. It may be nil for an empty file.
	Open func() (io.ReadCloser, error)
	// Target is what a symbolic link points to. It need not exist.
	Target string
}

// Limits of what Write accepts.
const (
	MaxFileSize = 1<<32 - 1 // bytes; larger files would need another kind of inode
	maxName     = 255       // bytes of one element of a path (Linux's NAME_MAX)
	maxTarget   = 4095      // bytes (Linux's PATH_MAX without the final zero)
	// maxData bounds where a file's content may start, which an inode says in 32 bits.
	maxData = 1<<32 - 1
)

const (
	blockSize = 128 << 10
	blockLog  = 17
	padding   = 4 << 10 // mksquashfs does so; loop devices need it
)

// Write writes a file system that holds entries to w, from offset 0 on, and
// returns its size in bytes, a multiple of 4096. Parent directories that are
// not among the entries are made with mode 0755. Every inode has mtime, which
// is kept in whole seconds from 1970 to 2106, and belongs to uid and gid 0.
// The order of the entries does not matter.
//
// What w holds after an error is to be thrown away. Errors name the path.
func Write(w io.WriterAt, entries []Entry, mtime time.Time) (size int64, err error) {
	stamp := mtime.Unix()
	if stamp < 0 || stamp > math.MaxUint32 {
		return 0, fmt.Errorf("squashfs: modification time %v is not between 1970 and 2106", mtime)
	}
	root, err := makeTree(entries)
	if err != nil {
		return 0, fmt.Errorf("squashfs: %w", err)
	}
	p := planner{mtime: uint32(stamp), data: superblockSize}
	if err := p.plan(root); err != nil {
		return 0, fmt.Errorf("squashfs: %w", err)
	}
	if err := writeData(w, p.files); err != nil {
		return 0, fmt.Errorf("squashfs: %w", err)
	}
	super, tail := p.finish(root)
	if _, err := w.WriteAt(tail, p.data); err != nil {
		return 0, fmt.Errorf("squashfs: write inodes and directories: %w", err)
	}
	if _, err := w.WriteAt(super, 0); err != nil {
		return 0, fmt.Errorf("squashfs: write superblock: %w", err)
	}
	return p.data + int64(len(tail)), nil
}

// writeData copies the content of files to the places that were planned.
func writeData(w io.WriterAt, files []*node) error {
	buf := make([]byte, blockSize)
	for _, n := range files {
		if err := copyFile(w, n, buf); err != nil {
			return fmt.Errorf("%s: %w", n.path, err)
		}
	}
	return nil
}

func copyFile(w io.WriterAt, n *node, buf []byte) (err error) {
	if n.open == nil {
		return nil // makeTree saw to it that the file is empty
	}
	src, err := n.open()
	if err != nil {
		return err
	}
	defer func() {
		if cerr := src.Close(); err == nil {
			err = cerr
		}
	}()
	// One byte more than announced shows that a source is longer.
	got, err := io.CopyBuffer(io.NewOffsetWriter(w, n.start), io.LimitReader(src, n.size+1), buf)
	if err != nil {
		return err
	}
	if got > n.size {
		return fmt.Errorf("source has more than the %d bytes announced: it changed while it was read, or its Size is wrong", n.size)
	}
	if got < n.size {
		return fmt.Errorf("source has %d bytes, %d were announced: it changed while it was read, or its Size is wrong", got, n.size)
	}
	return nil
}
