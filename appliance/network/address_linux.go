package network

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// OwnAddress is the Ethernet address of a station on a board that has none of
// its own: made of the station's identity, so that it stays the same, and
// marked as locally administered (IEEE 802, clause 8.4).
func OwnAddress(id string) net.HardwareAddr {
	sum := sha256.Sum256([]byte("ethernet " + id))
	a := net.HardwareAddr(sum[:6])
	a[0] = a[0]&^1 | 2 // an individual address, a local one
	return a
}

// SetOwnAddress gives the first wired link of the board OwnAddress(id). It is
// for boards whose boot loader makes addresses up anew each time.
func SetOwnAddress(id string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("network: the links cannot be listed: %w", err)
	}
	want := OwnAddress(id)
	for _, l := range links {
		if !ethernet(l) {
			continue
		}
		if bytes.Equal(l.Attrs().HardwareAddr, want) {
			return nil
		}
		if err := netlink.LinkSetHardwareAddr(l, want); err != nil {
			return fmt.Errorf("network: %s keeps the address %s: %w", l.Attrs().Name, l.Attrs().HardwareAddr, err)
		}
		return nil
	}
	return nil
}
