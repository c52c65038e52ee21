package bootfs

import (
	"encoding/binary"
	"fmt"
	"io"
)

// geometry is what the boot sectors of FAT16 and FAT32 say alike, in sectors.
type geometry struct {
	perCluster, reserved, fats, total int64 // fats: how many there are
	entries, perFAT                   int64 // entries of the root directory; FAT32 has 0 in both
}

func readBootSector(r io.ReaderAt) ([]byte, error) {
	b := make([]byte, SectorSize)
	if err := readAt(r, b, 0); err != nil {
		return nil, fmt.Errorf("boot sector: %w", err)
	}
	return b, nil
}

func parseGeometry(b []byte) (geometry, error) {
	le := binary.LittleEndian
	sector := le.Uint16(b[11:])
	g := geometry{
		perCluster: int64(b[13]),
		reserved:   int64(le.Uint16(b[14:])),
		fats:       int64(b[16]),
		total:      int64(le.Uint16(b[19:])),
		entries:    int64(le.Uint16(b[17:])),
		perFAT:     int64(le.Uint16(b[22:])),
	}
	if g.total == 0 {
		g.total = int64(le.Uint32(b[32:]))
	}
	switch {
	case b[510] != 0x55 || b[511] != 0xaa:
		return g, fmt.Errorf("boot sector: %w: no signature", ErrCorrupt)
	case sector != SectorSize:
		return g, fmt.Errorf("boot sector: %w: sectors of %d bytes", ErrCorrupt, sector)
	case g.perCluster == 0 || g.perCluster&(g.perCluster-1) != 0 || g.perCluster*SectorSize > maxClusterSize:
		return g, fmt.Errorf("boot sector: %w: clusters of %d sectors", ErrCorrupt, g.perCluster)
	case g.reserved == 0 || g.fats == 0 || g.fats > 2:
		return g, fmt.Errorf("boot sector: %w: %d reserved sectors, %d FATs", ErrCorrupt, g.reserved, g.fats)
	}
	return g, nil
}
