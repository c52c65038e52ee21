package probe

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// coldAfter is how long after a send the next one is taken to be cold. At more than
	// 16,000 a second none is: to be warm would cost a twentieth of a processor.
	coldAfter = 2 * time.Millisecond
	// warmRounds is how many packets it takes.
	warmRounds = 2
)

// warmer has the kernel go the way of a packet, by loopback from a socket to itself, just
// before one is sent that matters. Whatever lies between the transmit stamp and the wire,
// the stamp's own way to the error queue above all, takes 2.6 us after a pause of
// milliseconds, when its code and data have left the caches, and 0.15 us right after
// another packet: so much is T1 too early. One that is nil warms nothing.
type warmer struct {
	fd   int
	last time.Time // of a send
	data [packetSize]byte
}

// newWarmer returns nil where there is no loopback to go by.
func newWarmer() *warmer {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil
	}
	// Connected to itself, it hears nobody else.
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		var here unix.Sockaddr
		if here, err = unix.Getsockname(fd); err == nil {
			err = unix.Connect(fd, here)
		}
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, stampFlags)
	}
	if err != nil {
		unix.Close(fd)
		return nil
	}
	return &warmer{fd: fd}
}

// warm is called before a send.
func (w *warmer) warm() {
	if w == nil {
		return
	}
	now := time.Now()
	if now.Sub(w.last) >= coldAfter {
		for range warmRounds {
			w.round()
		}
	}
	w.last = now
}

// round sends a packet, and takes it and its stamp out of the queues: what a round
// finds no time to take is there for the next.
func (w *warmer) round() {
	if _, err := unix.Write(w.fd, w.data[:]); err != nil {
		return
	}
	for _, queue := range [...]uintptr{0, unix.MSG_ERRQUEUE} {
		unix.Syscall6(unix.SYS_RECVFROM, uintptr(w.fd), uintptr(unsafe.Pointer(&w.data[0])), packetSize, queue, 0, 0)
	}
}

func (w *warmer) close() {
	if w != nil {
		unix.Close(w.fd)
	}
}
