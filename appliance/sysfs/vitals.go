package sysfs

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/appliance/status"
)

const (
	sector = 512 // bytes, as the kernel counts them whatever the disk has
	// rateLeast is how long the machine has to run until a rate says anything, seconds.
	rateLeast = 3600
)

// vitals adds the temperature and what was written to the card.
func (m *Machine) vitals(out *status.Machine) {
	out.Temperature = m.temperature()
	written, ok := m.sectorsWritten()
	if !ok {
		return
	}
	bytes := float64(written) * sector
	out.CardWritten = &bytes
	if up, err := strconv.ParseFloat(m.field("proc/uptime", 0), 64); err == nil && up >= rateLeast && up < 1e10 {
		day := bytes / up * 86400
		out.CardPerDay = &day
	}
}

// temperature is the processor's: of the first zone that is called so, or the first
// of all.
func (m *Machine) temperature() *float64 {
	const dir = "sys/class/thermal"
	var first *float64
	for _, zone := range m.list(dir) {
		if !strings.HasPrefix(zone, "thermal_zone") {
			continue
		}
		milli, err := strconv.Atoi(m.field(path.Join(dir, zone, "temp"), 0))
		if err != nil || milli < -60_000 || milli > 200_000 {
			continue
		}
		t := float64(milli) / 1000
		kind := m.field(path.Join(dir, zone, "type"), 0)
		if strings.Contains(kind, "cpu") || strings.Contains(kind, "soc") || strings.HasPrefix(kind, "x86_pkg") {
			return &t
		}
		if first == nil {
			first = &t
		}
	}
	return first
}

// sectorsWritten is how many were written to the disk that the partition is on
// (Linux, Documentation/block/stat.rst, the seventh number).
func (m *Machine) sectorsWritten() (uint64, bool) {
	name, ok := strings.CutPrefix(m.disk, "/dev/")
	if !ok || strings.Contains(name, "/") {
		return 0, false
	}
	const blocks = "sys/class/block"
	if m.field(path.Join(blocks, name, "partition"), 0) != "" {
		at, err := fs.ReadLink(m.root, path.Join(blocks, name))
		if err != nil {
			return 0, false
		}
		name = path.Base(path.Dir(at))
	}
	n, err := strconv.ParseUint(m.field(path.Join(blocks, name, "stat"), 6), 10, 64)
	return n, err == nil
}

// field is the nth word of a small file; empty: it has none, or cannot be read.
func (m *Machine) field(name string, n int) string {
	if !fs.ValidPath(name) {
		return ""
	}
	words := strings.Fields(string(m.read(name, longest)))
	if n >= len(words) {
		return ""
	}
	return words[n]
}
