package powercut

import (
	"errors"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// TestStateRecords cuts the power in every write of init's records, from a blank
// card on: the value is the old one or the new one, and there is never an error.
func TestStateRecords(t *testing.T) {
	total := 0
	boot := func(hung int) record {
		v := bootfs.Boot{PermMade: hung > 0, HungResets: hung}
		return record{
			func(s *bootfs.State) error { return s.StoreBoot(v) },
			func(s *bootfs.State) (any, error) { return orNone(s.LoadBoot()) }, v,
		}
	}
	identity := func(c string) record {
		v := bootfs.Identity{ID: strings.Repeat(c, 32), BoardSerial: "serial " + strings.Repeat(c, 100)}
		return record{
			func(s *bootfs.State) error { return s.StoreIdentity(v) },
			func(s *bootfs.State) (any, error) { return orNone(s.LoadIdentity()) }, v,
		}
	}
	for _, list := range [][]record{
		{boot(0), boot(1), boot(2), boot(3), boot(1_000_000), boot(2)},
		{identity("a"), identity("b"), identity("c"), identity("d")},
	} {
		card := newCard(t)
		for _, rec := range list {
			r := NewRecorder(card)
			if err := rec.store(bootfs.OpenState(statePart(r))); err != nil {
				t.Fatal(err)
			}
			r.Mark()
			old, err := rec.load(bootfs.OpenState(statePart(card)))
			if err != nil {
				t.Fatal(err)
			}
			c := &tally{t: t}
			r.States(100, func(s State) {
				c.states++
				got, err := rec.load(bootfs.OpenState(statePart(s.Disk)))
				if err != nil || got != rec.value && (got != old || s.Max > 0) {
					c.fail(s, "%+v, %v; was %+v, is to be %+v", got, err, old, rec.value)
				}
			})
			total += c.states
			card = r.Disk
		}
	}
	t.Logf("%d states", total)
}

type record struct {
	store func(*bootfs.State) error
	load  func(*bootfs.State) (any, error)
	value any
}

func orNone[T any](v T, err error) (any, error) {
	if errors.Is(err, bootfs.ErrNeverWritten) {
		return nil, nil
	}
	return v, err
}

// TestUBootSectors cuts the power in each first and later write of what U-Boot
// reads. The model's U-Boot and the station's boot control agree on every state.
func TestUBootSectors(t *testing.T) {
	total := 0
	card := newCard(t)
	for i, to := range []bootfs.Slot{"a", "b", "b", "a", "b"} { // the first on a blank card
		r := NewRecorder(card)
		control, err := bootctl.Open(boards.LoaderUBoot, to, bootctl.Parts{State: statePart(r)})
		if err != nil {
			t.Fatal(err)
		}
		st, err := control.Current()
		if err != nil {
			t.Fatal(err)
		}
		old := st.Committed
		if to != old {
			if _, err := control.TryOnce(to); err != nil {
				t.Fatal(err)
			}
			r.Mark()
			clearTry(t, r) // U-Boot, before it boots the slot
		} else {
			r.Mark()
		}
		r.Mark()
		if err := control.Commit(to); err != nil {
			t.Fatal(err)
		}
		r.Mark()
		c := &tally{t: t}
		r.States(100, func(s State) {
			c.states++
			slot, tried, err := ReadUBoot(statePart(s.Disk))
			again, err2 := bootctl.Open(boards.LoaderUBoot, to, bootctl.Parts{State: statePart(s.Disk)})
			if err != nil || err2 != nil {
				c.fail(s, "%v, %v", err, err2)
				return
			}
			if st, err := again.Current(); err != nil || (st.Armed != "") != tried || tried && string(st.Armed) != slot || !tried && string(st.Committed) != slot {
				c.fail(s, "U-Boot takes %s, tried %v; the station thinks %+v, %v", slot, tried, st, err)
			}
			clear := Over(s.Disk)
			clearTry(t, clear)
			slot, _, err = ReadUBoot(statePart(clear))
			if got := bootfs.Slot(slot); err != nil || got != to && (got != old || s.Max > 2) || got == to && got != old && s.Max < 2 {
				c.fail(s, "step %d: committed is %s, %v", i, slot, err)
			}
		})
		total += c.states
		card = r.Disk
	}
	t.Logf("%d states", total)
}

func clearTry(t *testing.T, d bootfs.Device) {
	t.Helper()
	b := make([]byte, sectorSize)
	copy(b, "TCT1-")
	if _, err := statePart(d).WriteAt(b, bootfs.TrySector); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}
