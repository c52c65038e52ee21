package pulse

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// line is one requested line of a GPIO character device.
type line struct {
	name   string // as asked for
	chip   string // path of the device
	offset uint32
	ioctl  ioctlFunc
	file   *os.File // of the line request, non-blocking
	raw    syscall.RawConn

	wait sync.Mutex // held by the one that waits; guards what take uses
	buf  [eventSize]byte
	n    int
	errn error
	// take and look are the methods as values, made once: a method value
	// made for every read would be an allocation for every pulse.
	take, look func(uintptr) bool
	spin       func(uintptr)
	watch      watch
	value      lineValues // what watch reads

	mu    sync.Mutex // guards the deadline and what follows
	halts uint64
	pull  gpio.Pull
	err   error
}

var (
	_ Pin     = (*line)(nil)
	_ Watcher = (*line)(nil)
)

func newLine(name, chip string, offset uint32, f *os.File, ioctl, fast ioctlFunc) (*line, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("pulse: line %d of %s: %w", offset, chip, err)
	}
	l := &line{name: name, chip: chip, offset: offset, ioctl: ioctl, file: f, raw: raw, pull: gpio.PullNoChange}
	l.look = func(fd uintptr) bool {
		l.n, l.errn = unix.Read(int(fd), l.buf[:])
		return true
	}
	l.watch.level = func(fd uintptr) (bool, error) {
		l.value = lineValues{mask: 1}
		err := fast(fd, ioctlGetValues, unsafe.Pointer(&l.value))
		return l.value.bits&1 != 0, err
	}
	l.spin = l.watch.run
	l.take = func(fd uintptr) bool {
		l.look(fd)
		return l.errn != unix.EAGAIN && l.errn != unix.EINTR
	}
	return l, nil
}

// WaitForEdgeAt implements Pin. It allocates nothing.
func (l *line) WaitForEdgeAt(timeout time.Duration) (Event, bool) {
	l.mu.Lock()
	halts := l.halts
	l.mu.Unlock()

	l.wait.Lock()
	defer l.wait.Unlock()
	// An expired deadline hides what has already come, so look first.
	if !l.deadline(halts, time.Time{}) {
		return Event{}, false
	}
	if e, ok := l.event(l.raw.Read(l.look)); ok || timeout == 0 || l.Err() != nil {
		return e, ok
	}
	var until time.Time
	if timeout > 0 {
		until = time.Now().Add(timeout)
	}
	if !l.deadline(halts, until) {
		return Event{}, false
	}
	return l.event(l.raw.Read(l.take))
}

// deadline sets the end of the next read, unless a Halt came since the wait
// began: its own deadline must not be overwritten.
func (l *line) deadline(halts uint64, t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.halts != halts {
		return false
	}
	if err := l.file.SetReadDeadline(t); err != nil {
		l.err = err
		return false
	}
	return true
}

// event judges a finished read; err is the runtime's, errn the kernel's.
func (l *line) event(err error) (Event, bool) {
	if err == nil {
		err = l.errn
	}
	switch {
	case err == nil && l.n == eventSize:
		return decodeEvent(&l.buf), true
	case err == nil && l.n == 0:
		err = errors.New("the kernel ended the line: its GPIO chip is gone")
	case err == nil:
		err = fmt.Errorf("the kernel gave an event of %d bytes, not %d", l.n, eventSize)
	case errors.Is(err, os.ErrDeadlineExceeded), err == unix.EAGAIN, err == unix.EINTR:
		return Event{}, false
	case errors.Is(err, os.ErrClosed):
		err = errClosed
	}
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	return Event{}, false
}

// WaitForEdge implements gpio.PinIn.
func (l *line) WaitForEdge(timeout time.Duration) bool {
	_, ok := l.WaitForEdgeAt(timeout)
	return ok
}

// Err implements Pin.
func (l *line) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Halt implements conn.Resource: it ends a pending wait. Later waits work.
func (l *line) Halt() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halts++
	return l.file.SetReadDeadline(time.Unix(1, 0))
}

