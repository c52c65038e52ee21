package bootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	configTxt  = Template{Path: "config.txt", Body: Body{"os_prefix=", "/\ninclude usercfg.txt\n"}, Former: []Body{{"# first release\nos_prefix=", "/\n"}}}
	trybootTxt = Template{Path: "tryboot.txt", Body: configTxt.Body}
	loaderConf = Template{Path: "loader/loader.conf", Body: Body{"default ", ".conf\ntimeout 0\n"}}
)

// pointers is a boot file system with all pointer files.
func pointers() Spec {
	s := pi()
	s.Root = append(s.Root, text(loaderConf.Path, loaderConf.Content(SlotA)), text("loader/entries/a.conf", "linux /a/vmlinuz\n"))
	s.B = s.A
	return s
}

// cardFile is an image file that notes writes; what is synced does not matter here.
type cardFile struct {
	*os.File
	writes []Extent
}

func (c *cardFile) WriteAt(p []byte, off int64) (int, error) {
	c.writes = append(c.writes, Extent{off, int64(len(p))})
	return c.File.WriteAt(p, off)
}

func (c *cardFile) Sync() error { return nil }

func openCard(t *testing.T, image string) *cardFile {
	t.Helper()
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &cardFile{File: f}
}

// TestSetPointer: one sector is written, in which one byte differs.
func TestSetPointer(t *testing.T) {
	m := mustWrite(t, pointers())
	for i, tpl := range []Template{configTxt, trybootTxt, loaderConf} {
		at, err := FindPointer(m, tpl)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(PointerOffset + i*ClusterSize); at.Offset != want {
			t.Errorf("%s: at %d, want %d", tpl.Path, at.Offset, want)
		}
		for _, to := range []Slot{SlotB, SlotB, SlotA, SlotB} {
			before := m.clone()
			d := &faulty{medium: m, left: -1}
			if err := SetPointer(d, tpl, to); err != nil {
				t.Fatal(err)
			}
			if len(d.cache) != 0 {
				t.Errorf("%s: not synced", tpl.Path)
			}
			old, now := sector(before, at.Offset), sector(m, at.Offset)
			differ := 0
			for i := range old {
				if old[i] != now[i] {
					differ++
				}
			}
			was, err := FindPointer(before, tpl)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{true: 1}[was.Slot != to]; differ != want {
				t.Errorf("%s to %s: %d bytes differ, want %d", tpl.Path, to, differ, want)
			}
			before.WriteAt(now, at.Offset)
			all := Extent{0, Size}
			if before.sum(t, all) != m.sum(t, all) {
				t.Errorf("%s: more than its sector was written", tpl.Path)
			}
			if p, err := FindPointer(m, tpl); err != nil || p.Slot != to || p.Content != tpl.Content(to) {
				t.Errorf("%s: %+v, %v", tpl.Path, p, err)
			}
		}
	}
	for _, to := range []Slot{"", "c", "ab"} {
		if SetPointer(&faulty{medium: m, left: -1}, configTxt, to) == nil {
			t.Errorf("set to %q", to)
		}
	}
}

func sector(r io.ReaderAt, off int64) []byte {
	b := make([]byte, SectorSize)
	r.ReadAt(b, off)
	return b
}

// TestSetPointerReadsBack: what a card did not keep is noticed.
func TestSetPointerReadsBack(t *testing.T) {
	m := mustWrite(t, pointers())
	d := &faulty{medium: m, left: -1, mangle: func(b []byte) []byte { clear(b); return b }}
	if err := SetPointer(d, configTxt, SlotB); err == nil || !strings.Contains(err.Error(), "reading back") {
		t.Error(err)
	}
	for cut := range 2 { // write, sync
		d := &faulty{medium: mustWrite(t, pointers()), left: cut}
		if err := SetPointer(d, configTxt, SlotB); !errors.Is(err, errPower) {
			t.Errorf("cut %d: %v", cut, err)
		}
	}
}

// edit is what a person does to config.txt on a PC.
type edit struct {
	name string
	do   func(t *testing.T, image string)
	want error // nil: the file is still good
	kept string
}

func put(content string) func(*testing.T, string) {
	return func(t *testing.T, image string) {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		// Another file takes the old cluster, so that this one moves.
		mustTool(t, "mdel", "-i", image, "::/config.txt")
		mustTool(t, "mcopy", "-i", image, name, "::/another.txt")
		mustTool(t, "mcopy", "-i", image, name, "::/config.txt")
	}
}

// patched changes config.txt's directory entry or FAT entry.
func patched(change func(d Device, v *pointerDir)) func(*testing.T, string) {
	return func(t *testing.T, image string) {
		d := openCard(t, image)
		v, err := openPointer(d, configTxt)
		if err != nil {
			t.Fatal(err)
		}
		change(d, v)
	}
}

func setEntry(d Device, v *pointerDir, at int, b ...byte) {
	v.editEntry(d, v.matches[0].at, func(e []byte) { copy(e[at:], b) })
}

