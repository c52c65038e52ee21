package main

import (
	"os"

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
