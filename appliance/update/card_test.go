package update

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/powercut"
)

var loaders = []boards.Loader{boards.LoaderPi, boards.LoaderUEFI, boards.LoaderUBoot}

var (
	config     = bootfs.Template{Path: "config.txt", Body: bootctl.PiBody("include usercfg.txt\n")}
	tryboot    = bootfs.Template{Path: "tryboot.txt", Body: config.Body}
	loaderConf = bootfs.Template{Path: "loader/loader.conf", Body: bootctl.SystemdBootBody("timeout 0\n")}
)

// pointers are a loader's pointer files, as bootctl.Pointers has them.
func pointers(l boards.Loader) map[bootfs.Slot]bootfs.Template {
	switch l {
	case boards.LoaderPi:
		return map[bootfs.Slot]bootfs.Template{bootfs.SlotA: config, bootfs.SlotB: tryboot}
	case boards.LoaderUEFI:
		return map[bootfs.Slot]bootfs.Template{bootfs.SlotA: loaderConf}
	}
	return nil
}

// variables are a firmware's.
type variables map[string]string

func (v variables) Read(name string) ([]byte, error) {
	if s, ok := v[name]; ok {
		return []byte(s), nil
	}
	return nil, fs.ErrNotExist
}
func (v variables) Write(name string, b []byte) error { v[name] = string(b); return nil }
func (v variables) Delete(name string) error          { delete(v, name); return nil }

// newCard is a flashed card: r in slot a, nothing in b.
func newCard(t testing.TB, r *release) *powercut.Disk {
	t.Helper()
	d := powercut.NewDisk(disk.DiskSize)
	s := bootfs.Spec{Label: "TRUECHIMER", VolumeID: 1, Time: built, A: r.list(bootfs.SlotA), Root: []bootfs.File{
		memFile("truechimer.toml", bytes.Repeat([]byte("# a person's\n"), 300)),
		memFile("loader/entries/a.conf", []byte("title a\nlinux /a/vmlinuz\n")),
		memFile("loader/entries/b.conf", []byte("title b\nlinux /b/vmlinuz\n")),
	}}
	for slot, list := range map[bootfs.Slot][]bootfs.Template{bootfs.SlotA: {config, loaderConf}, bootfs.SlotB: {tryboot}} {
		for _, p := range list {
			s.Root = append(s.Root, memFile(p.Path, []byte(p.Content(slot))))
		}
	}
	if err := bootfs.Write(bootPart(d), s); err != nil {
		t.Fatal(err)
	}
	if _, err := rootPart(d, bootfs.SlotA).WriteAt(r.root, 0); err != nil {
		t.Fatal(err)
	}
	return d
}

func memFile(path string, b []byte) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

func bootPart(d bootfs.Device) powercut.Part {
	return powercut.Part{Disk: d, Start: disk.BootStart, Length: disk.BootSize}
}

func statePart(d bootfs.Device) powercut.Part {
	return powercut.Part{Disk: d, Start: disk.StateStart, Length: disk.StateSize}
}

func rootPart(d bootfs.Device, slot bootfs.Slot) powercut.Part {
	if slot == bootfs.SlotA {
		return powercut.Part{Disk: d, Start: disk.RootAStart, Length: disk.RootASize}
	}
	return powercut.Part{Disk: d, Start: disk.RootBStart, Length: disk.RootBSize}
}

// partition is a part of a disk as a Device.
type partition struct{ powercut.Part }

// Drop does nothing: a cutDisk shows what was written to it, as memory would.
func (p partition) Drop() error { return nil }

var errCut = errors.New("the power is cut")

// cutDisk is a card whose power can be cut: what was not synced by then it may
// have done or not.
type cutDisk struct {
	mu      sync.Mutex
	medium  *powercut.Disk
	view    *powercut.Disk // medium and what is not synced
	pending []write
	left    int    // writes and syncs until the cut; negative: no cut
	cut     func() // is told of it
	dead    bool
	ops     int
	rng     *rand.Rand
	rec     *powercut.Recorder // notes all of it; nil: nobody does
}

