package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/monitor"
)

// stampFlags ask for a software stamp of every packet, in and out, and for the
// outgoing one's number instead of a copy of its bytes
// (Documentation/networking/timestamping.rst).
const stampFlags = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_RX_SOFTWARE |
	unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY

// kernelWire is a connected UDP socket whose packets the kernel stamps.
type kernelWire struct {
	fd     int
	file   *os.File // owns fd once the request is on its way
	clock  Clock
	wanted bool
	ctx    context.Context
	until  time.Time
	stop   func() bool

	before, after int64 // user-space stamps around the send call
	tx, rx        int64 // kernel stamps, 0 if none
	read          int64 // user-space stamp after the receive call
	oob           [256]byte
}

// dialBest opens the socket by hand: Go's poller learns of it after the request
// is sent, since its being woken by the transmit stamp would happen inside the
// driver, between that stamp and the wire (T2-T1 p99 14 us instead of 0.7 us).
func dialBest(ctx context.Context, t monitor.Target, clock Clock, timeout time.Duration) (wire, error) {
	addr := unmap(t.Addr)
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	w := &kernelWire{fd: fd, clock: clock, ctx: ctx, until: time.Now().Add(timeout)}
	// Without these the exchange still works, only with less known of it.
	w.wanted = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, stampFlags) == nil
	if family == unix.AF_INET {
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
	} else {
		unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
	}
	sa, err := sockaddr(addr)
	if err == nil {
		err = os.NewSyscallError("connect", unix.Connect(fd, sa))
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return w, nil
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone := a.Addr().Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			sa.ZoneId = uint32(n)
		} else if ifi, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(ifi.Index)
		} else {
			return nil, fmt.Errorf("interface %q: %w", zone, err)
		}
	}
	return sa, nil
}

func (w *kernelWire) send(b []byte) error {
	w.before = w.clock.Realtime()
	_, err := unix.Write(w.fd, b)
	w.after = w.clock.Realtime()
	if err != nil {
		return os.NewSyscallError("send", err)
	}
	w.file = os.NewFile(uintptr(w.fd), "ntp")
	if err := w.file.SetReadDeadline(w.until); err != nil {
		return err
	}
	w.stop = context.AfterFunc(w.ctx, func() { w.file.SetReadDeadline(past) })
	return nil
}

func (w *kernelWire) receive(b []byte) (int, error) {
	raw, err := w.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n, oobn int
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, rerr = unix.Recvmsg(int(fd), b, w.oob[:], 0)
			if rerr != unix.EINTR {
				break
			}
		}
		if rerr != nil {
			return rerr != unix.EAGAIN
		}
		w.read = w.clock.Realtime()
		return true
	})
	if err != nil {
		return 0, err
	}
	if rerr != nil {
		// The error queue tells who reported it. The receive call has taken
		// the number itself; reading the queue first would lose it.
		return 0, classifyErrno(os.NewSyscallError("receive", rerr), w.drain())
	}
	w.rx = receiveStamp(w.oob[:oobn])
	return n, nil
}

// close frees the socket, whoever owns it by now.
func (w *kernelWire) close() {
	if w.file == nil {
		unix.Close(w.fd)
		return
	}
	if w.stop != nil {
		w.stop()
	}
	w.file.Close()
}

// txWait is how long the transmit stamp is waited for after the reply came. It
// is made before the packet leaves, so by then it is there or never will be,
// but for a reply overtaking it on another core.
const txWait = 5 * time.Millisecond

func (w *kernelWire) stamps(replied bool) stamps {
	s := stamps{t1: w.before, t4: w.read, wanted: w.wanted}
	if !replied {
		return s
	}
	if w.wanted && w.tx == 0 {
		w.awaitTransmitStamp()
	}
	rx := w.rx >= w.before-stampSlack && w.rx <= w.read+stampSlack && w.rx != 0
	if rx {
		s.t4 = w.rx
	}
	tx := w.tx >= w.before-stampSlack && w.tx <= s.t4+stampSlack && w.tx != 0
	if tx {
		s.t1 = w.tx
	}
	s.kernel = rx && tx
	s.err = kernelStampError
	if !tx {
		s.err = max(s.err, userStampError(w.before, w.after, false))
	}
	if !rx {
		s.err = max(s.err, userReceiveError)
	}
	return s
}

func (w *kernelWire) awaitTransmitStamp() {
	w.drain()
	if w.tx != 0 {
		return
	}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		// A filled error queue is reported even if no event is asked for.
		unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(txWait/time.Millisecond))
	})
	w.drain()
}

// maxQueued is how many entries of the error queue one reading looks at.
const maxQueued = 16

// drain empties the error queue: it notes the transmit stamp and returns the
// first ICMP or local error.
func (w *kernelWire) drain() (first *icmpError) {
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil
	}
	raw.Control(func(fd uintptr) {
		var b [packetSize]byte
		for range maxQueued {
			_, oobn, _, _, err := unix.Recvmsg(int(fd), b[:], w.oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return
			}
			q := parseQueued(w.oob[:oobn])
			if q.stamp != 0 && q.id == 0 && w.tx == 0 {
				w.tx = q.stamp // the only packet sent has number 0
			}
			if q.err != nil && first == nil {
				first = q.err
			}
		}
	})
	return first
}

// openKeeper returns a socket that has receive stamps on and nothing else to
// do. The kernel stamps arriving packets only while some socket wants that, and
// switches it on a moment late; the first reply on a fresh socket would often
// go unstamped.
func openKeeper() io.Closer {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, stampFlags)
	return os.NewFile(uintptr(fd), "stamps")
}
