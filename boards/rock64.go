package boards

// Rock64 is Pine64's board with Debian's U-Boot and kernel. Its header's UART
// is the console of U-Boot and of the kernel, so the receiver is on USB.
var Rock64 = Board{
	Name:    "rock64",
	Title:   "ROCK64",
	Preview: "it has not been tried on a board",
	GOARCH:  "arm64",
	Loader:  LoaderUBoot,
	Kernel: Kernel{
		Package: debianKernel("arm64"),
		Initrd:  true,
		Early: join(rootModules, []string{
			"mmc_block", "dw_mmc_rockchip", "gpio_rockchip", "rk808_regulator", "fixed", "gpio_regulator", "dw_wdt", "virtio_blk",
		}),
		Modules: join(rootModules, usbSerial, []string{
			"mmc_block", "dw_mmc_rockchip", "gpio_rockchip", "rk808_regulator", "fixed", "gpio_regulator", "dw_wdt",
			"dwmac_rk", "realtek", "phy_rockchip_inno_usb2", "dwc2", "dwc3", "ehci_platform", "ohci_platform", "xhci_plat_hcd",
			"rockchip_thermal", "pps_gpio", "pps_ldisc", "virtio_blk", "virtio_net",
		}),
		Load: join(rootModules, usbSerial),
	},
	DeviceTree: "rockchip/rk3328-rock64.dtb",
	Blobs: []Blob{
		{Package: rock64UBoot, File: "usr/lib/u-boot/rock64-rk3328/idbloader.img", Offset: 64 * 512, Most: 0x3f8000 - 64*512},
		{Package: rock64UBoot, File: "usr/lib/u-boot/rock64-rk3328/u-boot.itb", Offset: 16384 * 512, Most: 8 << 20},
	},
	Consoles: []string{"ttyS2,1500000"},
	Serial:   []string{"/dev/ttyACM0", "/dev/ttyUSB0"},
	Pulse:    []string{"PIN12"},
}

var rock64UBoot = Package{Name: "u-boot-rockchip", Arch: "arm64"}
