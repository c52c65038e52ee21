package bootfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoRoom says that a pointer file cannot be repaired for want of a cluster or
// of directory entries.
var ErrNoRoom = errors.New("no room left on the boot volume: delete some of your files there")

// RepairPointer makes a pointer file good again, whatever was done to it, and
// lets it point to the slot that is to boot. What stood in its place is kept, all
// of it, under the name with the ending OLD (or OL1 to OL9, O10 to O99); kept lists those names.
//
// Each step below is synced and read back before the next, and each changes one
// byte of what a loader reads, or nothing it reads. So a cut, or a torn sector,
// leaves the loader the file as it was before or the good one:
//
//  1. the content goes into a cluster that no file owns;
//  2. the FAT says that the cluster ends a chain: until 4 it is a lost one,
//     which is harmless, and the next repair takes the same one;
//  3. the new directory entries are written as deleted ones;
//  4. the first byte of each makes them valid, the short one's first;
//  5. where there was an entry, the name now exists twice: a loader takes either;
//     the old entry loses its long name and then gets the other ending.
//
// A cut before the end of 5 is made up for by calling RepairPointer again.
func RepairPointer(d Device, t Template, to Slot) (kept []string, err error) {
	if _, _, ok := to.clusters(); !ok {
		return nil, fmt.Errorf("%s: slot %q: there are only a and b", t.Path, to)
	}
	kept, err = repairPointer(d, t, to)
	if err != nil {
		return kept, fmt.Errorf("repairing %s: %w", t.Path, err)
	}
	return kept, SetPointer(d, t, to)
}

func repairPointer(d Device, t Template, to Slot) (kept []string, err error) {
	v, err := openPointer(d, t)
	if err != nil {
		return nil, err
	}
	good := slices.IndexFunc(v.matches, func(e Entry) bool {
		_, err := v.judge(e)
		return err == nil
	})
	old := v.matches
	if good >= 0 {
		old = slices.Delete(slices.Clone(v.matches), good, good+1)
	} else if err := v.create(d, to); err != nil {
		return nil, err
	}
	for _, e := range old {
		name, err := v.putAside(d, e)
		if err != nil {
			return kept, err
		}
		kept = append(kept, name)
	}
	return kept, nil
}

// create is steps 1 to 4.
func (v *pointerDir) create(d Device, to Slot) error {
	cluster, err := v.freeCluster()
	if err != nil {
		return err
	}
	entries, err := v.newEntries(cluster, int64(len(v.t.Content(to))))
	if err != nil {
		return err
	}
	at, err := v.freeEntries(d, len(entries))
	if err != nil {
		return err
	}
	content := make([]byte, ClusterSize)
	copy(content, v.t.Content(to))
	if err := writeBack(d, content, clusterOffset(cluster)); err != nil {
		return err
	}
	fat := FATOffset + 2*int64(cluster)
	if err := editSector(d, fat/SectorSize*SectorSize, func(b []byte) {
		binary.LittleEndian.PutUint16(b[fat%SectorSize:], endOfChain)
	}); err != nil {
		return err
	}
	for i, e := range slices.Backward(entries) { // the directory's end moves last
		deleted := slices.Clone(e)
		deleted[0] = entryDeleted
		if err := v.editEntry(d, at+i*entrySize, func(b []byte) { copy(b, deleted) }); err != nil {
			return err
		}
	}
	for i, e := range slices.Backward(entries) {
		if err := v.editEntry(d, at+i*entrySize, func(b []byte) { b[0] = e[0] }); err != nil {
			return err
		}
	}
	return nil
}

// freeCluster prefers the pointer's own place, also where an earlier repair that
// was cut left it marked as used. So it does with another cluster that holds
// what such a repair wrote.
func (v *pointerDir) freeCluster() (int, error) {
	if i := slices.Index(pointerFiles[:], v.t.Path); i >= 0 {
		home := clusterAt(PointerOffset) + i
		if !v.usage.owned[home] && v.fat[home] != badCluster {
			return home, nil
		}
	}
	for c := clusterAt(SlotAOffset) - 1; c >= firstCluster; c-- {
		if !v.usage.owned[c] && (v.fat[c] == 0 || v.fat[c] != badCluster && v.holdsOurs(c)) {
			return c, nil
		}
	}
	return 0, ErrNoRoom
}

