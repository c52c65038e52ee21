package receiver

import (
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// family is the language in which a receiver is configured.
type family uint8

const (
	unknown  family = iota
	ublox           // UBX, with messages of their own for each setting: generations 6 to 8
	ubloxKey        // UBX, with keys: generation 9 and later
	mediatek        // PMTK: MT3333 and MT3339, as in Quectel's L76, L80 and L86
	airoha          // PAIR: AG3335 and AG3352, as in Quectel's LC29H and LC76G
	quectel         // PQTM: LG290P and its kin
)

// identity is what a receiver says that it is.
type identity struct {
	family family
	name   string // for people
	timing timing
}

// timing is how a receiver takes a position that is known.
type timing uint8

const (
	noTiming timing = iota
	tmode2          // CFG-TMODE2
	tmode3          // CFG-TMODE3
	tmodeKey        // the keys CFG-TMODE
)

// The indexes of probes.
const (
	probeUBX = iota
	probePQTM
	probePAIR
	probePMTK
)

// probes ask for the version. To a receiver of another make each of them is
// noise, or a sentence that it does not know: none changes anything.
var probes = [][]byte{
	probeUBX:  ubx.Poll(ubx.ClassMON, ubx.MonVER),
	probePQTM: nmea.AppendSentence(nil, "PQTMVERNO"),
	probePAIR: nmea.AppendSentence(nil, "PAIR021"),
	probePMTK: nmea.AppendSentence(nil, "PMTK605"),
}

// suspect notes in which language to ask first.
func (c *Configurator) suspect(probe int) {
	if c.phase == Listening {
		c.hint = probe
	}
}

// frame takes one of UBX.
func (c *Configurator) frame(class, id byte, p []byte) {
	c.suspect(probeUBX)
	switch {
	case class == ubx.ClassMON && id == ubx.MonVER && c.phase == Asking:
		c.who = fromMonVer(p)
	case class == ubx.ClassACK && len(p) == 2 && (id == ubx.AckACK || id == ubx.AckNAK):
		v := agreed
		if id == ubx.AckNAK {
			v = refused
		}
		c.answer(ubxKey(p[0], p[1]), v)
	case class == ubx.ClassCFG && c.phase == Setting && len(p) <= 64:
		c.payload, c.polled = append(c.payload[:0], p...), id
	}
}

// ubxKey is the key of an answer to a frame.
func ubxKey(class, id byte) string { return string([]byte{'u', class, id}) }

// introduced takes a TXT sentence, in which u-blox receivers say what they are
// when they start.
func (c *Configurator) introduced(rest []byte) {
	if strings.Contains(string(rest), "u-blox") {
		c.suspect(probeUBX)
		c.booted = true
	}
}

// proprietary takes a maker's own sentence.
func (c *Configurator) proprietary(name string, rest []byte) {
	f := strings.Split(string(rest), ",")
	switch {
	case strings.HasPrefix(name, "PQTM"):
		c.suspect(probePQTM)
		switch {
		case name == "PQTMVERNO" && f[0] != "" && f[0] != "ERROR" && c.phase == Asking:
			c.who = fromPQTM(f[0])
		case f[0] == "OK":
			c.answer(name, agreed)
		case f[0] == "ERROR":
			c.answer(name, refused)
		}
	case strings.HasPrefix(name, "PAIR"):
		c.suspect(probePAIR)
		switch {
		case (name == "PAIR021" || name == "PAIR020") && f[0] != "" && c.phase == Asking:
			c.who = identity{family: airoha, name: "Airoha " + plain(f[0])}
		case name == "PAIR001": // 0 done, 1 being done, 2 failed, 3 unknown, 4 not like that, 5 busy
			c.result("PAIR", f, "0", "234")
		case name == "PAIR010": // sent when it starts
			c.booted = true
		}
	case strings.HasPrefix(name, "PMTK"):
		c.suspect(probePMTK)
		switch {
		case name == "PMTK705" && f[0] != "" && c.phase == Asking:
			c.who = fromPMTK(f)
		case name == "PMTK001": // 0 not like that, 1 unknown, 2 failed, 3 done
			c.result("PMTK", f, "3", "012")
		case name == "PMTK010" && f[0] == "001": // it has started
			c.booted = true
		}
	}
}

// result takes an answer that names a command and a digit.
func (c *Configurator) result(maker string, f []string, good, bad string) {
	switch {
	case len(f) < 2 || len(f[1]) != 1:
	case strings.Contains(good, f[1]):
		c.answer(maker+f[0], agreed)
	case strings.Contains(bad, f[1]):
		c.answer(maker+f[0], refused)
	}
}

// fromMonVer reads UBX-MON-VER: 30 bytes of software, 10 of hardware, and lines
// of 30, as "FWVER=TIM 1.10" or "PROTVER=22.00"; of older ones "PROTVER 15.00".
func fromMonVer(p []byte) identity {
	const software, hardware, line = 30, 10, 30
	if len(p) < software+hardware {
		return identity{}
	}
	firmware, version, model := "", plain(text(p[:software])), ""
	for rest := p[software+hardware:]; len(rest) >= line; rest = rest[line:] {
		s := text(rest[:line])
		switch {
		case strings.HasPrefix(s, "FWVER="):
			firmware = s[len("FWVER="):]
			version = plain(firmware)
		case strings.HasPrefix(s, "MOD="):
			model = plain(s[len("MOD="):])
		}
	}
	protocol := protocol(p[software+hardware:])
	generation := text(p[software : software+hardware])
	if model == "" {
		model = map[string]string{"00040005": "6", "00040007": "6", "00070000": "7", "00080000": "M8", "00190000": "F9", "000A0000": "M10"}[generation]
	}
	version, _, _ = strings.Cut(version, " (")
	who := identity{family: ublox, name: strings.TrimSpace("u-blox " + model)}
	if version != "" {
		who.name += " (" + version + ")"
	}
	if protocol >= firstKeys {
		who.family = ubloxKey
	}
	maker, _, _ := strings.Cut(firmware, " ")
	switch {
	case maker != "TIM" && maker != "FTS" && maker != "HPG":
	case who.family == ubloxKey:
		who.timing = tmodeKey
	case maker == "HPG":
		who.timing = tmode3
	default:
		who.timing = tmode2
	}
	return who
}

// firstKeys is the first protocol version of generation 9.
const firstKeys = 27

// protocol is the version of the protocol among the lines of MON-VER; 0 unknown.
func protocol(lines []byte) int {
	for ; len(lines) >= 30; lines = lines[30:] {
		s, ok := strings.CutPrefix(text(lines[:30]), "PROTVER")
		if !ok || len(s) < 2 || s[0] != '=' && s[0] != ' ' {
			continue
		}
		whole, _, _ := strings.Cut(s[1:], ".")
		if n, err := strconv.Atoi(whole); err == nil && n > 0 && n < 1000 {
			return n
		}
	}
	return 0
}

// text is what stands before the first zero.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.TrimSpace(s)
}

// fromPQTM reads a product's code, as LC29HAANR11A05S.
func fromPQTM(code string) identity {
	who := identity{family: airoha, name: "Quectel " + plain(code)}
	if strings.HasPrefix(code, "LG") {
		who.family = quectel
	}
	return who
}

// fromPMTK reads PMTK705: release, build, model, SDK.
func fromPMTK(f []string) identity {
	model := "MediaTek"
	if len(f) > 2 && f[2] != "" {
		model += " " + plain(f[2])
	}
	return identity{family: mediatek, name: model + " (" + plain(f[0]) + ")"}
}

// plain leaves what can be shown, of a length that can.
func plain(s string) string {
	const most = 32
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s[:min(len(s), most)])
}
