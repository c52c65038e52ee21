package probe

import (
	"encoding/binary"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stampFlags ask for a software stamp of every packet, in and out, and for the
// outgoing one's number instead of a copy of its bytes
// (Documentation/networking/timestamping.rst).
const stampFlags = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_RX_SOFTWARE |
	unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY

// cardFlags ask for the network card's stamps as well. A transmit stamp then comes
// with the packet, not alone, since else it would not say which interface made it.
const cardFlags = stampFlags&^unix.SOF_TIMESTAMPING_OPT_TSONLY | unix.SOF_TIMESTAMPING_RAW_HARDWARE |
	unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_TX_HARDWARE | unix.SOF_TIMESTAMPING_OPT_TX_SWHW |
	unix.SOF_TIMESTAMPING_OPT_PKTINFO | unix.SOF_TIMESTAMPING_OPT_CMSG

// receiveRoom is the socket's buffer, bytes: for some thousand packets, and for
// the transmit stamps, which are charged to it, too.
const receiveRoom = 2 << 20

// system is the kernel of the machine.
type system struct {
	event  int     // an eventfd, made readable to wake the loop
	number bool    // it lets us number stamps
	flags  int     // what stamps are asked for
	bufs   buffers // of whichever socket is being read or written
	errs   buffers // of whichever error queue is being read, perhaps meanwhile
	polled []unix.PollFd
	warmer *warmer
}

// openSystem opens the kernel; with card set, the network cards' stamps are wanted.
func openSystem(card bool) (*system, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	calm()
	s := &system{event: fd, number: numbersPackets(), flags: stampFlags, warmer: newWarmer()}
	if card {
		s.flags = cardFlags
	}
	s.bufs.init()
	s.errs.init()
	return s, nil
}

// numbersPackets says whether the kernel lets the sender number a packet's
// stamp (SCM_TS_OPT_ID, Linux 6.13). An older one refuses the control message
// before it finds that the packet is too long to go anywhere.
func numbersPackets() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, stampFlags) != nil {
		return false
	}
	var oob [64]byte
	n := putNumber(oob[:], 1)
	err = unix.Sendmsg(fd, make([]byte, 0xffff), oob[:n], &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}, unix.MSG_DONTWAIT)
	return err != unix.EINVAL
}

// putNumber writes the control message that numbers a packet's transmit stamp
// and returns its length.
func putNumber(oob []byte, id uint32) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.SOL_SOCKET, unix.SCM_TS_OPT_ID
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(oob[unix.CmsgLen(0):], id)
	return unix.CmsgSpace(4)
}

func (s *system) open(v6 bool) (socket, error) {
	domain, level := unix.AF_INET, unix.SOL_IP
	if v6 {
		domain, level = unix.AF_INET6, unix.SOL_IPV6
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	u := &udp{fd: fd, v6: v6, sys: s, number: s.number}
	option := func(level, name, value int) bool { return unix.SetsockoptInt(fd, level, name, value) == nil }
	var bind unix.Sockaddr = &unix.SockaddrInet4{}
	if v6 {
		bind = &unix.SockaddrInet6{}
		option(level, unix.IPV6_V6ONLY, 1)
		option(level, unix.IPV6_RECVERR, 1)
		option(level, unix.IPV6_RECVHOPLIMIT, 1)
	} else {
		option(level, unix.IP_RECVERR, 1)
		option(level, unix.IP_RECVTTL, 1)
	}
	// Without these it still works, only with less known of it.
	option(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	option(unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, s.flags)
	if s.flags == cardFlags { // for the interface of transmit stamps
		if v6 {
			option(level, unix.IPV6_RECVPKTINFO, 1)
		} else {
			option(level, unix.IP_PKTINFO, 1)
		}
	}
	if !option(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveRoom) {
		option(unix.SOL_SOCKET, unix.SO_RCVBUF, receiveRoom)
	}
	if err := unix.Bind(fd, bind); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return u, nil
}

func (s *system) wake() {
	one := [8]byte{}
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(s.event, one[:])
}

func (s *system) warm() { s.warmer.warm() }

func (s *system) wait(list []*port, d time.Duration) {
	var limit *unix.Timespec
	if d >= 0 {
		ts := unix.NsecToTimespec(int64(d))
		limit = &ts
	}
	fds := append(s.polled[:0], unix.PollFd{Fd: int32(s.event), Events: unix.POLLIN})
	for _, p := range list {
		fds = append(fds, unix.PollFd{Fd: int32(p.sock.(*udp).fd), Events: unix.POLLIN})
	}
	s.polled = fds
	if n, err := unix.Ppoll(fds, limit, nil); err != nil || n == 0 {
		return
	}
	if fds[0].Revents != 0 {
		var b [8]byte
		unix.Read(s.event, b[:])
	}
	for i, p := range list {
		if fds[i+1].Revents != 0 {
			p.ready = true
		}
	}
}

func (s *system) close() {
	unix.Close(s.event)
	s.warmer.close()
}

// buffers is room for one batch.
type buffers struct {
	hdrs [batch]unix.Mmsghdr
	iovs [batch]unix.Iovec
	data [batch][readSize]byte
	oob  [batch][oobSize]byte
	name [batch]unix.RawSockaddrInet6
}

// oobSize holds the stamps, an extended error with an IPv6 address, the hop
// limit, the interface and the count of lost packets.
const oobSize = 256

func (b *buffers) init() {
	for i := range b.hdrs {
		b.iovs[i].Base = &b.data[i][0]
		h := &b.hdrs[i].Hdr
		h.Iov, h.Name, h.Control = &b.iovs[i], (*byte)(unsafe.Pointer(&b.name[i])), &b.oob[i][0]
		h.SetIovlen(1)
	}
}

// udp is a socket of the system's.
type udp struct {
	fd     int
	v6     bool
	sys    *system
	number bool // packets' stamps are numbered by us
}

func (u *udp) counts() bool { return !u.number }

// recount has the kernel count from 0 again, as turning OPT_ID on does.
func (u *udp) recount() {
	unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, u.sys.flags&^unix.SOF_TIMESTAMPING_OPT_ID)
	unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, u.sys.flags)
}

