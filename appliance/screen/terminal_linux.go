package screen

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Linux's include/uapi/linux/vt.h and ioctl_console(2), which x/sys does not have.
const (
	vtActivate     = 0x5606
	messagesOnto   = 11 // of TIOCLINUX: the terminal of the kernel's messages
	logTerminal    = 1
	screenTerminal = 2
	screenDevice   = "/dev/tty2"
	shownDevice    = "/dev/tty0" // the terminal that is shown
)

type terminal struct{ *os.File }

// Open gives the terminal for the screen. fs.ErrNotExist: this kernel has none.
func Open() (Terminal, error) {
	f, err := os.OpenFile(screenDevice, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return terminal{f}, nil
}

// Show also has the kernel's messages go on to where they were.
func (t terminal) Show() error {
	arg := [2]byte{messagesOnto, logTerminal}
	_, _, e := unix.Syscall(unix.SYS_IOCTL, t.Fd(), unix.TIOCLINUX, uintptr(unsafe.Pointer(&arg)))
	runtime.KeepAlive(&arg)
	if e != 0 {
		return fmt.Errorf("keep the kernel's messages off %s: %w", screenDevice, e)
	}
	return activate(t.File, screenTerminal)
}

// Leave shows the log.
func (t terminal) Leave() error { return activate(t.File, logTerminal) }

func activate(f *os.File, n int) error {
	if err := unix.IoctlSetInt(int(f.Fd()), vtActivate, n); err != nil {
		return fmt.Errorf("switch to terminal %d: %w", n, err)
	}
	return nil
}

// ShowLog has the display show the log, where a program that ended without a word has
// left the screen: what is opened as the console then is the log's terminal.
func ShowLog() {
	if f, err := os.OpenFile(shownDevice, os.O_RDWR|unix.O_NOCTTY, 0); err == nil {
		defer f.Close()
		_ = activate(f, logTerminal) // there may be no terminal to switch
	}
}
