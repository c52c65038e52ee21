package ubx

import "bytes"

// Jam is what a receiver says of interference.
type Jam byte

// What it may say.
const (
	JamUnknown Jam = iota
	JamNone
	JamWarning  // there is some, and a fix nevertheless
	JamCritical // it takes the fix away
)

// HW is MON-HW or MON-RF: antenna and interference.
type HW struct {
	Noise     int // level of the noise, no unit
	Gain      int // of the automatic gain control, 0 to 8191
	Antenna   int // 0 starting 1 unknown 2 ok 3 short 4 open
	Jam       Jam
	Indicator int // of a continuous wave that jams, 0 to 255
}

// ReadHW reads MON-HW.
func ReadHW(b []byte) (m HW, ok bool) {
	if len(b) < 60 {
		return m, false
	}
	pins := 17
	if len(b) >= 68 { // u-blox 6
		pins = 25
	}
	return HW{int(u16(b, 16)), int(u16(b, 18)), int(b[20]), Jam(b[22] >> 2 & 3), int(b[28+pins])}, true
}

// ReadRF reads MON-RF, of several bands that which is worst off.
func ReadRF(b []byte) (m HW, ok bool) {
	const head, each = 4, 24
	if len(b) < head || len(b) < head+int(b[1])*each || b[1] == 0 {
		return m, false
	}
	for i := range int(b[1]) {
		r := b[head+i*each:]
		x := HW{int(u16(r, 12)), int(u16(r, 14)), int(r[2]), Jam(r[1] & 3), int(r[16])}
		if i == 0 || x.Jam > m.Jam || x.Jam == m.Jam && x.Indicator > m.Indicator {
			m = x
		}
	}
	return m, true
}

// Sig is SEC-SIG: what a receiver thinks of its signals.
type Sig struct {
	JamOn   bool // it looks for interference
	Jam     Jam
	SpoofOn bool
	Spoof   Spoof
}

// ReadSig reads SEC-SIG. Its first version knows the four states of Jam; later
// ones have a JamWarning at most, for signals that are jammed.
func ReadSig(b []byte) (m Sig, ok bool) {
	switch {
	case len(b) >= 12 && b[0] == 1:
		return Sig{b[4]&1 != 0, Jam(b[4] >> 1 & 3), b[8]&1 != 0, Spoof(b[8] >> 1 & 7)}, true
	case len(b) >= 4 && b[0] > 1:
		m = Sig{b[1]&1 != 0, Jam(b[1] >> 1 & 3), b[1]&8 != 0, Spoof(b[1] >> 4 & 7)}
		if m.Jam == JamWarning {
			m.Jam = JamCritical
		}
		return m, true
	}
	return m, false
}

// Ver is MON-VER: what the receiver is. The texts are parts of the payload.
type Ver struct {
	Software, Hardware []byte
	extensions         []byte
}

// ReadVer reads MON-VER.
func ReadVer(b []byte) (m Ver, ok bool) {
	if len(b) < 40 {
		return m, false
	}
	return Ver{text(b[:30]), text(b[30:40]), b[40:]}, true
}

// Extensions is how many further lines there are.
func (m *Ver) Extensions() int { return len(m.extensions) / 30 }

// Extension is one of them, as PROTVER=18.00 or MOD=NEO-M8T-0.
func (m *Ver) Extension(i int) []byte { return text(m.extensions[i*30 : i*30+30]) }

func text(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return bytes.TrimSpace(b)
}

// ReadAck reads which message ACK-ACK and ACK-NAK are about.
func ReadAck(b []byte) (of ID, ok bool) {
	if len(b) < 2 {
		return of, false
	}
	return ID{b[0], b[1]}, true
}
