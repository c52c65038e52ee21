package main

import (
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
)

// TestUBoot: U-Boot starts the image with the script that a ROCK64's card has,
// and a slot b that panics is followed by slot a.
func TestUBoot(t *testing.T) {
	t.Parallel()
	p := comesBack(t, boards.VMArm64, "panic")
	kernelsVLANs(t, p, "no VLANs on eth0")
}

// kernelsVLANs insists on what docs/network.md says of a kernel. The station's own
// words follow from the same error (appliance/network).
func kernelsVLANs(t *testing.T, p *pair, want string) {
	t.Helper()
	if text := p.consoleText(); !strings.Contains(text, "guest: "+want) {
		t.Errorf("the console does not say %q", want)
	}
}

// TestUEFI is the same for PCs, with OVMF and systemd-boot; there the page is
// also served over VM sockets.
func TestUEFI(t *testing.T) {
	t.Parallel()
	p := comesBack(t, boards.VMAmd64, "panic")
	if text := p.consoleText(); !strings.Contains(text, "guest: page over vsock: 200 OK") {
		t.Error("the page does not answer over a VM socket")
	}
	kernelsVLANs(t, p, "VLAN on eth0: <nil>")
}

// TestTryboot is the same for the Raspberry Pi, on QEMU's emulated 3B, with the
// model of its firmware in the firmware's place. Its card is then one that a
// person can put a file on.
func TestTryboot(t *testing.T) {
	t.Parallel()
	needs(t, "mcopy", "mtools")
	needs(t, "fsck.fat", "dosfstools")
	p := comesBack(t, boards.RaspberryPi, "panic")
	addFile(t, p.image)
	kernelsVLANs(t, p, "no VLANs on usb0") // where the emulated board has its Ethernet
}
