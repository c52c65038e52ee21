//go:build unix

package discipline

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

const reads = 5 // of the clocks; the least disturbed counts

// readClocks reads CLOCK_MONOTONIC and by how much CLOCK_REALTIME is ahead of it, ns.
func readClocks() (mono, diff int64, err error) {
	narrowest := int64(math.MaxInt64)
	for range reads {
		var a, r, b unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &a); err != nil {
			return 0, 0, fmt.Errorf("clock_gettime monotonic: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &r); err != nil {
			return 0, 0, fmt.Errorf("clock_gettime realtime: %w", err)
		}
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &b); err != nil {
			return 0, 0, fmt.Errorf("clock_gettime monotonic: %w", err)
		}
		before, after := a.Nano(), b.Nano()
		if after-before < narrowest {
			narrowest = after - before
			mono = after
			diff = r.Nano() - (before + (after-before)/2)
		}
	}
	return mono, diff, nil
}
