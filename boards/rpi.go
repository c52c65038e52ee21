package boards

// RaspberryPi is one 64-bit image for the Raspberry Pi 3, 4, 5 and Zero 2 W.
// Its header UART belongs to the GPS receiver, so there is no serial console.
var RaspberryPi = Board{
	Name:    "rpi",
	Title:   "Raspberry Pi 3, 4, 5, Zero 2 W",
	Preview: true,
	GOARCH:  "arm64",
	Kernel:  "github.com/gokrazy/kernel.rpi",
	DTBs:    []string{"*.dtb"},
	Overlay: true,
	Firmware: []Module{
		{Path: "github.com/gokrazy/firmware", Files: []string{"*.elf", "*.dat", "bootcode.bin"}},
	},
	Config: "",
	Serial: []string{"/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0", "/dev/ttyUSB0", "/dev/ttyACM0"},
	Pulse:  []string{"GPIO18", "GPIO4"},
}

// All lists the supported boards.
var All = []Board{VMArm64, RaspberryPi}