func (u *udp) send(list []*flight) (int, error) {
	b := &u.sys.bufs
	list = list[:min(len(list), batch)]
	for i, f := range list {
		h := &b.hdrs[i].Hdr
		copy(b.data[i][:], f.request[:])
		b.iovs[i].SetLen(len(f.request))
		h.Namelen = f.to.write(&b.name[i], u.v6)
		h.SetControllen(0)
		if u.number {
			h.SetControllen(putNumber(b.oob[i][:], f.id))
		}
		if f.hops != 0 {
			n := int(h.Controllen)
			h.SetControllen(n + putHops(b.oob[i][n:], u.v6, f.hops))
		}
		h.Flags = 0
	}
	for {
		n, _, no := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&b.hdrs[0])), uintptr(len(list)), unix.MSG_DONTWAIT, 0, 0)
		switch no {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, no
		}
	}
}

// read receives a batch.
func (u *udp) read(b *buffers, flags int) (int, error) {
	for i := range b.hdrs {
		h := &b.hdrs[i].Hdr
		b.iovs[i].SetLen(readSize)
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(oobSize)
		h.Flags = 0
	}
	for {
		n, _, no := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&b.hdrs[0])), batch, uintptr(flags|unix.MSG_DONTWAIT), 0, 0)
		switch no {
		case 0:
			return int(n), nil
		case unix.EAGAIN:
			return 0, nil
		case unix.EINTR:
		default:
			return 0, no
		}
	}
}

func (u *udp) receive(take func(*datagram)) (int, error) {
	b := &u.sys.bufs
	n, err := u.read(b, 0)
	for i := range n {
		d := datagram{data: b.data[i][:min(b.hdrs[i].Len, readSize)]}
		d.from.read(&b.name[i])
		parseReceived(b.oob[i][:b.hdrs[i].Hdr.Controllen], &d)
		take(&d)
	}
	return n, err
}

func (u *udp) errors(take func(*queued)) (int, error) {
	b := &u.sys.errs
	n, err := u.read(b, unix.MSG_ERRQUEUE)
	for i := range n {
		q := parseQueued(b.oob[i][:b.hdrs[i].Hdr.Controllen])
		q.quoted = b.data[i][:min(b.hdrs[i].Len, readSize)]
		q.to.read(&b.name[i])
		take(&q)
	}
	return n, err
}

func (u *udp) close() { unix.Close(u.fd) }

// write makes it a socket address and returns the length of that.
func (e *endpoint) write(to *unix.RawSockaddrInet6, v6 bool) uint32 {
	port := (*[2]byte)(unsafe.Pointer(&to.Port))
	if v6 {
		*to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: e.ip, Scope_id: e.scope}
		binary.BigEndian.PutUint16(port[:], e.port)
		return unix.SizeofSockaddrInet6
	}
	to4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
	*to4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(e.ip[12:])}
	binary.BigEndian.PutUint16(port[:], e.port)
	return unix.SizeofSockaddrInet4
}

// read takes a socket address; anything but IPv4 and IPv6 becomes the zero
// endpoint, which nothing comes from.
func (e *endpoint) read(from *unix.RawSockaddrInet6) {
	port := (*[2]byte)(unsafe.Pointer(&from.Port))
	*e = endpoint{}
	switch from.Family {
	case unix.AF_INET:
		from4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		e.ip[10], e.ip[11] = 0xff, 0xff
		copy(e.ip[12:], from4.Addr[:])
	case unix.AF_INET6:
		e.ip, e.scope = from.Addr, from.Scope_id
	default:
		return
	}
	e.port = binary.BigEndian.Uint16(port[:])
}
