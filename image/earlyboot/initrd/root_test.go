package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/disk"
)

func TestParseRoot(t *testing.T) {
	guid := disk.PartUUID("rpi", disk.Boot)
	r, err := parseRoot("console=ttyS0 root=PARTUUID=" + guid + "/PARTNROFF=2 ro\n")
	if err != nil || r.guid.String() != guid || r.offset != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"", "ro quiet", "root=/dev/sda2", "root=PARTUUID=" + guid, "root=PARTUUID=x/PARTNROFF=1",
		"root=PARTUUID=" + guid + "/PARTNROFF=-1", "root=" + guid + "/PARTNROFF=1", "root=PARTUUID=" + guid + "/PARTNROFF=999"} {
		if r, err := parseRoot(bad); err == nil || !strings.Contains(err.Error(), "root=PARTUUID=GUID/PARTNROFF=NUMBER") {
			t.Errorf("%q: %+v, %v", bad, r, err)
		}
	}
}

// machine makes a directory like /sys/block and one like /dev.
func machine(t *testing.T, disks map[string]string) (sys, dev string) {
	t.Helper()
	sys, dev = t.TempDir(), t.TempDir()
	for name, board := range disks {
		f, err := os.Create(filepath.Join(dev, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.MkdirAll(filepath.Join(sys, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if board == "" {
			continue
		}
		if err := disk.Write(f, board, disk.BasicData); err != nil {
			t.Fatal(err)
		}
		for _, n := range []string{"1", "2", "3", "4", "5"} {
			part := filepath.Join(sys, name, name+"p"+n)
			if err := os.MkdirAll(part, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(part, "partition"), []byte(n+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return sys, dev
}

func TestFindRoot(t *testing.T) {
	sys, dev := machine(t, map[string]string{"loop0": "", "mmcblk0": "rock64", "sda": "vm-amd64"})
	for board, want := range map[string]string{"rock64": "mmcblk0p3", "vm-amd64": "sdap3"} {
		r, err := parseRoot("root=PARTUUID=" + disk.PartUUID(board, disk.Boot) + "/PARTNROFF=2")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.find(sys, dev); err != nil || got != filepath.Join(dev, want) {
			t.Errorf("%s: %s, %v; want %s", board, got, err, want)
		}
	}
	r, err := parseRoot("root=PARTUUID=" + disk.PartUUID("rpi", disk.Boot) + "/PARTNROFF=2")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.find(sys, dev); err == nil || !strings.Contains(err.Error(), "there are loop0, mmcblk0, sda") {
		t.Errorf("%s, %v", got, err)
	}
	// The disk is there and its partitions are still on their way.
	if err := os.RemoveAll(filepath.Join(sys, "sda", "sdap3")); err != nil {
		t.Fatal(err)
	}
	r, _ = parseRoot("root=PARTUUID=" + disk.PartUUID("vm-amd64", disk.Boot) + "/PARTNROFF=2")
	if got, err := r.find(sys, dev); err == nil || !strings.Contains(err.Error(), "sda has no partition 3 yet") {
		t.Errorf("%s, %v", got, err)
	}
}
