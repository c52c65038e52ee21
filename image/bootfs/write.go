package bootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// File is a file to be written.
type File struct {
	Path string // with slashes, relative to the root or to the slot's directory
	Size int64  // bytes; Open's reader yields exactly as many
	Open func() (io.ReadCloser, error)
}

// Spec is the content of a boot file system.
type Spec struct {
	Label    string // volume label: at most 11 of A-Z, 0-9, space, - and _
	VolumeID uint32
	Time     time.Time // stamp of all files, 1980 to 2107, written as UTC

	Root []File // firmware, config.txt, truechimer.toml ...; nothing below /a or /b
	A, B []File // the slots; empty: the slot holds nothing but its room
}

// rootRoom is how many entries of the root directory stay free for a person's
// files; a file with a long name takes two to four.
const rootRoom = 128

// OneSector says whether a file can be changed by writing one sector: it is an
// error if it is empty or larger than SectorSize.
func OneSector(f File) error {
	if f.Size < 1 || f.Size > SectorSize {
		return fmt.Errorf("%s: %d bytes, but it is switched by writing one sector: make it 1 to %d bytes", f.Path, f.Size, SectorSize)
	}
	return nil
}

// Write writes a boot file system of Size bytes. Where nothing is kept, w is
// left alone and must read as zeros, which a new file does; w need not be as
// long as Size, but what is read back must be. The same Spec gives the same bytes,
// in whatever order its files are listed.
func Write(w io.WriterAt, s Spec) error {
	label, err := volumeLabel(s.Label)
	if err != nil {
		return err
	}
	st, err := newStamp(s.Time)
	if err != nil {
		return err
	}
	root, err := newTree(s.Root)
	if err != nil {
		return err
	}
	if err := markPointers(root); err != nil {
		return err
	}
	general := &region{"the general area", firstCluster, clusterAt(PointerOffset)}
	if err := root.place(general, true); err != nil {
		return err
	}
	// The slots' own entries come first, so that they stay in the first sector
	// of the root directory.
	var slots []*node
	for _, slot := range []Slot{SlotA, SlotB} {
		n, err := slotTree(slot, map[Slot][]File{SlotA: s.A, SlotB: s.B}[slot])
		if err != nil {
			return err
		}
		if slices.ContainsFunc(root.children, func(c *node) bool { return strings.EqualFold(c.name, n.name) }) {
			return fmt.Errorf("/%s: belongs to the slot, list its files there", n.name)
		}
		slots = append(slots, n)
	}
	root.children = append(slots, root.children...)
	if err := alias(root.children); err != nil {
		return err
	}
	if n := 1 + root.entries(); n > RootEntries-rootRoom {
		return fmt.Errorf("root directory: %d entries, but %d of %d have to stay free for a person's files", n, rootRoom, RootEntries)
	}

	out := &volume{w: w, stamp: st}
	binary.LittleEndian.PutUint16(out.fat[0:], 0xff00|media)
	binary.LittleEndian.PutUint16(out.fat[2:], endOfChain)
	for _, c := range root.children {
		if err := out.put(c, 0); err != nil {
			return err
		}
	}
	list := append(st.entry(label, attrLabel, 0, 0), st.list(root)...)
	list = append(list, make([]byte, rootSize-len(list))...)
	for _, part := range []struct {
		b  []byte
		at int64
	}{{bootSector(label, s.VolumeID), 0}, {out.fat[:], FATOffset}, {list, RootDirOffset}} {
		if _, err := w.WriteAt(part.b, part.at); err != nil {
			return fmt.Errorf("boot file system: %w", err)
		}
	}
	return nil
}

