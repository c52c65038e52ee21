//go:build !linux

package pulse

import (
	"fmt"
	"runtime"
	"syscall"
)

// Open fails: edges with kernel stamps come from Linux's GPIO character device
// and PPS devices.
func Open(name string) (Edges, error) { return nil, unsupported(name) }

// Where fails, too.
func Where(name string) (string, error) { return "", unsupported(name) }

// OpenCarrier fails, too.
func OpenCarrier(path string, _ syscall.RawConn) (Edges, error) { return nil, unsupported(path) }

// Devices lists the PPS devices of Linux, so none.
func Devices(string) []string { return nil }

func unsupported(name string) error {
	return fmt.Errorf("pulse: %q: pulses are read on Linux only, this is %s; write pps = \"off\"", name, runtime.GOOS)
}
