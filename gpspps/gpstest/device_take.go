package gpstest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// take takes one message of what came in and says whether there was one.
func (d *Device) take() bool {
	start := bytes.IndexByte(d.came, '$')
	frame := bytes.Index(d.came, []byte{0xb5, 0x62})
	switch {
	case frame >= 0 && (start < 0 || frame < start):
		return d.takeFrame(frame)
	case start >= 0:
		end := bytes.IndexByte(d.came[start:], '\n')
		if end < 0 {
			return false
		}
		line := strings.TrimRight(string(d.came[start+1:start+end]), "\r")
		d.came = d.came[start+end+1:]
		body, sum, _ := strings.Cut(line, "*")
		if sum == fmt.Sprintf("%02X", nmea.Checksum([]byte(body))) && d.listens() {
			d.sentence(body)
		}
		return true
	}
	return false
}

// listens says whether it hears the next message, and counts it.
func (d *Device) listens() bool {
	if d.deafness > 0 {
		d.deafness--
		return false
	}
	return d.Model.Speech != Mute
}

func (d *Device) takeFrame(at int) bool {
	b := d.came[at:]
	if len(b) < 8 {
		return false
	}
	n := 8 + int(binary.LittleEndian.Uint16(b[4:]))
	if len(b) < n {
		return false
	}
	f := slices.Clone(b[:n])
	d.came = b[n:]
	if d.Model.Speech != UBX && d.Model.Speech != UBXKeys ||
		!bytes.Equal(f, ubx.AppendFrame(nil, f[2], f[3], f[6:n-2])) || !d.listens() {
		return true
	}
	d.heard++
	class, id, p := f[2], f[3], f[6:n-2]
	if class == ubx.ClassMON && id == ubx.MonVER && len(p) == 0 {
		d.send(ubx.AppendFrame(nil, class, id, monVer(d.Model.Version)))
		return true
	}
	if class != ubx.ClassCFG {
		return true
	}
	ok := !d.Model.Refuses && d.set(id, p)
	ack := byte(ubx.AckNAK)
	if ok {
		ack = ubx.AckACK
	}
	d.send(ubx.AppendFrame(nil, ubx.ClassACK, ack, []byte{class, id}))
	return true
}

// monVer is the payload of UBX-MON-VER.
func monVer(lines []string) []byte {
	out := make([]byte, 40)
	for i, s := range lines {
		switch i {
		case 0:
			copy(out[:30], s)
		case 1:
			copy(out[30:], s)
		default:
			var line [30]byte
			copy(line[:], s)
			out = append(out, line[:]...)
		}
	}
	return out
}

func (d *Device) never(what string) { d.forbid = append(d.forbid, what) }

