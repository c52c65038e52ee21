// Package boards says what each supported board is: which kernel and firmware
// it boots, where its serial ports and pulse lines are, what feeds its
// watchdog. It is data, imports nothing of this project and touches no hardware.
package boards

import "fmt"

// Module names files inside a Go module that is pinned in go.mod.
type Module struct {
	Path  string   // module path
	Files []string // path.Match patterns relative to the module's root
}

// Board is one supported board or family of boards served by one image.
type Board struct {
	Name    string // as in BOARD=, file names and the API
	Title   string // for people
	Preview bool   // builds and boots, but is not finished
	GOARCH  string

	// Slot files, copied into /a (and later /b) of the boot file system.
	Kernel  string   // module path of the kernel; its vmlinuz and lib/modules are taken
	DTBs    []string // patterns in the kernel module
	Overlay bool     // the kernel module's overlays/ too

	// Firmware files, copied into the root of the boot file system.
	Firmware []Module
	// Config is the content of config.txt up to the slot's os_prefix; empty
	// where the board has no such file. UserConfig is what usercfg.txt holds at first.
	Config, UserConfig string

	Console string   // kernel console argument's value; empty: none, the UART is the receiver's
	Cmdline []string // further kernel arguments

	Serial []string // where a receiver may be, in the order in which to look
	Pulse  []string // periph pin names or chip:line of the pulse, in the order in which to look
}

// ByName finds a board by its name.
func ByName(name string) (Board, error) {
	for _, b := range All {
		if b.Name == name {
			return b, nil
		}
	}
	return Board{}, fmt.Errorf("board %q is not known; known are %s", name, names())
}

func names() string {
	s := ""
	for i, b := range All {
		if i > 0 {
			s += ", "
		}
		s += b.Name
	}
	return s
}
