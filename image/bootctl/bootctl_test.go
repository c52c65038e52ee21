package bootctl

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/powercut"
)

// memoryVars are a firmware's variables.
type memoryVars struct {
	m    map[string]string
	fail error
	deaf bool // forgets what is written
}

func (v *memoryVars) Read(name string) ([]byte, error) {
	if s, ok := v.m[name]; ok {
		return []byte(s), v.fail
	}
	return nil, fs.ErrNotExist
}

func (v *memoryVars) Write(name string, data []byte) error {
	if v.fail == nil && !v.deaf {
		v.m[name] = string(data)
	}
	return v.fail
}

func (v *memoryVars) Delete(name string) error {
	if v.fail == nil {
		delete(v.m, name)
	}
	return v.fail
}

// device counts, and can fail.
type device struct {
	*powercut.Disk
	writes int
	fail   func(n int) error // n counts writes from 1
}

func (d *device) WriteAt(p []byte, off int64) (int, error) {
	d.writes++
	if d.fail != nil {
		if err := d.fail(d.writes); err != nil {
			return 0, err
		}
	}
	return d.Disk.WriteAt(p, off)
}

// station is one card with everything on it for every loader.
type station struct {
	boot, state *device
	vars        *memoryVars
	Parts
}

func newStation(t *testing.T) *station {
	t.Helper()
	s := &station{
		boot:  &device{Disk: powercut.NewDisk(bootfs.Size)},
		state: &device{Disk: powercut.NewDisk(bootfs.StateSize)},
		vars:  &memoryVars{m: make(map[string]string)},
	}
	s.Parts = Parts{
		Boot: s.boot, State: s.state, Variables: s.vars,
		Config:     bootfs.Template{Path: "config.txt", Body: PiBody("include usercfg.txt\n")},
		Tryboot:    bootfs.Template{Path: "tryboot.txt", Body: PiBody("include usercfg.txt\n")},
		LoaderConf: bootfs.Template{Path: "loader/loader.conf", Body: SystemdBootBody("timeout 0\n")},
	}
	spec := bootfs.Spec{Label: "TEST", Time: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
	for _, f := range []struct {
		bootfs.Template
		slot bootfs.Slot
	}{{s.Config, bootfs.SlotA}, {s.Tryboot, bootfs.SlotB}, {s.LoaderConf, bootfs.SlotA}} {
		text := f.Content(f.slot)
		spec.Root = append(spec.Root, bootfs.File{Path: f.Path, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(text)), nil
		}})
	}
	if err := bootfs.Write(s.boot, spec); err != nil {
		t.Fatal(err)
	}
	s.boot.writes = 0
	return s
}

