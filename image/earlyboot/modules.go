package main

import (
	"log"

	"github.com/truechimer/truechimer/image/kmod"
)

// plugRounds bounds how often devices are looked for that appeared because of
// the modules loaded before: a bus behind a bus behind a bus.
const plugRounds = 8

// loadModules loads the kernel modules for the devices that are there, those
// that every boot of the board needs, and from then on those for devices that
// appear: what is plugged in, or comes late, as radios do.
func loadModules() {
	modules, err := kmod.Running()
	if err != nil {
		log.Print(err)
		return
	}
	modules.Log = log.Printf
	events, err := kmod.Listen()
	if err != nil {
		log.Print(err)
	}
	modules.Always()
	for range plugRounds {
		if modules.Coldplug() == 0 {
			break
		}
	}
	if events != nil {
		go func() { log.Print(modules.Hotplug(events)) }()
	}
}
