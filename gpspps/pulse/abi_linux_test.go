package pulse

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

func TestLayout(t *testing.T) {
	for _, c := range []struct {
		name string
		got  uintptr
		want uintptr
	}{
		{"gpio_v2_line_request", unsafe.Sizeof(lineRequest{}), 592},
		{"gpio_v2_line_config", unsafe.Sizeof(lineConfig{}), 272},
		{"gpio_v2_line_info", unsafe.Sizeof(lineInfo{}), 256},
		{"gpio_v2_line_values", unsafe.Sizeof(lineValues{}), 16},
		{"gpiochip_info", unsafe.Sizeof(chipInfo{}), 68},
		{"gpio_v2_line_event", eventSize, 48},
		{"offset of config", unsafe.Offsetof(lineRequest{}.config), 288},
		{"offset of num_lines", unsafe.Offsetof(lineRequest{}.numLines), 560},
		{"offset of event_buffer_size", unsafe.Offsetof(lineRequest{}.eventBufferSize), 564},
		{"offset of fd", unsafe.Offsetof(lineRequest{}.fd), 588},
		{"offset of attrs", unsafe.Offsetof(lineConfig{}.attrs), 32},
		{"offset of info's flags", unsafe.Offsetof(lineInfo{}.flags), 72},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, the kernel says %d", c.name, c.got, c.want)
		}
	}
	// A request's number holds direction, size, type and its own number.
	const read, write = 2, 1
	for _, c := range []struct {
		name           string
		got            uintptr
		dir, size, seq uintptr
	}{
		{"chip info", ioctlChipInfo, read, unsafe.Sizeof(chipInfo{}), 0x01},
		{"line info", ioctlLineInfo, read | write, unsafe.Sizeof(lineInfo{}), 0x05},
		{"get line", ioctlGetLine, read | write, unsafe.Sizeof(lineRequest{}), 0x07},
		{"set config", ioctlSetConfig, read | write, unsafe.Sizeof(lineConfig{}), 0x0d},
		{"get values", ioctlGetValues, read | write, unsafe.Sizeof(lineValues{}), 0x0e},
	} {
		if want := c.dir<<30 | c.size<<16 | 0xb4<<8 | c.seq; c.got != want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, want)
		}
	}
}

func eventBytes(mono int64, seq uint32) []byte {
	b := make([]byte, 0, eventSize)
	b = binary.NativeEndian.AppendUint64(b, uint64(mono)) // timestamp_ns
	b = binary.NativeEndian.AppendUint32(b, 1)            // id: rising edge
	b = binary.NativeEndian.AppendUint32(b, 18)           // offset
	b = binary.NativeEndian.AppendUint32(b, seq+1000)     // seqno, of the whole request
	b = binary.NativeEndian.AppendUint32(b, seq)          // line_seqno
	return append(b, make([]byte, 24)...)                 // padding
}

func TestDecodeEvent(t *testing.T) {
	for _, want := range []Event{{1, 1}, {86_400_000_000_123, 86400}, {1<<63 - 1, 1<<32 - 1}} {
		got := decodeEvent((*[eventSize]byte)(eventBytes(want.Mono, want.Seq)))
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
