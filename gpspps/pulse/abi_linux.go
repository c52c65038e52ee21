package pulse

import (
	"encoding/binary"
	"unsafe"
)

// The second version of the GPIO character device's interface, Linux 5.10 and
// later: include/uapi/linux/gpio.h and
// https://docs.kernel.org/userspace-api/gpio/chardev.html. All 64-bit and
// 32-bit machines share this layout.
const (
	maxLines = 64
	nameSize = 32
	maxAttrs = 10

	flagUsed        = 1 << 0
	flagInput       = 1 << 2
	flagEdgeRising  = 1 << 4
	flagEdgeFalling = 1 << 5
	flagPullUp      = 1 << 8
	flagPullDown    = 1 << 9
	flagNoBias      = 1 << 10

	// No event clock flag is set: the stamps are CLOCK_MONOTONIC, which no
	// step and no leap second disturbs.

	ioctlChipInfo  = 0x8044b401 // GPIO_GET_CHIPINFO_IOCTL
	ioctlLineInfo  = 0xc100b405 // GPIO_V2_GET_LINEINFO_IOCTL
	ioctlGetLine   = 0xc250b407 // GPIO_V2_GET_LINE_IOCTL
	ioctlSetConfig = 0xc110b40d // GPIO_V2_LINE_SET_CONFIG_IOCTL
	ioctlGetValues = 0xc010b40e // GPIO_V2_LINE_GET_VALUES_IOCTL
)

type chipInfo struct {
	name  [nameSize]byte
	label [nameSize]byte
	lines uint32
}

type lineAttribute struct {
	id    uint32
	_     uint32
	value uint64
}

type lineConfigAttribute struct {
	attr lineAttribute
	mask uint64
}

type lineConfig struct {
	flags    uint64
	numAttrs uint32
	_        [5]uint32
	attrs    [maxAttrs]lineConfigAttribute
}

type lineRequest struct {
	offsets         [maxLines]uint32
	consumer        [nameSize]byte
	config          lineConfig
	numLines        uint32
	eventBufferSize uint32
	_               [5]uint32
	fd              int32
}

type lineInfo struct {
	name     [nameSize]byte
	consumer [nameSize]byte
	offset   uint32
	numAttrs uint32
	flags    uint64
	attrs    [maxAttrs]lineAttribute
	_        [4]uint32
}

type lineValues struct {
	bits uint64
	mask uint64
}

// eventSize is the size of struct gpio_v2_line_event; its fields are read at
// their offsets, since a read fills bytes.
const (
	eventSize      = 48
	eventTimestamp = 0  // u64, ns
	eventLineSeqno = 20 // u32, counts this line's edges from 1 on
)

// decodeEvent reads what the kernel wrote, in this machine's byte order.
func decodeEvent(b *[eventSize]byte) Event {
	return Event{
		Mono: int64(binary.NativeEndian.Uint64(b[eventTimestamp:])),
		Seq:  binary.NativeEndian.Uint32(b[eventLineSeqno:]),
	}
}

// cString is the text before the first NUL.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// ioctlFunc is the system call, or a test's stand-in for the kernel.
type ioctlFunc func(fd uintptr, request uintptr, arg unsafe.Pointer) error
