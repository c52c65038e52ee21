package ubx

import (
	"encoding/binary"
	"slices"
)

// Key names one setting of a receiver of generation 9 or later. Bits 28 to 30
// say how large its value is.
type Key uint32

// The keys, from "u-blox F9 high precision timing receiver, Interface
// description" (UBX-21048598) and "u-blox M10 standard precision GNSS receiver,
// Interface description" (UBX-21035062), section "Configuration interface".
const (
	RateMeas    Key = 0x30210001 // ms
	RateNav     Key = 0x30210002 // measurements a fix
	RateTimeRef Key = 0x20210003 // 0 UTC

	DynModel Key = 0x20110021

	TPPulseDef       Key = 0x20050023 // 0 a period, 1 a frequency
	TPPulseLengthDef Key = 0x20050030 // 0 a ratio, 1 a length
	TPCableDelay     Key = 0x30050001 // ns
	TPPeriod         Key = 0x40050002 // us, not locked
	TPPeriodLock     Key = 0x40050003 // us, locked
	TPLen            Key = 0x40050004 // us, not locked; 0: no pulse
	TPLenLock        Key = 0x40050005 // us, locked
	TPEnable         Key = 0x10050007
	TPSyncGNSS       Key = 0x10050008
	TPUseLocked      Key = 0x10050009
	TPAlign          Key = 0x1005000a // to the top of the second
	TPPolarity       Key = 0x1005000b // 1 rising
	TPTimeGrid       Key = 0x2005000c // 0 UTC

	TModeMode        Key = 0x20030001
	TModeMinDuration Key = 0x40030010 // s
	TModeLimit       Key = 0x40030011 // 0.1 mm

	// Messages on UART1, every so manieth fix; see Key.On.
	OutGGA       Key = 0x209100bb
	OutGLL       Key = 0x209100ca
	OutGSA       Key = 0x209100c0
	OutGSV       Key = 0x209100c5
	OutRMC       Key = 0x209100ac
	OutVTG       Key = 0x209100b1
	OutGRS       Key = 0x209100cf
	OutGST       Key = 0x209100d4
	OutZDA       Key = 0x209100d9
	OutGBS       Key = 0x209100de
	OutDTM       Key = 0x209100a7
	OutGNS       Key = 0x209100b6
	OutVLW       Key = 0x209100e8
	OutNavPVT    Key = 0x20910007
	OutNavSAT    Key = 0x20910016
	OutNavTIMELS Key = 0x20910061
	OutTimTP     Key = 0x2091017e
	OutMonRF     Key = 0x2091035a
	OutSecSIG    Key = 0x20910635
)

// Port is one of a receiver's ports.
type Port uint8

// The ports, in the order of the keys that each message has for them; I2C is
// before them and SPI behind.
const (
	UART1 Port = iota
	UART2
	USB
)

// On is a message's key for another port than UART1.
func (k Key) On(p Port) Key { return k + Key(p) }

// Setting is a key and its value.
type Setting struct {
	Key   Key
	Value uint32
}

// MostSettings is how many settings go into one message.
const MostSettings = 64

// LayerRAM is the layer of CFG-VALSET that is gone with the power; the others
// are never written.
const LayerRAM = 0x01

// Set is the CFG-VALSET messages, in RAM alone, that have these settings, as
// many as it takes. A receiver takes all of a message or, if it does not know
// one key, nothing.
func Set(settings ...Setting) (frames [][]byte) {
	for some := range slices.Chunk(settings, MostSettings) {
		p := []byte{0, LayerRAM, 0, 0}
		for _, s := range some {
			p = binary.LittleEndian.AppendUint32(p, uint32(s.Key))
			p = append(p, binary.LittleEndian.AppendUint32(nil, s.Value)[:s.Key.size()]...)
		}
		frames = append(frames, AppendFrame(nil, ClassCFG, CfgVALSET, p))
	}
	return frames
}

// Get polls the value of a key in RAM.
func Get(k Key) []byte {
	p := binary.LittleEndian.AppendUint32([]byte{0, 0, 0, 0}, uint32(k))
	return AppendFrame(nil, ClassCFG, CfgVALGET, p)
}

// size is how many bytes a value takes. Keys with eight are not in use here.
func (k Key) size() int {
	switch k >> 28 & 7 {
	case 3:
		return 2
	case 4:
		return 4
	}
	return 1 // a bit, or a byte
}

// Settings reads back what a CFG-VALSET sets; ok is whether it is one, whole,
// and for RAM alone.
func Settings(payload []byte) (list []Setting, ok bool) {
	if len(payload) < 4 || payload[0] != 0 || payload[1] != LayerRAM {
		return nil, false
	}
	for p := payload[4:]; len(p) > 0; {
		if len(p) < 4 || len(list) == MostSettings {
			return nil, false
		}
		k := Key(binary.LittleEndian.Uint32(p))
		n := 4 + k.size()
		if len(p) < n {
			return nil, false
		}
		var v [4]byte
		copy(v[:], p[4:n])
		list = append(list, Setting{k, binary.LittleEndian.Uint32(v[:])})
		p = p[n:]
	}
	return list, true
}

// PulseSettings are a pulse at the start of each second of UTC, rising, and
// none without a lock.
func PulseSettings() []Setting {
	return []Setting{
		{TPPulseDef, 0}, {TPPulseLengthDef, 1},
		{TPPeriod, 1_000_000}, {TPPeriodLock, 1_000_000},
		{TPLen, 0}, {TPLenLock, PulseLength},
		{TPSyncGNSS, 1}, {TPUseLocked, 1}, {TPAlign, 1}, {TPPolarity, 1}, {TPTimeGrid, 0}, {TPEnable, 1},
	}
}

// RateSettings are one fix a second, on the second of UTC.
func RateSettings() []Setting {
	return []Setting{{RateMeas, 1000}, {RateNav, 1}, {RateTimeRef, 0}}
}

// SurveySettings begin a survey of the antenna's position.
func SurveySettings() []Setting {
	return []Setting{{TModeMinDuration, surveySeconds}, {TModeLimit, surveyLimit * 10}, {TModeMode, timeModeSurvey}}
}
