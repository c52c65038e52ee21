package powercut

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

var when = time.Date(2026, 11, 23, 12, 34, 56, 0, time.UTC)

// release makes one like the real ones, but smaller: no file of it is another's.
func release(name string, kernel int) Release {
	r := Release{Name: name, Files: make(map[string][]byte), Root: fill("root "+name, 96<<10)}
	add := func(path string, n int) { r.Files[path] = fill(name+" "+path, n) }
	add("vmlinuz", kernel)
	add("cmdline.txt", 130)
	add("overlays/README", 60)
	for i := range 6 {
		add(fmt.Sprintf("bcm271%d-rpi.dtb", i), 7000+kernel/50*i)
		add(fmt.Sprintf("overlays/a long overlay name %d.dtbo", i), 900+i)
	}
	return r
}

func fill(s string, n int) []byte { return bytes.Repeat([]byte(s+"\n"), n/len(s)+1)[:n] }

func (r Release) list() (files []bootfs.File) {
	for path, b := range r.Files {
		files = append(files, file(path, b))
	}
	return files
}

func file(path string, b []byte) bootfs.File {
	return bootfs.File{Path: path, Size: int64(len(b)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

var (
	oldRelease = release("old", 150_000)
	newRelease = release("new", 170_000)

	config     = bootfs.Template{Path: "config.txt", Body: bootctl.PiBody("include usercfg.txt\n")}
	tryboot    = bootfs.Template{Path: "tryboot.txt", Body: config.Body}
	loaderConf = bootfs.Template{Path: "loader/loader.conf", Body: bootctl.SystemdBootBody("timeout 0\n")}
)

func bootSpec() bootfs.Spec {
	s := bootfs.Spec{Label: "TRUECHIMER", VolumeID: 1, Time: when, A: oldRelease.list(), Root: []bootfs.File{
		file("usercfg.txt", nil), file("truechimer.toml", fill("# a person's", 3000)), file("start4.elf", fill("firmware", 50_000)),
		file("loader/entries/a.conf", []byte("title a\nlinux /a/vmlinuz\n")),
		file("loader/entries/b.conf", []byte("title b\nlinux /b/vmlinuz\n")),
	}}
	for _, p := range []struct {
		bootfs.Template
		slot bootfs.Slot
	}{{config, "a"}, {tryboot, "b"}, {loaderConf, "a"}} {
		s.Root = append(s.Root, file(p.Path, []byte(p.Content(p.slot))))
	}
	return s
}

// newCard is a flashed card: the old release in slot a, nothing in b, blank state.
func newCard(t testing.TB) *Disk {
	t.Helper()
	d := NewDisk(disk.DiskSize)
	if err := bootfs.Write(bootPart(d), bootSpec()); err != nil {
		t.Fatal(err)
	}
	if _, err := rootPart(d, "a").WriteAt(oldRelease.Root, 0); err != nil {
		t.Fatal(err)
	}
	return d
}

func bootPart(d bootfs.Device) Part  { return Part{d, disk.BootStart, disk.BootSize} }
func statePart(d bootfs.Device) Part { return Part{d, disk.StateStart, disk.StateSize} }
func rootPart(d bootfs.Device, slot string) Part {
	if slot == "a" {
		return Part{d, disk.RootAStart, disk.RootASize}
	}
	return Part{d, disk.RootBStart, disk.RootBSize}
}

// boots is the slot that a loader takes, and the release in it; it is an error
// if that is none of those, whole.
func boots(l boards.Loader, d bootfs.Device, oneShot bool, tried string, known ...Release) (slot, rel string, err error) {
	switch l {
	case boards.LoaderPi:
		name := config.Path
		if oneShot {
			name = tryboot.Path
		}
		slot, err = ReadPi(bootPart(d), name)
	case boards.LoaderUEFI:
		if !oneShot {
			tried = ""
		}
		slot, err = ReadSystemdBoot(bootPart(d), tried)
	case boards.LoaderUBoot:
		var try bool
		if slot, try, err = ReadUBoot(statePart(d)); try && err == nil {
			// It boots, or it does not; the boot after that is the one that counts.
			clear := Over(d.(*Disk))
			b := make([]byte, sectorSize)
			copy(b, "TCT1-")
			statePart(clear).WriteAt(b, bootfs.TrySector)
			if !oneShot {
				slot, _, err = ReadUBoot(statePart(clear))
			}
		}
	}
	if err != nil {
		return slot, "", err
	}
	var errs []string
	for _, r := range known {
		if err = r.In(bootPart(d), slot, rootPart(d, slot)); err == nil {
			return slot, r.Name, nil
		}
		errs = append(errs, err.Error())
	}
	return slot, "", fmt.Errorf("slot %s is no release: %s", slot, strings.Join(errs, "; "))
}

// tally counts states and those with something wrong, and tells of the first few.
type tally struct {
	t            *testing.T
	states, bad  int
	pieces       int // states in which an inactive slot has lost clusters
	faultless    int // states in which CheckFAT finds no fault
	fsckd, every int // real fsck.fat runs on every so many of them
	dir          string
}

func (c *tally) fail(s State, format string, args ...any) {
	c.t.Helper()
	if c.bad++; c.bad <= 5 {
		c.t.Errorf("%s (marks %d to %d): %s", s.How, s.Min, s.Max, fmt.Sprintf(format, args...))
	}
}

// clean says whether CheckFAT finds no fault but those allowed, and, for some
// states where it finds none, whether fsck.fat agrees.
func (c *tally) clean(s State, allowed func(Fault) bool) {
	c.t.Helper()
	faults := CheckFAT(bootPart(s.Disk))
	for _, f := range faults {
		if allowed == nil || !allowed(f) {
			c.fail(s, "%v", f)
			return
		}
	}
	if len(faults) > 0 {
		c.pieces++
		return
	}
	if c.faultless++; c.every > 0 && c.faultless%c.every == 0 {
		if c.dir == "" {
			c.dir = c.t.TempDir()
		}
		c.fsckd++
		if out, ok := fsck(c.t, s.Disk, filepath.Join(c.dir, "boot.img")); !ok {
			c.fail(s, "fsck.fat: %s", out)
		}
	}
}

// fsck runs the real one on the boot partition.
func fsck(t *testing.T, d *Disk, name string) (string, bool) {
	t.Helper()
	os.Remove(name)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(disk.BootSize); err != nil {
		t.Fatal(err)
	}
	if err := d.SavePart(f, disk.BootStart, disk.BootSize); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(needs(t, "fsck.fat", "dosfstools"), "-n", name).CombinedOutput()
	// It says of what it would mend that it leaves it, and exits with 0.
	return string(out), err == nil && strings.Count(string(out), "\n") == 2
}

// needs makes a test depend on a program. On CI it must be there.
func needs(t *testing.T, program, pkg string) string {
	t.Helper()
	for _, p := range []string{program, "/usr/sbin/" + program, "/sbin/" + program} { // not in every user's PATH
		if found, err := exec.LookPath(p); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; .ci/run installs %s", program, pkg)
	}
	t.Skipf("%s is missing; install %s to run this test", program, pkg)
	return ""
}
