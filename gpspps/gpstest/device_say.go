package gpstest

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

func fieldsOf(s string) iter.Seq[string] { return strings.FieldsSeq(s) }

// say sends a sentence.
func (d *Device) say(format string, args ...any) {
	d.send(nmea.AppendSentence(nil, fmt.Sprintf(format, args...)))
}

// frames that a u-blox receiver knows, and how long they are, bytes. Those of
// satellites and bands depend on how many there are.
var frameLengths = map[[2]byte]int{
	{0x01, 0x03}: 16,        // NAV-STATUS
	{0x01, 0x07}: 92,        // NAV-PVT
	{0x01, 0x26}: 24,        // NAV-TIMELS
	{0x01, 0x35}: 8 + 12*32, // NAV-SAT
	{0x0a, 0x09}: 60,        // MON-HW
	{0x0a, 0x38}: 4 + 24*2,  // MON-RF
	{0x0d, 0x01}: 16,        // TIM-TP
	{0x27, 0x09}: 12,        // SEC-SIG
}

// burst is what it says of one second.
func (d *Device) burst(second time.Time, rng *rand.Rand) {
	due := func(every int) bool { return every > 0 && d.count%every == 0 }
	for _, id := range [][2]byte{{0x0d, 0x01}, {0x01, 0x07}, {0x01, 0x03}, {0x01, 0x26}, {0x01, 0x35}, {0x0a, 0x09}, {0x0a, 0x38}, {0x27, 0x09}} {
		if due(d.now.Frames[id]) {
			p := payload(id, second)
			d.foretell(id, p, second)
			d.send(ubx.AppendFrame(nil, id[0], id[1], p))
		}
	}
	clock, where := second.UTC().Format("150405.00"), place(rng, 0)
	for _, f := range []string{"RMC", "VTG", "GGA", "GSA", "GSV", "GLL", "GRS", "GST", "ZDA", "GBS", "DTM", "GNS", "VLW"} {
		if !due(d.now.Sentences[f]) {
			continue
		}
		switch f {
		case "RMC":
			d.say("GNRMC,%s,A,%s,0.006,,%s,,,A,V", clock, where, second.UTC().Format("020106"))
		case "VTG":
			d.say("GNVTG,,T,,M,0.006,N,0.011,K,A")
		case "GGA":
			d.say("GNGGA,%s,%s,1,12,0.83,46.1,M,45.5,M,,", clock, where)
		case "GLL":
			d.say("GNGLL,%s,%s,A,A", where, clock)
		case "ZDA":
			d.say("GNZDA,%s,%s,00,00", clock, second.UTC().Format("02,01,2006"))
		case "GSA":
			for i := range d.Model.Systems {
				d.say("GNGSA,A,3,05,12,15,18,20,23,24,25,29,,,,1.43,0.83,1.17,%d", i+1)
			}
		case "GSV":
			for _, t := range []string{"GP", "GL", "GA", "GB", "GQ"}[:d.Model.Systems] {
				for part := range d.Model.PerGSV {
					d.say("%sGSV,%d,%d,%02d,05,08,301,27,12,55,220,44,15,38,293,41,18,26,066,35,1", t, d.Model.PerGSV, part+1, 4*d.Model.PerGSV)
				}
			}
		default:
			d.say("GN%s,%s,,,,,,,", f, clock)
		}
	}
}

// foretell puts a leap second that was announced into NAV-TIMELS.
func (d *Device) foretell(id [2]byte, p []byte, second time.Time) {
	if id != ([2]byte{0x01, 0x26}) || d.leap == 0 || !second.Before(d.leapAt) {
		return
	}
	p[10], p[11] = 2, byte(int8(d.leap)) // by GPS
	binary.LittleEndian.PutUint32(p[12:], uint32(d.leapAt.Sub(second)/time.Second))
}

// payload is a message's; what a station reads of it is filled in.
func payload(id [2]byte, second time.Time) []byte {
	p := make([]byte, frameLengths[id])
	const week = 7 * 24 * 3600
	gps := second.Unix() - time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC).Unix() + leapMax
	tow := uint32(gps%week) * 1000
	switch id {
	case [2]byte{0x01, 0x07}:
		t := second.UTC()
		binary.LittleEndian.PutUint32(p, tow)
		binary.LittleEndian.PutUint16(p[4:], uint16(t.Year()))
		p[6], p[7], p[8], p[9], p[10] = byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second())
		p[11] = 0x07                              // date and time valid, fully resolved
		binary.LittleEndian.PutUint32(p[12:], 25) // accuracy, ns
		p[20], p[21], p[22], p[23] = 3, 0x01, 0xe0, 12
	case [2]byte{0x0d, 0x01}: // of the next second
		binary.LittleEndian.PutUint32(p, tow+1000)
		binary.LittleEndian.PutUint16(p[12:], uint16(gps/week))
		p[14] = 0x03 // UTC, which is known
	case [2]byte{0x01, 0x26}:
		binary.LittleEndian.PutUint32(p, tow)
		p[8], p[9], p[23] = 2, leapMax, 0x03 // from GPS; the count and the change are valid
	case [2]byte{0x01, 0x03}:
		binary.LittleEndian.PutUint32(p, tow)
		p[4], p[5] = 3, 0x0d // a fix that is good, week and time known
	case [2]byte{0x01, 0x35}:
		binary.LittleEndian.PutUint32(p, tow)
		p[4], p[5] = 1, 32
	case [2]byte{0x0a, 0x38}:
		p[1] = 2
	}
	return p
}
