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
	// ErrForeign says that a volume holds another file system than FAT, or none:
	// it is to be formatted as FAT32.
	ErrForeign = errors.New("not FAT")
)

const (
	maxFATEntries  = 65525 + firstCluster // FAT specification: more clusters are FAT32
	minClusters    = 4085                 // fewer are FAT12
	maxDirSize     = 65536 * entrySize    // FAT specification
	maxPath        = 1024                 // characters; longer ones do not exist on FAT
	maxClusterSize = 64 << 10
	maxPieces      = 65536 // of a file: more than a FAT16 has clusters, and 1 MiB of extents
)

// FS reads a boot file system, also after a PC has written to it: files may lie
// in pieces. It trusts nothing it reads. Its memory is the FAT of a FAT16 (at
// most 128 KiB) and what one call asks for. It does not notice writes to that FAT
// that happen after Open.
type FS struct {
	r io.ReaderAt
	// follow begins to follow a chain: next is what the FAT says of a cluster.
	follow      func() (next func(cluster uint32) (uint32, error))
	end         uint32 // in the FAT, this or more ends a chain
	limit       uint32 // one more than the last cluster's number
	root        Extent // FAT16's root directory
	rootCluster uint32 // FAT32's root directory begins here; 0 for FAT16
	data        int64  // offset of the first cluster
	cluster     int64  // bytes
}

// fat16 is a FAT16 with its FAT in memory, as those need who write to one.
type fat16 struct {
	FS
	fat   []uint16 // next cluster, by cluster
	fatAt int64    // offset of the first FAT
}

// Open reads the geometry and the FAT. It accepts any FAT16 of 512-byte sectors.
func Open(r io.ReaderAt) (*FS, error) {
	f, err := openFAT16(r)
	if err != nil {
		return nil, err
	}
	return &f.FS, nil
}

func openFAT16(r io.ReaderAt) (*fat16, error) {
	b, err := readBootSector(r)
	if err != nil {
		return nil, err
	}
	g, err := parseGeometry(b)
	if err != nil {
		return nil, err
	}
	if g.entries == 0 || g.perFAT == 0 {
		return nil, fmt.Errorf("boot sector: %w: not FAT16", ErrCorrupt)
	}
	rootSectors := (g.entries*entrySize + SectorSize - 1) / SectorSize
	data := g.reserved + g.fats*g.perFAT + rootSectors
	clusters := (g.total - data) / g.perCluster
	if clusters < minClusters || clusters+firstCluster >= maxFATEntries || g.perFAT*SectorSize < 2*(clusters+firstCluster) {
		return nil, fmt.Errorf("boot sector: %w: %d clusters and a FAT of %d sectors are not FAT16", ErrCorrupt, clusters, g.perFAT)
	}
	fat := make([]uint16, clusters+firstCluster)
	raw := make([]byte, 2*len(fat))
	if err := readAt(r, raw, g.reserved*SectorSize); err != nil {
		return nil, fmt.Errorf("FAT: %w", err)
	}
	for i := range fat {
		fat[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	next := func(cluster uint32) (uint32, error) { return uint32(fat[cluster]), nil }
	return &fat16{
		FS: FS{
			r:       r,
			follow:  func() func(uint32) (uint32, error) { return next },
			end:     endOfChainFrom,
			limit:   uint32(len(fat)),
			root:    Extent{(g.reserved + g.fats*g.perFAT) * SectorSize, g.entries * entrySize},
			data:    data * SectorSize,
			cluster: g.perCluster * SectorSize,
		},
		fat:   fat,
		fatAt: g.reserved * SectorSize,
	}, nil
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
// whole clusters; there are at most maxPieces.
func (f *FS) chain(first uint32, size int64) ([]Extent, error) {
	want := int64(f.limit)
	if size >= 0 {
		want = (size + f.cluster - 1) / f.cluster
		if want > int64(f.limit-firstCluster) {
			return nil, fmt.Errorf("%w: %d bytes are more than the disk has", ErrCorrupt, size)
		}
		if want == 0 {
			return nil, nil
		}
	}
	var list []Extent
	seen := make(map[uint32]uint64) // 64 clusters each: what is not near the chain takes no memory
	next := f.follow()
	at, have := first, int64(0)
	for {
		if at < firstCluster || at >= f.limit {
			return nil, fmt.Errorf("%w: a chain leads to cluster %#x after %d of %d clusters", ErrCorrupt, at, have, want)
		}
		if seen[at/64]&(1<<(at%64)) != 0 {
			return nil, fmt.Errorf("%w: a chain comes back to cluster %d", ErrCorrupt, at)
		}
		seen[at/64] |= 1 << (at % 64)
		off := f.data + int64(at-firstCluster)*f.cluster
		if n := len(list); n > 0 && list[n-1].Offset+list[n-1].Length == off {
			list[n-1].Length += f.cluster
		} else if n == maxPieces {
			return nil, fmt.Errorf("it lies in more than %d pieces", maxPieces)
		} else {
			list = append(list, Extent{off, f.cluster})
		}
		have++
		if size >= 0 && have == want {
			return list, nil
		}
		if size < 0 && have*f.cluster > maxDirSize+maxClusterSize {
			return nil, fmt.Errorf("%w: a directory of more than %d bytes", ErrCorrupt, maxDirSize)
		}
		var err error
		if at, err = next(at); err != nil {
			return nil, err
		}
		if at >= f.end && size < 0 {
			return list, nil
		}
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

// readAll reads all of extents.
func (f *FS) readAll(list []Extent) ([]byte, error) {
	var size int64
	for _, e := range list {
		size += e.Length
	}
	return f.read(list, size)
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
