package bootfs

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzRepair: whatever the root directory and the FAT hold, repair ends, with
// an error or with a good pointer, and never writes into a slot.
func FuzzRepair(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(bytes.Repeat([]byte("CONFIG  TXT"), 40), []byte{1, 2, 3, 4})
	m := mustWrite(f, pointers())
	root := make([]byte, rootSize)
	m.ReadAt(root, RootDirOffset)
	f.Add(root[:1024], []byte{})
	f.Fuzz(func(t *testing.T, dir, fat []byte) {
		d := &layered{base: m}
		d.WriteAt(dir[:min(len(dir), rootSize)], RootDirOffset)
		d.WriteAt(fat[:min(len(fat), fatSize)], FATOffset)
		g := Guard(d, []Extent{
			{FATOffset, 2 * int64(clusterAt(SlotAOffset))}, {RootDirOffset, rootSize}, {DataOffset, SlotAOffset - DataOffset},
		})
		_, err := RepairPointer(g, configTxt, SlotB)
		if errors.Is(err, ErrOutside) {
			t.Error(err)
		}
		if err == nil {
			if p, err := FindPointer(d, configTxt); err != nil || p.Slot != SlotB {
				t.Errorf("%+v, %v", p, err)
			}
		}
	})
}

// layered is a disk that keeps what is written apart from the one below it.
type layered struct {
	base *memory
	top  memory
}

func (l *layered) ReadAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		k := min(len(p)-n, int(4096-(off+int64(n))%4096))
		from := l.base
		if l.top.pages[(off+int64(n))/4096] != nil {
			from = &l.top
		}
		from.ReadAt(p[n:n+k], off+int64(n))
		n += k
	}
	return len(p), nil
}

func (l *layered) WriteAt(p []byte, off int64) (int, error) {
	for page := off / 4096; page*4096 < off+int64(len(p)); page++ {
		if b := l.base.pages[page]; l.top.pages[page] == nil && b != nil {
			l.top.WriteAt(b[:], page*4096)
		}
	}
	return l.top.WriteAt(p, off)
}

func (l *layered) Sync() error { return nil }
