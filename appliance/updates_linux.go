package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/image/bootctl"
)

// thisMachine is the station's own card, firmware and kernel.
func thisMachine() machine {
	return machine{
		open:    openPartition,
		sticks:  func(own string) []stick { return findSticks("/sys/class/block", own) },
		vars:    bootctl.Efivars(bootctl.EfivarsDir),
		restart: bootctl.Restart,
	}
}

func openPartition(path string, writable bool) (partition, error) {
	if writable {
		return update.OpenPartition(path)
	}
	f, err := os.Open(path)
	return update.Partition{File: f}, err
}

// freeBytes is how much can be written to a file system.
func freeBytes(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	const most = 1 << 31 // each factor is bounded, so that none can overflow
	return min(int64(s.Bavail), most) * min(int64(s.Bsize), most>>1), nil
}
