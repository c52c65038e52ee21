package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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

	changing sync.Mutex // held from reading the boot record to writing it
}

// findDisk finds the partitions beside the one that is mounted as root. What
// is missing is logged; the station runs without it.
func findDisk() *stationDisk {
	d := &stationDisk{}
	var err error
	// The root is mounted already, but its siblings may still be on their way
	// through udev-less devtmpfs.
	for range 50 {
		if d.partition, err = siblings("/", "/sys", "/dev"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		log.Printf("finding the disk: %v; going on without state, and with the storage as it is", err)
		return d
	}
	f, err := openState(d.partition[disk.State])
	if err != nil {
		log.Printf("opening the state partition: %v; going on without it", err)
		return d
	}
	d.state = bootfs.OpenState(f)
	return d
}

// openState opens the state partition. Of a card that has become read-only, or
// whose lock is on, the identity can still be read.
func openState(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		return f, nil
	}
	f, readErr := os.OpenFile(name, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if readErr != nil {
		return nil, readErr
	}
	log.Printf("the card cannot be written: %v", err)
	return f, nil
}

// siblings lists the partitions of the disk that holds the file system at
// root, by number, as device nodes in dev.
func siblings(root, sys, dev string) (map[disk.Number]string, error) {
	var st unix.Stat_t
	if err := unix.Stat(root, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: root, Err: err}
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	self, err := filepath.EvalSymlinks(filepath.Join(sys, "dev/block", number))
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
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		found[disk.Number(n)] = filepath.Join(dev, filepath.Base(filepath.Dir(p)))
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

var errNoState = errors.New("there is no state partition")

// loadBoot reads the boot record; it is the zero record where none has been
// written yet.
func (d *stationDisk) loadBoot() (bootfs.Boot, error) {
	if d.state == nil {
		return bootfs.Boot{}, errNoState
	}
	boot, err := d.state.LoadBoot()
	if errors.Is(err, bootfs.ErrNeverWritten) {
		return bootfs.Boot{}, nil
	}
	return boot, err
}

// changeBoot changes the boot record and returns when it is on the card. A
// record that cannot be read is left as it is.
func (d *stationDisk) changeBoot(change func(*bootfs.Boot)) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	boot, err := d.loadBoot()
	if err != nil {
		return err
	}
	change(&boot)
	err = d.state.StoreBoot(boot)
	if errors.Is(err, bootfs.ErrOneCopy) {
		// It is stored. Once more, for the other copy: the only one must not
		// be lost.
		if err := d.state.StoreBoot(boot); err != nil {
			log.Printf("the boot record has one copy only, the card fails: %v", err)
		}
		return nil
	}
	return err
}
