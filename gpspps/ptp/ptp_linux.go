package ptp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Clock is a PTP hardware clock.
type Clock struct {
	f    *os.File
	name string
}

// Open opens a clock, such as /dev/ptp0.
func Open(path string) (*Clock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Clock{f: f, name: nameOf("/sys/class/ptp", path)}
	if _, err := c.hardware(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is no PTP clock: %w", path, err)
	}
	return c, nil
}

// nameOf is what the driver calls the clock; empty where it says nothing.
func nameOf(sysfs, path string) string {
	b, err := os.ReadFile(filepath.Join(sysfs, filepath.Base(path), "clock_name"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b[:min(len(b), 64)]))
}

// Name is what the driver calls the clock; empty where it says nothing.
func (c *Clock) Name() string { return c.name }

// Close closes it.
func (c *Clock) Close() error { return c.f.Close() }

// Read tells the clock's time at an instant of CLOCK_MONOTONIC, ns, and by how much
// at the most the two do not belong together, seconds.
func (c *Clock) Read() (mono, time int64, half float64, err error) { return read(c) }

func (c *Clock) monotonic() (int64, error) { return now(unix.CLOCK_MONOTONIC) }

// hardware reads the clock by the number that the kernel gives to the clock behind
// a file (clock_getres(2), "Dynamic clocks").
func (c *Clock) hardware() (t int64, err error) {
	const clockOfFile = 3
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { t, failed = now(^int32(fd)<<3 | clockOfFile) })
	return t, errors.Join(err, failed)
}

func now(clock int32) (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, err
	}
	return t.Nano(), nil
}
