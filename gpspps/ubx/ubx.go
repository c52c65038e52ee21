// Package ubx reads u-blox's binary protocol.
//
// A frame is, as in the interface description of any u-blox receiver ("UBX frame
// structure"),
//
//	B5 62 class id length(2, little-endian) payload ck_a ck_b
//
// with Fletcher's 8-bit checksum over everything from the class to the end of
// the payload.
//
// Parser finds the frames in a stream of bytes that may hold anything between
// them. Functions named after the messages take their payloads apart, into SI
// units: seconds, metres, degrees. They read the first version of each message
// and what later versions left in place, and return false for what is too
// short to be it.
package ubx

// maxPayload bounds a frame's payload, bytes. Satellites and signals of all
// systems in view take less; what claims more is noise.
const maxPayload = 2048

const (
	header   = 6 // bytes before the payload
	overhead = header + 2
)

// Frame is a frame with the right checksum.
type Frame struct {
	ID      ID
	Payload []byte // good until the parser takes the next byte
	Len     int    // bytes it had on the line
}

// Parser finds frames. The zero value is ready. It allocates nothing. Not safe
// for use by several goroutines.
type Parser struct {
	buf             [maxPayload + overhead]byte
	from, to        int // what may be a frame lies between
	need            int // so many bytes of it tell more
	frames, damaged uint64
}

// Frames is how many frames with the right checksum came in.
func (p *Parser) Frames() uint64 { return p.frames }

// Damaged is how many had a wrong one, or were no frames but began like one.
func (p *Parser) Damaged() uint64 { return p.damaged }

// Pending is how many bytes are held back that may begin a frame.
func (p *Parser) Pending() int { return p.to - p.from }

// Push takes the next byte. Call Next until it has none before the next Push.
func (p *Parser) Push(c byte) {
	if p.from == p.to {
		if c != 0xb5 {
			return
		}
		p.from, p.to, p.need = 0, 0, 0
	}
	if p.to == len(p.buf) { // a frame fits in; what is before it does not matter any more
		p.to = copy(p.buf[:], p.buf[p.from:])
		p.from = 0
	}
	p.buf[p.to] = c
	p.to++
}

// Next is the next frame that is whole. What turns out to be none is looked
// through for one that begins inside it.
func (p *Parser) Next() (Frame, bool) {
	for p.from < p.to {
		if p.to-p.from < p.need {
			return Frame{}, false
		}
		b := p.buf[p.from:p.to]
		n, ok := likely(b)
		if ok && len(b) < n {
			p.need = n
			if n == header { // each of its bytes may show that it is none
				p.need = len(b) + 1
			}
			return Frame{}, false
		}
		p.need = 0
		if ok && sound(b[:n]) {
			f := Frame{ID: ID{b[2], b[3]}, Payload: b[header : n-2], Len: n}
			p.from += n
			p.frames++
			return f, true
		}
		if ok {
			p.damaged++
		}
		p.from++
	}
	return Frame{}, false
}

// likely says whether b may begin a frame, and how many bytes it takes, as far
// as that is known.
func likely(b []byte) (n int, ok bool) {
	switch {
	case b[0] != 0xb5, len(b) > 1 && b[1] != 0x62, len(b) > 2 && !class(b[2]):
		return 0, false
	case len(b) < header:
		return header, true
	}
	n = overhead + int(b[4]) + int(b[5])<<8
	return n, n <= maxPayload+overhead
}

// class says whether there is such a class of messages: NAV, RXM, INF, ACK,
// CFG, UPD, MON, AID, TIM, ESF, MGA, LOG, SEC, HNR, NAV2.
func class(c byte) bool {
	switch c {
	case 0x01, 0x02, 0x04, 0x05, 0x06, 0x09, 0x0a, 0x0b, 0x0d, 0x10, 0x13, 0x21, 0x27, 0x28, 0x29:
		return true
	}
	return false
}

func sound(b []byte) bool {
	var x, y byte
	for _, c := range b[2 : len(b)-2] {
		x += c
		y += x
	}
	return b[len(b)-2] == x && b[len(b)-1] == y
}
