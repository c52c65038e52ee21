package network

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// silentRadio is the name of a device that is a radio, for when no radio has a
// link: "" where there is no such device. bus is /sys/bus.
//
// On SDIO that is every function that does not say it is something else
// (Broadcom's say 0, others 7: SDIO simplified specification 3.00, table 6-4):
// memory cards have none, and no supported board has another kind of card. On
// PCI it is class 02 80, a network controller that is no Ethernet.
func silentRadio(bus fs.FS) string {
	is := map[string]func(class string) bool{
		"sdio/devices": func(c string) bool { return c == "0x00" || c == "0x07" },
		"pci/devices":  func(c string) bool { return strings.HasPrefix(c, "0x0280") },
	}
	for _, dir := range []string{"sdio/devices", "pci/devices"} {
		list, err := fs.ReadDir(bus, dir)
		if err != nil {
			continue // no such bus
		}
		for _, d := range list {
			if class, err := fs.ReadFile(bus, path.Join(dir, d.Name(), "class")); err == nil && is[dir](strings.TrimSpace(string(class))) {
				return path.Base(path.Dir(dir)) + " " + d.Name()
			}
		}
	}
	return ""
}

// hasSSID looks for the name of a network among the elements of its beacon or
// answer (IEEE 802.11-2020 section 9.4.2): it is element 0.
func hasSSID(elements []byte, ssid string) bool {
	for len(elements) >= 2 {
		id, n := elements[0], int(elements[1])
		if len(elements) < 2+n {
			return false // cut short
		}
		if id == 0 {
			return slices.Equal(elements[2:2+n], []byte(ssid))
		}
		elements = elements[2+n:]
	}
	return false
}