// set takes a message of class CFG.
func (d *Device) set(id byte, p []byte) bool {
	le := binary.LittleEndian
	switch {
	case id == 0x00 || id == 0x09 || id == 0x04: // CFG-PRT, CFG-CFG, CFG-RST
		d.never(fmt.Sprintf("UBX-CFG %02x", id))
		return false
	case id == ubx.CfgVALSET && d.Model.Speech == UBXKeys:
		return d.setKeys(p)
	case id == ubx.CfgVALGET && d.Model.Speech == UBXKeys && len(p) == 8:
		if ubx.Key(le.Uint32(p[4:])) != ubx.TModeMode || !d.Model.Timing {
			return false
		}
		out := append([]byte{1, 0, 0, 0}, p[4:]...)
		d.send(ubx.AppendFrame(nil, ubx.ClassCFG, id, append(out, bit(d.now.Survey))))
		return true
	case d.Model.Speech == UBXKeys:
		return false // messages of before are not known any more
	case id == ubx.CfgMSG && len(p) == 3:
		return d.setMessage([2]byte(p), int(p[2]))
	case id == ubx.CfgRATE && len(p) == 6:
		d.now.Interval = time.Duration(le.Uint16(p)) * time.Duration(le.Uint16(p[2:])) * time.Millisecond
		return d.now.Interval >= 100*time.Millisecond
	case id == ubx.CfgNAV5 && len(p) == 36:
		d.now.Still = p[0]&1 != 0 && p[2] == ubx.ModelStationary
		return true
	case id == ubx.CfgTP5 && len(p) == 1:
		out := make([]byte, 32)
		out[1] = 1
		le.PutUint16(out[4:], uint16(d.now.Cable))
		d.send(ubx.AppendFrame(nil, ubx.ClassCFG, id, out))
		return true
	case id == ubx.CfgTP5 && len(p) == 32:
		flags := le.Uint32(p[28:])
		d.now.Cable = int(int16(le.Uint16(p[4:])))
		d.now.OnlyFixed = flags&0x7f == 0x77 && le.Uint32(p[12:]) == 1e6 && le.Uint32(p[16:]) == 0 && le.Uint32(p[20:]) > 0
		d.now.UTC = flags>>7&0xf == 0
		return true
	case id == ubx.CfgTMODE2 && d.Model.Timing && len(p) == 0:
		out := make([]byte, 28)
		out[0] = bit(d.now.Survey)
		d.send(ubx.AppendFrame(nil, ubx.ClassCFG, id, out))
		return true
	case id == ubx.CfgTMODE2 && d.Model.Timing && len(p) == 28:
		if d.now.Survey {
			d.never("a survey anew")
		}
		d.now.Survey = p[0] == 1 && le.Uint32(p[20:]) >= 60 && le.Uint32(p[24:]) > 0
		return d.now.Survey
	}
	return false
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// ubloxSentences are the formatters of class F0.
var ubloxSentences = map[byte]string{0: "GGA", 1: "GLL", 2: "GSA", 3: "GSV", 4: "RMC", 5: "VTG", 6: "GRS", 7: "GST", 8: "ZDA", 9: "GBS", 0x0a: "DTM", 0x0d: "GNS", 0x0f: "VLW"}

func (d *Device) setMessage(id [2]byte, every int) bool {
	if id[0] == 0xf0 {
		f, ok := ubloxSentences[id[1]]
		if ok {
			d.now.Sentences[f] = every
		}
		return ok
	}
	if _, ok := frameLengths[id]; !ok || id[0] == 0x27 || id == [2]byte{0x0a, 0x38} {
		return false // of a later generation
	}
	d.now.Frames[id] = every
	return true
}

// keys of messages on UART1.
var (
	keySentences = map[ubx.Key]string{
		ubx.OutGGA: "GGA", ubx.OutGLL: "GLL", ubx.OutGSA: "GSA", ubx.OutGSV: "GSV", ubx.OutRMC: "RMC", ubx.OutVTG: "VTG", ubx.OutGRS: "GRS",
		ubx.OutGST: "GST", ubx.OutZDA: "ZDA", ubx.OutGBS: "GBS", ubx.OutDTM: "DTM", ubx.OutGNS: "GNS", ubx.OutVLW: "VLW",
	}
	keyFrames = map[ubx.Key][2]byte{
		ubx.OutNavPVT: {0x01, 0x07}, ubx.OutNavSAT: {0x01, 0x35}, ubx.OutNavTIMELS: {0x01, 0x26}, ubx.OutTimTP: {0x0d, 0x01},
		ubx.OutMonRF: {0x0a, 0x38}, ubx.OutSecSIG: {0x27, 0x09},
	}
)

// portOf says which port a message's key is for.
func portOf(k ubx.Key) (ubx.Port, bool) {
	for _, p := range []ubx.Port{ubx.UART1, ubx.UART2, ubx.USB} {
		_, sentence := keySentences[k-ubx.Key(p)]
		_, frame := keyFrames[k-ubx.Key(p)]
		if sentence || frame {
			return p, true
		}
	}
	return 0, false
}

// setKeys takes a CFG-VALSET, all of it or nothing.
func (d *Device) setKeys(p []byte) bool {
	if len(p) > 1 && p[1] != ubx.LayerRAM {
		d.never(fmt.Sprintf("UBX-CFG-VALSET in layers %#x", p[1]))
	}
	list, ok := ubx.Settings(p)
	if !ok {
		return false
	}
	s := d.now
	s.Sentences, s.Frames = maps.Clone(s.Sentences), maps.Clone(s.Frames)
	values := map[ubx.Key]uint32{}
	for _, x := range list {
		k := x.Key
		if k>>16 == 0x2091 {
			port, ok := portOf(k)
			if !ok || k-ubx.Key(port) == ubx.OutSecSIG && d.Model.Name == NeoM9N.Name {
				return false
			}
			if port == d.Model.Port {
				if f, ok := keySentences[k-ubx.Key(port)]; ok {
					s.Sentences[f] = int(x.Value)
				} else {
					s.Frames[keyFrames[k-ubx.Key(port)]] = int(x.Value)
				}
			}
			continue
		}
		values[k] = x.Value
	}
	if v, ok := values[ubx.RateMeas]; ok {
		s.Interval = time.Duration(v) * time.Millisecond
	}
	if v, ok := values[ubx.DynModel]; ok {
		s.Still = v == ubx.ModelStationary
	}
	if v, ok := values[ubx.TPCableDelay]; ok {
		s.Cable = int(v)
	}
	if v, ok := values[ubx.TModeMode]; ok {
		if !d.Model.Timing {
			return false
		}
		if s.Survey {
			d.never("a survey anew")
		}
		s.Survey = v == 1 && values[ubx.TModeMinDuration] >= 60 && values[ubx.TModeLimit] > 0
	}
	if v, ok := values[ubx.TPLen]; ok {
		s.OnlyFixed = v == 0 && values[ubx.TPPeriodLock] == 1e6 && values[ubx.TPLenLock] > 0 && values[ubx.TPUseLocked] == 1 && values[ubx.TPSyncGNSS] == 1 &&
			values[ubx.TPPulseLengthDef] == 1 && values[ubx.TPAlign] == 1 && values[ubx.TPPolarity] == 1 && values[ubx.TPEnable] == 1
		grid, ok := values[ubx.TPTimeGrid]
		s.UTC = ok && grid == 0
	}
	d.now = s
	return true
}

// sentence takes a command in sentences.
func (d *Device) sentence(body string) {
	name, rest, _ := strings.Cut(body, ",")
	f := strings.Split(rest, ",")
	switch {
	case strings.HasPrefix(name, "PMTK") && d.Model.Speech == PMTK:
		d.pmtk(name[4:], f)
	case strings.HasPrefix(name, "PAIR") && d.Model.Speech == PAIR:
		d.pair(name[4:], f)
	case strings.HasPrefix(name, "PQTM"):
		d.pqtm(name, f)
	default:
		return
	}
	d.heard++
}

// version answers a question for the version.
func (d *Device) version(prefix string) bool {
	for _, v := range d.Model.Version {
		if strings.HasPrefix(v, prefix) {
			d.say("%s", v)
			return true
		}
	}
	return false
}

func (d *Device) pmtk(cmd string, f []string) {
	flag := 3
	switch {
	case cmd == "605":
		d.version("PMTK705")
		return
	case cmd == "314" && len(f) == 19:
		for i, name := range []string{"GLL", "RMC", "VTG", "GGA", "GSA", "GSV", "GRS", "GST"} {
			d.now.Sentences[name] = number(f[i])
		}
		d.now.Sentences["ZDA"] = number(f[17])
	case cmd == "220":
		d.now.Interval = time.Duration(number(f[0])) * time.Millisecond
	case cmd == "285" && len(f) == 2:
		d.now.OnlyFixed, d.now.UTC = f[0] == "3" || f[0] == "2", true
	case cmd == "251":
		d.never("PMTK251")
	default:
		flag = 1
	}
	d.say("PMTK001,%s,%d", cmd, flag)
}

func (d *Device) pair(cmd string, f []string) {
	result := 0
	switch {
	case cmd == "021":
		d.say("PAIR001,021,0")
		d.version("PAIR021")
		return
	case cmd == "062" && len(f) == 2:
		i := number(f[0])
		if names := []string{"GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA", "GRS", "GST"}; i < len(names) {
			d.now.Sentences[names[i]] = number(f[1])
		} else {
			result = 4
		}
	case cmd == "050":
		d.now.Interval = time.Duration(number(f[0])) * time.Millisecond
	case cmd == "752" && len(f) == 2:
		d.now.OnlyFixed, d.now.UTC = f[0] == "3" || f[0] == "2", true
	case cmd == "080":
		result = 4
	case cmd == "513" || cmd == "511" || cmd == "864":
		d.never("PAIR" + cmd)
	default:
		result = 3
	}
	d.say("PAIR001,%s,%d", cmd, result)
}

func (d *Device) pqtm(name string, f []string) {
	switch {
	case name == "PQTMVERNO":
		d.version("PQTMVERNO")
	case d.Model.Speech != PQTM:
	case name == "PQTMCFGMSGRATE" && len(f) == 3 && f[0] == "W":
		d.now.Sentences[f[1]] = number(f[2])
		d.say("%s,OK", name)
	case name == "PQTMCFGPPS" && len(f) == 7 && f[0] == "W":
		d.now.OnlyFixed, d.now.UTC = f[2] == "1" && f[4] == "2" && f[5] == "1", true
		d.say("%s,OK", name)
	case name == "PQTMSAVEPAR" || name == "PQTMSRR":
		d.never(name)
	default:
		d.say("%s,ERROR,1", name)
	}
}

// number is a field's; 0 where it is none, or not positive.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
