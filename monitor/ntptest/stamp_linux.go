package ntptest

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// stampReceived asks the kernel to stamp what arrives. Without it a reading of
// the clock serves.
func stampReceived(c *net.UDPConn) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
		})
	}
}

// receivedAt returns the kernel's stamp among the control messages, ns since
// the Unix epoch, or now if there is none.
func receivedAt(oob []byte, now int64) int64 {
	for len(oob) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS_NEW && len(data) >= 16 {
			return int64(binary.NativeEndian.Uint64(data))*1e9 + int64(binary.NativeEndian.Uint64(data[8:]))
		}
		oob = rest
	}
	return now
}
