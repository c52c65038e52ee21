package boards

// RaspberryPi is one 64-bit image for the Raspberry Pi 3, 4, 5 and Zero 2 W.
// Its header UART belongs to the GPS receiver, so there is no serial console.
var RaspberryPi = Board{
	Name:    "rpi",
	Title:   "Raspberry Pi 3, 4, 5, Zero 2 W",
	Preview: "it has been run in an emulator only, never on a board",
	GOARCH:  "arm64",
	Loader:  LoaderPi,
	Kernel: Kernel{
		Module:   "github.com/gokrazy/kernel.rpi",
		DTBs:     []string{"*.dtb"},
		Overlays: true,
		Modules:  []string{"brcmfmac", "brcmfmac_cyw", "brcmfmac_wcc", "brcmfmac_bca"},
	},
	Radio: []Package{
		{Name: "firmware-brcm80211", Arch: "all", Files: []string{"lib/firmware/brcm/brcmfmac4343*-sdio*", "lib/firmware/brcm/brcmfmac43455-sdio*", "lib/firmware/cypress/cyfmac43430-sdio*", "lib/firmware/cypress/cyfmac43455-sdio*"}},
		{Name: "wireless-regdb", Arch: "all", Files: []string{"lib/firmware/regulatory.db*"}},
	},
	Firmware: []Module{
		{Path: "github.com/gokrazy/firmware", Files: []string{"*.elf", "*.dat", "bootcode.bin"}},
	},
	Config:     rpiConfig,
	UserConfig: rpiUserConfig,
	Serial:     []string{"/dev/serial0", "/dev/ttyAMA0", "/dev/ttyS0", "/dev/ttyUSB0", "/dev/ttyACM0"},
	Pulse:      []string{"GPIO18", "GPIO4"},
}

// rpiConfig is config.txt behind the slot's os_prefix: one sector at the most,
// ours. The header's UART goes to the receiver: Bluetooth, which would take the
// good UART of the older models, is off.
const rpiConfig = `arm_64bit=1
kernel=vmlinuz
gpu_mem=16
enable_uart=1
[pi3]
dtoverlay=disable-bt
[pi02]
dtoverlay=disable-bt
[pi4]
dtoverlay=disable-bt
[pi5]
dtoverlay=uart0-pi5
[all]
include usercfg.txt
`

// rpiUserConfig is what a person finds in usercfg.txt.
const rpiUserConfig = `# Your own lines for the Raspberry Pi's firmware. config.txt belongs to the
# station and is rewritten by updates; this file is yours and is never touched.
# A real-time clock, for example:
#dtoverlay=i2c-rtc,ds3231
`
