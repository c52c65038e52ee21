package uboot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
)

// Environment is a U-Boot environment of size bytes: the CRC-32 of the rest,
// then "name=value" strings, each ended by a zero, and zeros to the end (U-Boot,
// include/env_internal.h, without the flag byte of redundant environments).
// Where U-Boot finds one it forgets its built-in variables: vars are all it has.
func Environment(vars map[string]string, size int) ([]byte, error) {
	b := make([]byte, 4, max(size, 4))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		value := vars[name]
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00 \n"):
			return nil, fmt.Errorf("environment: %q cannot be a variable's name", name)
		case value == "" || strings.Contains(value, "\x00"):
			return nil, fmt.Errorf("environment: %s=%q: a value is at least one character and has no zero in it", name, value)
		}
		// U-Boot takes a backslash as the next character's mark.
		b = append(b, name+"="+strings.ReplaceAll(value, `\`, `\\`)+"\x00"...)
	}
	if len(b) >= size { // one more zero ends the list
		return nil, fmt.Errorf("environment: %d bytes do not fit into %d", len(b)+1, size)
	}
	b = append(b, make([]byte, size-len(b))...)
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b, nil
}

// Board is what differs between the boards that U-Boot starts.
type Board struct {
	EnvironmentAt   int64 // where U-Boot reads its environment: bytes from the start of the disk or flash
	EnvironmentSize int   // bytes

	// Where the script puts things in memory. They are the values U-Boot has
	// built in, so that the script also runs where the environment is lost.
	kernel, ramdisk, tree, scratch, script uint64

	prepare  string // commands that make devtype's disks known, each ended by "; "
	devtype  string
	devnum   int
	baudrate int
}

// Rock64 is a PINE64 ROCK64 with U-Boot 2023.01 (configs/rock64-rk3328_defconfig:
// CONFIG_ENV_OFFSET, CONFIG_SYS_MMC_ENV_DEV=1, which is the card; env/Kconfig:
// CONFIG_ENV_SIZE; include/configs/rk3328_common.h: the addresses).
func Rock64() Board {
	return Board{
		EnvironmentAt: 0x3f8000, EnvironmentSize: 0x8000,
		script: 0x00500000, scratch: 0x00600000, tree: 0x01f00000, kernel: 0x02080000, ramdisk: 0x06000000,
		devtype: "mmc", devnum: 1, baudrate: 1500000,
	}
}

// Virt is QEMU's virt machine with U-Boot 2023.01 (configs/qemu_arm64_defconfig:
// CONFIG_ENV_ADDR, the second flash, and CONFIG_ENV_SIZE; include/configs/
// qemu-arm.h: the addresses). The disk is the first virtio disk.
func Virt() Board {
	return Board{
		EnvironmentAt: 0, EnvironmentSize: 0x40000,
		script: 0x40200000, scratch: 0x40300000, tree: 0x40380000, kernel: 0x40400000, ramdisk: 0x44000000,
		prepare: "pci enum; virtio scan; ", devtype: "virtio", devnum: 0, baudrate: 115200,
	}
}

// Environment is the board's environment. With it U-Boot does not wait for a
// key (bootdelay -2) and runs nothing that asks the console for Ctrl-C on its
// way to the kernel: no loop, no sleep, no scan of USB or the network. What
// arrives on the console cannot stop the boot, so a receiver may talk there.
func (b Board) Environment() ([]byte, error) {
	hex := func(v uint64) string { return fmt.Sprintf("%#x", v) }
	return Environment(map[string]string{
		"bootdelay": "-2",
		// sleep ends early at a Ctrl-C; reset is reached in any case.
		"bootcmd": fmt.Sprintf("%s%s dev %d; load %s %d:1 ${scriptaddr} %s && source ${scriptaddr}; sleep 30; reset",
			b.prepare, b.devtype, b.devnum, b.devtype, b.devnum, ScriptName),
		"devtype":        b.devtype,
		"devnum":         fmt.Sprint(b.devnum),
		"baudrate":       fmt.Sprint(b.baudrate),
		"scriptaddr":     hex(b.script),
		"pxefile_addr_r": hex(b.scratch),
		"fdt_addr_r":     hex(b.tree),
		"kernel_addr_r":  hex(b.kernel),
		"ramdisk_addr_r": hex(b.ramdisk),
	}, b.EnvironmentSize)
}
