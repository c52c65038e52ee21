package pulse

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clock reads the clocks. It holds the result, as a variable of its own would be
// allocated for every read.
type clock struct{ ts unix.Timespec }

// mono is CLOCK_MONOTONIC, ns. The call does not tell Go's scheduler, which
// would take longer than the call.
func (c *clock) mono() int64 { return c.read(unix.CLOCK_MONOTONIC) }

func (c *clock) read(id uintptr) int64 {
	if _, _, e := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&c.ts)), 0); e != 0 {
		// Both clocks exist in every kernel since 2.6; nothing works without.
		panic(fmt.Sprintf("pulse: clock %d: %v", id, e))
	}
	return c.ts.Nano()
}

// ahead is by how much CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, ns, give or
// take width.
func (c *clock) ahead() (ahead, width int64) {
	const reads = 4 // the least disturbed counts
	for i := range reads {
		a := c.mono()
		r := c.read(unix.CLOCK_REALTIME)
		b := c.mono()
		if w := (b-a)/2 + 1; i == 0 || w < width {
			ahead, width = r-(a+(b-a)/2), w
		}
	}
	return ahead, width
}

// sleep waits until the instant t of CLOCK_MONOTONIC in the kernel, which is more
// precise than Go's timers.
func (c *clock) sleep(t int64) {
	c.ts = unix.NsecToTimespec(t)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &c.ts, nil) == unix.EINTR {
	}
}
