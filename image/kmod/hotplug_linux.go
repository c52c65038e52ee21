package kmod

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxEvent bounds one event of the kernel's, bytes (Linux,
// include/linux/kobject.h, UEVENT_BUFFER_SIZE, and the action and path before it).
const maxEvent = 2048 + 4096

// Events is the kernel's own notice of devices that come and go.
type Events struct{ fd int }

// Listen begins to listen. It is called before the last Coldplug, or a device
// that appears between the two would be missed.
func Listen() (*Events, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("the kernel's events: %w", err)
	}
	// Group 1 is the kernel's; nobody else may send to it.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("the kernel's events: %w", err)
	}
	return &Events{fd}, nil
}

// Hotplug loads the modules for devices that appear, until listening fails. It
// is the loader's only user from then on.
func (l *Loader) Hotplug(e *Events) error {
	defer unix.Close(e.fd)
	b := make([]byte, maxEvent)
	for {
		n, _, err := unix.Recvfrom(e.fd, b, 0)
		switch {
		case err == unix.EINTR:
		case err == unix.ENOBUFS: // events were lost: look at all there is
			l.Coldplug()
		case err != nil:
			return fmt.Errorf("the kernel's events: %w", err)
		default:
			l.event(b[:n])
		}
	}
}

// event is "add@/devices/...", then NAME=value, each ended by a zero.
func (l *Loader) event(b []byte) {
	head, rest, _ := bytes.Cut(b, []byte{0})
	if !bytes.HasPrefix(head, []byte("add@")) {
		return
	}
	for line := range bytes.SplitSeq(rest, []byte{0}) {
		if alias, ok := bytes.CutPrefix(line, []byte("MODALIAS=")); ok {
			for _, n := range l.table.match(string(alias)) {
				l.Load(n)
			}
		}
	}
}