// holdsOurs says whether a cluster begins with the pointer's content and zeros.
func (v *pointerDir) holdsOurs(cluster int) bool {
	b := make([]byte, SectorSize)
	if err := readAt(v.r, b, clusterOffset(cluster)); err != nil {
		return false
	}
	return slices.ContainsFunc([]Slot{SlotA, SlotB}, func(s Slot) bool {
		want := make([]byte, SectorSize)
		copy(want, v.t.Content(s))
		return bytes.Equal(b, want)
	})
}

// newEntries are the directory entries of a file with the pointer's name.
func (v *pointerDir) newEntries(cluster int, size int64) ([][]byte, error) {
	st, err := newStamp(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) // the station may not know the time
	if err != nil {
		return nil, err
	}
	base, ext, exact := shorten(v.name)
	short := pack(base, ext)
	if !exact {
		used := make(map[string]bool)
		for _, e := range parseDir(v.raw, false) {
			used[e.Short] = true
		}
		for i := 1; ; i++ {
			tail := fmt.Sprintf("~%d", i)
			if short = pack(base[:min(len(base), 8-len(tail))]+tail, ext); !used[short.String()] {
				break
			}
		}
	}
	var list [][]byte
	if short.String() != v.name {
		list = slices.AppendSeq(list, slices.Chunk(longEntries(v.name, short.checksum()), entrySize))
	}
	return append(list, st.entry(short, attrArchive, cluster, size)), nil
}

// freeEntries finds n unused directory entries in a row, as an offset into the
// directory. It makes sure that the directory still ends behind them.
func (v *pointerDir) freeEntries(d Device, n int) (int, error) {
	count, total := 0, len(v.raw)/entrySize
	ended := false
	for i := range total {
		switch v.raw[i*entrySize] {
		case 0:
			ended = true
			count++
		case entryDeleted:
			count++
		default:
			if count++; !ended {
				count = 0
			}
		}
		if count < n {
			continue
		}
		if next := i + 1; ended && next < total && v.raw[next*entrySize] != 0 {
			if err := v.editEntry(d, next*entrySize, func(b []byte) { b[0] = 0 }); err != nil {
				return 0, err
			}
		}
		return (i + 1 - n) * entrySize, nil
	}
	return 0, ErrNoRoom
}

// editEntry changes the directory entry at an offset into the directory.
func (v *pointerDir) editEntry(d Device, at int, change func([]byte)) error {
	off := int64(at)
	for _, e := range v.pieces {
		if off < e.Length {
			off += e.Offset
			break
		}
		off -= e.Length
	}
	return editSector(d, off/SectorSize*SectorSize, func(b []byte) {
		change(b[off%SectorSize:][:entrySize])
	})
}

// putAside is step 5: the entry gets a name that no loader looks for.
func (v *pointerDir) putAside(d Device, e Entry) (string, error) {
	var used []string
	for _, other := range parseDir(v.raw, false) {
		used = append(used, other.Short)
	}
	base := string(v.raw[e.at:][:8])
	name, ext := "", ""
	for i := range 100 {
		switch {
		case i == 0:
			ext = "OLD"
		case i < 10:
			ext = fmt.Sprintf("OL%d", i)
		default:
			ext = fmt.Sprintf("O%d", i)
		}
		var s shortName
		copy(s[:], base+ext)
		if name = readShort(append(s[:], make([]byte, entrySize)...), false); !slices.Contains(used, name) {
			break
		}
		name = ""
	}
	if name == "" {
		return "", ErrNoRoom
	}
	for at := e.from; at < e.at; at += entrySize {
		if err := v.editEntry(d, at, func(b []byte) { b[0] = entryDeleted }); err != nil {
			return "", err
		}
	}
	if err := v.editEntry(d, e.at, func(b []byte) { copy(b[8:11], ext) }); err != nil {
		return "", err
	}
	copy(v.raw[e.at+8:], ext) // the next one gets another
	return name, nil
}
