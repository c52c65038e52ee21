package boards

// VMArm64 is QEMU's virt machine, started by U-Boot, with the receiver on a PCI
// UART and the pulse on line 3 of its PL061 GPIO controller, named as a
// Raspberry Pi names its pins.
var VMArm64 = Board{
	Name:     "vm-arm64",
	Title:    "QEMU virt (64-bit Arm)",
	GOARCH:   "arm64",
	Loader:   LoaderUBoot,
	Kernel:   Kernel{Module: "github.com/gokrazy/kernel.arm64", Initrd: true},
	Consoles: []string{"ttyAMA0,115200"},
	Serial:   []string{"/dev/ttyS0"},
	Pulse:    []string{"GPIO18", "gpiochip0:3"},
}

// VMAmd64 is a 64-bit PC or virtual machine with UEFI firmware. A receiver is
// on its first or second serial port or on USB; PCs have no line for a pulse.
var VMAmd64 = Board{
	Name:   "vm-amd64",
	Title:  "PC or virtual machine with UEFI (64-bit x86)",
	GOARCH: "amd64",
	Loader: LoaderUEFI,
	Kernel: Kernel{
		Package: debianKernel("amd64"),
		Initrd:  true,
		Early:   join(rootModules, pcDisks, pcWatchdogs),
		Modules: join(rootModules, pcDisks, pcWatchdogs, pcNetwork, taggedNets, usbSerial, vsockModules, []string{
			"virtio_rng", "virtio_console", "virtio_balloon", "ptp_kvm", "efivarfs", "pps_ldisc",
			"xhci_pci", "ehci_pci", "uhci_hcd", "ohci_pci", "hv_vmbus", "hv_balloon",
		}),
		Load: join(rootModules, vsockModules, taggedNets, usbSerial, []string{"efivarfs", "ptp_kvm"}),
	},
	Stub:   Package{Name: "systemd-boot-efi", Arch: "amd64", Files: []string{"usr/lib/systemd/boot/efi/linuxx64.efi.stub"}},
	Menu:   Package{Name: "systemd-boot-efi", Arch: "amd64", Files: []string{"usr/lib/systemd/boot/efi/systemd-bootx64.efi"}},
	Config: uefiConfig,
	// The serial port comes last: a virtual machine's host reads it.
	Consoles: []string{"tty0", "ttyS0,115200"},
	Serial:   []string{"/dev/ttyS1", "/dev/ttyUSB0", "/dev/ttyACM0"},
}

// uefiConfig is systemd-boot's loader.conf behind the default entry
// (loader.conf(5)). There is no menu unless a key is held, and no editor in it:
// whoever is at the keyboard could start a shell.
const uefiConfig = `timeout 0
editor no
auto-entries no
auto-firmware no
`

// Drivers of PCs and of the machines that hypervisors make up.
var (
	pcDisks = []string{
		"virtio_blk", "virtio_scsi", "ahci", "ata_piix", "nvme", "sd_mod", "vmw_pvscsi", "hv_storvsc", "xen_blkfront",
		"usb_storage", "uas", "xhci_pci", "ehci_pci", "sdhci_pci", "sdhci_acpi", "mmc_block",
	}
	pcWatchdogs = []string{"i6300esb", "iTCO_wdt", "sp5100_tco", "wdat_wdt"}
	pcNetwork   = []string{
		"virtio_net", "e1000", "e1000e", "igb", "igc", "r8169", "realtek", "tg3", "bnx2", "alx", "atl1c", "sky2", "8139cp",
		"vmxnet3", "hv_netvsc", "xen_netfront", "ixgbe", "r8152", "ax88179_178a", "cdc_ether", "cdc_ncm",
	}
)
