package nmea

import (
	"math"

	"github.com/truechimer/truechimer/gpspps"
)

// Type is what a sentence says.
type Type uint8

// The types that are read.
const (
	Other    Type = iota
	TypeRMC       // time, date, position
	TypeZDA       // time and date
	TypeGGA       // time, position, satellites used
	TypeGNS       // the same, of several systems
	TypeGSA       // kind of fix, satellites used
	TypeGSV       // satellites in view
	TypeGST       // errors of the position
	TypePUBX      // PUBX,04: time, date, leap seconds (u-blox)
)

// Sentence is one with the right checksum. Its fields are read once, by the
// method that Type names; they are good as long as its body.
type Sentence struct {
	Type    Type
	Address uint64 // of all its letters: which sentence of a burst this is
	Talker  uint16 // two letters
	f       fields
}

// NoTime is the time of day of a receiver that does not know it.
const NoTime int64 = -1

// Date is a day as a receiver names it: year 0 to 99 or four digits, see
// Resolve. The zero value is none.
type Date struct{ Year, Month, Day int }

// Fix is what RMC, ZDA, GGA, GNS, GST and PUBX,04 say about the time they name.
type Fix struct {
	Clock    int64 // time of day, ns; NoTime
	Date     Date
	Void     bool // the receiver warns of all of it, the time too (RMC, status V)
	OK       bool // the receiver vouches for a fix, and says where (RMC, GGA, GNS)
	Used     int  // satellites; -1 not said
	Position gpspps.Position
	Leap     int  // GPS time less UTC, seconds; 0 not said
	LeapUTC  bool // it comes from the satellites
}

// Read looks at what a body is.
func Read(body []byte) Sentence {
	s := Sentence{f: fields{body}}
	name := s.f.next()
	for _, c := range name[:min(len(name), 8)] {
		s.Address = s.Address<<8 | uint64(c)
	}
	switch {
	case string(name) == "PUBX":
		if n := s.f.next(); string(n) == "04" {
			s.Type = TypePUBX
		} else {
			for _, c := range n[:min(len(n), 2)] {
				s.Address = s.Address<<8 | uint64(c)
			}
		}
	// Addresses with P are makers' own: PGRMC is Garmin's C, not a talker PG.
	case len(name) == 5 && name[0] != 'P':
		s.Talker = uint16(name[0])<<8 | uint16(name[1])
		s.Type = typeOf(string(name[2:]))
	}
	return s
}

func typeOf(name string) Type {
	switch name {
	case "RMC":
		return TypeRMC
	case "ZDA":
		return TypeZDA
	case "GGA":
		return TypeGGA
	case "GNS":
		return TypeGNS
	case "GSA":
		return TypeGSA
	case "GSV":
		return TypeGSV
	case "GST":
		return TypeGST
	}
	return Other
}

// Fix reads a sentence that names a time of day. ok is false if it names none
// that there is.
func (s *Sentence) Fix() (x Fix, ok bool) {
	x.Used = -1
	if x.Clock, ok = clockOf(s.f.next()); !ok {
		return x, false
	}
	switch s.Type {
	case TypeRMC:
		x.rmc(&s.f)
	case TypeZDA:
		x.zda(&s.f)
	case TypeGGA:
		x.gga(&s.f)
	case TypeGNS:
		x.gns(&s.f)
	case TypeGST:
		x.gst(&s.f)
	case TypePUBX:
		x.pubx(&s.f)
	default:
		return x, false
	}
	return x, true
}

// rmc: time, status, latitude, N/S, longitude, E/W, speed, course, ddmmyy,
// magnetic variation, E/W, mode since NMEA 2.3.
func (x *Fix) rmc(f *fields) {
	status := f.next()
	x.Void = string(status) != "A"
	x.Position = position(f)
	f.skip(2)
	x.Date = ddmmyy(f.next())
	f.skip(2)
	mode := f.next()
	x.OK = !x.Void && x.Position.Known && (len(mode) == 0 || measured(mode[0]))
}

// measured says whether the mode of a position is autonomous, differential,
// precise, RTK or float RTK; not none, estimated, manual, simulated or unknown.
func measured(mode byte) bool {
	switch mode {
	case 'A', 'D', 'P', 'R', 'F':
		return true
	}
	return false
}

// zda: time, day, month, four-digit year, local zone.
func (x *Fix) zda(f *fields) {
	dd, ok1 := digits(f.next(), 2)
	mm, ok2 := digits(f.next(), 2)
	yyyy, ok3 := digits(f.next(), 4)
	if ok1 && ok2 && ok3 && yyyy >= 100 {
		x.Date = Date{yyyy, mm, dd}
	}
}

// gga: time, latitude, N/S, longitude, E/W, quality, satellites used, dilution,
// height above mean sea level, M.
func (x *Fix) gga(f *fields) {
	x.Position = position(f)
	quality := f.next()
	used, usedOK := digits(f.next(), 3)
	f.next()
	x.height(f.next())
	if x.Position.Known && len(quality) == 1 && !(usedOK && used == 0) {
		switch quality[0] {
		case '1', '2', '3', '4', '5', '9': // 6 estimated, 7 manual, 8 simulated; 9 some receivers' SBAS
			x.OK = true
		}
	}
	if usedOK {
		x.Used = used
	}
}

