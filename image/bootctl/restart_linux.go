package bootctl

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// longestArgument is what the kernel takes of an argument, bytes with the
	// zero at its end (kernel/reboot.c).
	longestArgument = 256
	// syncMost is how long what was written may take to reach the card: one that
	// has died takes for ever, and must not keep the station from restarting.
	syncMost = 15 * time.Second
)

// Restart syncs all file systems and restarts at once, which no process is
// told. argument is what TryOnce returned; empty: none. It returns only if the
// kernel refuses, or the argument is none.
func Restart(argument string) error {
	if strings.ContainsRune(argument, 0) || len(argument) >= longestArgument {
		return fmt.Errorf("restarting: %q is no argument for reboot(2)", argument)
	}
	synced := make(chan struct{})
	go func() {
		unix.Sync()
		close(synced)
	}()
	late := time.NewTimer(syncMost)
	defer late.Stop()
	select {
	case <-synced:
	case <-late.C:
	}
	if argument == "" {
		return refused(unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
	}
	text, err := unix.BytePtrFromString(argument)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall6(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2,
		unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(text)), 0, 0)
	return refused(errno)
}

func refused(err error) error {
	if err == nil || errors.Is(err, unix.Errno(0)) {
		return errors.New("restarting: the kernel did not")
	}
	return fmt.Errorf("restarting: %w", err)
}
