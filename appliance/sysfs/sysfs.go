// Package sysfs asks the kernel what a station runs on: which board it is,
// whether its supply suffices, how warm it is, whether its card can be written to and
// how much was, and which link is a radio.
//
// All of it comes from small files of /proc and /sys. What is not there, cannot be
// read or is longer than it should be is not known, and never an error: nothing
// here may claim what the kernel does not say.
package sysfs

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

const (
	// longest bounds what is read of a file in /sys, mounts of the list of mounts,
	// bytes, and most how many devices are looked at.
	longest = 4 << 10
	mounts  = 256 << 10
	most    = 64
	// lowFor is for how long a voltage that was too low is told of: it drops for
	// moments, when the processor or a radio has work.
	lowFor = 5 * time.Minute
)

// Machine is one that is watched. One goroutine uses it.
type Machine struct {
	root  fs.FS
	board boards.Board
	perm  string
	disk  string
	low   time.Time // when the voltage was too low last
}

// New watches the machine whose root file system is root. It runs the image of
// board, and keeps things in the directory perm; empty: nowhere. disk is a device
// such as /dev/mmcblk0p1 on its card; empty: it has none.
func New(root fs.FS, board boards.Board, perm, disk string) *Machine {
	return &Machine{root: root, board: board, perm: perm, disk: disk}
}

// Look says how it is now. The instants must come from a clock that is never
// stepped.
func (m *Machine) Look(now time.Time) status.Machine {
	var out status.Machine
	if model := firstLine(m.read("proc/device-tree/model", longest)); model != "" {
		out.Model = &model
	}
	out.WrongImage = m.wrong()
	if alarm, known := m.undervoltage(); known {
		if alarm {
			m.low = now
		}
		low := !m.low.IsZero() && now.Sub(m.low) <= lowFor
		out.Undervoltage = &low
	}
	out.CardReadOnly = m.perm != "" && m.readOnly()
	m.vitals(&out)
	return out
}

// wrong says that the device tree names no board that the image is for.
func (m *Machine) wrong() bool {
	list := m.read("proc/device-tree/compatible", longest)
	if len(m.board.Compatible) == 0 || len(list) == 0 {
		return false
	}
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if slices.ContainsFunc(m.board.Compatible, func(p string) bool { return strings.HasPrefix(string(name), p) }) {
			return false
		}
	}
	return true
}

// undervoltage is the alarm of a Raspberry Pi's firmware, as its kernel's driver
// raspberrypi-hwmon has it (Documentation/hwmon/raspberrypi-hwmon.rst).
func (m *Machine) undervoltage() (alarm, known bool) {
	const dir = "sys/class/hwmon"
	for _, name := range m.list(dir) {
		if firstLine(m.read(path.Join(dir, name, "name"), longest)) != "rpi_volt" {
			continue
		}
		switch firstLine(m.read(path.Join(dir, name, "in0_lcrit_alarm"), longest)) {
		case "1":
			return true, true
		case "0":
			known = true
		}
	}
	return false, known
}

// list are the names in a directory, as far as they count.
func (m *Machine) list(dir string) (names []string) {
	f, err := m.root.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil
	}
	entries, _ := d.ReadDir(most) // what was read before an error counts
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// readOnly says that perm is on a file system that takes nothing: mounted so, made
// so by the kernel after an error, or on a device that is.
func (m *Machine) readOnly() bool {
	at := mountOf(m.read("proc/self/mountinfo", mounts), m.perm)
	return at.readOnly || at.device != "" && firstLine(m.read(path.Join("sys/dev/block", at.device, "ro"), longest)) == "1"
}

// mount is where a directory lies.
type mount struct {
	device   string // major:minor; empty: not known
	readOnly bool
}

// mountOf finds a directory in a list of mounts (proc_pid_mountinfo(5)), of which
// the last one that is mounted over it counts.
func mountOf(list []byte, dir string) (found mount) {
	best := -1
	for line := range bytes.Lines(list) {
		f := strings.Fields(string(line))
		if len(f) < 10 {
			continue
		}
		point := f[4]
		under := point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
		if !under || len(point) < best {
			continue
		}
		end := slices.Index(f, "-")
		if end < 0 || len(f) < end+4 {
			continue // cut short
		}
		best = len(point)
		found = mount{device: f[2], readOnly: has(f[5], "ro") || has(f[end+3], "ro")}
		if strings.ContainsAny(found.device, "/\\") {
			found.device = ""
		}
	}
	return found
}

func has(options, word string) bool { return slices.Contains(strings.Split(options, ","), word) }

// Radio says whether a link is one of Wi-Fi.
func Radio(root fs.FS, link string) bool {
	name := path.Join("sys/class/net", link, "phy80211")
	if link == "" || strings.Contains(link, "/") || !fs.ValidPath(name) {
		return false
	}
	_, err := fs.Stat(root, name)
	return err == nil
}

// read is a file's content; nothing where there is none or it is longer than most.
func (m *Machine) read(name string, most int64) []byte {
	f, err := m.root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil || int64(len(b)) > most {
		return nil
	}
	return b
}

// firstLine is what a file of /sys says; texts of device trees end with a zero.
func firstLine(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{'\n'})
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimSpace(string(b))
}
