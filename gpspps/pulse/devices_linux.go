package pulse

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// usbLate is how late a converter on USB may tell of a change on a pin, seconds:
// it is asked every so often, which chips do differently.
const usbLate = 10e-3

// device is what /sys/class/pps says of a PPS device.
type device struct {
	name   string // of the driver's making
	serial string // path of the serial port it belongs to; empty: none
}

// Devices lists the PPS devices that the pulse of a receiver may come on, the
// likeliest first: those of a GPIO line, then that of the receiver's own serial
// port (its path, such as /dev/ttyS0; empty: not known), then those of others.
//
// A network card with a PTP clock has a PPS device too, as on a Raspberry Pi 5.
// What that gives a second is its own, so it is not among them.
func Devices(receiver string) []string { return devices("/sys/class/pps", "/dev", receiver) }

func devices(class, dev, receiver string) []string {
	if to, err := filepath.EvalSymlinks(receiver); err == nil {
		receiver = to
	}
	found, err := filepath.Glob(filepath.Join(class, "pps*"))
	if err != nil {
		return nil // only of a malformed pattern
	}
	slices.Sort(found)
	var byRank [3][]string
	for _, path := range found {
		name := filepath.Base(path)
		d, ok := ppsDevice(class, name)
		if !ok {
			continue
		}
		rank := 2
		switch {
		case d.serial != "" && d.serial == receiver:
			rank = 1
		case d.serial != "":
		case strings.Contains(d.name, "pps"): // "pps@12.-1" of pps-gpio, "pps_parport"
			rank = 0
		default:
			continue // "ptp0"; "ktimer", the kernel's own test
		}
		byRank[rank] = append(byRank[rank], filepath.Join(dev, name))
	}
	return slices.Concat(byRank[:]...)
}

func ppsDevice(class, name string) (d device, ok bool) {
	d.name, ok = attribute(filepath.Join(class, name, "name"))
	path, _ := attribute(filepath.Join(class, name, "path"))
	if strings.HasPrefix(path, "/dev/tty") {
		d.serial = path
	}
	return d, ok
}

// attribute reads a line of sysfs.
func attribute(path string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096)) // a page, as sysfs has it
	return strings.TrimSpace(string(b)), err == nil
}

// onUSB tells whether a serial port is behind USB.
func onUSB(path string) bool {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to // /dev/serial/by-id
	}
	name := filepath.Base(path)
	return strings.HasPrefix(name, "ttyUSB") || strings.HasPrefix(name, "ttyACM")
}
