package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf16"
)

// Sizes and places of the GPT (UEFI 2.10, section 5.3).
const (
	headerSize   = 92
	entrySize    = 128
	entryCount   = 128
	entriesStart = 2 * SectorSize
	tableSize    = entriesStart + entrySize*entryCount // MBR, header and entries, bytes
	revision     = 0x00010000
	// The backup is entries and header, without the MBR.
	backupSectors = tableSize/SectorSize - 1
	nameUnits     = 36
)

const gptSignature = "EFI PART"

// Write writes the MBR, the header and the entries of Fixed(board, boot) in
// one piece at offset 0, and no backup table. What lies behind them is not touched.
func Write(w io.WriterAt, board string, boot GUID) error {
	if board == "" {
		return errors.New("partition table: the board has no name")
	}
	if boot != BasicData && boot != EFISystem {
		return fmt.Errorf("partition table: type %s of the boot partition is neither BasicData nor EFISystem", boot)
	}
	buf := marshal(Fixed(board, boot), signature(board))
	if _, err := w.WriteAt(buf, 0); err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	return nil
}

func marshal(t Table, signature uint32) []byte {
	buf := make([]byte, tableSize)
	putMBR(buf[:SectorSize], t, signature)

	entries := buf[entriesStart:]
	for _, p := range t.Partitions {
		putEntry(entries[int(p.Number-1)*entrySize:][:entrySize], p)
	}

	le := binary.LittleEndian
	h := buf[SectorSize:][:headerSize]
	copy(h, gptSignature)
	le.PutUint32(h[8:], revision)
	le.PutUint32(h[12:], headerSize)
	// h[16:20], the header's own CRC, comes last.
	le.PutUint64(h[24:], 1) // where this header lies
	le.PutUint64(h[32:], t.Alternate)
	le.PutUint64(h[40:], t.FirstUsable)
	le.PutUint64(h[48:], t.LastUsable)
	copy(h[56:], t.GUID[:])
	le.PutUint64(h[72:], entriesStart/SectorSize)
	le.PutUint32(h[80:], entryCount)
	le.PutUint32(h[84:], entrySize)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	return buf
}

func putEntry(b []byte, p Partition) {
	le := binary.LittleEndian
	copy(b[0:], p.Type[:])
	copy(b[16:], p.GUID[:])
	le.PutUint64(b[32:], uint64(p.Start/SectorSize))
	le.PutUint64(b[40:], uint64((p.Start+p.Size)/SectorSize-1))
	for i, u := range utf16.Encode([]rune(p.Name)) {
		le.PutUint16(b[56+2*i:], u)
	}
}

// putMBR writes a hybrid MBR: entry 1 is the boot partition, for boot ROMs
// that know no GPT (Raspberry Pi 3 and older); entry 2 covers the sectors from
// the GPT header up to it, which is how Linux and others recognise a GPT.
func putMBR(b []byte, t Table, signature uint32) {
	const (
		active   = 0x80
		fatLBA   = 0x0c
		gptGuard = 0xee
	)
	le := binary.LittleEndian
	put := func(b []byte, flags, typ byte, start, count uint32) {
		b[0], b[4] = flags, typ
		// The highest cylinder, head and sector: use the LBA instead.
		copy(b[1:], "\xfe\xff\xff")
		copy(b[5:], "\xfe\xff\xff")
		le.PutUint32(b[8:], start)
		le.PutUint32(b[12:], count)
	}
	boot := t.Partitions[0]
	start := uint32(boot.Start / SectorSize)
	le.PutUint32(b[440:], signature)
	put(b[446:], active, fatLBA, start, uint32(boot.Size/SectorSize))
	put(b[462:], 0, gptGuard, 1, start-1)
	b[510], b[511] = 0x55, 0xaa
}
