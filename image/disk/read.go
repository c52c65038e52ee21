package disk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"unicode/utf16"
)

// ErrNoTable says that there is no GPT at all where one should be.
var ErrNoTable = errors.New("no GPT found")

// maxLBA keeps every byte offset within an int64.
const maxLBA = 1<<54 - 1

// Read reads the MBR and the primary GPT and checks both CRCs and that the
// partitions are in bounds and do not overlap. It reads 17 KiB whatever the
// disk says, and accepts only what this package and the usual partitioning
// tools write: up to 128 entries of 128 bytes that follow the header.
func Read(r io.ReaderAt) (Table, error) {
	buf := make([]byte, tableSize)
	if n, err := r.ReadAt(buf, 0); n < len(buf) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Table{}, fmt.Errorf("read partition table: %w", err)
	}
	t, err := unmarshal(buf)
	if err != nil {
		return Table{}, fmt.Errorf("partition table: %w", err)
	}
	return t, nil
}

func unmarshal(buf []byte) (Table, error) {
	if err := checkMBR(buf[:SectorSize]); err != nil {
		return Table{}, err
	}
	le := binary.LittleEndian
	sector := buf[SectorSize:][:SectorSize]
	if string(sector[:8]) != gptSignature {
		return Table{}, fmt.Errorf("%w: sector 1 starts with %q", ErrNoTable, sector[:8])
	}
	if v := le.Uint32(sector[8:]); v != revision {
		return Table{}, fmt.Errorf("revision %#x is not 1.0", v)
	}
	size := le.Uint32(sector[12:])
	if size < headerSize || size > SectorSize {
		return Table{}, fmt.Errorf("header size %d is not within %d to %d", size, headerSize, SectorSize)
	}
	h := slices.Clone(sector[:size])
	sum := le.Uint32(h[16:])
	le.PutUint32(h[16:], 0)
	if got := crc32.ChecksumIEEE(h); got != sum {
		return Table{}, fmt.Errorf("header CRC is %08x, says %08x", got, sum)
	}
	if lba := le.Uint64(h[24:]); lba != 1 {
		return Table{}, fmt.Errorf("header at sector 1 says it lies at %d", lba)
	}
	t := Table{
		GUID:        GUID(h[56:72]),
		Alternate:   le.Uint64(h[32:]),
		FirstUsable: le.Uint64(h[40:]),
		LastUsable:  le.Uint64(h[48:]),
	}
	if t.FirstUsable < tableSize/SectorSize || t.LastUsable < t.FirstUsable || t.LastUsable > maxLBA {
		return Table{}, fmt.Errorf("usable sectors %d to %d make no sense", t.FirstUsable, t.LastUsable)
	}
	start, count, each := le.Uint64(h[72:]), le.Uint32(h[80:]), le.Uint32(h[84:])
	if start != entriesStart/SectorSize || count == 0 || count > entryCount || each != entrySize {
		return Table{}, fmt.Errorf("%d entries of %d bytes at sector %d are not supported", count, each, start)
	}
	entries := buf[entriesStart:][:count*entrySize]
	if got, sum := crc32.ChecksumIEEE(entries), le.Uint32(h[88:]); got != sum {
		return Table{}, fmt.Errorf("CRC of the entries is %08x, says %08x", got, sum)
	}
	if err := t.readEntries(entries); err != nil {
		return Table{}, err
	}
	return t, nil
}

// checkMBR looks for the entry that guards a GPT, as Linux does before it looks for one.
func checkMBR(b []byte) error {
	if b[510] != 0x55 || b[511] != 0xaa {
		return fmt.Errorf("%w: sector 0 is no MBR", ErrNoTable)
	}
	for e := b[446:510]; len(e) > 0; e = e[16:] {
		if e[4] == 0xee && binary.LittleEndian.Uint32(e[8:]) == 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: the MBR has no entry of type 0xee from sector 1", ErrNoTable)
}

func (t *Table) readEntries(entries []byte) error {
	le := binary.LittleEndian
	for i := range len(entries) / entrySize {
		e := entries[i*entrySize:][:entrySize]
		if GUID(e[:16]) == (GUID{}) {
			continue // unused
		}
		n := Number(i + 1)
		first, last := le.Uint64(e[32:]), le.Uint64(e[40:])
		if first < t.FirstUsable || last > t.LastUsable || first > last {
			return fmt.Errorf("partition %d: sectors %d to %d are not within %d to %d", n, first, last, t.FirstUsable, t.LastUsable)
		}
		t.Partitions = append(t.Partitions, Partition{
			Number: n,
			Name:   name(e[56:]),
			Start:  int64(first) * SectorSize,
			Size:   int64(last-first+1) * SectorSize,
			Type:   GUID(e[0:16]),
			GUID:   GUID(e[16:32]),
		})
	}
	byStart := slices.SortedFunc(slices.Values(t.Partitions), func(a, b Partition) int {
		return cmp.Compare(a.Start, b.Start)
	})
	for i := 1; i < len(byStart); i++ {
		if a, b := byStart[i-1], byStart[i]; a.Start+a.Size > b.Start {
			return fmt.Errorf("partitions %d and %d overlap", a.Number, b.Number)
		}
	}
	return nil
}

// name reads UTF-16 up to the first zero.
func name(b []byte) string {
	var units []uint16
	for i := range nameUnits {
		u := binary.LittleEndian.Uint16(b[2*i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
