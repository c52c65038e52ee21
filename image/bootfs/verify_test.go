package bootfs

import (
	"errors"
	"math"
	"testing"
)

func TestOther(t *testing.T) {
	for slot, want := range map[Slot]Slot{SlotA: SlotB, SlotB: SlotA, "c": SlotA} {
		if got := slot.Other(); got != want {
			t.Errorf("the other one of %q is %q, want %q", slot, got, want)
		}
	}
}

func TestVerifySlot(t *testing.T) {
	s := pi()
	m := mustWrite(t, s)
	if err := WriteSlot(m, SlotB, s.A, when); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []Slot{SlotA, SlotB} {
		if err := VerifySlot(m, slot, s.A); err != nil {
			t.Error(err)
		}
	}
	f := open(t, m)
	kernel, err := f.Extents("b/vmlinuz")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := SlotB.clusters()
	_, room, err := f.find("b/" + RoomName)
	if err != nil || !room {
		t.Fatal(err)
	}
	root, _, err := f.find("b")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		off  int64
		b    []byte
		want error
	}{
		"last byte":           {kernel[0].Offset + 3<<20, []byte{0}, ErrSlotDiffers},
		"first cluster's end": {kernel[0].Offset + ClusterSize - 1, []byte{0}, ErrSlotDiffers},
		"chain":               {FATOffset + 2*int64(clusterAt(kernel[0].Offset)), le16(endOfChain), ErrSlotDiffers},
		"directory":           {clusterOffset(first) + 64, make([]byte, 512), ErrSlotDiffers},
		"slot elsewhere":      {RootDirOffset + int64(root.at) + 26, le16(first + 1), ErrSlotMoved},
		"slot gone":           {RootDirOffset + int64(root.at), []byte{entryDeleted}, ErrSlotMoved},
		"slot a file":         {RootDirOffset + int64(root.at) + 11, []byte{attrArchive}, ErrSlotMoved},
		"a person's file":     {FATOffset + 2*int64(clusterAt(PointerOffset)), le16(first + 500), ErrSlotTaken},
	} {
		bad := m.clone()
		bad.WriteAt(tt.b, tt.off)
		if err := VerifySlot(bad, SlotB, s.A); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, list := range [][]File{{file("missing", 1)}, {file("vmlinuz", 3<<20)}, {{Path: "vmlinuz", Size: 3<<20 + 1}}} {
		if VerifySlot(m, SlotB, list) == nil {
			t.Errorf("%+v is there", list)
		}
	}
	if CheckSlot(m, "c") == nil {
		t.Error("there is a slot c")
	}
}

func TestGuard(t *testing.T) {
	m := &memory{}
	g := Guard(&faulty{medium: m, left: -1}, []Extent{{512, 1024}, {4096, 512}})
	for _, tt := range []struct {
		off int64
		n   int
		ok  bool
	}{
		{512, 1024, true}, {1024, 512, true}, {4096, 512, true}, {1535, 1, true},
		{0, 1, false}, {511, 2, false}, {512, 1025, false}, {1536, 1, false}, {1500, 37, false}, {512, 4096, false},
		{-1, 1, false}, {4608, 1, false}, {math.MaxInt64, 1, false}, {math.MinInt64, 1, false}, {math.MinInt64, 1025, false},
	} {
		_, err := g.WriteAt(make([]byte, tt.n), tt.off)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrOutside) {
			t.Errorf("%d bytes at %d: %v", tt.n, tt.off, err)
		}
	}
	if err := g.Sync(); err != nil {
		t.Error(err)
	}
	if _, err := g.ReadAt(make([]byte, 512), 0); err != nil {
		t.Error(err)
	}
	// An update's way.
	card := mustWrite(t, pi())
	d := Guard(&faulty{medium: card, left: -1}, SlotExtents(SlotB))
	if err := WriteSlot(d, SlotB, pi().A, when); err != nil {
		t.Error(err)
	}
	if err := WriteSlot(d, SlotA, pi().A, when); !errors.Is(err, ErrOutside) {
		t.Errorf("the other slot: %v", err)
	}
}
