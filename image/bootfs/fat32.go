package bootfs

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Of FAT32 (FAT specification). The upper 4 bits of an entry of the FAT mean nothing.
const (
	fat32Mask     = 0x0fffffff
	fat32End      = 0x0ffffff8 // this or more ends a chain
	fat32Clusters = 0x0ffffff5 // at most; 0x0ffffff7 marks a bad cluster
	fat32Block    = 4 << 10    // bytes of the FAT that are read at once
)

// OpenAny is Open for a volume that people bring: it accepts FAT32 as well,
// with any number of clusters. The FAT of a FAT32, which may be 1 GiB, stays on
// the volume. While a file is being found, its clusters take at most some 15 MiB;
// one in more than 65,536 pieces is refused. Errors are those of Open and ErrForeign.
func OpenAny(r io.ReaderAt) (*FS, error) {
	b, err := readBootSector(r)
	if err != nil {
		return nil, err
	}
	if err := checkForeign(b); err != nil {
		return nil, fmt.Errorf("boot sector: %w", err)
	}
	g, err := parseGeometry(b)
	switch {
	case err != nil:
		return nil, err
	case g.perFAT == 0 && g.entries == 0:
		return openFAT32(r, b, g)
	}
	return Open(r)
}

// checkForeign names file systems that are not FAT, and sectors that are
// somebody's but cannot be read here.
func checkForeign(b []byte) error {
	switch string(b[3:11]) {
	case "EXFAT   ":
		return fmt.Errorf("%w: it is exFAT", ErrForeign)
	case "NTFS    ":
		return fmt.Errorf("%w: it is NTFS", ErrForeign)
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		return fmt.Errorf("%w: no signature", ErrForeign)
	}
	switch n := binary.LittleEndian.Uint16(b[11:]); n {
	case 1024, 2048, 4096:
		return fmt.Errorf("sectors of %d bytes, only those of %d can be read", n, SectorSize)
	}
	return nil
}

// openFAT32 opens the FAT32 that b is the boot sector of.
func openFAT32(r io.ReaderAt, b []byte, g geometry) (*FS, error) {
	le := binary.LittleEndian
	perFAT, flags, version, root := int64(le.Uint32(b[36:])), le.Uint16(b[40:]), le.Uint16(b[42:]), le.Uint32(b[44:])
	data := g.reserved + g.fats*perFAT
	clusters := (g.total - data) / g.perCluster
	active := int64(0)
	if flags&0x80 != 0 { // the FATs are not the same
		active = int64(flags & 0x0f)
	}
	switch {
	case version != 0:
		return nil, fmt.Errorf("boot sector: %w: FAT32 of version %#x", ErrCorrupt, version)
	case clusters < 1 || clusters > fat32Clusters || perFAT*SectorSize < 4*(clusters+firstCluster):
		return nil, fmt.Errorf("boot sector: %w: %d clusters and a FAT of %d sectors are not FAT32", ErrCorrupt, clusters, perFAT)
	case active >= g.fats:
		return nil, fmt.Errorf("boot sector: %w: FAT %d of %d is in use", ErrCorrupt, active, g.fats)
	case root < firstCluster || int64(root) >= clusters+firstCluster:
		return nil, fmt.Errorf("boot sector: %w: the root directory begins with cluster %#x", ErrCorrupt, root)
	}
	table := Extent{(g.reserved + active*perFAT) * SectorSize, perFAT * SectorSize}
	return &FS{
		r:           r,
		follow:      func() func(uint32) (uint32, error) { return fat32Reader(r, table) },
		end:         fat32End,
		limit:       uint32(clusters + firstCluster),
		rootCluster: root,
		data:        data * SectorSize,
		cluster:     g.perCluster * SectorSize,
	}, nil
}

// fat32Reader reads the FAT32 that lies in table, and keeps the block that it
// read last. The cluster must have an entry there.
func fat32Reader(r io.ReaderAt, table Extent) (next func(cluster uint32) (uint32, error)) {
	var block [fat32Block]byte
	from := int64(-1) // of the block, bytes into the table
	return func(cluster uint32) (uint32, error) {
		at := 4 * int64(cluster)
		if n := at / fat32Block * fat32Block; n != from {
			if err := readAt(r, block[:min(fat32Block, table.Length-n)], table.Offset+n); err != nil {
				return 0, fmt.Errorf("FAT: %w", err)
			}
			from = n
		}
		return binary.LittleEndian.Uint32(block[at-from:]) & fat32Mask, nil
	}
}
