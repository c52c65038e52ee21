// Package initramfs writes the archive from which the kernel fills its first
// root file system (kernel documentation, driver-api/early-userspace/buffer-format):
// cpio in the "newc" form, compressed with gzip, which every kernel in question
// can read. The same files give the same bytes.
package initramfs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// File is a file of the archive; the directories above it are added.
type File struct {
	Path string // with slashes, relative to the root
	Mode fs.FileMode
	Data []byte
}

const (
	magic   = "070701"
	trailer = "TRAILER!!!"
	dirMode = 0o040755
	regular = 0o100000
	align   = 4
	// maxPath is the kernel's limit for a name in the archive (PATH_MAX).
	maxPath = 4096
)

// Write writes the archive. Files are sorted by path; all belong to root and
// are of 1970.
func Write(w io.Writer, files []File) error {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	a := &archive{w: z}
	made := map[string]bool{".": true}
	for i, f := range files {
		if !fs.ValidPath(f.Path) || f.Path == "." || len(f.Path) >= maxPath {
			return fmt.Errorf("initramfs: %q is not a path", f.Path)
		}
		if made[f.Path] || i > 0 && files[i-1].Path == f.Path {
			return fmt.Errorf("initramfs: %s comes twice", f.Path)
		}
		if f.Mode != f.Mode.Perm() {
			return fmt.Errorf("initramfs: %s: mode %v is not a plain file's", f.Path, f.Mode)
		}
		a.dirs(path.Dir(f.Path), made)
		a.entry(f.Path, regular|uint32(f.Mode.Perm()), f.Data)
	}
	a.entry(trailer, 0, nil)
	return errors.Join(a.err, z.Close())
}

// archive is a cpio archive being written; after an error nothing is.
type archive struct {
	w     io.Writer
	inode uint32
	err   error
}

// dirs adds the directories down to p that are not there yet.
func (a *archive) dirs(p string, made map[string]bool) {
	if made[p] {
		return
	}
	a.dirs(path.Dir(p), made)
	made[p] = true
	a.entry(p, dirMode, nil)
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	links := uint32(1)
	if mode == dirMode {
		links = 2
	}
	if name == trailer {
		links, mode = 1, 0
	} else {
		a.inode++
	}
	var h strings.Builder
	h.WriteString(magic)
	for _, v := range []uint32{a.inode, mode, 0, 0, links, 0, uint32(len(data)), 0, 0, 0, 0, uint32(len(name) + 1), 0} {
		fmt.Fprintf(&h, "%08X", v)
	}
	h.WriteString(name)
	h.WriteByte(0)
	a.write([]byte(h.String()))
	a.write(data)
}

// write writes b and zeros up to the next multiple of align; header and data
// both begin on one.
func (a *archive) write(b []byte) {
	if a.err != nil {
		return
	}
	_, a.err = a.w.Write(append(slices.Clip(b), make([]byte, -len(b)&(align-1))...))
}
