package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// formatter counts and can be cut off.
type formatter struct {
	calls []string
	err   error
}

func (f *formatter) format(device string) error {
	f.calls = append(f.calls, device)
	return f.err
}

func (c *card) boot(f *formatter) (usable bool) {
	d := c.disk()
	d.partition = map[disk.Number]string{disk.Perm: "perm", disk.State: "state"}
	return d.makePerm(f.format)
}

func TestPermIsMadeOnce(t *testing.T) {
	c, f := newCard(), &formatter{}
	for n := range 3 {
		if !c.boot(f) {
			t.Errorf("boot %d: not usable", n+1)
		}
	}
	if !slices.Equal(f.calls, []string{"perm"}) {
		t.Errorf("formatted %q", f.calls)
	}
	// Whatever else init keeps there, it stays made.
	d := c.disk()
	if err := d.changeBoot(func(b *bootfs.Boot) { b.HungResets = 2 }); err != nil {
		t.Fatal(err)
	}
	if !c.boot(f) || len(f.calls) != 1 {
		t.Errorf("formatted %q", f.calls)
	}
}

// The power is cut at each write of the record: as long as none is whole, /perm
// is made again at the next boot.
func TestPermAfterPowerCuts(t *testing.T) {
	errCut := errors.New("power cut")
	for cut := 1; cut <= 3; cut++ {
		c, f := newCard(), &formatter{}
		c.failWrites = func(n int) error {
			if n >= cut {
				return errCut
			}
			return nil
		}
		usable := c.boot(f)
		c.powerCut()
		c.failWrites = nil
		again := &formatter{}
		if !c.boot(again) {
			t.Errorf("cut at write %d: not usable at the next boot", cut)
		}
		if want := cut == 1; (len(again.calls) == 1) != want || usable == want {
			t.Errorf("cut at write %d: usable %v, formatted again %q", cut, usable, again.calls)
		}
	}
	// While it is being formatted.
	c, f := newCard(), &formatter{err: errCut}
	if c.boot(f) {
		t.Error("usable, though it was not finished")
	}
	if c.writes != 0 {
		t.Errorf("%d writes to the record of an unfinished /perm", c.writes)
	}
	if f.err = nil; !c.boot(f) || len(f.calls) != 2 {
		t.Errorf("formatted %q", f.calls)
	}
}

// What may hold data is never formatted, and what will be formatted never gets
// any: in every state of the card, a /perm that was usable once stays.
func TestPermIsNeverFormattedWithData(t *testing.T) {
	for name, fault := range map[string]func(*card){
		"damaged record":    (*card).damage,
		"unreadable record": func(c *card) { c.failReads = errors.New("timeout") },
		"read-only card":    func(c *card) { c.failWrites = readOnly },
		"one copy rotten": func(c *card) {
			for _, b := range c.pages {
				b[200] ^= 4
				break
			}
		},
	} {
		c, f := newCard(), &formatter{}
		if !c.boot(f) {
			t.Fatalf("%s: not usable", name)
		}
		fault(c)
		if !c.boot(f) || len(f.calls) != 1 {
			t.Errorf("%s: formatted %q", name, f.calls)
		}
	}
	// The record cannot be kept: nobody may use what each boot will format.
	c, f := newCard(), &formatter{}
	c.failWrites = readOnly
	for range 3 {
		if c.boot(f) {
			t.Fatal("usable, and formatted again at the next boot")
		}
	}
	// No state partition to be found: left as it is.
	f = &formatter{}
	if !(&stationDisk{}).makePerm(f.format) || len(f.calls) != 0 {
		t.Errorf("without state: formatted %q", f.calls)
	}
}

