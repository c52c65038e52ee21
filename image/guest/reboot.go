package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// reboot2 restarts with an argument for the firmware (reboot(2), LINUX_REBOOT_CMD_RESTART2).
func reboot2(argument *byte) error {
	_, _, errno := unix.Syscall6(unix.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2,
		unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(argument)), 0, 0)
	return errno
}