func (s *station) open(t *testing.T, l boards.Loader, running bootfs.Slot) Control {
	t.Helper()
	c, err := Open(l, running, s.Parts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func current(t *testing.T, c Control) State {
	t.Helper()
	s, err := c.Current()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var loaders = []boards.Loader{boards.LoaderPi, boards.LoaderUBoot, boards.LoaderUEFI}

// TestUpdates goes from slot to slot as updates do, on each loader.
func TestUpdates(t *testing.T) {
	for _, l := range loaders {
		t.Run(string(l), func(t *testing.T) {
			s := newStation(t)
			running, next := bootfs.SlotA, bootfs.SlotB
			for range 3 {
				c := s.open(t, l, running)
				if got, want := current(t, c), (State{Running: running, Committed: running}); got != want {
					t.Fatalf("%+v, want %+v", got, want)
				}
				if _, err := c.TryOnce(running); !errors.Is(err, ErrCommitted) {
					t.Errorf("trying what boots anyway: %v", err)
				}
				reboot, err := c.TryOnce(next)
				if want := map[boards.Loader]string{boards.LoaderPi: "0 tryboot"}[l]; err != nil || reboot != want {
					t.Fatalf("%q, %v", reboot, err)
				}
				if got := current(t, c); got.Committed != running || got.Trial || (got.Armed != next && l != boards.LoaderPi) {
					t.Errorf("armed: %+v", got)
				}
				if err := c.Commit(next); !errors.Is(err, ErrNotRunning) {
					t.Errorf("committing what does not run: %v", err)
				}
				// The loader clears what it tries.
				delete(s.vars.m, OneShot)
				if l == boards.LoaderUBoot {
					s.state.Disk.WriteAt([]byte{bootfs.TryNothing}, bootfs.TrySector+int64(bootfs.LetterAt))
				}
				c = s.open(t, l, next)
				if got, want := current(t, c), (State{Running: next, Committed: running, Trial: true}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
				// A trial may be repeated from the trial.
				if _, err := c.TryOnce(running); !errors.Is(err, ErrCommitted) {
					t.Error(err)
				}
				if err := c.Commit(next); err != nil {
					t.Fatal(err)
				}
				n := s.boot.writes + s.state.writes
				if err := c.Commit(next); err != nil || s.boot.writes+s.state.writes != n {
					t.Errorf("committed again: %v, with a write", err)
				}
				running, next = next, running
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	s := newStation(t)
	for name, open := range map[string]func() (Control, error){
		"no slot":   func() (Control, error) { return Open(boards.LoaderPi, "", s.Parts) },
		"slot c":    func() (Control, error) { return Open(boards.LoaderPi, "c", s.Parts) },
		"no loader": func() (Control, error) { return Open("grub", bootfs.SlotA, s.Parts) },
		"no boot": func() (Control, error) {
			return Open(boards.LoaderPi, bootfs.SlotA, Parts{Config: s.Config, Tryboot: s.Tryboot})
		},
		"no templates": func() (Control, error) { return Open(boards.LoaderPi, bootfs.SlotA, Parts{Boot: s.Boot}) },
		"no state":     func() (Control, error) { return Open(boards.LoaderUBoot, bootfs.SlotA, Parts{}) },
		"no variables": func() (Control, error) {
			return Open(boards.LoaderUEFI, bootfs.SlotA, Parts{Boot: s.Boot, LoaderConf: s.LoaderConf})
		},
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for _, l := range loaders {
		if _, err := s.open(t, l, bootfs.SlotA).TryOnce("c"); err == nil {
			t.Errorf("%s: tries slot c", l)
		}
	}
}

// TestPiAfterCutCommit: config.txt was flipped, tryboot.txt was not.
func TestPiAfterCutCommit(t *testing.T) {
	s := newStation(t)
	s.boot.fail = func(n int) error {
		if n == 2 {
			return errors.New("power cut")
		}
		return nil
	}
	c := s.open(t, boards.LoaderPi, bootfs.SlotB)
	if err := c.Commit(bootfs.SlotB); !errors.Is(err, ErrUntidy) {
		t.Fatal(err)
	}
	if got := current(t, c); got.Committed != bootfs.SlotB || got.Trial {
		t.Errorf("%+v", got)
	}
	if _, err := c.TryOnce(bootfs.SlotA); err != nil {
		t.Fatal(err)
	}
	if p, err := bootfs.FindPointer(s.boot, s.Tryboot); err != nil || p.Slot != bootfs.SlotA {
		t.Errorf("tryboot.txt: %+v, %v", p, err)
	}
}

// TestPointersRefuse: what is wrong with a pointer file is said, and nothing is
// armed or committed with it.
func TestPointersRefuse(t *testing.T) {
	for _, tt := range []struct {
		loader boards.Loader
		spoil  func(*Parts)
	}{
		{boards.LoaderPi, func(p *Parts) { p.Config.Path = "gone.txt" }},
		{boards.LoaderPi, func(p *Parts) { p.Tryboot.Path = "gone.txt" }},
		{boards.LoaderUEFI, func(p *Parts) { p.LoaderConf.Path = "loader/gone.conf" }},
	} {
		s := newStation(t)
		tt.spoil(&s.Parts)
		if _, err := s.open(t, tt.loader, bootfs.SlotA).TryOnce(bootfs.SlotB); !errors.Is(err, bootfs.ErrPointerMissing) {
			t.Errorf("%s: %v", tt.loader, err)
		}
		if err := s.open(t, tt.loader, bootfs.SlotB).Commit(bootfs.SlotB); !errors.Is(err, bootfs.ErrPointerMissing) {
			t.Errorf("%s: %v", tt.loader, err)
		}
		if len(s.vars.m) != 0 {
			t.Errorf("%s: armed", tt.loader)
		}
	}
}

func TestUBootSectors(t *testing.T) {
	for _, tt := range []struct {
		first, second, try string
		committed, armed   bootfs.Slot
	}{
		{"", "", "", "a", ""},
		{"TCB1b", "TCB1a", "TCT1-", "b", ""},
		{"TCB1", "TCB1b", "TCT1", "b", ""},
		{"TCB1c", "TCB1b", "TCT1c", "b", ""},
		{"TC", "", "TC", "a", ""},
		{"TCT1b", "TCB2b", "TCB1b", "a", ""},
		{"TCB1a", "TCB1b", "TCT1b", "a", "b"},
		{"TCB1-", "TCB1b", "TCT1A", "b", ""},
	} {
		s := newStation(t)
		for at, v := range map[int64]string{bootfs.CommittedSector1: tt.first, bootfs.CommittedSector2: tt.second, bootfs.TrySector: tt.try} {
			s.state.Disk.WriteAt([]byte(v), at)
		}
		if got := current(t, s.open(t, boards.LoaderUBoot, "a")); got.Committed != tt.committed || got.Armed != tt.armed {
			t.Errorf("%q %q %q: %+v", tt.first, tt.second, tt.try, got)
		}
	}
	// Where they lie, which a boot script has as numbers.
	if bootfs.CommittedSector1 != 3584<<10 || bootfs.CommittedSector2 != 7680<<10 || bootfs.TrySector != 3648<<10 || bootfs.LetterAt != 4 {
		t.Error("the sectors moved")
	}
	// The second copy cannot be written: committed all the same.
	s := newStation(t)
	s.state.fail = func(n int) error {
		if n == 2 {
			return errors.New("bad block")
		}
		return nil
	}
	c := s.open(t, boards.LoaderUBoot, bootfs.SlotB)
	if err := c.Commit(bootfs.SlotB); !errors.Is(err, ErrUntidy) || current(t, c).Committed != bootfs.SlotB {
		t.Error(err)
	}
	// No kind of record reaches into them.
	st := bootfs.OpenState(s.state)
	if err := st.Store(8, []byte("x")); err == nil {
		t.Error("an eighth kind of record was stored")
	}
	if err := st.Store(7, make([]byte, bootfs.StatePayload)); err != nil || current(t, c).Committed != bootfs.SlotB {
		t.Error(err)
	}
}

// TestMenuChoice: what a person chose in the loader's menu counts until a commit.
func TestMenuChoice(t *testing.T) {
	s := newStation(t)
	s.vars.m[Default] = string(entryName(bootfs.SlotB))
	c := s.open(t, boards.LoaderUEFI, bootfs.SlotA)
	if got := current(t, c); got.Committed != bootfs.SlotB || !got.Trial {
		t.Errorf("%+v", got)
	}
	if err := c.Commit(bootfs.SlotA); err != nil || len(s.vars.m) != 0 {
		t.Errorf("%v, %q", err, s.vars.m)
	}
	if got := current(t, c); got.Committed != bootfs.SlotA {
		t.Errorf("%+v", got)
	}
	s.vars.m[OneShot] = "something else"
	if got := current(t, c); got.Armed != "" {
		t.Errorf("%+v", got)
	}
	s.vars.deaf = true
	if _, err := c.TryOnce(bootfs.SlotB); err == nil {
		t.Error("armed, though the firmware forgot it")
	}
	s.vars.fail = errors.New("firmware is full")
	if _, err := c.TryOnce(bootfs.SlotB); !errors.Is(err, s.vars.fail) {
		t.Error(err)
	}
	if err := c.Commit(bootfs.SlotA); !errors.Is(err, s.vars.fail) {
		t.Error(err)
	}
}
