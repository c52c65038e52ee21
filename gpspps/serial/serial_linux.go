package serial

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/uart"
)

// openLine opens a terminal device without letting it become the controlling
// one, for this process alone.
func openLine(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wayOut(err)
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS2); err != nil {
		unix.Close(fd)
		return nil, wayOut(err)
	}
	if err := unix.IoctlSetInt(fd, unix.TIOCEXCL, 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("take it exclusively: %w", err)
	}
	// Not blocking, so that os.File polls it and Close ends a read.
	return os.NewFile(uintptr(fd), path), nil
}

// wayOut adds to err what a person can do about it.
func wayOut(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: there is no such serial port; is the receiver plugged in, and its UART enabled in the board's device tree?", err)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: run as root or as a member of the group dialout", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: another program has it, gpsd or a login on the serial console perhaps; stop that one", err)
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EISDIR):
		return fmt.Errorf("%w: it is no serial port; they are called /dev/ttyAMA0, /dev/ttyS0, /dev/ttyACM0 or /dev/ttyUSB0", err)
	}
	return err
}

// gone tells whether the device behind the file has gone.
func gone(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV)
}

// configure makes the line raw (termios(3)) at the speed of f and drops what
// came in before.
func configure(file *os.File, f framing) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = apply(int(fd), f) }); err != nil {
		return err
	}
	return inner
}

func apply(fd int, f framing) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	// A break or a byte with a bad stop bit, as noise makes them, is left out.
	t.Iflag = unix.IGNBRK | unix.IGNPAR
	t.Oflag, t.Lflag = 0, 0
	t.Cflag = unix.CREAD | unix.CLOCAL | unix.BOTHER | map[int]uint32{7: unix.CS7, 8: unix.CS8}[f.bits]
	switch f.parity {
	case uart.Odd:
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK
	case uart.Even:
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK
	}
	if f.stop == uart.Two {
		t.Cflag |= unix.CSTOPB
	}
	if f.rtscts {
		t.Cflag |= unix.CRTSCTS
	}
	t.Ispeed, t.Ospeed = uint32(f.baud), uint32(f.baud)
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, t); err != nil {
		return err
	}
	got, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	// A UART divides its clock and takes the nearest speed. A byte of ten bits
	// is read wrongly from 5 % on, of which the receiver may use half.
	if d := int(got.Ospeed) - f.baud; d*40 > f.baud || -d*40 > f.baud {
		return fmt.Errorf("this UART does %d baud instead; set the receiver to another speed", got.Ospeed)
	}
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
}

// monotonic reads CLOCK_MONOTONIC, the clock of the pulse's stamps, which is
// not the origin time.Time counts from. It holds the result, as a variable of
// its own would be allocated for every read.
type monotonic struct{ ts unix.Timespec }

func (m *monotonic) now() int64 {
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &m.ts); err != nil {
		// The clock exists in every kernel since 2.6; without it nothing works.
		panic(fmt.Sprintf("serial: CLOCK_MONOTONIC: %v", err))
	}
	return m.ts.Sec*int64(time.Second) + m.ts.Nsec
}
