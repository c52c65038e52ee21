package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// pc is a card in a person's computer, where mtools does what its system would.
type pc struct {
	t     *testing.T
	image string // of the boot partition
	local string // directory on the computer
}

func (p pc) try(name string, args ...string) (string, error) {
	p.t.Helper()
	cmd := exec.Command(needs(p.t, name, "mtools"), append([]string{"-i", p.image}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLSRC=/dev/null")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p pc) do(name string, args ...string) string {
	p.t.Helper()
	out, err := p.try(name, args...)
	if err != nil {
		p.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

func (p pc) put(path string, b []byte) {
	p.t.Helper()
	name := filepath.Join(p.local, "file")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		p.t.Fatal(err)
	}
	p.do("mcopy", "-o", name, "::/"+path)
}

// save replaces a file as editors do: write a new one, delete the old, rename.
func (p pc) save(path string, b []byte) {
	p.t.Helper()
	p.put(path+".tmp", b)
	p.do("mdel", "::/"+path)
	p.do("mren", "::/"+path+".tmp", "::/"+path)
}

// fill takes each cluster that is left for files.
func (p pc) fill() {
	p.t.Helper()
	m := regexp.MustCompile(`([\d ]+) bytes free`).FindStringSubmatch(p.do("mdir", "::/"))
	if m == nil {
		p.t.Fatal("mdir says nothing of free bytes")
	}
	var n int
	fmt.Sscan(strings.ReplaceAll(m[1], " ", ""), &n)
	p.put("holiday.mov", fill("holiday", n))
	name := filepath.Join(p.local, "file")
	if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
		p.t.Fatal(err)
	}
	if out, err := p.try("mcopy", name, "::/more"); err == nil || !strings.Contains(out, "Disk full") {
		p.t.Fatalf("the volume is not full: %v\n%s", err, out)
	}
}

func (p pc) litter(attributes string, names ...string) {
	p.t.Helper()
	for _, n := range names {
		if dir, ok := strings.CutSuffix(n, "/"); ok {
			p.do("mmd", "::/"+dir)
			n = dir
		} else {
			p.put(n, fill("litter "+n, 4096))
		}
		for _, a := range strings.Fields(attributes) {
			p.do("mattrib", a, "::/"+n)
		}
	}
}

// habits are what people, and their computers, do to a card between updates.
var habits = []struct {
	name string
	do   func(p pc)
}{
	{"adds files", func(p pc) {
		p.do("mmd", "::/my directory")
		for i := range 20 {
			p.put(fmt.Sprintf("my directory/Foto von früher %d.jpg", i), fill(fmt.Sprint("photo ", i), 30_000*i))
		}
		for i := 0; i < 20; i += 2 {
			p.do("mdel", fmt.Sprintf("::/my directory/Foto von früher %d.jpg", i))
		}
		p.put("in pieces.zip", fill("zip", 2<<20))
	}},
	{"saves truechimer.toml", func(p pc) {
		p.save("truechimer.toml", fill("[[server]] # mine", 9000))
		p.save("usercfg.txt", []byte("dtoverlay=i2c-rtc,ds3231\n"))
	}},
	{"macOS", func(p pc) {
		p.litter("+h", ".fseventsd/", ".fseventsd/fseventsd-uuid", ".fseventsd/0000000000a1b2c3", ".Spotlight-V100/", ".Spotlight-V100/Store-V2/",
			".Trashes/", ".DS_Store", "._truechimer.toml", "._config.txt", "._tryboot.txt", "._.Trashes")
		p.save("truechimer.toml", fill("# on a Mac", 2000))
	}},
	{"Windows", func(p pc) {
		p.litter("+h +s", "System Volume Information/", "System Volume Information/IndexerVolumeGuid", "System Volume Information/WPSettings.dat", "$RECYCLE.BIN/")
		p.put("Neues Textdokument - Kopie (2) mit einem langen Namen.txt", fill("text", 100))
		p.do("mattrib", "-a", "::/config.txt")
		p.do("mattrib", "+r", "::/tryboot.txt")
	}},
	{"fills it", pc.fill},
	{"deletes what does not boot", func(p pc) { p.do("mdel", "::/truechimer.toml", "::/usercfg.txt") }},
	{"saves the pointers as they are", func(p pc) {
		for _, t := range []bootfs.Template{config, tryboot, loaderConf} {
			s := bootfs.SlotA
			if t.Path == tryboot.Path {
				s = bootfs.SlotB
			}
			p.save(t.Path, []byte(t.Content(s)))
		}
	}},
}

// computer takes the card to a PC and back.
func computer(t *testing.T, card *Disk, do func(pc)) *Disk {
	t.Helper()
	dir := t.TempDir()
	p := pc{t, filepath.Join(dir, "boot.img"), dir}
	if out, ok := fsck(t, card, p.image); !ok { // which makes the file, too
		t.Fatalf("before: %s", out)
	}
	do(p)
	f, err := os.Open(p.image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A disk of its own: reading through many that lie over each other is slow.
	back := NewDisk(card.Size)
	if err := card.Save(back); err != nil {
		t.Fatal(err)
	}
	now, was := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < disk.BootSize; off += int64(len(now)) {
		if _, err := io.ReadFull(f, now); err != nil {
			t.Fatal(err)
		}
		p1 := bootPart(back)
		if p1.ReadAt(was, off); !bytes.Equal(was, now) {
			if _, err := p1.WriteAt(now, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	return back
}

// files are all files outside of the slots, but the pointers.
func files(t *testing.T, d *Disk) map[string]string {
	t.Helper()
	f, err := bootfs.Open(bootPart(d))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	var walk func(dir string)
	walk = func(dir string) {
		list, err := f.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			path := strings.TrimPrefix(dir+"/"+e.Name, "/")
			switch {
			case slices.ContainsFunc([]string{"a", "b", config.Path, tryboot.Path, loaderConf.Path}, func(s string) bool { return strings.EqualFold(s, path) }):
			case e.Dir:
				all[path+"/"] = ""
				walk(path)
			default:
				b, err := f.ReadFile(path, 64<<20)
				if err != nil {
					t.Fatal(err)
				}
				all[path] = string(b)
			}
		}
	}
	walk("")
	return all
}

// TestAPersonBetweenUpdates: after anything that people do the next update is
// as safe as the first, and what is theirs stays theirs.
func TestAPersonBetweenUpdates(t *testing.T) {
	total, checked := 0, 0
	fresh := newCard(t)
	for i, h := range habits {
		t.Run(h.name, func(t *testing.T) {
			l := []boards.Loader{boards.LoaderPi, boards.LoaderUEFI, boards.LoaderUBoot}[i%3]
			card := computer(t, fresh, h.do)
			theirs := files(t, card)
			for _, u := range []update{
				{l, bootfs.SlotA, bootfs.SlotB, oldRelease, newRelease},
				{l, bootfs.SlotB, bootfs.SlotA, newRelease, oldRelease},
			} {
				r := NewRecorder(card)
				u.run(t, r)
				c := &tally{t: t, every: 8}
				total += r.States(20, func(s State) {
					// Some of them: TestUpdate shows all.
					if c.states++; c.states%4 == 0 || s.Min > writing {
						u.check(c, card, s)
						checked++
					}
				})
				if !maps.Equal(files(t, r.Disk), theirs) {
					t.Error("the update touched a person's files")
				}
				// And again, in between.
				card = computer(t, r.Disk, func(p pc) { p.do("mattrib", "+a", "::/start4.elf") })
			}
		})
	}
	t.Logf("%d states, %d of them checked", total, checked)
}

// TestAPersonEditsThePointer: an edited config.txt is refused and repaired, also
// where the volume is full; what the person wrote is kept beside it.
func TestAPersonEditsThePointer(t *testing.T) {
	mine := []byte("os_prefix=a/\ninclude usercfg.txt\ngpu_mem=64 # mine\n")
	for _, full := range []bool{false, true} {
		card := computer(t, newCard(t), func(p pc) {
			p.save("config.txt", mine)
			if full {
				p.fill()
				p.do("mdel", "::/usercfg.txt") // it has no cluster
			}
		})
		r := NewRecorder(card)
		control, err := bootctl.Open(boards.LoaderPi, bootfs.SlotA, bootctl.Parts{Boot: bootPart(r), Config: config, Tryboot: tryboot})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := control.TryOnce(bootfs.SlotB); !errors.Is(err, bootfs.ErrPointerEdited) || len(r.log) != 0 {
			t.Fatalf("%v, %d writes", err, len(r.log))
		}
		kept, err := bootfs.RepairPointer(bootPart(r), config, bootfs.SlotA)
		if full {
			if !errors.Is(err, bootfs.ErrNoRoom) || len(r.log) != 0 {
				t.Errorf("%v, %d writes", err, len(r.log))
			}
			continue
		}
		if err != nil || len(kept) != 1 || kept[0] != "CONFIG.OLD" {
			t.Fatalf("%q, %v", kept, err)
		}
		if got := files(t, r.Disk)["CONFIG.OLD"]; got != string(mine) {
			t.Errorf("kept %q", got)
		}
		update{boards.LoaderPi, bootfs.SlotA, bootfs.SlotB, oldRelease, newRelease}.run(t, r)
		if slot, rel, err := boots(boards.LoaderPi, r.Disk, false, "", newRelease); err != nil || slot != "b" {
			t.Errorf("slot %s, %s, %v", slot, rel, err)
		}
		computer(t, r.Disk, func(pc) {})
	}
}
