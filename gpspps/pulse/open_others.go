//go:build !linux

package pulse

import (
	"fmt"
	"runtime"
)

// Open fails: edges with kernel stamps come from Linux's GPIO character device.
func Open(name string) (Pin, error) {
	return nil, fmt.Errorf("pulse: %q: GPIO lines are read on Linux only, this is %s; write pps = \"off\"", name, runtime.GOOS)
}
