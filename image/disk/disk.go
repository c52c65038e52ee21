// Package disk is the fixed partition table of every card and disk image.
//
// The table is written once, when the image is made, and never again: sizes do
// not depend on the card, nothing grows on first boot, and an update writes
// into partitions only. In the order of the disk:
//
//	       0  hybrid MBR, GPT header, GPT entries
//	  16 MiB  boot    FAT: firmware and both slots' kernels
//	 272 MiB  state   raw: identity, boot and update state
//	 280 MiB  root a  squashfs
//	 792 MiB  root b  squashfs
//	1304 MiB  perm    ext4, mounted at /perm
//	2328 MiB  room for the backup table, which nothing here writes
//	2332 MiB  DiskSize; what the card has beyond stays unused
//
// Partition numbers are those gokrazy's runtime expects (boot 1, roots 2 and 3,
// perm 4) and so differ from the order on the disk. Everything starts at a
// multiple of 4 MiB, the largest erase block that SD cards commonly have. The
// first 16 MiB hold the boot loader on boards that read it from fixed sectors.
//
// Only the primary table is written: an image file ends with the data of root
// a, long before the place of the backup. Linux and the boot loaders in use
// start from a primary table alone; firmware that misses the backup may add it
// where AlternateLBA says, which is inside DiskSize and outside every partition.
package disk

import (
	"fmt"
	"hash/fnv"
)

// SectorSize is the unit of an LBA, in bytes. Disks with other sectors are not supported.
const SectorSize = 512

// Start and size of each partition, in bytes from the start of the disk.
const (
	mib = 1 << 20

	BootStart  int64 = 16 * mib
	BootSize   int64 = 256 * mib
	StateStart int64 = BootStart + BootSize
	StateSize  int64 = 8 * mib
	RootAStart int64 = StateStart + StateSize
	RootASize  int64 = 512 * mib
	RootBStart int64 = RootAStart + RootASize
	RootBSize  int64 = 512 * mib
	PermStart  int64 = RootBStart + RootBSize
	PermSize   int64 = 1024 * mib
	permEnd    int64 = PermStart + PermSize

	// Alignment is what every Start and Size is a multiple of, in bytes.
	Alignment int64 = 4 * mib

	// DiskSize is the end of the layout in bytes, the backup table's place
	// included. A disk must be at least this large: Linux refuses a table
	// that names sectors beyond the disk's end.
	DiskSize int64 = permEnd + Alignment
)

// Number is a partition's number: its place in the GPT, counted from 1, and
// the last digits of its device name.
type Number int

// The partitions.
const (
	Boot  Number = 1
	RootA Number = 2
	RootB Number = 3
	Perm  Number = 4
	State Number = 5
)

// Partition is one entry of the table.
type Partition struct {
	Number Number
	Name   string // the GPT's partition name, at most 36 UTF-16 units
	Start  int64  // bytes from the start of the disk
	Size   int64  // bytes
	Type   GUID
	GUID   GUID // what a kernel calls PARTUUID
}

// Table is a partition table: the one Fixed lays down or the one Read found.
type Table struct {
	GUID        GUID   // of the disk
	FirstUsable uint64 // LBA; no partition starts before it
	LastUsable  uint64 // LBA; no partition ends after it
	Alternate   uint64 // LBA of the backup table's header
	Partitions  []Partition
}

// Partition finds a partition by its number.
func (t Table) Partition(n Number) (Partition, error) {
	for _, p := range t.Partitions {
		if p.Number == n {
			return p, nil
		}
	}
	return Partition{}, fmt.Errorf("partition %d is not in the table", n)
}

// Fixed is the table of a board's image. The GUIDs follow from the board's
// name, so that the same image is always the same bits. boot is the type of
// the boot partition: BasicData for a card that people open on a PC, which
// shows no EFI system partition; EFISystem where UEFI firmware boots.
func Fixed(board string, boot GUID) Table {
	part := func(n Number, name string, start, size int64, typ GUID) Partition {
		return Partition{n, name, start, size, typ, guid(board, n)}
	}
	return Table{
		GUID: guid(board, 0),
		// The sectors below belong to the table and the boot loader.
		FirstUsable: uint64(BootStart / SectorSize),
		LastUsable:  uint64(DiskSize/SectorSize) - backupSectors - 1,
		Alternate:   uint64(DiskSize/SectorSize) - 1,
		Partitions: []Partition{
			part(Boot, "boot", BootStart, BootSize, boot),
			part(RootA, "root a", RootAStart, RootASize, LinuxData),
			part(RootB, "root b", RootBStart, RootBSize, LinuxData),
			part(Perm, "perm", PermStart, PermSize, LinuxData),
			part(State, "state", StateStart, StateSize, RawState),
		},
	}
}

// Check says whether the table has this board's partitions where Fixed puts
// them: before anything is written to one. A type that firmware or a person
// changed, the place of the backup table and added partitions do not matter.
func (t Table) Check(board string) error {
	for _, want := range Fixed(board, BasicData).Partitions {
		got, err := t.Partition(want.Number)
		if err != nil {
			return fmt.Errorf("%w: this disk was not made from an image for %s", err, board)
		}
		if got.GUID != want.GUID {
			return fmt.Errorf("partition %d (%s) is %s, want %s: this disk was not made from an image for %s",
				want.Number, want.Name, got.GUID, want.GUID, board)
		}
		if got.Start != want.Start || got.Size != want.Size {
			return fmt.Errorf("partition %d (%s) has %d bytes at %d, want %d at %d: it was moved or resized; write the image anew",
				want.Number, want.Name, got.Size, got.Start, want.Size, want.Start)
		}
	}
	return nil
}

// PartUUID is a partition's GUID as kernel command lines name it, in lower
// case. gokrazy's runtime finds the disk by partition 1 alone, so a root is
// "root=PARTUUID=" + PartUUID(board, Boot) + "/PARTNROFF=1" for root a and
// "/PARTNROFF=2" for root b.
func PartUUID(board string, n Number) string { return guid(board, n).String() }

// guid follows gokrazy's scheme: a fixed prefix, 32 bits that stand for the
// image, the partition's number; number 0 is the disk itself.
func guid(board string, n Number) GUID {
	return mustGUID(fmt.Sprintf("60c24cc1-f3f9-427a-8199-%08x%04x", signature(board), int(n)))
}

// signature is also the MBR's disk signature.
func signature(board string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(board)) // never fails
	return h.Sum32()
}
