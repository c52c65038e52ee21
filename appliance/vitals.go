package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/appliance/status"
)

const (
	vitalsMost = 4096 // bytes of a file of the kernel's that are read
	sector     = 512  // bytes, as the kernel counts them whatever the disk has
	// rateLeast is how long the device has to run until a rate says anything, seconds.
	rateLeast = 3600
)

// vitalsOf reads how the device is from the files of its kernel; root is the root
// directory, disk a device such as /dev/mmcblk0p1, empty: none is the station's.
func vitalsOf(root string, disk string) *status.Vitals {
	v := &status.Vitals{Temperature: temperature(root)}
	if written, ok := sectorsWritten(root, disk); ok {
		bytes := float64(written) * sector
		v.CardWritten = &bytes
		if up, err := strconv.ParseFloat(field(root, "proc/uptime", 0), 64); err == nil && up >= rateLeast && up < 1e10 {
			day := bytes / up * 86400
			v.CardPerDay = &day
		}
	}
	if *v == (status.Vitals{}) {
		return nil
	}
	return v
}

// temperature is the processor's: of the first zone that is called so, or the first
// of all.
func temperature(root string) *float64 {
	zones, err := filepath.Glob(filepath.Join(root, "sys/class/thermal/thermal_zone*"))
	if err != nil {
		return nil
	}
	var first *float64
	for _, zone := range zones[:min(len(zones), 32)] {
		milli, err := strconv.Atoi(field(zone, "temp", 0))
		if err != nil || milli < -60_000 || milli > 200_000 {
			continue
		}
		t := float64(milli) / 1000
		kind := field(zone, "type", 0)
		if strings.Contains(kind, "cpu") || strings.Contains(kind, "soc") || strings.HasPrefix(kind, "x86_pkg") {
			return &t
		}
		if first == nil {
			first = &t
		}
	}
	return first
}

// sectorsWritten is how many were written to the disk that a partition is on (Linux,
// Documentation/block/stat.rst, the seventh number).
func sectorsWritten(root string, partition string) (uint64, bool) {
	if !strings.HasPrefix(partition, "/dev/") {
		return 0, false
	}
	blocks := filepath.Join(root, "sys/class/block")
	n, err := strconv.ParseUint(field(blocks, diskOf(blocks, filepath.Base(partition))+"/stat", 6), 10, 64)
	return n, err == nil
}

// field is the nth word of a small file; empty: it has none, or cannot be read.
func field(dir, name string, n int) string {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, vitalsMost))
	if err != nil {
		return ""
	}
	words := strings.Fields(string(b))
	if n >= len(words) {
		return ""
	}
	return words[n]
}
