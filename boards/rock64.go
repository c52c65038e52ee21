package boards

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

// Rock64Modules are the modules of Debian's arm64 kernel 6.12 that a ROCK64
// needs, by what for, without what they depend on in turn. They follow from
// the drivers that claim the devices enabled in rk3328-rock64.dtb.
var Rock64Modules = struct {
	Root    []string // to reach the root file system on a card or eMMC: in the initrd
	Early   []string // in the initrd too, so that a hang on the way to the root is noticed
	Network []string
	USB     []string // host controllers and serial converters
	Other   []string
}{
	// The card's supply is switched by a GPIO, its signal level by the RK805.
	Root: []string{
		"gpio_rockchip", "fixed", "i2c_rk3x", "rk808_regulator", "io_domain", "gpio_syscon",
		"dw_mmc_rockchip", "squashfs",
	},
	Early:   []string{"dw_wdt"},
	Network: []string{"realtek", "dwmac_rk"},
	USB: []string{
		"phy_rockchip_inno_usb2", "ehci_platform", "ohci_platform", "dwc2", "dwc3", "xhci_plat_hcd",
		"cdc_acm", "ftdi_sio", "cp210x", "ch341", "pl2303",
	},
	Other: []string{"crc32c_generic", "ext4", "rockchip_thermal", "cpufreq_dt", "nvmem_rockchip_efuse", "syscon_reboot_mode", "leds_gpio", "pps_gpio", "pps_ldisc"},
}
