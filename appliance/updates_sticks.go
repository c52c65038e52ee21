package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// lookForSticks is how often USB sticks are looked for.
	lookForSticks = 5 * time.Second
	// maxSticks is how many volumes at USB are looked at, at the most.
	maxSticks = 16
)

// stick is a block device at USB: a partition, or a whole stick, which may have no
// partitions.
type stick struct {
	path string
	mark string // another one for another stick that is plugged in later
}

// ofUSB matches where a block device at USB is in the kernel's tree of devices.
var ofUSB = regexp.MustCompile(`/usb\d+/`)

// findSticks lists what is at USB below sysfs, which is /sys/class/block, in the
// order of names. The disk that own is a partition of is left out: a station may
// have started from it.
func findSticks(sysfs, own string) (list []stick) {
	devices, err := os.ReadDir(sysfs)
	if err != nil {
		return nil
	}
	card := diskOf(sysfs, filepath.Base(own))
	for _, d := range devices {
		at, err := os.Readlink(filepath.Join(sysfs, d.Name()))
		if err != nil || !ofUSB.MatchString(at) {
			continue
		}
		disk := diskOf(sysfs, d.Name())
		// A reader for cards that has none in it is a disk without a size.
		if size := attribute(sysfs, d.Name(), "size"); disk == card || size == "" || size == "0" {
			continue
		}
		list = append(list, stick{path: "/dev/" + d.Name(), mark: attribute(sysfs, disk, "diskseq")})
		if len(list) == maxSticks {
			break
		}
	}
	return list
}

// diskOf is the disk that a block device is a partition of, or the device itself.
func diskOf(sysfs, name string) string {
	if attribute(sysfs, name, "partition") == "" {
		return name
	}
	at, err := os.Readlink(filepath.Join(sysfs, name))
	if err != nil {
		return name
	}
	return filepath.Base(filepath.Dir(at))
}

// attribute is what the kernel says of a block device; empty where it does not.
func attribute(sysfs, name, of string) string {
	b, err := os.ReadFile(filepath.Join(sysfs, name, of))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// watch closes a channel when there are other sticks than these, if they matter, or
// somebody rings.
func (u *updater) watch(ctx context.Context, matter bool, sticks []stick) <-chan struct{} {
	changed := make(chan struct{})
	go func() {
		look := time.NewTicker(lookForSticks)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-u.again:
				close(changed)
				return
			case <-look.C:
			}
			if matter && !slices.Equal(u.machine.sticks(u.s.platform.bootDevice), sticks) {
				close(changed)
				return
			}
		}
	}()
	return changed
}
