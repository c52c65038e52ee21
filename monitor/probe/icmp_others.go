//go:build !linux

package probe

import "syscall"

// hostIsolated is Linux's alone: others say EHOSTUNREACH.
const hostIsolated = syscall.Errno(0)
