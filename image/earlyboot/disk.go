package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

// stationDisk is the disk the station was booted from; partitions are device
// nodes by partition number.
type stationDisk struct {
	partition map[disk.Number]string
	state     *bootfs.State // nil where the raw state partition cannot be used
}

// findDisk finds the partitions beside the one that is mounted as root. What
// is missing is logged; the station runs without it.
func findDisk() *stationDisk {
	d := &stationDisk{}
	var err error
	// The root is mounted already, but its siblings may still be on their way
	// through udev-less devtmpfs.
	for range 50 {
		if d.partition, err = siblings("/", "/sys"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		log.Printf("finding the disk: %v; going on without identity, state and storage", err)
		return d
	}
	name := d.partition[disk.State]
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		log.Printf("opening the state partition: %v; this boot's identity will be forgotten", err)
		return d
	}
	d.state = bootfs.OpenState(f)
	return d
}

// siblings lists the partitions of the disk that holds the file system at
// root, by number, as device nodes.
func siblings(root, sys string) (map[disk.Number]string, error) {
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: root, Err: err}
	}
	dev := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	self, err := filepath.EvalSymlinks(filepath.Join(sys, "dev/block", dev))
	if err != nil {
		return nil, fmt.Errorf("the root is on no block device: %w", err)
	}
	parts, err := filepath.Glob(filepath.Join(filepath.Dir(self), "*/partition"))
	if err != nil {
		return nil, err
	}
	found := make(map[disk.Number]string)
	for _, p := range parts {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		var n disk.Number
		if _, err := fmt.Sscan(strings.TrimSpace(string(b)), &n); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		found[n] = "/dev/" + filepath.Base(filepath.Dir(p))
	}
	for _, want := range []disk.Number{disk.Boot, disk.Perm, disk.State} {
		if found[want] == "" {
			return nil, fmt.Errorf("partition %d is missing beside %s", want, self)
		}
		if _, err := os.Stat(found[want]); err != nil {
			return nil, err
		}
	}
	return found, nil
}
