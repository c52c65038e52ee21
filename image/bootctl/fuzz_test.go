package bootctl

import (
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// FuzzRecords: whatever the sectors and variables hold, the state is one that
// the loaders know, and the running slot can be committed from it.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("TCB1a"), []byte("TCB1b"), []byte("TCT1-"), "a\x00.\x00c\x00o\x00n\x00f\x00\x00\x00")
	f.Add([]byte("TCB1"), []byte{}, []byte("TCT1b"), "")
	f.Add([]byte("TCT1b"), []byte("TCB1c"), []byte("TCB1b"), "b.conf")
	f.Fuzz(func(t *testing.T, first, second, try []byte, variable string) {
		s := newStation(t)
		for at, b := range map[int64][]byte{bootfs.CommittedSector1: first, bootfs.CommittedSector2: second, bootfs.TrySector: try} {
			s.state.Disk.WriteAt(b[:min(len(b), bootfs.SectorSize)], at)
		}
		s.vars.m[OneShot], s.vars.m[Default] = variable, variable
		for _, l := range []boards.Loader{boards.LoaderUBoot, boards.LoaderUEFI} {
			c := s.open(t, l, bootfs.SlotB)
			if got := current(t, c); !valid(got.Committed) || got.Armed != "" && !valid(got.Armed) || got.Trial != (got.Committed == bootfs.SlotA) {
				t.Errorf("%s: %+v", l, got)
			}
			if err := c.Commit(bootfs.SlotB); err != nil || current(t, c).Committed != bootfs.SlotB {
				t.Errorf("%s: %v", l, err)
			}
		}
	})
}
