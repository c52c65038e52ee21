package main

import (
	"encoding/hex"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/truechimer/truechimer/boards"
)

// serialOf finds what tells this board from others of its kind, below root: the
// serial number in the device tree, the number in the chip's fuses where the
// tree's cannot be trusted, or the UUID that a machine's firmware gives it. It is
// empty where there is none.
func serialOf(root string, b boards.Board) string {
	if b.LoaderMakesUpNumbers {
		return fuses(root)
	}
	if s := boardSerial(readLine(filepath.Join(root, "proc/device-tree/serial-number"))); s != "" {
		return s
	}
	s := boardSerial(readLine(filepath.Join(root, "sys/class/dmi/id/product_uuid")))
	if strings.Trim(s, "0-") == "" || strings.Trim(strings.ToLower(s), "f-") == "" {
		return "" // what machines have that nobody gave one
	}
	return s
}

// The number of a Rockchip RK3328 lies in its fuses from here on (Linux,
// rk3328.dtsi, efuse, cpu-id).
const (
	fuseOffset = 7
	fuseLength = 16
)

func fuses(root string) string {
	files, err := filepath.Glob(filepath.Join(root, "sys/bus/nvmem/devices/rockchip-efuse*/nvmem"))
	if err != nil || len(files) == 0 {
		return ""
	}
	f, err := os.Open(files[0])
	if err != nil {
		log.Printf("the chip's number: %v", err)
		return ""
	}
	defer f.Close()
	var b [fuseLength]byte
	if _, err := f.ReadAt(b[:], fuseOffset); err != nil {
		log.Printf("the chip's number: %v", err)
		return ""
	}
	s := hex.EncodeToString(b[:])
	if strings.Trim(s, "0") == "" || strings.Trim(s, "f") == "" {
		return "" // fuses that were never burnt
	}
	return s
}
