//go:build unix

package probe

import (
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock returns the system's CLOCK_REALTIME and CLOCK_MONOTONIC.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Realtime() int64 { return time.Now().UnixNano() }

func (systemClock) Monotonic() int64 {
	var ts unix.Timespec
	// Fails for an unknown clock only.
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}
