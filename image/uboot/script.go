// Package uboot is the boot chain of the boards that U-Boot starts: the script
// that picks a slot, the environment that keeps U-Boot from listening to the
// console, and the file that tells the script what a slot consists of.
//
// U-Boot takes the environment from its place outside every partition
// ([Board].EnvironmentAt). Its bootcmd loads boot.scr from the boot file system and runs
// it. The script reads which slot is committed and which is to be tried once
// from the raw state partition, and then the slot's files:
//
//	/a/boot.env   checked first: command line, sizes and checksums; see [SlotFile]
//	/a/vmlinuz    an uncompressed arm64 Image
//	/a/initrd     if boot.env names its size
//	/a/board.dtb  if boot.env names its size, else the tree U-Boot itself was given
//
// A slot to be tried that cannot be loaded, or differs from its checksums, is
// left by a reset, after which the committed one starts. A committed slot
// that cannot be loaded is not the end either: the other one is started, and
// if that fails too, everything is tried again a minute later. No way through
// the script ends at U-Boot's prompt, where whatever arrives on the console
// would be taken for commands.
package uboot

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// Rescue is what the kernel's command line ends with where the slot was started
// only because the committed one could not be.
const Rescue = "truechimer.rescue=1"

// ScriptName is where U-Boot looks for the script in the boot file system.
const ScriptName = "boot.scr"

//go:embed boot.cmd
var bootCommands string

// BootScript is boot.scr, the same for every board.
func BootScript() []byte {
	sector := func(at int64) string { return fmt.Sprintf("%x", (disk.StateStart+at)/disk.SectorSize) }
	return Script(strings.NewReplacer(
		"@COPY1@", sector(bootfs.CommittedSector1),
		"@COPY2@", sector(bootfs.CommittedSector2),
		"@TRY@", sector(bootfs.TrySector),
		"@A@", word(bootfs.CommittedMagic, 'a'),
		"@B@", word(bootfs.CommittedMagic, 'b'),
		"@TRYA@", word(bootfs.TryMagic, 'a'),
		"@TRYB@", word(bootfs.TryMagic, 'b'),
		"@TRYNONE@", word(bootfs.TryMagic, bootfs.TryNothing),
		"@RESCUE@", Rescue,
		"@ENVSIZE@", fmt.Sprintf("%x", slotFileSize),
	).Replace(bootCommands))
}

// record is a whole sector of the state partition.
func record(magic string, slot byte) []byte {
	b := make([]byte, disk.SectorSize)
	copy(b, magic)
	b[len(magic)] = slot
	return b
}

// word is a record's first eight bytes as U-Boot's mw.q takes them.
func word(magic string, slot byte) string {
	return fmt.Sprintf("%x", binary.LittleEndian.Uint64(record(magic, slot)))
}

// Legacy image format (U-Boot, include/image.h).
const (
	imageMagic      = 0x27051956
	imageHeaderSize = 64
	imageNameSize   = 32
	imageOSLinux    = 5
	imageArchARM64  = 22
	imageTypeScript = 6
)

// Script wraps commands into the image that U-Boot's source command takes. It
// has no time stamp, so that the same commands give the same bytes.
func Script(commands string) []byte {
	// The data begins with a list of sizes that ends with 0.
	data := binary.BigEndian.AppendUint32(nil, uint32(len(commands)))
	data = binary.BigEndian.AppendUint32(data, 0)
	data = append(data, commands...)

	be := binary.BigEndian
	h := make([]byte, imageHeaderSize)
	be.PutUint32(h[0:], imageMagic)
	// h[4:8], the header's own CRC, comes last; h[8:12] is the time.
	be.PutUint32(h[12:], uint32(len(data)))
	// h[16:24], load address and entry point, mean nothing here.
	be.PutUint32(h[24:], crc32.ChecksumIEEE(data))
	h[28], h[29], h[30] = imageOSLinux, imageArchARM64, imageTypeScript
	copy(h[imageHeaderSize-imageNameSize:], "truechimer")
	be.PutUint32(h[4:], crc32.ChecksumIEEE(h))
	return append(h, data...)
}
