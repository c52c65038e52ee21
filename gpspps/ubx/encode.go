package ubx

import "encoding/binary"

// Classes and identities of the messages that configuring takes, as in the
// interface descriptions "u-blox 8 / u-blox M8 Receiver Description Including
// Protocol Specification" (UBX-13003221) and "u-blox F9 high precision
// sensor GNSS receiver, Interface description" (UBX-18010854).
const (
	ClassACK = 0x05
	AckNAK   = 0x00
	AckACK   = 0x01

	ClassCFG  = 0x06
	CfgMSG    = 0x01
	CfgRATE   = 0x08
	CfgNAV5   = 0x24
	CfgTP5    = 0x31
	CfgTMODE2 = 0x3d
	CfgTMODE3 = 0x71
	CfgVALSET = 0x8a
	CfgVALGET = 0x8b

	ClassMON = 0x0a
	MonVER   = 0x04
)

// AppendFrame appends a frame to dst. The payload may be at most 65535 bytes;
// the rest of a longer one is left out.
func AppendFrame(dst []byte, class, id byte, payload []byte) []byte {
	payload = payload[:min(len(payload), 1<<16-1)]
	at := len(dst)
	dst = append(dst, 0xb5, 0x62, class, id, byte(len(payload)), byte(len(payload)>>8))
	dst = append(dst, payload...)
	var a, b byte
	for _, c := range dst[at+2:] {
		a += c
		b += a
	}
	return append(dst, a, b)
}

// Poll asks for a message; payload is empty or says which of several.
func Poll(class, id byte, payload ...byte) []byte { return AppendFrame(nil, class, id, payload) }

// SetMessage has a message come on the port that this is sent to, with every
// so manieth fix; 0 never. Generations 6 to 9 know it.
func SetMessage(class, id, every byte) []byte {
	return AppendFrame(nil, ClassCFG, CfgMSG, []byte{class, id, every})
}

// SetRate has one fix a second, on the second of UTC.
func SetRate() []byte {
	p := binary.LittleEndian.AppendUint16(nil, 1000) // ms between measurements
	p = binary.LittleEndian.AppendUint16(p, 1)       // measurements a fix
	p = binary.LittleEndian.AppendUint16(p, 0)       // aligned to UTC
	return AppendFrame(nil, ClassCFG, CfgRATE, p)
}

// The dynamic models that a station may want.
const (
	ModelPortable   = 0
	ModelStationary = 2
)

// SetModel sets the dynamic model and nothing else.
func SetModel(model byte) []byte {
	p := make([]byte, 36)
	p[0] = 0x01 // the mask: apply the dynamic model
	p[2] = model
	return AppendFrame(nil, ClassCFG, CfgNAV5, p)
}

// tp5 is the length of CFG-TP5, bytes.
const tp5 = 32

// PulseLength is how long the pulse is, microseconds.
const PulseLength = 100_000

// defaultCableDelay is what receivers come set to, ns.
const defaultCableDelay = 50

// SetPulse is a CFG-TP5 with a pulse at the start of each second of UTC,
// rising, and none without a lock. The delays are those of now, the receiver's
// own CFG-TP5 as it was polled, or, where that is not known (nil), those that
// receivers come with; a cable delay from 1 to 32767 ns replaces theirs.
func SetPulse(now []byte, cable int) []byte {
	p := make([]byte, tp5)
	if len(now) == tp5 {
		copy(p, now)
	} else {
		p[1] = 1 // the message's version
		binary.LittleEndian.PutUint16(p[4:], defaultCableDelay)
	}
	p[0] = 0 // the first of two time pulses
	if cable > 0 {
		binary.LittleEndian.PutUint16(p[4:], uint16(min(cable, 1<<15-1)))
	}
	binary.LittleEndian.PutUint32(p[8:], 1_000_000)    // period without a lock, us
	binary.LittleEndian.PutUint32(p[12:], 1_000_000)   // with one
	binary.LittleEndian.PutUint32(p[16:], 0)           // length without a lock, us: no pulse
	binary.LittleEndian.PutUint32(p[20:], PulseLength) // with one
	const (
		active      = 1 << 0
		lockGNSS    = 1 << 1
		lockedOther = 1 << 2 // the values "with one" once locked
		isLength    = 1 << 4
		align       = 1 << 5 // to the top of the second
		rising      = 1 << 6
	) // isFreq, bit 3, and the grid, bits 7 to 10, are 0: a period, and UTC
	binary.LittleEndian.PutUint32(p[28:], active|lockGNSS|lockedOther|isLength|align|rising)
	return AppendFrame(nil, ClassCFG, CfgTP5, p)
}

// What a survey of the antenna's position takes at least: so long, s, and a
// mean that is so certain, mm. A metre of position is 3 ns of time.
const (
	surveySeconds = 3600
	surveyLimit   = 5000
)

// The time modes, in CFG-TMODE2, CFG-TMODE3 and the key TModeMode.
const (
	timeModeOff    = 0
	timeModeSurvey = 1
)

// SurveyTMODE2 begins a survey of the position on timing receivers of
// generation 8 and before.
func SurveyTMODE2() []byte {
	p := make([]byte, 28)
	p[0] = timeModeSurvey
	binary.LittleEndian.PutUint32(p[20:], surveySeconds)
	binary.LittleEndian.PutUint32(p[24:], surveyLimit)
	return AppendFrame(nil, ClassCFG, CfgTMODE2, p)
}

// SurveyTMODE3 does the same on high precision receivers of generation 8.
func SurveyTMODE3() []byte {
	p := make([]byte, 40)
	p[2] = timeModeSurvey
	binary.LittleEndian.PutUint32(p[24:], surveySeconds)
	binary.LittleEndian.PutUint32(p[28:], surveyLimit*10) // 0.1 mm
	return AppendFrame(nil, ClassCFG, CfgTMODE3, p)
}

// Surveyed says whether an answer to a poll of the time mode (CFG-TMODE2,
// CFG-TMODE3, or CFG-VALGET of TModeMode) names a position that is known or
// being surveyed. A survey that is begun anew would throw that away.
func Surveyed(id byte, p []byte) bool {
	switch {
	case id == CfgTMODE2 && len(p) == 28:
		return p[0] != timeModeOff
	case id == CfgTMODE3 && len(p) == 40:
		return p[2] != timeModeOff
	case id == CfgVALGET && len(p) == 9 && Key(binary.LittleEndian.Uint32(p[4:])) == TModeMode:
		return p[8] != timeModeOff
	}
	return false
}