type write struct {
	off int64
	b   []byte
}

func newCutDisk(d *powercut.Disk, rng *rand.Rand) *cutDisk {
	return &cutDisk{medium: d, view: powercut.Over(d), left: -1, rng: rng}
}

func (d *cutDisk) op() error {
	d.ops++
	if d.left == 0 && !d.dead {
		d.dead = true
		d.cut()
	}
	if d.dead {
		return errCut
	}
	if d.left > 0 {
		d.left--
	}
	return nil
}

func (d *cutDisk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return 0, errCut
	}
	return d.view.ReadAt(p, off)
}

func (d *cutDisk) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(); err != nil {
		return 0, err
	}
	if d.rec != nil {
		d.rec.WriteAt(p, off)
	}
	d.pending = append(d.pending, write{off, bytes.Clone(p)})
	return d.view.WriteAt(p, off)
}

func (d *cutDisk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op(); err != nil {
		return err
	}
	if d.rec != nil {
		d.rec.Sync()
	}
	d.flush(func(int) bool { return true })
	return nil
}

func (d *cutDisk) flush(do func(i int) bool) {
	for i, w := range d.pending {
		if do(i) {
			d.medium.WriteAt(w.b, w.off)
		}
	}
	d.pending, d.view = nil, powercut.Over(d.medium)
}

// power switches the card off, with what a card may have done by then, and on.
func (d *cutDisk) power() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.pending); n > 0 && d.dead {
		const sector = bootfs.SectorSize
		w := &d.pending[d.rng.IntN(n)] // one of them in part
		w.b = w.b[:d.rng.IntN(len(w.b)/sector+1)*sector]
		d.flush(func(int) bool { return d.rng.IntN(3) > 0 })
	}
	d.flush(func(int) bool { return true })
	d.dead, d.left = false, -1
}

// loads is what a loader takes from a card that is switched on, or that was
// restarted with an argument.
func (w *world) loads(argument string) (bootfs.Slot, error) {
	d := w.card.medium
	var slot string
	var err error
	switch w.loader {
	case boards.LoaderPi:
		file := config.Path
		if argument == "0 tryboot" {
			file = tryboot.Path
		}
		slot, err = powercut.ReadPi(bootPart(d), file)
	case boards.LoaderUEFI:
		slot, err = powercut.ReadSystemdBoot(bootPart(d), w.oneShot())
		delete(w.vars, bootctl.OneShot)
	case boards.LoaderUBoot:
		var tried bool
		if slot, tried, err = powercut.ReadUBoot(statePart(d)); tried {
			cleared := []byte{bootfs.TryNothing}
			if _, err = statePart(w.card).WriteAt(cleared, bootfs.TrySector+int64(bootfs.LetterAt)); err == nil {
				err = w.card.Sync()
			}
		}
	}
	return bootfs.Slot(slot), err
}

// arm has the variable name a slot's entry, as the engine had it.
func (w *world) arm(slot bootfs.Slot) {
	if w.loader == boards.LoaderUEFI {
		w.vars[bootctl.OneShot] = string(slot) + "\x00.\x00c\x00o\x00n\x00f\x00\x00\x00"
	}
}

// oneShot is the entry that the variable names: it holds UTF-16 with a zero.
func (w *world) oneShot() string {
	var s []byte
	for i, c := range []byte(w.vars[bootctl.OneShot]) {
		if i%2 == 0 && c != 0 {
			s = append(s, c)
		}
	}
	return string(s)
}

// holds is the release in a slot of the card, which must be whole.
func (w *world) holds(slot bootfs.Slot) (*release, error) {
	var errs []error
	for _, r := range w.releases {
		err := r.in(slot).In(bootPart(w.card.medium), string(slot), rootPart(w.card.medium, slot))
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("slot %s is no release: %w", slot, errors.Join(errs...))
}
