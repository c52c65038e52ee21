//go:build !linux

package ntptest

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