var edits = []edit{
	{"nothing", func(*testing.T, string) {}, nil, ""},
	{"saved anew", put(configTxt.Content(SlotA)), nil, ""},
	{"of a former release", put(configTxt.Former[0].Content(SlotA)), nil, ""},
	{"hidden", func(t *testing.T, i string) { mustTool(t, "mattrib", "+h", "+r", "-i", i, "::/config.txt") }, nil, ""},
	{"moved by rename", func(t *testing.T, i string) {
		put(configTxt.Content(SlotA))(t, i)
		mustTool(t, "mren", "-i", i, "::/config.txt", "::/CONFIG~1.TMP")
		mustTool(t, "mren", "-i", i, "::/CONFIG~1.TMP", "::/Config.txt")
	}, nil, ""},
	{"deleted", func(t *testing.T, i string) { mustTool(t, "mdel", "-i", i, "::/config.txt") }, ErrPointerMissing, ""},
	{"renamed", func(t *testing.T, i string) { mustTool(t, "mren", "-i", i, "::/config.txt", "::/config.bak") }, ErrPointerMissing, ""},
	{"a directory", func(t *testing.T, i string) {
		mustTool(t, "mdel", "-i", i, "::/config.txt")
		mustTool(t, "mmd", "-i", i, "::/config.txt")
	}, ErrPointerMissing, "CONFIG.OLD"},
	{"emptied", put(""), ErrPointerEmpty, "CONFIG.OLD"},
	{"a letter", put("os_prefix=c/\ninclude usercfg.txt\n"), ErrPointerEdited, "CONFIG.OLD"},
	{"a line more", put(configTxt.Content(SlotA) + "gpu_mem=64\n"), ErrPointerEdited, "CONFIG.OLD"},
	{"a space more", put(configTxt.Content(SlotA) + " "), ErrPointerEdited, "CONFIG.OLD"},
	{"line ends of Windows", put(strings.ReplaceAll(configTxt.Content(SlotA), "\n", "\r\n")), ErrPointerEdited, "CONFIG.OLD"},
	{"large", put(strings.Repeat("# mine\n", 100)), ErrPointerLarge, "CONFIG.OLD"},
	{"two clusters", put(strings.Repeat("# mine\n", 2000)), ErrPointerLarge, "CONFIG.OLD"},
	{"a chain behind it", patched(func(d Device, v *pointerDir) {
		at := FATOffset + 2*int64(v.matches[0].cluster)
		d.WriteAt(le16(clusterAt(PointerOffset)+9), at)
		d.WriteAt(le16(endOfChain), FATOffset+2*int64(clusterAt(PointerOffset)+9))
	}), ErrPointerPieces, "CONFIG.OLD"},
	{"in a slot", patched(func(d Device, v *pointerDir) { setEntry(d, v, 26, le16(endCluster-1)...) }), ErrPointerInSlot, "CONFIG.OLD"},
	{"shared", patched(func(d Device, v *pointerDir) {
		toml, _ := v.file("truechimer.toml")
		setEntry(d, v, 26, le16(int(toml.cluster))...)
	}), ErrPointerShared, "CONFIG.OLD"},
	{"nowhere", patched(func(d Device, v *pointerDir) { setEntry(d, v, 26, le16(0)...) }), ErrCorrupt, "CONFIG.OLD"},
	{"in a free cluster", patched(func(d Device, v *pointerDir) { setEntry(d, v, 26, le16(clusterAt(PointerOffset)+9)...) }), ErrCorrupt, "CONFIG.OLD"},
}

// TestEditedPointers: what a person did is refused, with the reason and without
// a write, and repaired, with everything kept.
func TestEditedPointers(t *testing.T) {
	fresh := imageFile(t, pointers())
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "boot.img")
			mustSparseCopy(t, fresh, image)
			e.do(t, image)
			d := openCard(t, image)
			err := SetPointer(d, configTxt, SlotB)
			if e.want == nil {
				if err != nil || len(d.writes) != 1 {
					t.Fatalf("%v, %d writes", err, len(d.writes))
				}
				fsck(t, image)
				return
			}
			if !errors.Is(err, e.want) || len(d.writes) != 0 {
				t.Fatalf("%v, %d writes; want %v", err, len(d.writes), e.want)
			}
			was, _ := contentOf(d, "config.txt")
			kept, err := RepairPointer(d, configTxt, SlotB)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(kept, " ") != e.kept {
				t.Errorf("kept %q, want %q", kept, e.kept)
			}
			if now, err := contentOf(d, e.kept); e.kept != "" && was != now {
				t.Errorf("%s: %q, was %q; %v", e.kept, now, was, err)
			}
			if p, err := FindPointer(d, configTxt); err != nil || p.Slot != SlotB {
				t.Errorf("%+v, %v", p, err)
			}
			if got := mustTool(t, "mtype", "-i", image, "::/config.txt"); got != configTxt.Content(SlotB) {
				t.Errorf("mtools reads %q", got)
			}
			if e.want != ErrCorrupt && e.want != ErrPointerShared && e.want != ErrPointerInSlot && e.want != ErrPointerPieces {
				fsck(t, image)
			}
			n := len(d.writes)
			if kept, err := RepairPointer(d, configTxt, SlotB); err != nil || len(kept) != 0 || len(d.writes) != n {
				t.Errorf("repaired again: %q, %v", kept, err)
			}
		})
	}
}

