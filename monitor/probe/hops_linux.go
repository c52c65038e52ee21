package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// putHops writes the control message that says how many hops a packet may go
// and returns its length.
func putHops(oob []byte, v6 bool, hops uint8) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.SOL_IP, unix.IP_TTL
	if v6 {
		h.Level, h.Type = unix.SOL_IPV6, unix.IPV6_HOPLIMIT
	}
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(oob[unix.CmsgLen(0):], uint32(hops))
	return unix.CmsgSpace(4)
}

// errUnclear ends packets of a trace of which one was answered, and nothing
// tells which.
var errUnclear = errors.New("an answer that may be to any of several packets")

// ofTrace takes an error that quotes too little to name its packet, as many
// routers' do (RFC 792 asks for eight bytes, the ports), if a trace to where the
// packet was to go is under way. Alone it is that one's packet; among several
// all of them are over, and the trace goes on with one at a time.
func (t *transport) ofTrace(p *port, q *queued) bool {
	f := t.sky.traces[q.to]
	if f == nil {
		return false
	}
	if f.older == nil {
		if f.on == p && !f.over {
			f.rx = q.heard
			t.end(f, q.err)
		}
		return true
	}
	for f != nil {
		older := f.older
		if !f.over {
			t.end(f, errUnclear)
		}
		f = older
	}
	return true
}

// newRequest is a client's request that says nothing but its random cookie.
func newRequest() (b [packetSize]byte, cookie uint64) {
	const client = 4<<3 | 3 // version 4, mode 3
	b[0] = client
	rand.Read(b[offTransmit:])
	return b, binary.BigEndian.Uint64(b[offTransmit:])
}