// WriteSlot replaces all of a slot and touches no byte outside SlotExtents. It
// may be interrupted at any point: the other slot, the root directory and the
// general area are not in it.
//
// Where w is a Device, it is flushed between the steps, so that a PC finds no
// fault in a card whose power was cut in the second, which takes nearly all the
// time, and in other states nothing worse than lost clusters of this slot:
//
//  1. the slot becomes empty: its directory lists ROOM.BIN alone;
//  2. everything is written into what is now ROOM.BIN's;
//  3. the directory's first cluster and the slot's part of the FAT follow.
//
// In 1 and 3 the directory is first made to end behind . and .., which is one
// byte, then written but for that byte, and then given the byte.
func WriteSlot(w io.WriterAt, slot Slot, files []File, when time.Time) error {
	st, err := newStamp(when)
	if err != nil {
		return err
	}
	empty, err := slotTree(slot, nil)
	if err != nil {
		return err
	}
	n, err := slotTree(slot, files)
	if err != nil {
		return err
	}
	for _, step := range []*node{empty, n} {
		out := &volume{w: &lateCluster{w: w, at: clusterOffset(n.cluster)}, stamp: st}
		if err := out.put(step, 0); err != nil {
			return err
		}
		if err := out.finish(slot); err != nil {
			return fmt.Errorf("slot %s: %w", slot, err)
		}
	}
	return nil
}

// CheckFiles says whether WriteSlot would take files for a slot: FAT can hold
// their names, no two differ by case alone, and all of them fit. It opens none.
func CheckFiles(slot Slot, files []File) error {
	_, err := slotTree(slot, files)
	return err
}

// finish writes the cluster that was held back and a slot's part of the FAT.
func (v *volume) finish(slot Slot) error {
	late := v.w.(*lateCluster)
	d, ok := late.w.(Device)
	const third = 2 * entrySize // the entry behind . and ..: 0 ends the directory
	begin := late.b[third]
	if ok {
		if err := d.Sync(); err != nil {
			return err
		}
		if err := editSector(d, late.at, func(b []byte) { b[third] = 0 }); err != nil {
			return err
		}
		late.b[third] = 0
	}
	fat := SlotExtents(slot)[0]
	if _, err := late.w.WriteAt(v.fat[fat.Offset-FATOffset:][:fat.Length], fat.Offset); err != nil {
		return err
	}
	if _, err := late.w.WriteAt(late.b, late.at); err != nil || !ok {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return editSector(d, late.at, func(b []byte) { b[third] = begin })
}

// lateCluster holds back the first cluster of what is written at at.
type lateCluster struct {
	w  io.WriterAt
	at int64
	b  []byte
}

func (l *lateCluster) WriteAt(p []byte, off int64) (int, error) {
	if off != l.at {
		return l.w.WriteAt(p, off)
	}
	l.b = p[:ClusterSize]
	if len(p) == ClusterSize {
		return len(p), nil
	}
	n, err := l.w.WriteAt(p[ClusterSize:], off+ClusterSize)
	return ClusterSize + n, err
}

// slotTree is a slot's directory with clusters for all that is in it.
func slotTree(slot Slot, files []File) (*node, error) {
	first, end, ok := slot.clusters()
	if !ok {
		return nil, fmt.Errorf("slot %q: there are only a and b", slot)
	}
	n, err := newTree(files)
	if err != nil {
		return nil, fmt.Errorf("slot %s: %w", slot, err)
	}
	n.name = string(slot)
	if slices.ContainsFunc(n.children, func(c *node) bool { return strings.EqualFold(c.name, RoomName) }) {
		return nil, fmt.Errorf("slot %s: %s is not for files", slot, RoomName)
	}
	// It stands in the directory before its size is known.
	room := &node{name: RoomName, attr: attrReadOnly | attrArchive, pointer: -1}
	n.children = append(n.children, room)
	r := &region{"slot " + n.name, first, end}
	if err := n.place(r, false); err != nil {
		return nil, err
	}
	room.size = int64(r.end-r.next) * ClusterSize
	return n, r.take(room, room.size)
}

// markPointers finds the pointer files in the root's tree.
func markPointers(root *node) error {
	for i, path := range pointerFiles {
		at := root
		for _, name := range strings.Split(path, "/") {
			k := slices.IndexFunc(at.children, func(c *node) bool { return strings.EqualFold(c.name, name) })
			if k < 0 {
				at = nil
				break
			}
			at = at.children[k]
		}
		if at == nil || at.file == nil {
			continue
		}
		if err := OneSector(*at.file); err != nil {
			return err
		}
		at.pointer = i
	}
	return nil
}

func volumeLabel(s string) (shortName, error) {
	var n shortName
	ok := s != "" && len(s) <= len(n) && s == strings.TrimSpace(s)
	for _, r := range s {
		ok = ok && (r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" -_", r))
	}
	if !ok {
		return n, fmt.Errorf("volume label %q: 1 to 11 of A-Z, 0-9, space, - and _", s)
	}
	copy(n[:], fmt.Sprintf("%-11s", s))
	return n, nil
}

