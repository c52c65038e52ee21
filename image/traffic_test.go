package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"testing"

	"github.com/truechimer/truechimer/image/disk"
)

// allowed are the destinations a guest may send to: QEMU's user network.
var allowed = []netip.Prefix{
	netip.MustParsePrefix("10.0.2.0/24"),
	netip.MustParsePrefix("fec0::/64"),
}

// checkTraffic reads what the guest sent and received, and fails on any
// destination but QEMU's user network, link-local and multicast.
func checkTraffic(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := readPcap(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(frames) < 50 {
		t.Fatalf("only %d frames were recorded: the recording does not work", len(frames))
	}
	strangers := make(map[netip.Addr]int)
	for _, f := range frames {
		dst, ok := destination(f)
		if ok && !harmless(dst) {
			strangers[dst]++
		}
	}
	if len(strangers) > 0 {
		t.Errorf("the station sent to addresses nobody told it: %v", strangers)
	}
	checkName(t, frames)
}

func harmless(a netip.Addr) bool {
	if a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	for _, p := range allowed {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// destination is the address an Ethernet frame's packet goes to; ok is false
// for what is not IP.
func destination(f []byte) (netip.Addr, bool) {
	const header = 14
	if len(f) < header {
		return netip.Addr{}, false
	}
	switch p := f[header:]; binary.BigEndian.Uint16(f[12:]) {
	case 0x0800:
		if len(p) >= 20 {
			return netip.AddrFrom4([4]byte(p[16:20])), true
		}
	case 0x86dd:
		if len(p) >= 40 {
			return netip.AddrFrom16([16]byte(p[24:40])), true
		}
	}
	return netip.Addr{}, false
}

// readPcap splits a classic pcap file into frames.
func readPcap(b []byte) ([][]byte, error) {
	const fileHeader, frameHeader = 24, 16
	if len(b) < fileHeader || binary.LittleEndian.Uint32(b) != 0xa1b2c3d4 {
		return nil, fmt.Errorf("not a pcap file")
	}
	var frames [][]byte
	for b = b[fileHeader:]; len(b) >= frameHeader; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		if n > len(b)-frameHeader {
			break // the frame being written when QEMU was ended
		}
		frames = append(frames, b[frameHeader:frameHeader+n])
		b = b[frameHeader+n:]
	}
	return frames, nil
}

func TestDestinationsAreToldApart(t *testing.T) {
	for a, want := range map[string]bool{
		"10.0.2.2": true, "10.0.2.255": true, "255.255.255.255": true, "224.0.0.251": true,
		"ff02::2": true, "fe80::1": true, "fec0::3": true, "169.254.1.1": true,
		"10.0.3.1": false, "8.8.8.8": false, "127.0.0.1": false, "2001:db8::1": false, "fec0:1::1": false,
	} {
		if got := harmless(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v, want %v", a, got, want)
		}
	}
	frame := make([]byte, 34)
	copy(frame[12:], []byte{0x08, 0x00})
	copy(frame[30:], []byte{192, 0, 2, 1})
	if dst, ok := destination(frame); !ok || dst.String() != "192.0.2.1" {
		t.Errorf("destination %v, %v", dst, ok)
	}
}

// copyBootPartition copies the boot file system out of an image.
func copyBootPartition(image, to string) error {
	in, err := os.Open(image)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, io.NewSectionReader(in, disk.BootStart, disk.BootSize)); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
