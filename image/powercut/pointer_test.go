package powercut

import (
	"encoding/binary"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestPointerWrites cuts the power in each write of each pointer file.
func TestPointerWrites(t *testing.T) {
	total := 0
	for _, tpl := range []bootfs.Template{config, tryboot, loaderConf} {
		card := newCard(t)
		for _, to := range []bootfs.Slot{"b", "a", "b", "a"} {
			r := NewRecorder(card)
			if err := bootfs.SetPointer(bootPart(r), tpl, to); err != nil {
				t.Fatal(err)
			}
			r.Mark()
			c := &tally{t: t}
			was, err := bootfs.FindPointer(bootPart(card), tpl)
			if err != nil {
				t.Fatal(err)
			}
			r.States(100, func(s State) {
				c.states++
				c.clean(s, nil)
				p, err := bootfs.FindPointer(bootPart(s.Disk), tpl)
				if err != nil || p.Slot != to && (p.Slot != was.Slot || s.Max > 0) {
					c.fail(s, "%s: slot %q, %v", tpl.Path, p.Slot, err)
				}
			})
			total += c.states
			card = r.Disk
		}
	}
	t.Logf("%d states", total)
}

// spoil is what was done to a pointer file before it is repaired.
type spoil struct {
	name string
	do   func(p1 Part, entry int64, cluster int)
}

var spoils = []spoil{
	{"edited", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte("# mine now "), clusterAt(cluster))
	}},
	{"longer", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte{0x00, 0x01}, entry+28)
	}},
	{"large", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte{0x00, 0x10}, entry+28)
	}},
	{"in pieces", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte{0x00, 0x30}, entry+28)
		setFAT(p1, cluster, 600)
		setFAT(p1, 600, 0xffff)
	}},
	{"deleted", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte{0xe5}, entry)
		p1.WriteAt([]byte{0xe5}, entry-32) // its long name
		setFAT(p1, cluster, 0)
	}},
	{"deleted, its cluster taken", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt([]byte("MINE    TXT"), entry)
		p1.WriteAt([]byte{0xe5}, entry-32)
	}},
	{"empty", func(p1 Part, entry int64, cluster int) {
		p1.WriteAt(make([]byte, 6), entry+26)
		setFAT(p1, cluster, 0)
	}},
}

func clusterAt(c int) int64 { return bootfs.DataOffset + int64(c-2)*bootfs.ClusterSize }

func setFAT(p1 Part, c int, v uint16) {
	p1.WriteAt(binary.LittleEndian.AppendUint16(nil, v), bootfs.FATOffset+2*int64(c))
}

// entryOf is a pointer file's directory entry and its cluster.
func entryOf(t *testing.T, p1 Part, tpl bootfs.Template) (at int64, cluster int) {
	t.Helper()
	dir, entries, name := int64(bootfs.RootDirOffset), bootfs.RootEntries, "CONFIG  TXT"
	if tpl.Path == loaderConf.Path {
		b := make([]byte, 2)
		p1.ReadAt(b, findEntry(t, p1, "LOADER     ")+26)
		dir, entries, name = clusterAt(int(binary.LittleEndian.Uint16(b))), bootfs.ClusterSize/32, "LOADER~1CON"
	}
	at = findIn(t, p1, dir, entries, func(e []byte) bool { return string(e[:11]) == name })
	b := make([]byte, 2)
	p1.ReadAt(b, at+26)
	return at, int(binary.LittleEndian.Uint16(b))
}

// TestRepair cuts the power in repairs: what boots is what booted before the
// repair, if that was anything, or the slot that is to boot; another repair brings
// that about and leaves the volume clean.
func TestRepair(t *testing.T) {
	needs(t, "fsck.fat", "dosfstools")
	total := 0
	for _, l := range []struct {
		boards.Loader
		bootfs.Template
	}{{boards.LoaderPi, config}, {boards.LoaderUEFI, loaderConf}} {
		for _, sp := range spoils {
			card := newCard(t)
			at, cluster := entryOf(t, bootPart(card), l.Template)
			sp.do(bootPart(card), at, cluster)
			was, _, wasErr := boots(l.Loader, card, false, "", oldRelease)
			r := NewRecorder(card)
			if _, err := bootfs.RepairPointer(bootPart(r), l.Template, bootfs.SlotA); err != nil {
				t.Fatalf("%s: %v", sp.name, err)
			}
			r.Mark()
			c := &tally{t: t, every: 8}
			r.States(30, func(s State) {
				c.states++
				s.How = sp.name + ": " + s.How
				slot, _, err := boots(l.Loader, s.Disk, false, "", oldRelease)
				same := (err == nil) == (wasErr == nil) && slot == was && s.Max == 0
				if !same && (err != nil || slot != "a") {
					c.fail(s, "%s: slot %s, %v", sp.name, slot, err)
				}
				again := s
				again.Disk = Over(s.Disk)
				if _, err := bootfs.RepairPointer(bootPart(again.Disk), l.Template, bootfs.SlotA); err != nil {
					c.fail(s, "%s: repairing again: %v", sp.name, err)
					return
				}
				if slot, _, err := boots(l.Loader, again.Disk, false, "", oldRelease); err != nil || slot != "a" {
					c.fail(s, "%s: repaired again: slot %s, %v", sp.name, slot, err)
				}
				c.clean(again, nil)
			})
			total += c.states
		}
	}
	t.Logf("%d states", total)
}
