package main

import (
	"log"
	"path/filepath"

	"github.com/truechimer/truechimer/image/kmod"
	"golang.org/x/sys/unix"
)

// plugRounds bounds how often devices are looked for that appeared because of
// the modules loaded before: a bus behind a bus behind a bus.
const plugRounds = 8

// loadModules loads the kernel modules for the devices that are there, and
// those that every boot of the board needs.
func loadModules() {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		log.Printf("kernel modules: %v", err)
		return
	}
	modules, err := kmod.Open(filepath.Join("/lib/modules", unix.ByteSliceToString(name.Release[:])), "/sys")
	if err != nil {
		log.Print(err)
		return
	}
	modules.Log = log.Printf
	modules.Always()
	for range plugRounds {
		if modules.Coldplug() == 0 {
			break
		}
	}
}
