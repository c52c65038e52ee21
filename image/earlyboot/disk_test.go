package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

// tree makes a /sys and a /dev with a card of five partitions, the root on its
// second, and a USB disk beside it. The root is t.TempDir's own file system.
func tree(t *testing.T) (root, sys, dev string) {
	t.Helper()
	root, sys, dev = t.TempDir(), t.TempDir(), t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	card := filepath.Join(sys, "devices/platform/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0")
	usb := filepath.Join(sys, "devices/platform/usb1/1-1/block/sda")
	for n := 1; n <= 5; n++ {
		write(filepath.Join(card, fmt.Sprintf("mmcblk0p%d/partition", n)), fmt.Sprintf("%d\n", n))
		write(filepath.Join(dev, fmt.Sprintf("mmcblk0p%d", n)), "")
		write(filepath.Join(usb, fmt.Sprintf("sda%d/partition", n)), fmt.Sprintf("%d\n", n))
		write(filepath.Join(dev, fmt.Sprintf("sda%d", n)), "")
	}
	write(filepath.Join(card, "queue/scheduler"), "none\n")
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(sys, "dev/block", fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../devices/platform/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p2", link); err != nil {
		t.Fatal(err)
	}
	return root, sys, dev
}

func TestSiblings(t *testing.T) {
	root, sys, dev := tree(t)
	got, err := siblings(root, sys, dev)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[disk.Number]string)
	for n := disk.Number(1); n <= 5; n++ {
		want[n] = filepath.Join(dev, fmt.Sprintf("mmcblk0p%d", n))
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSiblingsMissing(t *testing.T) {
	glob := func(pattern string) func(sys, dev string) []string {
		return func(sys, dev string) []string {
			a, _ := filepath.Glob(filepath.Join(sys, pattern))
			b, _ := filepath.Glob(filepath.Join(dev, pattern))
			return append(a, b...)
		}
	}
	const card = "devices/platform/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/"
	for _, tt := range []struct {
		name    string
		replace func(sys, dev string) []string // files to remove, or to fill
		content string
		want    string
	}{
		{"root on no block device", glob("dev/block/*"), "", "the root is on no block device"},
		{"no partition 5", glob(card + "mmcblk0p5/partition"), "", "partition 5 is missing beside"},
		{"no node yet", glob("mmcblk0p4"), "", "mmcblk0p4: no such file"},
		{"no number", glob(card + "mmcblk0p1/partition"), "one", `mmcblk0p1/partition: strconv.Atoi: parsing "one"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, sys, dev := tree(t)
			names := tt.replace(sys, dev)
			if len(names) != 1 {
				t.Fatalf("%q", names)
			}
			if err := os.Remove(names[0]); err != nil {
				t.Fatal(err)
			}
			if tt.content != "" {
				if err := os.WriteFile(names[0], []byte(tt.content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := siblings(root, sys, dev); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
	if _, err := siblings("/nowhere", "/sys", "/dev"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no root: %v", err)
	}
}

func TestOpenState(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(name, make([]byte, bootfs.StateSize), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openState(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id := identify(bootfs.OpenState(f), "s1", "")

	// A directory is, to root too, what can be opened for reading alone.
	dir, err := openState(filepath.Dir(name))
	if err != nil {
		t.Fatalf("read-only: %v", err)
	}
	dir.Close()
	locked, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close()
	if got := identify(bootfs.OpenState(locked), "s1", ""); got != id {
		t.Errorf("read-only: %+v, want %+v", got, id)
	}
	if got := identify(bootfs.OpenState(locked), "s2", ""); got.ID == id.ID {
		t.Errorf("read-only in another board: still %+v", got)
	}
	if _, err := openState("/nowhere/state"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

// Whatever happens to a change of the boot record, what others keep there stays.
func TestChangeBoot(t *testing.T) {
	c := newCard()
	d := c.disk()
	hung := func(n int) func(*bootfs.Boot) { return func(b *bootfs.Boot) { b.HungResets = n } }
	if err := d.changeBoot(hung(1)); err != nil {
		t.Fatal(err)
	}
	if err := d.changeBoot(func(b *bootfs.Boot) { b.PermMade = true }); err != nil {
		t.Fatal(err)
	}
	if got, want := bootRecord(t, c), (bootfs.Boot{PermMade: true, HungResets: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	c.failWrites = readOnly
	if err := d.changeBoot(hung(2)); err == nil {
		t.Error("a read-only card took a record")
	}
	if got := bootRecord(t, c); got.HungResets != 1 || !got.PermMade {
		t.Errorf("after a failed write: %+v", got)
	}

	// The second write of a change fails, the third and all others do not: one
	// copy, then both.
	from := c.writes
	c.failWrites = func(n int) error {
		if n == from+2 {
			return errors.New("hiccup")
		}
		return nil
	}
	if err := d.changeBoot(hung(3)); err != nil {
		t.Fatal(err)
	}
	if got := c.writes - from; got != 4 {
		t.Errorf("%d writes, want 4: one copy was not made good", got)
	}

	c.failWrites, c.failReads = nil, errors.New("gone")
	if err := d.changeBoot(hung(4)); err == nil {
		t.Error("a record that could not be read was replaced")
	}
	c.failReads = nil
	c.damage()
	if err := d.changeBoot(hung(4)); !errors.Is(err, bootfs.ErrStateDamaged) {
		t.Errorf("damaged: %v", err)
	}
	if err := (&stationDisk{}).changeBoot(hung(1)); !errors.Is(err, errNoState) {
		t.Errorf("no partition: %v", err)
	}
}

// Init and the watchdog change the record at the same time: no change is lost.
func TestChangeBootConcurrently(t *testing.T) {
	c := newCard()
	d := c.disk()
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := d.changeBoot(func(b *bootfs.Boot) { b.HungResets++ }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := bootRecord(t, c).HungResets; got != n {
		t.Errorf("%d changes of %d", got, n)
	}
}
