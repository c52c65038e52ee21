package powercut

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

// The two ways that are known to be unsafe. That the harness finds what is wrong
// with them is what gives its silence about the others a meaning.

// withoutRoot is a release whose root does not matter.
func withoutRoot(r Release) Release { r.Root = nil; return r }

func countUnbootable(t *testing.T, r *Recorder, known ...Release) (states, unbootable int) {
	t.Helper()
	states = r.States(300, func(s State) {
		if _, _, err := boots("pi", s.Disk, false, "", known...); err != nil {
			unbootable++
		}
	})
	return states, unbootable
}

// TestWholeImageIsBad writes the boot partition's new image over the old one.
func TestWholeImageIsBad(t *testing.T) {
	card := newCard(t)
	spec := bootSpec()
	spec.A = newRelease.list()
	image := NewDisk(bootfs.Size)
	if err := bootfs.Write(image, spec); err != nil {
		t.Fatal(err)
	}
	// All that is not zeros, 64 KiB at a time, from the beginning to the end.
	chunks := make(map[int64]bool)
	for n := range image.pages {
		chunks[n/16] = true
	}
	r := NewRecorder(card)
	for _, n := range slices.Sorted(maps.Keys(chunks)) {
		b := make([]byte, 64<<10)
		image.ReadAt(b, n*64<<10)
		if _, err := bootPart(r).WriteAt(b, n*64<<10); err != nil {
			t.Fatal(err)
		}
	}
	r.Sync()
	states, bad := countUnbootable(t, r, withoutRoot(oldRelease), withoutRoot(newRelease))
	t.Logf("%d states, %d unbootable", states, bad)
	if bad == 0 || bad == states {
		t.Errorf("%d of %d states are unbootable", bad, states)
	}
}

// TestRenameIsBad replaces config.txt as a mounted FAT does: a new file is
// written and then renamed, and nothing of it is flushed in between.
func TestRenameIsBad(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		card := newCard(t)
		if err := bootfs.WriteSlot(bootPart(card), bootfs.SlotB, newRelease.list(), when); err != nil {
			t.Fatal(err)
		}
		r := NewRecorder(card)
		p1 := bootPart(r)
		const cluster = 500
		edit := func(off int64, change func(b []byte)) {
			b := make([]byte, sectorSize)
			p1.ReadAt(b, off/sectorSize*sectorSize)
			change(b[off%sectorSize:])
			p1.WriteAt(b, off/sectorSize*sectorSize)
		}
		fat := func(c int, v uint16) {
			edit(bootfs.FATOffset+2*int64(c), func(b []byte) { binary.LittleEndian.PutUint16(b, v) })
		}
		at := findEntry(t, p1, "CONFIG  TXT")
		text := []byte(config.Content(bootfs.SlotB))
		p1.WriteAt(append(text, make([]byte, bootfs.ClusterSize-len(text))...), bootfs.DataOffset+(cluster-2)*bootfs.ClusterSize)
		fat(cluster, 0xffff)
		entry := make([]byte, 32)
		p1.ReadAt(entry, at)
		old := int(binary.LittleEndian.Uint16(entry[26:]))
		binary.LittleEndian.PutUint16(entry[26:], cluster)
		free := freeEntry(t, p1)
		edit(free, func(b []byte) { copy(b, entry); copy(b, "CONFIG  NEW") })
		if flushed {
			r.Sync()
		}
		edit(at, func(b []byte) { b[0] = 0xe5 }) // its long name stays, which nobody minds
		edit(free, func(b []byte) { copy(b, "CONFIG  TXT") })
		if flushed {
			r.Sync()
		}
		fat(old, 0)
		states, bad := countUnbootable(t, r, withoutRoot(oldRelease), withoutRoot(newRelease))
		t.Logf("flushed %v: %d states, %d unbootable", flushed, states, bad)
		if bad == 0 || bad == states {
			t.Errorf("flushed %v: %d of %d states are unbootable", flushed, bad, states)
		}
		if slot, _, err := boots("pi", r.Disk, false, "", withoutRoot(newRelease)); err != nil || slot != "b" {
			t.Errorf("uncut: slot %s, %v", slot, err)
		}
	}
}

// findEntry is where the root directory has the entry of an 8.3 name.
func findEntry(t *testing.T, p1 Part, name string) int64 {
	t.Helper()
	return findIn(t, p1, bootfs.RootDirOffset, bootfs.RootEntries, func(e []byte) bool { return string(e[:11]) == name })
}

func freeEntry(t *testing.T, p1 Part) int64 {
	t.Helper()
	return findIn(t, p1, bootfs.RootDirOffset, bootfs.RootEntries, func(e []byte) bool { return e[0] == 0 })
}

func findIn(t *testing.T, p1 Part, dir int64, entries int, is func([]byte) bool) int64 {
	t.Helper()
	b := make([]byte, 32*entries)
	p1.ReadAt(b, dir)
	for i := range entries {
		if is(b[32*i:][:32]) {
			return dir + int64(32*i)
		}
	}
	t.Fatal("no such entry")
	return 0
}
