package disk

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// GUID is a GUID as it lies on the disk: the first three groups little endian
// (UEFI 2.10, appendix A).
type GUID [16]byte

// Partition types.
var (
	// BasicData is what a PC opens as a drive (Microsoft).
	BasicData = mustGUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
	// EFISystem is where UEFI firmware looks for a boot loader.
	EFISystem = mustGUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
	// LinuxData is a Linux file system. The roots have it too, rather than
	// the type of an architecture's root: two of those on one disk would have
	// tools that discover partitions by type pick one.
	LinuxData = mustGUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
	// RawState is this project's own: bytes that hold no file system, which
	// no operating system should offer to format.
	RawState = mustGUID("3c1e6c6e-8d0b-4d3c-9f57-74727565636d")
)

// ParseGUID reads the usual form of 8-4-4-4-12 hexadecimal digits, in either case.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return GUID{}, fmt.Errorf("GUID %q is not of the form 8-4-4-4-12 hexadecimal digits", s)
	}
	raw, err := hex.DecodeString(s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36])
	if err != nil {
		return GUID{}, fmt.Errorf("GUID %q: %w", s, err)
	}
	copy(g[:], raw)
	swapGroups(&g)
	return g, nil
}

// String is the usual form in lower case.
func (g GUID) String() string {
	swapGroups(&g)
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}

// swapGroups turns the first three groups round.
func swapGroups(g *GUID) {
	le, be := binary.LittleEndian, binary.BigEndian
	be.PutUint32(g[0:], le.Uint32(g[0:]))
	be.PutUint16(g[4:], le.Uint16(g[4:]))
	be.PutUint16(g[6:], le.Uint16(g[6:]))
}

// mustGUID is for texts that stand in this package.
func mustGUID(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}
