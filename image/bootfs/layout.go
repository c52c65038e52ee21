// Package bootfs writes and reads the two partitions of a station's card that
// exist before anything is mounted: the boot file system (p1) and the raw state
// partition (p5). Neither is ever mounted by the station's kernel.
//
// # Boot file system
//
// It is FAT16 with a single FAT, because that is what every boot loader in
// question reads, and it is divided so that a release can be replaced by writing
// sectors, with no file system code between the update and the card:
//
//	  0        boot sector, then reserved sectors up to the FAT
//	  2 MiB    root directory, 512 entries; the FAT ends where it begins
//	  2 MiB+   general area: firmware, truechimer.toml, room for a person's files
//	 60 MiB    pointer files, one sector each, in 4 MiB where Write puts nothing else
//	 64 MiB    slot a: directory /a, its files, /a/ROOM.BIN for what is left over
//	160 MiB    slot b, the same
//	256 MiB    end
//
// Pointers and slots begin on multiples of 4 MiB, the size of a card's erase blocks.
// The FAT entries of a slot fill whole 4 KiB pages of the FAT, so not even a
// card that loses the page around a torn write can damage the other slot's: a
// slot is a multiple of 16 MiB for that. The reserved sectors fill nearly 2 MiB
// so that a cluster whose number is a multiple of 256 (one FAT sector) lies on a
// multiple of 2 MiB.
//
// ROOM.BIN owns each cluster of its slot that no other file of the slot uses.
// So the slots look full to a PC, which puts a person's files into the general
// area and never into a slot.
//
// # Other volumes
//
// [OpenAny] reads what people bring, FAT32 too. Nothing is ever written there.
//
// # Raw state
//
// See [State].
package bootfs

// Geometry of the boot file system, in bytes from the beginning of the
// partition unless a name says otherwise. Changing any of it makes cards that
// were flashed before impossible to update.
const (
	Size        = 256 << 20
	SectorSize  = 512
	ClusterSize = 8 << 10
	RootEntries = 512

	fatSectors = 127 // all clusters there are, to the last entry
	fatSize    = fatSectors * SectorSize
	rootSize   = RootEntries * entrySize

	FATOffset     = RootDirOffset - fatSize
	RootDirOffset = 2 << 20
	DataOffset    = RootDirOffset + rootSize
	PointerOffset = 60 << 20
	SlotAOffset   = 64 << 20
	SlotBOffset   = SlotAOffset + SlotSize
	SlotSize      = 96 << 20

	firstCluster = 2 // FAT specification: entries 0 and 1 stand for no cluster
	endCluster   = firstCluster + (Size-DataOffset)/ClusterSize
)

// RoomName is the file in each slot that keeps the slot's unused clusters from
// being given to other files.
const RoomName = "ROOM.BIN"

// pointerFiles are the files that say which slot boots, where a board's boot
// loader has such a file. Each is one sector, so that changing one byte of it is
// one write that happens or does not; [Write] gives them the clusters from
// PointerOffset on, in this order, whether or not the earlier ones exist.
var pointerFiles = [...]string{"config.txt", "tryboot.txt", "loader/loader.conf"}

// clusterOffset is where a cluster's data begins.
func clusterOffset(c int) int64 {
	return DataOffset + int64(c-firstCluster)*ClusterSize
}

// clusterAt is the cluster that begins at an offset.
func clusterAt(offset int64) int {
	return firstCluster + int((offset-DataOffset)/ClusterSize)
}

// Slot is one of the two bootable halves of the boot file system.
type Slot string

// The slots; they are also the names of their directories.
const (
	SlotA Slot = "a"
	SlotB Slot = "b"
)

// Other is the slot that s is not: a where s is b, or no slot at all.
func (s Slot) Other() Slot {
	if s == SlotA {
		return SlotB
	}
	return SlotA
}

// clusters returns the slot's first cluster and the one after its last; ok is
// false where there is no such slot.
func (s Slot) clusters() (first, end int, ok bool) {
	switch s {
	case SlotA:
		return clusterAt(SlotAOffset), clusterAt(SlotBOffset), true
	case SlotB:
		return clusterAt(SlotBOffset), endCluster, true
	}
	return 0, 0, false
}

// Extent is a run of bytes in the partition.
type Extent struct {
	Offset, Length int64
}

// SlotExtents are the only bytes that ever change when a slot is rewritten: its
// part of the FAT, and its directories and data. It returns nil for a slot that
// does not exist.
func SlotExtents(s Slot) []Extent {
	first, end, ok := s.clusters()
	if !ok {
		return nil
	}
	return []Extent{
		{FATOffset + 2*int64(first), 2 * int64(end-first)},
		{clusterOffset(first), int64(end-first) * ClusterSize},
	}
}
