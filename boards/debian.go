package boards

// debianKernel is the newest kernel of Debian 12 that is a long-term one.
func debianKernel(arch string, files ...string) Package {
	return Package{Name: "linux-image-6.12.*+deb12-" + arch + "-unsigned", Arch: arch, Files: files}
}

// Modules of Debian's kernels that every board with such a kernel has.
var (
	// rootModules mount the root and /perm. ext4 asks for its checksum by a
	// name that only modprobe could resolve, so it is named here.
	rootModules = []string{"squashfs", "crc32c_generic", "ext4"}
	// usbSerial are the receivers with a USB plug.
	usbSerial = []string{"cdc_acm", "ftdi_sio", "cp210x", "ch341", "pl2303"}
	// taggedNets are VLANs (IEEE 802.1Q), which the kernel otherwise has a program
	// load when the first is made.
	taggedNets = []string{"8021q"}
	// vsockModules let the host of a virtual machine in; vsock_loopback lets a
	// program in the machine do the same.
	vsockModules = []string{"vsock", "vmw_vsock_virtio_transport", "vsock_loopback"}
)

// RegulatoryRules are what each country allows on the air. Debian has them
// signed by its own maintainer and by upstream's, and leaves it to
// update-alternatives which of the two the kernel sees. Upstream's key is in
// every kernel, Debian's in Debian's own.
var RegulatoryRules = Package{
	Name: "wireless-regdb", Arch: "all",
	Files: []string{"lib/firmware/regulatory.db-upstream", "lib/firmware/regulatory.db.p7s-upstream"},
	Rename: map[string]string{
		"lib/firmware/regulatory.db-upstream":     "lib/firmware/regulatory.db",
		"lib/firmware/regulatory.db.p7s-upstream": "lib/firmware/regulatory.db.p7s",
	},
}

func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
