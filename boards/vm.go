package boards

// VMArm64 is QEMU's virt machine with the receiver on a PCI UART and the pulse
// on line 3 of its PL061 GPIO controller, named as a Raspberry Pi names its pins.
var VMArm64 = Board{
	Name:    "vm-arm64",
	Title:   "QEMU virt (64-bit Arm)",
	GOARCH:  "arm64",
	Kernel:  "github.com/gokrazy/kernel.arm64",
	Console: "ttyAMA0,115200",
	Serial:  []string{"/dev/ttyS0"},
	Pulse:   []string{"GPIO18", "gpiochip0:3"},
}
