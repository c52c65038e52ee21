package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cardWritten is how much was written to the card that a partition such as
// /dev/mmcblk0p1 is on, since the system was started; nil where there is no such
// partition. sys is where sysfs is mounted.
//
// The seventh number of a disk's stat is what was written to it, in units of 512
// bytes whatever its sectors (Linux, Documentation/block/stat.rst).
func cardWritten(sys, partition string) *uint64 {
	if partition == "" {
		return nil
	}
	at, err := filepath.EvalSymlinks(filepath.Join(sys, "class/block", filepath.Base(partition)))
	if err != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(at, "partition")); err == nil {
		at = filepath.Dir(at)
	}
	f, err := os.Open(filepath.Join(at, "stat"))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return nil
	}
	const written, unit = 6, 512
	fields := strings.Fields(string(b))
	if len(fields) <= written {
		return nil
	}
	n, err := strconv.ParseUint(fields[written], 10, 64)
	if err != nil {
		return nil
	}
	n *= unit
	return &n
}
