package pulse

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenCarrier finds the pulse on the carrier detect pin of the serial port at
// path, which is open elsewhere and has the descriptor raw. It ends with an error
// when the port is closed there.
func OpenCarrier(path string, raw syscall.RawConn) (Edges, error) {
	if onUSB(path) {
		// The chip may be asked for every reading: that takes a while.
		return newCarrier(path, newPort(raw, ioctl, ioctl), usbLate)
	}
	return newCarrier(path, newPort(raw, ioctl, rawIoctl), 0)
}

// icounter is struct serial_icounter_struct, include/uapi/linux/serial.h.
type icounter struct {
	cts, dsr, rng, dcd int32
	_                  [16]int32
}

// port is the modem of a serial port. One goroutine uses it; it allocates nothing.
type port struct {
	raw    syscall.RawConn
	watch  watch
	bits   int32
	counts icounter
	failed error
	to     bool // watch for it

	// Functions made once: see line.
	get, count, spin func(uintptr)
}

func newPort(raw syscall.RawConn, ioctl, fast ioctlFunc) *port {
	p := &port{raw: raw}
	p.get = func(fd uintptr) { p.failed = ioctl(fd, unix.TIOCMGET, unsafe.Pointer(&p.bits)) }
	p.count = func(fd uintptr) { p.failed = ioctl(fd, unix.TIOCGICOUNT, unsafe.Pointer(&p.counts)) }
	p.watch.level = func(fd uintptr) (bool, error) {
		err := fast(fd, unix.TIOCMGET, unsafe.Pointer(&p.bits))
		return p.carrier() == p.to, err
	}
	p.spin = p.watch.run
	return p
}

func (p *port) carrier() bool { return p.bits&unix.TIOCM_CAR != 0 }

// do calls f with the port's descriptor.
func (p *port) do(f func(uintptr)) error {
	if err := p.raw.Control(f); err != nil {
		return err
	}
	return p.failed
}

// Now implements modem.
func (p *port) Now() int64 { return p.watch.clock.mono() }

// Level implements modem.
func (p *port) Level() (bool, error) {
	err := p.do(p.get)
	return p.carrier(), err
}

// Changes implements modem.
func (p *port) Changes() (uint32, bool) {
	err := p.do(p.count)
	return uint32(p.counts.dcd), err == nil
}

// Watch implements modem.
func (p *port) Watch(from, until int64, to bool) (Crossing, bool, error) {
	p.to = to
	p.watch.between(from, until)
	if err := p.raw.Control(p.spin); err != nil {
		return Crossing{}, false, err
	}
	return p.watch.found, p.watch.ok, p.watch.err
}