// Close implements Pin.
func (l *line) Close() error {
	l.mu.Lock()
	if l.err == nil {
		l.err = errClosed
	}
	l.mu.Unlock()
	return l.file.Close()
}

// In implements gpio.PinIn: it ends a pending wait, sets the line up anew and
// drops the edges that came before.
func (l *line) In(pull gpio.Pull, edge gpio.Edge) error {
	flags, err := lineFlags(pull, edge)
	if err != nil {
		return err
	}
	if err := l.Halt(); err != nil {
		return fmt.Errorf("pulse: %s: %w", l, err)
	}
	l.wait.Lock()
	defer l.wait.Unlock()
	config := lineConfig{flags: flags}
	if err := l.control(ioctlSetConfig, unsafe.Pointer(&config)); err != nil {
		return fmt.Errorf("pulse: %s cannot be set to %s, %s: %w", l, pull, edge, err)
	}
	l.mu.Lock()
	l.pull = pull
	err = l.file.SetReadDeadline(time.Time{})
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("pulse: %s: %w", l, err)
	}
	for range eventBuffer {
		if _, ok := l.event(l.raw.Read(l.look)); !ok {
			break
		}
	}
	return nil
}

// Read implements gpio.PinIn; an error reads as gpio.Low, as the interface
// has no room for it, and Err says that there was one.
func (l *line) Read() gpio.Level {
	v := lineValues{mask: 1}
	if err := l.control(ioctlGetValues, unsafe.Pointer(&v)); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err == nil {
			l.err = err
		}
		return gpio.Low
	}
	return v.bits&1 != 0
}

// Now implements Watcher.
func (l *line) Now() int64 {
	var c clock
	return c.mono()
}

// Watch implements Watcher.
func (l *line) Watch(from, until int64) (Crossing, bool) {
	l.watch.between(from, until)
	if l.raw.Control(l.spin) != nil {
		return Crossing{}, false
	}
	return l.watch.found, l.watch.ok
}

func (l *line) control(request uintptr, arg unsafe.Pointer) error {
	var err error
	if e := l.raw.Control(func(fd uintptr) { err = l.ioctl(fd, request, arg) }); e != nil {
		return e
	}
	return err
}

// Pull implements gpio.PinIn: what In asked for, since the kernel does not say.
func (l *line) Pull() gpio.Pull {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pull
}

// DefaultPull implements gpio.PinIn; the kernel does not say.
func (l *line) DefaultPull() gpio.Pull { return gpio.PullNoChange }

// Name implements pin.Pin: the name the line was asked for by.
func (l *line) Name() string { return l.name }

// Number implements pin.Pin: the line's number on its own chip.
func (l *line) Number() int { return int(l.offset) }

// Function implements pin.Pin.
func (l *line) Function() string {
	if l.Read() {
		return string(gpio.IN_HIGH)
	}
	return string(gpio.IN_LOW)
}

// String implements conn.Resource.
func (l *line) String() string { return fmt.Sprintf("%s (line %d of %s)", l.name, l.offset, l.chip) }

// lineFlags puts periph's words into the kernel's.
func lineFlags(pull gpio.Pull, edge gpio.Edge) (uint64, error) {
	var flags uint64 = flagInput
	switch pull {
	case gpio.PullNoChange:
	case gpio.Float:
		flags |= flagNoBias
	case gpio.PullDown:
		flags |= flagPullDown
	case gpio.PullUp:
		flags |= flagPullUp
	default:
		return 0, fmt.Errorf("pulse: %s is no pull of periph's", pull)
	}
	switch edge {
	case gpio.NoEdge:
	case gpio.RisingEdge:
		flags |= flagEdgeRising
	case gpio.FallingEdge:
		flags |= flagEdgeFalling
	case gpio.BothEdges:
		flags |= flagEdgeRising | flagEdgeFalling
	default:
		return 0, fmt.Errorf("pulse: %s is no edge of periph's", edge)
	}
	return flags, nil
}
