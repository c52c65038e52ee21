package receiver

import (
	"bytes"
	"time"
)

// Antenna is what a receiver that supervises its antenna says of it: by the
// current that goes there, so that one without an amplifier is open.
type Antenna uint8

// What it may say.
const (
	AntennaUnknown Antenna = iota
	AntennaOK
	AntennaShort
	AntennaOpen
)

// antennaAge is for how long a word on the antenna that comes again and again is
// good, ns.
const antennaAge = int64(time.Minute)

// Antenna is the receiver's last word on its antenna at an instant, CLOCK_MONOTONIC
// ns.
func (d *Decoder) Antenna(mono int64) Antenna {
	if k := &d.known; k.antennaStays || mono-k.antennaAt <= antennaAge {
		return k.antenna
	}
	return AntennaUnknown
}

// supervised takes the state in UBX-MON-HW and UBX-MON-RF.
func (k *known) supervised(state int, mono int64) {
	said := antennaStates[min(uint(state), uint(len(antennaStates)-1))]
	if said != AntennaUnknown {
		k.antenna, k.antennaAt, k.antennaStays = said, mono, false
	}
}

// antennaStates is by the protocol's numbers: starting, not known, all right, short, open.
var antennaStates = [...]Antenna{AntennaUnknown, AntennaUnknown, AntennaOK, AntennaShort, AntennaOpen, AntennaUnknown}

var (
	textMark    = []byte("TXT,")
	textStatus  = []byte("ANTSTATUS=") // u-blox, when it changes
	textAntenna = []byte("ANTENNA ")   // AT6558 and others, every second
)

// text takes a TXT sentence that is about the antenna.
func (k *known) text(body []byte, mono int64) {
	if len(body) < 6 || !bytes.Equal(body[2:6], textMark) {
		return
	}
	word, stays := body[bytes.LastIndexByte(body, ',')+1:], false
	if after, ok := bytes.CutPrefix(word, textStatus); ok {
		word, stays = after, true
	} else if word, ok = bytes.CutPrefix(word, textAntenna); !ok {
		return
	}
	said := AntennaUnknown
	switch string(word) {
	case "OK":
		said = AntennaOK
	case "SHORT":
		said = AntennaShort
	case "OPEN":
		said = AntennaOpen
	}
	k.antenna, k.antennaAt, k.antennaStays = said, mono, stays
}
