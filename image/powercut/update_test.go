package powercut

import (
	"io/fs"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// variables are a firmware's, which keeps what it says it keeps.
type variables map[string]string

func (v variables) Read(name string) ([]byte, error) {
	if s, ok := v[name]; ok {
		return []byte(s), nil
	}
	return nil, fs.ErrNotExist
}
func (v variables) Write(name string, b []byte) error { v[name] = string(b); return nil }
func (v variables) Delete(name string) error          { delete(v, name); return nil }

// What Mark was called for in an update.
const (
	writing    = iota // the slot is being written
	written           // and whole
	arming            // TryOnce was called
	armed             // and returned
	tried             // the loader has taken the slot once
	committing        // Commit was called
	committed         // and returned
)

// update is an update of a card as the station does it.
type update struct {
	loader   boards.Loader
	from, to bootfs.Slot
	old, new Release
}

func (u update) run(t *testing.T, r *Recorder) {
	t.Helper()
	parts := bootctl.Parts{Boot: bootPart(r), State: statePart(r), Variables: variables{}, Config: config, Tryboot: tryboot, LoaderConf: loaderConf}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	control := func(running bootfs.Slot) bootctl.Control {
		c, err := bootctl.Open(u.loader, running, parts)
		must(err)
		return c
	}
	must(bootfs.CheckSlot(bootPart(r), u.to))
	must(bootfs.WriteSlot(bootfs.Guard(bootPart(r), bootfs.SlotExtents(u.to)), u.to, u.new.list(), when))
	for off := 0; off < len(u.new.Root); off += 32 << 10 {
		_, err := rootPart(r, string(u.to)).WriteAt(u.new.Root[off:off+32<<10], int64(off))
		must(err)
	}
	must(r.Sync())
	must(bootfs.VerifySlot(bootPart(r), u.to, u.new.list()))
	r.Mark() // written
	r.Mark() // arming
	_, err := control(u.from).TryOnce(u.to)
	must(err)
	r.Mark() // armed
	if u.loader == boards.LoaderUBoot {
		b := make([]byte, sectorSize)
		copy(b, "TCT1-")
		_, err := statePart(r).WriteAt(b, bootfs.TrySector)
		must(err)
		must(r.Sync())
	}
	r.Mark() // tried
	r.Mark() // committing
	must(control(u.to).Commit(u.to))
	r.Mark() // committed
}

// untouched says whether all of the slot that ran is as it was on the card.
func (u update) untouched(card *Disk, s State) bool {
	root := rootPart(card, string(u.from))
	same := s.Same(card, root.Start, root.Length)
	for _, e := range bootfs.SlotExtents(u.from) {
		same = same && s.Same(card, bootPart(card).Start+e.Offset, e.Length)
	}
	return same
}

// check is what must hold of each disk that a cut during the update of card leaves.
func (u update) check(c *tally, card *Disk, s State) {
	c.t.Helper()
	if !u.untouched(card, s) {
		c.fail(s, "the slot that ran was touched")
	}
	// What was not touched need not be read again, but for what leads to it.
	old := u.old
	old.Root, old.Files = nil, map[string][]byte{"cmdline.txt": u.old.Files["cmdline.txt"]}
	slot, rel, err := boots(u.loader, s.Disk, false, "", old, u.new)
	if err != nil {
		c.fail(s, "does not boot: %v", err)
		return
	}
	got := slot + " " + rel
	before, after := string(u.from)+" "+u.old.Name, string(u.to)+" "+u.new.Name
	for m := s.Min; m <= s.Max; m++ {
		if !(got == before && m < committed || got == after && m >= committing) {
			c.fail(s, "at %d boots %s", m, got)
		}
	}
	if s.Min == armed && s.Max == armed {
		slot, rel, err := boots(u.loader, s.Disk, true, string(u.to)+".conf", u.new, u.old)
		// U-Boot has taken it off the list already, in some.
		if err != nil || slot+" "+rel != after && u.loader != boards.LoaderUBoot {
			c.fail(s, "tries slot %s, %s release: %v", slot, rel, err)
		}
	}
	var inside func(Fault) bool
	if s.Min == writing {
		// The slot that is written may have lost clusters, and not for long.
		first := 2 + int((bootfs.SlotAOffset-bootfs.DataOffset)/bootfs.ClusterSize)
		end := first + bootfs.SlotSize/bootfs.ClusterSize
		if u.to == bootfs.SlotB {
			first, end = end, end+bootfs.SlotSize/bootfs.ClusterSize
		}
		inside = func(f Fault) bool { return f.Kind == Lost && f.Cluster >= first && f.Cluster < end }
	}
	c.clean(s, inside)
}

// TestUpdate cuts the power in two updates of a card, to slot b and back to
// slot a, for each loader.
func TestUpdate(t *testing.T) {
	needs(t, "fsck.fat", "dosfstools")
	total, fsckd := 0, 0
	for _, l := range []boards.Loader{boards.LoaderPi, boards.LoaderUEFI, boards.LoaderUBoot} {
		card := newCard(t)
		for _, u := range []update{
			{l, bootfs.SlotA, bootfs.SlotB, oldRelease, newRelease},
			{l, bootfs.SlotB, bootfs.SlotA, newRelease, oldRelease},
			{l, bootfs.SlotA, bootfs.SlotB, oldRelease, newRelease}, // slot b holds the same already
		} {
			if err := u.old.In(bootPart(card), string(u.from), rootPart(card, string(u.from))); err != nil {
				t.Fatal(err)
			}
			r := NewRecorder(card)
			u.run(t, r)
			c := &tally{t: t, every: 60}
			r.States(450, func(s State) {
				c.states++
				u.check(c, card, s)
			})
			t.Logf("%s, to slot %s: %d states, %d bad, %d seen by fsck.fat; lost clusters in %d", l, u.to, c.states, c.bad, c.fsckd, c.pieces)
			total, fsckd = total+c.states, fsckd+c.fsckd
			card = r.Disk
		}
	}
	t.Logf("%d states, fsck.fat saw %d", total, fsckd)
	if total < 10000 {
		t.Errorf("%d states, want 10000", total)
	}
}
