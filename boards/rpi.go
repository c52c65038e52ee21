package boards

// RaspberryPi is one 64-bit image for the Raspberry Pi 3, 4, 5 and Zero 2 W.
// Its header UART belongs to the GPS receiver, so there is no serial console.
var RaspberryPi = Board{
	Name:    "rpi",
	Title:   "Raspberry Pi 3, 4, 5 and Zero 2 W, with their 400, 500 and CM kin",
	Preview: "it has been run in an emulator only, never on a board",
	GOARCH:  "arm64",
	Loader:  LoaderPi,
	Kernel: Kernel{
		Module:   "github.com/gokrazy/kernel.rpi",
		DTBs:     []string{"*.dtb"},
		Overlays: true,
		Modules:  brcmfmac,
		// What a chip's maker adds is in modules that brcmfmac asks for by name
		// when the chip has its firmware; there is no modprobe here to answer.
		Load: brcmfmac,
	},
	Radio: []Package{
		{Name: "firmware-brcm80211", Arch: "all", Files: []string{
			"lib/firmware/brcm/brcmfmac43430-sdio.*", "lib/firmware/brcm/brcmfmac43455-sdio.*",
			"lib/firmware/cypress/cyfmac43430-sdio*", "lib/firmware/cypress/cyfmac43455-sdio*"}},
		RegulatoryRules,
	},
	RadioNames: rpiRadioNames,
	// With gpu_mem=16 the firmware is start_cd.elf or start4cd.elf; the plain
	// ones are for a person who asks for more in usercfg.txt.
	Firmware: []Module{
		{Path: "github.com/gokrazy/firmware", Files: []string{"bootcode.bin", "start.elf", "start4.elf", "start_cd.elf", "start4cd.elf", "fixup.dat", "fixup4.dat", "fixup_cd.dat", "fixup4cd.dat"}},
	},
	Config:     rpiConfig,
	UserConfig: rpiUserConfig,
	// The header's UART is ttyAMA0 on every model, by what rpiConfig does. There
	// is no /dev/serial0, which is a link of udev's, and ttyAMA10 is the 5's
	// connector for debugging.
	Serial: []string{"/dev/ttyAMA0", "/dev/ttyUSB0", "/dev/ttyACM0"},
	Pulse:  []string{"GPIO18", "GPIO4"},
	// The green one, which else shows what the card does; its label in the device
	// trees of all models.
	LED: "ACT",

	Compatible: []string{"raspberrypi,"},
}

var brcmfmac = []string{"brcmfmac", "brcmfmac_wcc", "brcmfmac_cyw", "brcmfmac_bca"}

// rpiRadioNames are the settings of the radio's hardware (NVRAM) that Debian has
// under other models' names. brcmfmac asks for brcm/<chip>-sdio.<model>.txt,
// where the model is the first "compatible" of the device tree. Raspberry Pi OS
// has one file for all models with a 43455, the name of each being a link to it
// (brcm80211/brcm in RPi-Distro/firmware-nonfree).
//
// There is no firmware in Debian for the 43436 and 43436s of the Zero 2 W (asked
// for as brcmfmac43430b0-sdio and brcmfmac43430-sdio.raspberrypi,model-zero-2-w)
// and for the 43456 that some CM4 have.
var rpiRadioNames = map[string]string{
	"lib/firmware/brcm/brcmfmac43455-sdio.raspberrypi,400.txt":              rpi43455,
	"lib/firmware/brcm/brcmfmac43455-sdio.raspberrypi,4-compute-module.txt": rpi43455,
	"lib/firmware/brcm/brcmfmac43455-sdio.raspberrypi,5-model-b.txt":        rpi43455,
	"lib/firmware/brcm/brcmfmac43455-sdio.raspberrypi,500.txt":              rpi43455,
	"lib/firmware/brcm/brcmfmac43455-sdio.raspberrypi,5-compute-module.txt": rpi43455,
}

const rpi43455 = "brcmfmac43455-sdio.raspberrypi,4-model-b.txt"

// rpiConfig is config.txt before the slot's os_prefix: one sector at the most,
// ours. Page names are those of Raspberry Pi's documentation; the model in
// image/pifirmware says what each model makes of it.
//
// Later lines win. So a person's own stand behind those about hardware, and
// before those that decide what boots, which os_prefix ends.
//
//   - arm_64bit is for the 3 and the Zero 2 W, which else start in 32-bit mode.
//   - gpu_mem=16 selects the firmware start_cd.elf or start4cd.elf, which has
//     all that is used here and leaves more memory (config_txt/boot.adoc).
//   - kernel_watchdog_timeout has the firmware start the watchdog with the
//     kernel, for a kernel that hangs before /gokrazy/init feeds it. 15 s are the
//     most that the hardware counts; the kernel's driver takes what is above for
//     the rest of a division (raspberrypi/linux issue 7432). An older EEPROM of a
//     5 may not know it, and goes on without.
//   - The UART of GPIO 14 and 15 is the receiver's. On the 3, the 4 and the Zero
//     2 W Bluetooth has the good one, until disable-bt gives it to the header
//     (configuration/uart.adoc); the 3+ sees [pi3], the 400 and the CM4 see
//     [pi4], the 500 and the CM5 see [pi5] (config_txt/conditional.adoc). The 5
//     has one of its own for the header, which is off.
//   - A CM4's and a CM5's USB ports are off: for USB receivers they are hosts,
//     as in Raspberry Pi OS.
//   - os_check=0 spares the 5 an early look for a device tree by rules that have
//     changed between EEPROMs (raspberrypi/rpi-eeprom issue 682).
const rpiConfig = `gpu_mem=16
enable_uart=1
kernel_watchdog_timeout=15
[pi3]
dtoverlay=disable-bt
[pi02]
dtoverlay=disable-bt
[pi4]
dtoverlay=disable-bt
[cm4]
otg_mode=1
[pi5]
os_check=0
dtoverlay=uart0-pi5
[cm5]
dtoverlay=dwc2,dr_mode=host
[all]
include usercfg.txt
[all]
arm_64bit=1
kernel=vmlinuz
cmdline=cmdline.txt
`

// rpiUserConfig is what a person finds in usercfg.txt.
const rpiUserConfig = `# Your own lines for the Raspberry Pi's firmware. config.txt belongs to the
# station and is rewritten by updates; this file is yours and is never touched.
# A real-time clock, for example:
#dtoverlay=i2c-rtc,ds3231
`
