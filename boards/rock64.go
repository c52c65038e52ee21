package boards

// Rock64 is Pine64's board with Debian's U-Boot and kernel. Its header's UART
// is the console of U-Boot and of the kernel, so the receiver is on USB; its
// pulse may be on the header. The modules follow from the drivers that claim
// the devices enabled in rk3328-rock64.dtb.
var Rock64 = Board{
	Name:    "rock64",
	Title:   "ROCK64",
	Preview: "its boot chain has been run in an emulator, the image never on a board",
	GOARCH:  "arm64",
	Loader:  LoaderUBoot,
	Kernel: Kernel{
		Package: debianKernel("arm64"),
		Initrd:  true,
		Early:   join(rock64Root, rootModules),
		Modules: join(rock64Root, rootModules, rock64Devices, taggedNets, usbSerial),
		Load:    join(rootModules, taggedNets, usbSerial),
	},
	Compatible: []string{"pine64,rock64"},
	DeviceTree: "rockchip/rk3328-rock64.dtb",
	Blobs: []Blob{
		{Package: rock64UBoot, File: "usr/lib/u-boot/rock64-rk3328/idbloader.img", Offset: 64 * 512, Most: rock64Environment - 64*512},
		{Package: rock64UBoot, File: "usr/lib/u-boot/rock64-rk3328/u-boot.itb", Offset: 16384 * 512, Most: 8 << 20},
	},
	// Debian's U-Boot has no driver for the chip's fuses and makes both out of
	// memory that nobody has written to.
	LoaderMakesUpNumbers: true,
	Consoles:             []string{"ttyS2,1500000"},
	Serial:               []string{"/dev/ttyACM0", "/dev/ttyUSB0"},
	Pulse:                []string{"PIN12"},
	// The red one, which else beats like a heart, by the name of its node: it has no
	// label in rk3328-rock64.dtb. led-0, white, shows what the card does.
	LED: "led-1",
}

// rock64Environment is where U-Boot's environment lies, bytes from the start of
// the card (image/uboot has it too, and writes it).
const rock64Environment = 0x3f8000

var (
	rock64UBoot = Package{Name: "u-boot-rockchip", Arch: "arm64"}
	// rock64Root are on the way to a card or eMMC: the card's supply is switched
	// by a GPIO, its signal level by the RK805. With the watchdog in time, a
	// hang on the way is noticed.
	rock64Root = []string{
		"gpio_rockchip", "fixed", "i2c_rk3x", "rk808_regulator", "io_domain", "gpio_syscon", "mmc_block", "dw_mmc_rockchip",
		"dw_wdt", "virtio_blk",
	}
	rock64Devices = []string{
		"usb_storage", "uas", "sd_mod",
		"realtek", "dwmac_rk",
		"phy_rockchip_inno_usb2", "ehci_platform", "ohci_platform", "dwc2", "dwc3", "xhci_plat_hcd",
		"rockchip_thermal", "cpufreq_dt", "nvmem_rockchip_efuse", "syscon_reboot_mode", "leds_gpio", "pps_gpio", "pps_ldisc", "virtio_net",
	}
)

// HeaderPin is a pin of a board's 40-pin header that a pulse may be wired to.
type HeaderPin struct {
	Name string // of the GPIO line, as the kernel and the configuration know it
	Bank int    // the system's GPIO controller
	Line int    // within the bank
}

// Rock64Pins are the pins of the ROCK64's "Pi-2" header that nothing else on
// the board uses. The first is where most hats for the Raspberry Pi have their
// pulse (its GPIO18). The RK3328 has 32 lines a bank, named A0 to D7.
//
// Pin 7 (GPIO1_D4), where other hats have it, is left out: the board makes a
// clock of it and has been seen to crash. Pins 8 and 10 are the console's.
//
// Source: the pin table of the GPIO library R64.GPIO (its wiki, "GPIO Modes";
// pins 12, 15, 16, 18 and 22 are numbers 67 and 100 to 103 there, confirmed on
// the board by its author, pin 12 as an input only) and the pin groups in
// Linux, rk3328.dtsi: no device that is enabled on the board uses these lines.
// It has not been tried here on a board.
var Rock64Pins = []HeaderPin{
	{"PIN12", 2, 3}, // GPIO2_A3
	{"PIN15", 3, 4}, // GPIO3_A4
	{"PIN16", 3, 5}, // GPIO3_A5
	{"PIN18", 3, 6}, // GPIO3_A6
	{"PIN22", 3, 7}, // GPIO3_A7
}