const (
	media      = 0xf8   // FAT specification: a fixed disk
	badCluster = 0xfff7 // FAT specification: a cluster that cannot be used
	endOfChain = 0xffff // FAT specification: the last cluster of a file
	// endOfChainFrom: so do all values from here on.
	endOfChainFrom = 0xfff8
)

// volume is a file system while it is written.
type volume struct {
	w     io.WriterAt
	stamp stamp
	fat   [fatSize]byte
}

// put writes n and all below it, and its clusters into the FAT.
func (v *volume) put(n *node, parent int) error {
	for i := range n.clusters {
		next := n.cluster + i + 1
		if i == n.clusters-1 {
			next = endOfChain
		}
		binary.LittleEndian.PutUint16(v.fat[2*(n.cluster+i):], uint16(next))
	}
	if n.file != nil {
		return v.copy(n)
	}
	if !n.dir() {
		return nil
	}
	if _, err := v.w.WriteAt(v.stamp.directory(n, parent), clusterOffset(n.cluster)); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	for _, c := range n.children {
		if err := v.put(c, n.cluster); err != nil {
			return err
		}
	}
	return nil
}

// copy writes a file's content, and zeros to the end of its last cluster.
func (v *volume) copy(n *node) (err error) {
	if n.file.Open == nil {
		return fmt.Errorf("%s: no content given", n.file.Path)
	}
	r, err := n.file.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", n.file.Path, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buf := make([]byte, min(32, max(n.clusters, 1))*ClusterSize)
	var done int64
	for at := clusterOffset(n.cluster); done < n.size; {
		want := min(int64(len(buf)), n.size-done)
		if _, err := io.ReadFull(r, buf[:want]); err != nil {
			return fmt.Errorf("%s: reading the %d bytes it was said to have: %w", n.file.Path, n.size, err)
		}
		full := (want + ClusterSize - 1) / ClusterSize * ClusterSize
		clear(buf[want:full])
		if _, err := v.w.WriteAt(buf[:full], at+done); err != nil {
			return fmt.Errorf("%s: %w", n.file.Path, err)
		}
		done += want
	}
	if k, err := io.ReadFull(r, buf[:1]); k != 0 {
		return fmt.Errorf("%s: has more than the %d bytes it was said to have", n.file.Path, n.size)
	} else if err != io.EOF {
		return fmt.Errorf("%s: %w", n.file.Path, err)
	}
	return nil
}

// bootSector is the first sector: the FAT specification's BIOS parameter block
// and no code to boot from.
func bootSector(label shortName, id uint32) []byte {
	const (
		sectorsPerTrack, heads = 63, 255 // what PCs assume of disks addressed by sector
		hidden                 = 16 << 20 / SectorSize
	)
	b := make([]byte, SectorSize)
	copy(b, "\xeb\x3c\x90MSWIN4.1") // the name that old systems expect before they write
	binary.LittleEndian.PutUint16(b[11:], SectorSize)
	b[13] = ClusterSize / SectorSize
	binary.LittleEndian.PutUint16(b[14:], FATOffset/SectorSize)
	b[16] = 1 // FATs
	binary.LittleEndian.PutUint16(b[17:], RootEntries)
	b[21] = media
	binary.LittleEndian.PutUint16(b[22:], fatSectors)
	binary.LittleEndian.PutUint16(b[24:], sectorsPerTrack)
	binary.LittleEndian.PutUint16(b[26:], heads)
	binary.LittleEndian.PutUint32(b[28:], hidden) // the partition begins at 16 MiB
	binary.LittleEndian.PutUint32(b[32:], Size/SectorSize)
	b[36] = 0x80 // drive
	b[38] = 0x29 // the next three are valid
	binary.LittleEndian.PutUint32(b[39:], id)
	copy(b[43:], label[:])
	copy(b[54:], "FAT16   ")
	copy(b[62:], "\xcd\x18\xeb\xfe") // asks a BIOS for the next disk, then waits
	b[510], b[511] = 0x55, 0xaa
	return b
}
