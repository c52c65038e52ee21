package pulse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3/gpioioctl"
)

const (
	consumer = "truechimer pps" // what gpioinfo shows, at most 31 bytes

	// eventBuffer is how many edges the kernel keeps for us: sixteen seconds
	// of a busy machine.
	eventBuffer = 16
)

// Open opens what name stands for, for edges that mark the second and have
// kernel stamps. It is what periph calls a GPIO line, which is what the device
// tree does, such as GPIO18; or a chip and a line number, such as gpiochip0:3,
// for lines without a name; or a PPS device such as /dev/pps0. GPIO lines are
// also Pins and Watchers; of their edges the rising ones are meant.
//
// Errors say which names there are and what to write instead.
func Open(name string) (Edges, error) {
	if strings.HasPrefix(name, "/dev/") {
		return openPPS(name)
	}
	return open(name, thisMachine())
}

// Where is the line of a GPIO chip that a name stands for: the same text for all names
// of one line.
func Where(name string) (string, error) { return thisMachine().where(name) }

func (s system) where(name string) (string, error) {
	path, offset, err := s.find(name)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return fmt.Sprintf("line %d of %s", offset, path), nil
}

// thisMachine has its devices in /dev.
func thisMachine() system {
	const dev = "/dev"
	s := system{dev: dev, names: periph{}, ioctl: ioctl, fast: rawIoctl}
	if aliased(dev) {
		s.names = chipNames{dev, ioctl}
	}
	return s
}

// system is what Open needs from the machine.
type system struct {
	dev   string // directory of the devices
	names names
	ioctl ioctlFunc
	fast  ioctlFunc // for reading levels
}

// periph answers from periph's registry. Only the driver of the character
// device is loaded: periph's host.Init would also load one that writes to
// physical memory where a Raspberry Pi 5 has no GPIO. It is loaded once for the
// life of the process, however often a line is looked for.
type periph struct{}

func (periph) line(name string) (chip string, offset uint32, ok bool, err error) {
	if _, err := driverreg.Init(); err != nil {
		return "", 0, false, fmt.Errorf("periph cannot list the GPIO lines: %w", err)
	}
	p := gpioreg.ByName(name)
	for {
		real, alias := p.(gpio.RealPin)
		if !alias {
			break
		}
		p = real.Real()
	}
	wanted, ok := p.(*gpioioctl.GPIOLine)
	if !ok {
		return "", 0, false, nil
	}
	for _, c := range gpioioctl.Chips {
		for _, l := range c.Lines() {
			if l == wanted {
				return c.Path(), uint32(l.Number()), true, nil
			}
		}
	}
	return "", 0, false, nil
}

func (periph) all() []string {
	var s []string
	for _, p := range gpioreg.All() {
		s = append(s, p.Name())
	}
	return s
}

func ioctl(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		switch e {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return e
		}
	}
}

func open(name string, s system) (*line, error) {
	path, offset, err := s.find(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("pulse: %s: %w; run as root or join the group that owns it (often gpio)", name, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pulse: %s: there is no %s; %s", name, path, s.chips())
	}
	if err != nil {
		return nil, fmt.Errorf("pulse: %s: %w", name, err)
	}
	defer f.Close()

	var info chipInfo
	if err := s.ioctl(f.Fd(), ioctlChipInfo, unsafe.Pointer(&info)); err != nil {
		return nil, fmt.Errorf("pulse: %s: %s is no GPIO chip: %w; %s", name, path, err, s.chips())
	}
	if offset >= info.lines {
		chip := filepath.Base(path)
		return nil, fmt.Errorf("pulse: %s: %s (%s) has %d lines; write %s:0 to %s:%d",
			name, chip, printable(cString(info.label[:])), info.lines, chip, chip, max(info.lines, 1)-1)
	}
	flags, err := lineFlags(gpio.PullNoChange, gpio.RisingEdge)
	if err != nil {
		return nil, err
	}
	request := lineRequest{numLines: 1, eventBufferSize: eventBuffer, config: lineConfig{flags: flags}}
	request.offsets[0] = offset
	copy(request.consumer[:nameSize-1], consumer)
	if err := s.ioctl(f.Fd(), ioctlGetLine, unsafe.Pointer(&request)); err != nil {
		return nil, s.refused(name, path, offset, f, err)
	}
	if err := unix.SetNonblock(int(request.fd), true); err != nil {
		unix.Close(int(request.fd))
		return nil, fmt.Errorf("pulse: %s: line %d of %s: %w", name, offset, path, err)
	}
	file := os.NewFile(uintptr(request.fd), path+"#"+name)
	l, err := newLine(name, path, offset, file, s.ioctl, s.fast)
	if err != nil {
		file.Close()
		return nil, err
	}
	return l, nil
}

// refused explains why the kernel did not hand out the line.
func (s system) refused(name, path string, offset uint32, f *os.File, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		who := "something else"
		info := lineInfo{offset: offset}
		if s.ioctl(f.Fd(), ioctlLineInfo, unsafe.Pointer(&info)) == nil && info.flags&flagUsed != 0 {
			who = fmt.Sprintf("%q", printable(cString(info.consumer[:])))
		}
		return fmt.Errorf("pulse: %s: line %d of %s is in use by %s: %w; stop that, "+
			"or take the device tree overlay that claims the line out of config.txt", name, offset, path, who, err)
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("pulse: %s: line %d of %s: %w; "+
			"edges with time stamps need Linux 5.10 or later and a line with an interrupt", name, offset, path, err)
	case errors.Is(err, unix.ENXIO):
		return fmt.Errorf("pulse: %s: line %d of %s raises no interrupt: %w; choose another line", name, offset, path, err)
	}
	return fmt.Errorf("pulse: %s: line %d of %s: %w", name, offset, path, err)
}

// chips names the GPIO chips there are.
func (s system) chips() string {
	found, err := filepath.Glob(filepath.Join(s.dev, "gpiochip*"))
	if err != nil || len(found) == 0 {
		return "this machine has no GPIO chips; write pps = \"off\""
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return "there are " + list(found)
}

// printable keeps what a kernel or device tree named from upsetting a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
