package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/powercut"
)

// partition is a part of a disk in memory as go-diskfs wants its files.
type partition struct {
	powercut.Part
	at int64
}

func (p *partition) Read(b []byte) (int, error) {
	n := min(int64(len(b)), p.Length-p.at)
	if n <= 0 {
		return 0, io.EOF
	}
	k, err := p.ReadAt(b[:n], p.at)
	p.at += int64(k)
	return k, err
}

func (p *partition) Seek(off int64, whence int) (int64, error) {
	p.at = off + map[int]int64{io.SeekCurrent: p.at, io.SeekEnd: p.Length}[whence]
	return p.at, nil
}

func (p *partition) Close() error                            { return nil }
func (p *partition) Stat() (fs.FileInfo, error)              { return nil, errors.ErrUnsupported }
func (p *partition) Sys() (*os.File, error)                  { return nil, backend.ErrNotSuitable }
func (p *partition) Path() string                            { return "" }
func (p *partition) Writable() (backend.WritableFile, error) { return p, nil }

// firstBoot is what init does with /perm, on a disk in memory.
func firstBoot(d bootfs.Device) (usable, formatted bool) {
	card := &stationDisk{state: bootfs.OpenState(powercut.Part{Disk: d, Start: disk.StateStart, Length: disk.StateSize})}
	perm := powercut.Part{Disk: d, Start: disk.PermStart, Length: disk.PermSize}
	usable = card.makePerm(func(string) error {
		formatted = true
		return makeFileSystem(&partition{Part: perm}, perm.Sync)
	})
	return usable, formatted
}

// usedCard is a card that had another station's life, so that nothing on it is
// zeros by chance; its state is blank, as an image makes it.
func usedCard(t *testing.T) *powercut.Disk {
	t.Helper()
	d := powercut.NewDisk(disk.DiskSize)
	if usable, formatted := firstBoot(d); !usable || !formatted {
		t.Fatal("not made")
	}
	junk := make([]byte, 64<<10)
	for i := range junk {
		junk[i] = byte(i * 7)
	}
	for off := int64(0); off < disk.PermSize; off += 16 << 20 {
		if _, err := d.WriteAt(junk, disk.PermStart+off); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.WriteAt(make([]byte, disk.StateSize), disk.StateStart); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPermReplay cuts the power at every point of the first boot: after it either
// the file system is made again, or the record vouches for one that is there to
// the last byte.
func TestPermReplay(t *testing.T) {
	needs(t, "e2fsck", "e2fsprogs")
	r := powercut.NewRecorder(usedCard(t))
	if usable, formatted := firstBoot(r); !usable || !formatted {
		t.Fatal("not made")
	}
	var vouched, again, checked int
	n := r.States(60, func(s powercut.State) {
		boot, err := bootfs.OpenState(powercut.Part{Disk: s.Disk, Start: disk.StateStart, Length: disk.StateSize}).LoadBoot()
		switch {
		case errors.Is(err, bootfs.ErrNeverWritten):
			// The next boot makes it again: on some of these, it is tried.
			if again++; again%100 != 0 {
				return
			}
			next := powercut.Over(s.Disk)
			if usable, formatted := firstBoot(next); !usable || !formatted {
				t.Errorf("%s: at the next boot usable %v, made %v", s.How, usable, formatted)
			}
			if again%300 == 0 {
				e2fsck(t, next)
			}
		case err == nil && boot.PermMade:
			if vouched++; !r.Same(s.Disk, disk.PermStart, disk.PermSize) {
				t.Errorf("%s: the record vouches for what is not all there", s.How)
			}
			if vouched%20 == 0 {
				checked++
				e2fsck(t, powercut.Over(s.Disk))
			}
		default:
			t.Errorf("%s: %+v, %v", s.How, boot, err)
		}
	})
	t.Logf("%d states: in %d it is made again, in %d vouched for, of which e2fsck saw %d", n, again, vouched, checked)
	if n < 500 || vouched == 0 || again == 0 {
		t.Errorf("%d states, %d made again, %d vouched for", n, again, vouched)
	}
}

// TestPermReplayNotices: a record that is written before the format is flushed
// would be noticed.
func TestPermReplayNotices(t *testing.T) {
	r := powercut.NewRecorder(usedCard(t))
	perm := powercut.Part{Disk: r, Start: disk.PermStart, Length: disk.PermSize}
	if err := makeFileSystem(&partition{Part: perm}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	state := powercut.Part{Disk: r, Start: disk.StateStart, Length: disk.StateSize}
	if err := bootfs.OpenState(state).StoreBoot(bootfs.Boot{PermMade: true}); err != nil {
		t.Fatal(err)
	}
	wrong := 0
	r.States(50, func(s powercut.State) {
		boot, err := bootfs.OpenState(powercut.Part{Disk: s.Disk, Start: disk.StateStart, Length: disk.StateSize}).LoadBoot()
		if err == nil && boot.PermMade && wrong == 0 && !r.Same(s.Disk, disk.PermStart, disk.PermSize) {
			wrong++
		}
	})
	if wrong == 0 {
		t.Error("nothing was noticed")
	}
}

func e2fsck(t *testing.T, d *powercut.Disk) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "perm")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	defer f.Close()
	if err := f.Truncate(disk.PermSize); err != nil {
		t.Fatal(err)
	}
	if err := d.SavePart(f, disk.PermStart, disk.PermSize); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("e2fsck", "-fn", name).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
}
