package bootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Errors of the reader. A name that does not exist is fs.ErrNotExist.
var (
	// ErrCorrupt says that the file system contradicts itself; checking the
	// card on a PC may mend it.
	ErrCorrupt = errors.New("damaged file system")
	// ErrTooLarge says that a file is longer than the caller accepts.
	ErrTooLarge = errors.New("file too large")
)

const (
	maxFATEntries  = 65525 + firstCluster // FAT specification: more clusters are FAT32
	minClusters    = 4085                 // fewer are FAT12
	maxDirSize     = 65536 * entrySize    // FAT specification
	maxPath        = 1024                 // characters; longer ones do not exist on FAT
	maxClusterSize = 64 << 10
)

// FS reads a boot file system, also after a PC has written to it: files may lie
// in pieces. It trusts nothing it reads. Its memory is the FAT (at most 128 KiB) and what one call
// asks for. It does not notice writes to the FAT that happen after Open.
type FS struct {
	r       io.ReaderAt
	fat     []uint16 // next cluster, by cluster
	fatAt   int64    // offset of the first FAT
	root    Extent
	data    int64 // offset of the first cluster
	cluster int64 // bytes
}

// Open reads the geometry and the FAT. It accepts any FAT16 of 512-byte sectors.
func Open(r io.ReaderAt) (*FS, error) {
	b := make([]byte, SectorSize)
	if err := readAt(r, b, 0); err != nil {
		return nil, fmt.Errorf("boot sector: %w", err)
	}
	le := binary.LittleEndian
	sector := le.Uint16(b[11:])
	perCluster, reserved, fats := int64(b[13]), int64(le.Uint16(b[14:])), int64(b[16])
	entries, perFAT, total := int64(le.Uint16(b[17:])), int64(le.Uint16(b[22:])), int64(le.Uint16(b[19:]))
	if total == 0 {
		total = int64(le.Uint32(b[32:]))
	}
	switch {
	case b[510] != 0x55 || b[511] != 0xaa:
		return nil, fmt.Errorf("boot sector: %w: no signature", ErrCorrupt)
	case sector != SectorSize:
		return nil, fmt.Errorf("boot sector: %w: sectors of %d bytes", ErrCorrupt, sector)
	case perCluster == 0 || perCluster&(perCluster-1) != 0 || perCluster*SectorSize > maxClusterSize:
		return nil, fmt.Errorf("boot sector: %w: clusters of %d sectors", ErrCorrupt, perCluster)
	case reserved == 0 || fats == 0 || fats > 2:
		return nil, fmt.Errorf("boot sector: %w: %d reserved sectors, %d FATs", ErrCorrupt, reserved, fats)
	case entries == 0 || perFAT == 0:
		return nil, fmt.Errorf("boot sector: %w: not FAT16", ErrCorrupt)
	}
	rootSectors := (entries*entrySize + SectorSize - 1) / SectorSize
	data := reserved + fats*perFAT + rootSectors
	clusters := (total - data) / perCluster
	if clusters < minClusters || clusters+firstCluster >= maxFATEntries || perFAT*SectorSize < 2*(clusters+firstCluster) {
		return nil, fmt.Errorf("boot sector: %w: %d clusters and a FAT of %d sectors are not FAT16", ErrCorrupt, clusters, perFAT)
	}
	f := &FS{
		r:       r,
		fat:     make([]uint16, clusters+firstCluster),
		fatAt:   reserved * SectorSize,
		root:    Extent{(reserved + fats*perFAT) * SectorSize, entries * entrySize},
		data:    data * SectorSize,
		cluster: perCluster * SectorSize,
	}
	raw := make([]byte, 2*len(f.fat))
	if err := readAt(r, raw, reserved*SectorSize); err != nil {
		return nil, fmt.Errorf("FAT: %w", err)
	}
	for i := range f.fat {
		f.fat[i] = le.Uint16(raw[2*i:])
	}
	return f, nil
}

