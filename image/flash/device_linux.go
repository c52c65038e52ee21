package flash

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Host is the system this runs on.
func Host() (System, error) {
	return System{Sys: "/sys", Proc: "/proc", Device: func(name string) (string, bool, error) {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil {
			return "", false, &os.PathError{Op: "stat", Path: name, Err: err}
		}
		return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), st.Mode&unix.S_IFMT == unix.S_IFBLK, nil
	}}, nil
}

// disk is an opened block device.
type disk struct{ *os.File }

// Open opens a disk for nobody else: while it is open, it cannot be mounted,
// and what is mounted cannot be opened so (open(2), O_EXCL without O_CREAT).
func Open(name string) (Device, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if os.IsPermission(err) {
		return nil, fmt.Errorf("%w: write sudo before the command", err)
	}
	if err != nil {
		return nil, err
	}
	return disk{f}, nil
}

// Forget drops what the system remembers of the disk.
func (d disk) Forget() error {
	if _, err := unix.IoctlRetInt(int(d.Fd()), unix.BLKFLSBUF); err != nil {
		return os.NewSyscallError("BLKFLSBUF", err)
	}
	return nil
}