func contentOf(r io.ReaderAt, path string) (string, error) {
	f, err := Open(r)
	if err != nil {
		return "", err
	}
	b, err := f.ReadFile(path, 1<<20)
	return string(b), err
}

// mustSparseCopy copies an image without its holes.
func mustSparseCopy(t *testing.T, from, to string) {
	t.Helper()
	mustTool(t, "cp", "--sparse=always", from, to)
}

// TestRepairLongName: a name that has no 8.3 form is repaired with both its names.
func TestRepairLongName(t *testing.T) {
	image := imageFile(t, pointers())
	mustTool(t, "mdel", "-i", image, "::/loader/loader.conf")
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, []byte("default mine.conf\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustTool(t, "mcopy", "-i", image, name, "::/loader/loader.conf")
	d := openCard(t, image)
	for i := range 14 {
		kept, err := RepairPointer(d, loaderConf, SlotB)
		if err != nil || len(kept) != 1 {
			t.Fatalf("%q, %v", kept, err)
		}
		if got := mustTool(t, "mtype", "-i", image, "::/loader/loader.conf"); got != loaderConf.Content(SlotB) {
			t.Fatalf("%q", got)
		}
		fsck(t, image)
		if err := os.WriteFile(name, fmt.Appendf(nil, "default %d.conf\n", i), 0o644); err != nil {
			t.Fatal(err)
		}
		mustTool(t, "mcopy", "-o", "-i", image, name, "::/loader/loader.conf")
	}
	mustTool(t, "mdeltree", "-i", image, "::/loader")
	if _, err := RepairPointer(d, loaderConf, SlotA); err == nil {
		t.Error("repaired without its directory")
	}
}

// TestRepairWithoutRoom: a full volume is a reason, and nothing is written.
func TestRepairWithoutRoom(t *testing.T) {
	m := mustWrite(t, pi())
	v, err := openPointer(m, configTxt)
	if err != nil {
		t.Fatal(err)
	}
	patch(m, clusterOffset(int(v.matches[0].cluster)), 'x')
	full := m.clone()
	for c := firstCluster; c < clusterAt(SlotAOffset); c++ {
		if v.fat[c] == 0 {
			patch(full, FATOffset+2*int64(c), le16(badCluster)...)
		}
	}
	d := &faulty{medium: full, left: -1}
	// Its own place is in use, by the edited file.
	if _, err := RepairPointer(d, configTxt, SlotA); !errors.Is(err, ErrNoRoom) {
		t.Error(err)
	}
	for i := range RootEntries {
		if at := int64(RootDirOffset + i*entrySize); sector(m, at)[0] == 0 {
			patch(m, at, append([]byte(fmt.Sprintf("FILE%04dTXT", i)), attrArchive)...)
		}
	}
	if _, err := RepairPointer(d, configTxt, SlotA); !errors.Is(err, ErrNoRoom) {
		t.Error(err)
	}
}

func TestTemplateCheck(t *testing.T) {
	for _, tpl := range []Template{
		{}, {Path: "x", Body: Body{Before: strings.Repeat("x", SectorSize)}},
		{Path: "x", Former: []Body{{After: strings.Repeat("x", SectorSize)}}},
	} {
		if tpl.Check() == nil {
			t.Errorf("%.40v", tpl)
		}
		if _, err := FindPointer(mustWrite(t, pi()), tpl); err == nil {
			t.Errorf("found %.40v", tpl)
		}
	}
}

// TestForeignFileSystem: a volume that a PC formatted is not written to.
func TestForeignFileSystem(t *testing.T) {
	image := filepath.Join(t.TempDir(), "boot.img")
	if err := os.WriteFile(image, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, Size); err != nil {
		t.Fatal(err)
	}
	mustTool(t, "mkfs.fat", "-F", "16", image)
	put := filepath.Join(t.TempDir(), "config.txt")
	if err := os.WriteFile(put, []byte(configTxt.Content(SlotA)), 0o644); err != nil {
		t.Fatal(err)
	}
	mustTool(t, "mcopy", "-i", image, put, "::/config.txt")
	d := openCard(t, image)
	_, repair := RepairPointer(d, configTxt, SlotA)
	for _, err := range []error{SetPointer(d, configTxt, SlotB), repair, CheckSlot(d, SlotA)} {
		if !errors.Is(err, ErrGeometry) {
			t.Error(err)
		}
	}
	if len(d.writes) != 0 {
		t.Error("written to")
	}
}
