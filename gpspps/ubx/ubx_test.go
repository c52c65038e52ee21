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
		var p Parser
		for _, b := range c.in {
			feed(&p, b)
		}
		if p.Frames() != c.want {
			t.Errorf("%s: %d frames, want %d", name, p.Frames(), c.want)
		}
	}
}

// feed gives b to p and returns copies of the frames.
func feed(p *Parser, b []byte) (out []Frame) {
	for _, c := range b {
		p.Push(c)
		for {
			f, ok := p.Next()
			if !ok {
				break
			}
			f.Payload = bytes.Clone(f.Payload)
			out = append(out, f)
		}
	}
	return out
}

func TestFrameInsideWhatLookedLikeOne(t *testing.T) {
	ack := frame(0x05, 0x01, []byte{6, 1})
	// A header that claims more than comes, then two frames in it.
	in := append([]byte{0xb5, 0x62, 0x01, 0x07, 40, 0}, append(bytes.Clone(ack), ack...)...)
	in = append(in, make([]byte, 40)...)
	var p Parser
	got := feed(&p, in)
	if len(got) != 2 || got[1].ID != IDAckACK || got[1].Len != 10 || !bytes.Equal(got[1].Payload, []byte{6, 1}) || p.Damaged() != 1 || p.Pending() != 0 {
		t.Errorf("%+v, %d damaged, %d pending", got, p.Damaged(), p.Pending())
	}
}

// TestFullBuffer: headers in front of each other fill all there is room for.
func TestFullBuffer(t *testing.T) {
	var p Parser
	in := bytes.Repeat([]byte{0xb5, 0x62, 0x01, 0x07, 0xff, 0x07}, 3*maxPayload/6)
	feed(&p, in)
	feed(&p, make([]byte, maxPayload+8))
	if got := feed(&p, frame(0x0a, 0x04, nil)); len(got) != 1 || p.Pending() != 0 {
		t.Errorf("%d frames, %d pending", len(got), p.Pending())
	}
}

// FuzzParser: whatever came before, after as much silence of zeros as the
// longest frame has a frame is counted, and only that.
func FuzzParser(f *testing.F) {
	f.Add([]byte{0xb5, 0x62, 0x05, 0x01, 0x02, 0x00, 0x06, 0x01, 0x0f, 0x38})
	f.Add([]byte{0xb5, 0x62, 0x05, 0x01, 0xff, 0xff})
	f.Add([]byte{0xb5, 0x62, 0x02, 0x15, 0xff, 0x07, 0xb5})
	f.Add([]byte("$GPRMC,123519,A*6A\r\n\xb5"))
	f.Fuzz(func(t *testing.T, noise []byte) {
		var p Parser
		got := feed(&p, noise)
		total := 0
		for _, f := range got {
			total += f.Len
			again := frame(f.ID.Class, f.ID.Number, f.Payload)
			if len(again) != f.Len || !bytes.Contains(noise, again) {
				t.Fatalf("%+v never came in", f)
			}
			readAll(f.Payload)
		}
		if total > len(noise) || p.Pending() > len(p.buf) {
			t.Fatalf("%d bytes of frames in %d, %d pending", total, len(noise), p.Pending())
		}
		feed(&p, make([]byte, maxPayload+8))
		if got := feed(&p, frame(0x0a, 0x04, []byte("payload"))); len(got) != 1 {
			t.Errorf("a frame after %x is missed", noise)
		}
	})
}
