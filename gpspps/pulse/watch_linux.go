package pulse

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostWatch bounds how long a processor is kept busy at a time.
const mostWatch = 20 * time.Millisecond

// rawIoctl is the system call without a word to Go's scheduler: for calls that
// only read a register, and often.
func rawIoctl(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	if _, _, e := unix.RawSyscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

// watch reads a level again and again. It allocates nothing.
type watch struct {
	clock clock
	// level reads it, and says whether it is the one after the edge.
	level func(fd uintptr) (after bool, err error)

	from, until int64
	found       Crossing
	ok          bool
	err         error
}

// between is to be called before run.
func (w *watch) between(from, until int64) {
	w.from, w.until = from, min(until, from+int64(mostWatch))
	w.found, w.ok, w.err = Crossing{}, false, nil
}

func (w *watch) run(fd uintptr) {
	a := w.clock.mono()
	if d := w.from - a; 0 < d && d <= int64(2*nap) {
		w.clock.sleep(w.from)
		a = w.clock.mono()
	}
	var c crossing
	for a < w.until {
		after, err := w.level(fd)
		if err != nil {
			w.err = err
			return
		}
		b := w.clock.mono()
		var done bool
		if w.found, done, w.ok = c.read(a, b, after); done {
			return
		}
		a = b
	}
}
