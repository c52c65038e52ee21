//go:build !linux

package discipline

import (
	"fmt"
	"runtime"
)

// System fails: only Linux clocks can be read and steered so far.
func System() (Kernel, error) {
	return nil, fmt.Errorf("the clock of %s cannot be read and steered yet: run the station on Linux", runtime.GOOS)
}