// gns: time, latitude, N/S, longitude, E/W, a mode per system, satellites used,
// dilution, height above mean sea level.
func (x *Fix) gns(f *fields) {
	x.Position = position(f)
	modes := f.next()
	used, usedOK := digits(f.next(), 3)
	f.next()
	x.height(f.next())
	for _, m := range modes {
		x.OK = x.OK || measured(m)
	}
	x.OK = x.OK && x.Position.Known && !(usedOK && used == 0)
	if usedOK {
		x.Used = used
	}
}

// height notes metres above mean sea level, if they can be.
func (x *Fix) height(b []byte) {
	if h, ok := decimal(b); ok && x.Position.Known && math.Abs(h) < 100e3 {
		x.Position.Height = h
	}
}

// gst: time, RMS of the ranges, ellipse (major, minor, direction), standard
// deviation of latitude, longitude and height, metres.
func (x *Fix) gst(f *fields) {
	f.skip(4)
	lat, ok1 := decimal(f.next())
	lon, ok2 := decimal(f.next())
	if a := math.Hypot(lat, lon); ok1 && ok2 && lat >= 0 && lon >= 0 && a < 1e6 {
		x.Position.Accuracy = a
	}
}

// pubx: time, ddmmyy, second of the week, week, leap seconds, with a D behind
// them as long as they are the firmware's (u-blox, "PUBX,04 Time of day and
// clock information").
func (x *Fix) pubx(f *fields) {
	x.Date = ddmmyy(f.next())
	f.skip(2)
	leap := f.next()
	byFirmware := len(leap) > 0 && leap[len(leap)-1] == 'D'
	if byFirmware {
		leap = leap[:len(leap)-1]
	}
	if n, ok := digits(leap, 2); ok && n > 0 {
		x.Leap, x.LeapUTC = n, !byFirmware
	}
}

// GSA is the kind of a fix and which satellites it uses.
type GSA struct {
	Mode int        // as gpspps.Fix numbers it
	IDs  [12]uint32 // each with its system in the upper half; 0 none
}

// GSA reads one: manual or automatic, 1 none 2 2D 3 3D, twelve satellites
// used, three dilutions, system since NMEA 4.11.
func (s *Sentence) GSA() (g GSA, ok bool) {
	f := &s.f
	f.next()
	if g.Mode, ok = digits(f.next(), 1); !ok || g.Mode < 1 || g.Mode > 3 {
		return g, false
	}
	for i := range g.IDs {
		if id, ok := digits(f.next(), 3); ok {
			g.IDs[i] = uint32(id)
		}
	}
	f.skip(3)
	system := uint32(s.Talker)
	if b := f.next(); len(b) == 1 {
		system = uint32(b[0])
	}
	for i := range g.IDs {
		if g.IDs[i] > 0 {
			g.IDs[i] |= system << 16
		}
	}
	return g, true
}

// GSV is one part of a list of the satellites in view.
type GSV struct {
	Part, Parts int
	Total       int  // satellites on the list
	Signal      byte // 0 where it names none
	Heard       bool // one of this part at least has a C/N0
	Satellites  [4]InView
	Count       int // of them in this part
}

// InView is one satellite of a list. What it does not say is -1.
type InView struct {
	ID        int // as the sentence's system numbers it
	Elevation int // degrees, 0 to 90
	Azimuth   int // degrees from north by east, 0 to 359
	CN0       int // dB Hz
}

// GSV reads one: parts, part, satellites in view, four fields for each of up
// to four satellites, signal since NMEA 4.11.
func (s *Sentence) GSV() (g GSV, ok bool) {
	f := &s.f
	var ok1, ok2, ok3 bool
	g.Parts, ok1 = digits(f.next(), 2)
	g.Part, ok2 = digits(f.next(), 2)
	g.Total, ok3 = digits(f.next(), 3)
	if !ok1 || !ok2 || !ok3 || g.Part < 1 || g.Part > g.Parts {
		return g, false
	}
	var v InView
	for count := 1; f.rest != nil; count++ {
		x := f.next()
		if f.rest == nil && count%4 == 1 && len(x) == 1 {
			g.Signal = x[0]
		}
		switch count % 4 {
		case 1:
			v = InView{ID: upTo(x, 3, 999)}
		case 2:
			v.Elevation = upTo(x, 2, 90)
		case 3:
			if v.Azimuth = upTo(x, 3, 360); v.Azimuth == 360 {
				v.Azimuth = 0
			}
		case 0:
			g.Heard = g.Heard || len(x) > 0 // C/N0
			if v.CN0 = upTo(x, 2, 99); v.ID > 0 && g.Count < len(g.Satellites) {
				g.Satellites[g.Count] = v
				g.Count++
			}
		}
	}
	return g, true
}

// upTo reads a number of so many digits, 0 to most; -1: it is none.
func upTo(b []byte, width, most int) int {
	if n, ok := digits(b, width); ok && n <= most {
		return n
	}
	return -1
}
