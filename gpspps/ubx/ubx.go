// Package ubx recognises u-blox's binary protocol. Nothing of it is read yet;
// a receiver that speaks nothing else can be told from noise and a wrong speed.
//
// A frame is, as in the interface description of any u-blox receiver ("UBX frame
// structure"),
//
//	B5 62 class id length(2, little-endian) payload ck_a ck_b
//
// with Fletcher's 8-bit checksum over everything from the class to the end of
// the payload.
package ubx

// maxPayload bounds a frame's payload, bytes. Raw measurements of all the
// satellites in view take less; what claims more is noise.
const maxPayload = 2048

// Detector counts frames. The zero value is ready; it keeps no byte of them.
type Detector struct {
	frames uint64
	at     int // bytes of the frame so far
	length int // of the payload
	a, b   byte
	sumA   byte
}

// Frames is how many frames with the right checksum came in.
func (d *Detector) Frames() uint64 { return d.frames }

// Feed takes bytes in the order they came in.
func (d *Detector) Feed(p []byte) {
	for _, c := range p {
		d.take(c)
	}
}

const header = 6 // bytes before the payload

func (d *Detector) take(c byte) {
	at := d.at
	d.at++
	switch {
	case at == 0:
		if c != 0xb5 {
			d.at = 0
		}
	case at == 1:
		if c != 0x62 {
			d.restart(c)
		}
		d.a, d.b = 0, 0
	case at < header+d.length || at < header:
		d.a += c
		d.b += d.a
		switch at {
		case 2, 3:
			d.length = 0
		case 4:
			d.length = int(c)
		case 5:
			if d.length |= int(c) << 8; d.length > maxPayload {
				d.restart(c)
			}
		}
	case at == header+d.length:
		d.sumA = c
	default:
		if d.sumA == d.a && c == d.b {
			d.frames++
		}
		d.at, d.length = 0, 0
	}
}

// restart looks for a frame from c on.
func (d *Detector) restart(c byte) {
	d.at, d.length = 0, 0
	if c == 0xb5 {
		d.at = 1
	}
}
