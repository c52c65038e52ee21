package byhand

import "golang.org/x/sys/unix"

// KernelClock is what the kernel says of this machine's clock: adjtimex(2), whose
// maxerror grows by 500 ppm between two updates of whoever steers the clock. It
// is that one's word, and no more.
func KernelClock() (maxError float64, known bool) {
	var tx unix.Timex
	state, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &tx)
	if err != nil {
		return 0, false
	}
	return kernelClock(state, tx)
}

func kernelClock(state int, tx unix.Timex) (maxError float64, known bool) {
	const (
		timeError = 5      // TIME_ERROR
		unsync    = 0x0040 // STA_UNSYNC
		most      = 16e6   // NTP_PHASE_LIMIT, µs: the kernel counts no further
	)
	if state == timeError || tx.Status&unsync != 0 || tx.Maxerror < 0 || tx.Maxerror >= most {
		return 0, false
	}
	return float64(tx.Maxerror) / 1e6, true
}
