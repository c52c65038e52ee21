package main

import "syscall"

// endsWithParent ends a child whose parent was killed, and keeps a Ctrl-C from
// it that is meant for the parent.
func endsWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
