package ubx

import (
	"bytes"
	"testing"
)

// frame is a frame with its checksum.
func frame(class, id byte, payload []byte) []byte {
	b := append([]byte{0xb5, 0x62, class, id, byte(len(payload)), byte(len(payload) >> 8)}, payload...)
	var x, y byte
	for _, c := range b[2:] {
		x += c
		y += x
	}
	return append(b, x, y)
}

func TestFrames(t *testing.T) {
	// UBX-ACK-ACK of a CFG-MSG and a poll of MON-VER, as interface descriptions
	// and many programs have them.
	ack := []byte{0xb5, 0x62, 0x05, 0x01, 0x02, 0x00, 0x06, 0x01, 0x0f, 0x38}
	poll := []byte{0xb5, 0x62, 0x0a, 0x04, 0x00, 0x00, 0x0e, 0x34}
	long := frame(0x02, 0x15, bytes.Repeat([]byte{0xb5, 0x62}, maxPayload/2))
	wrong := bytes.Clone(ack)
	wrong[7]++
	for name, c := range map[string]struct {
		in   [][]byte
		want uint64
	}{
		"nothing":            {nil, 0},
		"two":                {[][]byte{ack, poll}, 2},
		"longest":            {[][]byte{long}, 1},
		"too long":           {[][]byte{frame(1, 2, make([]byte, maxPayload+1)), ack}, 1},
		"among sentences":    {[][]byte{[]byte("$GPGGA,*00\r\n"), ack, []byte("\xb5$GPRMC\r\n"), poll}, 2},
		"first byte doubled": {[][]byte{{0xb5}, ack}, 1},
		"damaged":            {[][]byte{wrong, ack}, 1},
		"cut short":          {[][]byte{ack[:9]}, 0},
		"text":               {[][]byte{bytes.Repeat([]byte("$GPRMC,123519,A*6A\r\n"), 50)}, 0},
	} {
		var whole, single Detector
		for _, b := range c.in {
			whole.Feed(b)
			for _, x := range b {
				single.Feed([]byte{x})
			}
		}
		if whole.Frames() != c.want || single.Frames() != c.want {
			t.Errorf("%s: %d frames at once, %d byte by byte, want %d", name, whole.Frames(), single.Frames(), c.want)
		}
	}
}

// FuzzDetector: whatever came before, after as much silence of zeros as the
// longest frame has a frame is counted, and only that.
func FuzzDetector(f *testing.F) {
	f.Add([]byte{0xb5, 0x62, 0x05, 0x01, 0x02, 0x00, 0x06, 0x01, 0x0f, 0x38})
	f.Add([]byte{0xb5, 0x62, 0x05, 0x01, 0xff, 0xff})
	f.Add([]byte{0xb5, 0x62, 0x02, 0x15, 0xff, 0x07, 0xb5})
	f.Add([]byte("$GPRMC,123519,A*6A\r\n\xb5"))
	f.Fuzz(func(t *testing.T, noise []byte) {
		var d Detector
		d.Feed(noise)
		if d.Frames() > uint64(len(noise)/8) {
			t.Fatalf("%d frames in %d bytes", d.Frames(), len(noise))
		}
		d.Feed(make([]byte, maxPayload+8))
		before := d.Frames()
		d.Feed(frame(0x0a, 0x04, []byte("payload")))
		if d.Frames() != before+1 {
			t.Errorf("a frame after %x is missed", noise)
		}
	})
}
