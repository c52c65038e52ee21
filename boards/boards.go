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

// Package names files inside a Debian package that is pinned in image/debian.
type Package struct {
	Name, Arch string   // Name may be a path.Match pattern: kernels carry their version in it
	Files      []string // path.Match patterns relative to the root, or a directory and "/**"
	// Rename gives files another path in the image; of those that have one,
	// Files is to name the former.
	Rename map[string]string
}

// Loader is the kind of program that loads the kernel, and with it the way in
// which a slot is tried once.
type Loader string

// The loaders; image/bootctl knows how each is told what to boot.
const (
	LoaderPi    Loader = "pi"           // the Raspberry Pi's firmware: config.txt, tryboot.txt
	LoaderUBoot Loader = "uboot"        // U-Boot and our boot.scr: records in the state partition
	LoaderUEFI  Loader = "systemd-boot" // loader.conf and an EFI variable
)

// Kernel is where a board's kernel comes from: a Go module with vmlinuz, device
// trees and lib/modules in its root, or a Debian package.
type Kernel struct {
	Module  string  // module path; empty: from Package
	Package Package // linux-image-*
	DTBs    []string
	// Overlays says that the module's overlays/ go into the slot too.
	Overlays bool
	// Early are the modules that the initial file system loads to reach the
	// root, Modules those that the root holds, Load those among them that are
	// loaded at every boot; the others follow the devices that are there. All
	// that they depend on is added; what the kernel has built in is left out.
	// A board without Early has no initial file system.
	Early, Modules, Load []string
	// Initrd says that there is an initial file system, also without modules.
	Initrd bool
}

// Blob is a file that boot ROMs read from a fixed place of the disk.
type Blob struct {
	Package Package
	File    string // in the package
	Offset  int64  // bytes from the start of the disk
	Most    int64  // bytes; what lies behind belongs to something else
}

// Board is one supported board or family of boards served by one image.
type Board struct {
	Name    string // as in BOARD=, file names and the API
	Title   string // for people
	Preview string // why it is not finished; empty: it is
	GOARCH  string
	Loader  Loader

	// Kernel's files make up the slots of the boot file system.
	Kernel Kernel
	// DeviceTree is the name of the board's tree among the kernel's; it becomes
	// board.dtb in the slot. Empty: the loader has one, or needs none.
	DeviceTree string

	// Firmware files, copied into the root of the boot file system.
	Firmware []Module
	// Radio are the files for Wi-Fi, copied into the root file system's
	// lib/firmware, and RadioNames further names there that drivers ask for:
	// name to what it is a link to, in the same directory.
	Radio      []Package
	RadioNames map[string]string
	// Config is the text around the slot's letter in the file that says which
	// slot boots: all of config.txt up to the os_prefix, all of loader.conf behind the
	// default. It is on the card for as long as the card lives, so a release that
	// changes it adds what it was to FormerConfigs. UserConfig is what
	// usercfg.txt holds at first.
	Config, UserConfig string
	FormerConfigs      []string
	// Stub and Menu are the parts of systemd-boot, where it is the loader: what
	// becomes part of a slot's program, and what the firmware starts.
	Stub, Menu Package
	// Blobs are written outside of all partitions.
	Blobs []Blob

	// LoaderMakesUpNumbers says that the loader hands Linux a serial number and an
	// Ethernet address that it took from nowhere: the station then uses its own.
	LoaderMakesUpNumbers bool

	// Compatible are how the boards that the image is for begin to call themselves
	// in their device trees (/proc/device-tree/compatible); none: they have no tree.
	Compatible []string

	Consoles []string // the kernel's consoles, the last one is /dev/console; none: the UART is the receiver's
	Cmdline  []string // further kernel arguments

	Serial []string // where a receiver may be, in the order in which to look
	Pulse  []string // periph pin names or chip:line of the pulse, in the order in which to look

	// LED is the one that shows how the station is, by its name in Linux's LED class;
	// empty: the board has none.
	LED string
}

// All lists the supported boards.
var All = []Board{RaspberryPi, Rock64, VMAmd64, VMArm64}

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
