package byhand

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestKernelClock(t *testing.T) {
	for _, tt := range []struct {
		state int
		tx    unix.Timex
		want  float64
		known bool
	}{
		{0, unix.Timex{Maxerror: 1234}, 0.001234, true},
		{1, unix.Timex{Maxerror: 1234, Status: 0x2001}, 0.001234, true}, // a leap second is due
		{5, unix.Timex{Maxerror: 1234}, 0, false},
		{0, unix.Timex{Maxerror: 1234, Status: 0x40}, 0, false},
		{0, unix.Timex{Maxerror: 16e6}, 0, false},
		{0, unix.Timex{Maxerror: -1}, 0, false},
	} {
		if got, known := kernelClock(tt.state, tt.tx); got != tt.want || known != tt.known {
			t.Errorf("%+v: %g, %v", tt, got, known)
		}
	}
	KernelClock() // whatever this machine's says
}