// A record of resets, written while /perm is being made, does not say that it was.
func TestPermAndResetsShareARecord(t *testing.T) {
	c := newCard()
	d := c.disk()
	count := func(string) error { return d.changeBoot(func(b *bootfs.Boot) { b.HungResets = 1 }) }
	if !d.makePerm(count) {
		t.Fatal("not usable")
	}
	if got, want := bootRecord(t, c), (bootfs.Boot{PermMade: true, HungResets: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	c = newCard()
	d = c.disk()
	if d.makePerm(func(string) error { count(""); return errors.New("power cut") }) {
		t.Fatal("usable")
	}
	f := &formatter{}
	if !c.boot(f) || len(f.calls) != 1 {
		t.Errorf("formatted %q", f.calls)
	}
}

// needs makes a test depend on a program. On CI it must be there.
func needs(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; .ci/run installs %s", program, pkg)
	}
	t.Skipf("%s is missing; install %s to run this test", program, pkg)
}

func TestFormatPerm(t *testing.T) {
	needs(t, "e2fsck", "e2fsprogs")
	needs(t, "dumpe2fs", "e2fsprogs")
	device := filepath.Join(t.TempDir(), "perm")
	// What was there before, as on a card that is written anew: none of it may
	// be taken for a file system's.
	old := slices.Repeat([]byte("what was there before "), 1<<20/22)
	f, err := os.Create(device)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off := int64(0); off < disk.PermSize; off += 128 << 20 {
		if _, err := f.WriteAt(old, off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(disk.PermSize); err != nil {
		t.Fatal(err)
	}
	for _, turn := range []string{"first", "after a cut"} {
		if err := formatPerm(device); err != nil {
			t.Fatalf("%s: %v", turn, err)
		}
		if out, err := exec.Command("e2fsck", "-fn", device).CombinedOutput(); err != nil {
			t.Fatalf("%s: e2fsck: %v\n%s", turn, err, out)
		}
	}
	if st, err := f.Stat(); err != nil || st.Size() != disk.PermSize {
		t.Errorf("the partition has %d bytes, %v", st.Size(), err)
	}

	out, err := exec.Command("dumpe2fs", "-h", device).Output()
	if err != nil {
		t.Fatalf("dumpe2fs: %v", err)
	}
	field := func(name string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^` + name + `:\s+(.*)$`).FindStringSubmatch(string(out))
		if m == nil {
			t.Fatalf("no %s in\n%s", name, out)
		}
		return strings.TrimSpace(m[1])
	}
	for name, want := range map[string]string{
		"Filesystem volume name":  "perm",
		"Filesystem magic number": "0xEF53",
		"Filesystem state":        "clean",
		"Block size":              "4096",
		"Block count":             "262144",
		"Journal features":        "journal_checksum_v3",
	} {
		if got := field(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	have := strings.Fields(field("Filesystem features"))
	for _, want := range []string{"has_journal", "extent", "metadata_csum"} {
		if !slices.Contains(have, want) {
			t.Errorf("no %s among %q", want, have)
		}
	}
	// Every kernel since 4.x mounts these, read and write.
	known := strings.Fields("has_journal ext_attr resize_inode dir_index filetype extent flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum metadata_csum_seed 64bit uninit_bg")
	for _, f := range have {
		if !slices.Contains(known, f) {
			t.Errorf("%s among the features: has it been mounted by the boards' kernels?", f)
		}
	}
}

// Partition 4 of a disk that is not as the image made it is left alone.
func TestFormatPermRefuses(t *testing.T) {
	for _, size := range []int64{0, disk.PermSize - 512, disk.PermSize + 512} {
		device := filepath.Join(t.TempDir(), "perm")
		if err := os.WriteFile(device, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(device, size); err != nil {
			t.Fatal(err)
		}
		if err := formatPerm(device); err == nil || !strings.Contains(err.Error(), "not formatted") {
			t.Errorf("%d bytes: %v", size, err)
		}
		b := make([]byte, 4096)
		f, err := os.Open(device)
		if err != nil {
			t.Fatal(err)
		}
		f.ReadAt(b, 0)
		f.Close()
		if strings.Trim(string(b), "\x00") != "" {
			t.Errorf("%d bytes: something was written", size)
		}
	}
	if err := formatPerm("/nowhere/perm"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func TestMounted(t *testing.T) {
	const mounts = `/dev/root / squashfs ro,relatime 0 0
devtmpfs /dev devtmpfs rw 0 0
/dev/mmcblk0p4 /perm ext4 rw,relatime 0 0
tmpfs /perm/x tmpfs rw 0 0
broken`
	for at, want := range map[string]bool{"/perm": true, "/": true, "/perm/x": true, "/per": false, "/perm/": false, "ext4": false, "": false} {
		if got := mounted(at, mounts); got != want {
			t.Errorf("%q: %v, want %v", at, got, want)
		}
	}
	if mounted("/perm", "") {
		t.Error("mounted in an empty table")
	}
}

func TestKeepMachineID(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "machine-id")
	read := func() string {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if err := keepMachineID(path, oldID); err != nil || read() != oldID+"\n" {
		t.Fatalf("%q, %v", read(), err)
	}
	before, _ := os.Stat(path)
	if err := keepMachineID(path, oldID); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("written again, though it was right")
	}
	other := strings.Repeat("f", 32)
	if err := os.WriteFile(path+".new", []byte("of a cut boot, and longer than what comes now"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keepMachineID(path, other); err != nil || read() != other+"\n" {
		t.Fatalf("%q, %v", read(), err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
	if err := keepMachineID("/nowhere/machine-id", oldID); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	// Where the name is taken by what cannot be replaced, nothing stays behind.
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := keepMachineID(taken, oldID); err == nil {
		t.Error("replaced a directory")
	}
	if _, err := os.Stat(taken + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}
