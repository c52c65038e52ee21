package ntptest

import "syscall"

// dieWithParent ends a child whose parent was killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