// readAt fills b or fails; unlike ReadAt it does not report the end of the
// file together with the last byte.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// chain follows the chain that begins at first for size bytes, or to its end
// where size is negative, then for at most maxDirSize bytes. Its extents cover
// whole clusters.
func (f *FS) chain(first uint16, size int64) ([]Extent, error) {
	want := int64(len(f.fat))
	if size >= 0 {
		want = (size + f.cluster - 1) / f.cluster
		if want > int64(len(f.fat)-firstCluster) {
			return nil, fmt.Errorf("%w: %d bytes are more than the disk has", ErrCorrupt, size)
		}
		if want == 0 {
			return nil, nil
		}
	}
	var list []Extent
	seen := make([]uint64, (len(f.fat)+63)/64)
	at, have := first, int64(0)
	for {
		if at < firstCluster || int(at) >= len(f.fat) {
			return nil, fmt.Errorf("%w: a chain leads to cluster %#x after %d of %d clusters", ErrCorrupt, at, have, want)
		}
		if seen[at/64]&(1<<(at%64)) != 0 {
			return nil, fmt.Errorf("%w: a chain comes back to cluster %d", ErrCorrupt, at)
		}
		seen[at/64] |= 1 << (at % 64)
		off := f.data + int64(at-firstCluster)*f.cluster
		if n := len(list); n > 0 && list[n-1].Offset+list[n-1].Length == off {
			list[n-1].Length += f.cluster
		} else {
			list = append(list, Extent{off, f.cluster})
		}
		have++
		next := f.fat[at]
		if size >= 0 && have == want {
			return list, nil
		}
		if size < 0 && have*f.cluster > maxDirSize+maxClusterSize {
			return nil, fmt.Errorf("%w: a directory of more than %d bytes", ErrCorrupt, maxDirSize)
		}
		if next >= 0xfff8 && size < 0 {
			return list, nil
		}
		at = next
	}
}

// read reads the first size bytes of extents.
func (f *FS) read(list []Extent, size int64) ([]byte, error) {
	b := make([]byte, size)
	done := int64(0)
	for _, e := range list {
		n := min(e.Length, size-done)
		if err := readAt(f.r, b[done:done+n], e.Offset); err != nil {
			return nil, err
		}
		done += n
	}
	return b, nil
}

// find walks path, which may begin with a slash, without regard to case; names
// may be given in their long or their 8.3 form. The root has no entry: ok is
// false for it.
func (f *FS) find(path string) (e Entry, ok bool, err error) {
	if len(path) > maxPath {
		return Entry{}, false, fs.ErrNotExist
	}
	path = strings.Trim(path, "/")
	if path == "" {
		return Entry{}, false, nil
	}
	for i, name := range strings.Split(path, "/") {
		if i > 0 && !e.Dir {
			return Entry{}, false, fs.ErrNotExist
		}
		list, err := f.list(e, i > 0)
		if err != nil {
			return Entry{}, false, err
		}
		k := -1
		for j, c := range list {
			if strings.EqualFold(c.Name, name) {
				k = j
				break
			}
			if k < 0 && strings.EqualFold(c.Short, name) {
				k = j
			}
		}
		if k < 0 {
			return Entry{}, false, fs.ErrNotExist
		}
		e = list[k]
	}
	return e, true, nil
}

// file finds a file that is not a directory.
func (f *FS) file(path string) (Entry, error) {
	e, ok, err := f.find(path)
	if err == nil && (!ok || e.Dir) {
		err = errors.New("is a directory")
	}
	return e, err
}

// ReadFile returns a file's content, or ErrTooLarge if it is longer than limit
// bytes. Short and long names are found, in any case.
func (f *FS) ReadFile(path string, limit int64) ([]byte, error) {
	e, err := f.file(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if e.Size > limit {
		return nil, fmt.Errorf("reading %s: %w: %d bytes, at most %d are expected", path, ErrTooLarge, e.Size, limit)
	}
	list, err := f.chain(e.cluster, e.Size)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	b, err := f.read(list, e.Size)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return b, nil
}

// Extents says where a file's bytes lie, in their order; neighbouring clusters
// are one extent and the lengths add up to the file's size.
func (f *FS) Extents(path string) ([]Extent, error) {
	e, err := f.file(path)
	if err != nil {
		return nil, fmt.Errorf("locating %s: %w", path, err)
	}
	list, err := f.chain(e.cluster, e.Size)
	if err != nil {
		return nil, fmt.Errorf("locating %s: %w", path, err)
	}
	left := e.Size
	for i := range list {
		list[i].Length = min(list[i].Length, left)
		left -= list[i].Length
	}
	return list, nil
}

// ReadDir lists a directory in the order of its entries, without . and .. and
// the volume label.
func (f *FS) ReadDir(path string) ([]Entry, error) {
	e, ok, err := f.find(path)
	if err == nil && ok && !e.Dir {
		err = errors.New("is not a directory")
	}
	var list []Entry
	if err == nil {
		list, err = f.list(e, ok)
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", path, err)
	}
	return list, nil
}
