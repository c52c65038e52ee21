package ubx

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// ID is the class and the number of a message.
type ID struct{ Class, Number byte }

// The messages that are read (u-blox 8/M8 and F9 interface descriptions; SOL
// and POSLLH are what u-blox 4 to 6 have).
var (
	IDNavPOSLLH  = ID{0x01, 0x02}
	IDNavSTATUS  = ID{0x01, 0x03}
	IDNavSOL     = ID{0x01, 0x06}
	IDNavPVT     = ID{0x01, 0x07}
	IDNavTIMEGPS = ID{0x01, 0x20}
	IDNavTIMEUTC = ID{0x01, 0x21}
	IDNavCLOCK   = ID{0x01, 0x22}
	IDNavTIMELS  = ID{0x01, 0x26}
	IDNavSAT     = ID{0x01, 0x35}
	IDNavSVIN    = ID{0x01, 0x3b}
	IDNavEOE     = ID{0x01, 0x61}
	IDAckNAK     = ID{0x05, 0x00}
	IDAckACK     = ID{0x05, 0x01}
	IDMonVER     = ID{0x0a, 0x04}
	IDMonHW      = ID{0x0a, 0x09}
	IDMonRF      = ID{0x0a, 0x38}
	IDTimTP      = ID{0x0d, 0x01}
	IDTimSVIN    = ID{0x0d, 0x04}
	IDSecSIG     = ID{0x27, 0x09}
)

// TOW is a time of the GPS week, which names the epoch that a navigation
// message is of.
type TOW = time.Duration

const week = 7 * 24 * time.Hour

// gpsEpoch is when GPS time began.
var gpsEpoch = time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)

// FixType is the kind of a fix.
type FixType byte

// The kinds.
const (
	FixNone     FixType = iota
	FixReckoned         // dead reckoning only
	Fix2D
	Fix3D
	FixCombined // with dead reckoning
	FixTime     // of the time only: the antenna's place is given
)

// Mode is the kind as gpspps.Fix numbers it.
func (t FixType) Mode() int {
	switch t {
	case Fix2D:
		return 2
	case Fix3D, FixCombined, FixTime:
		return 3
	}
	return 1
}

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func i32(b []byte, at int) int32  { return int32(u32(b, at)) }

// tow reads a time of the week, milliseconds.
func tow(b []byte, at int) TOW { return time.Duration(u32(b, at)) * time.Millisecond }

// accuracy reads an unsigned accuracy in units of unit; 0 if all bits are set,
// which is how a receiver says that it has none.
func accuracy(b []byte, at int, unit float64) float64 {
	if v := u32(b, at); v != math.MaxUint32 {
		return float64(v) * unit
	}
	return 0
}

// place makes a position of 1e-7 degrees and millimetres; not known if it is
// none on earth.
func place(lat, lon, height int32, hAcc float64) gpspps.Position {
	p := gpspps.Position{Known: true, Lat: float64(lat) / 1e7, Lon: float64(lon) / 1e7, Height: float64(height) * 1e-3, Accuracy: hAcc}
	if math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180 {
		return gpspps.Position{}
	}
	return p
}

// calendar reads year, month, day, hour, minute, second and a signed number of
// nanoseconds; ok is false if no calendar has it.
func calendar(b []byte, at int, ns int32) (t time.Time, ok bool) {
	y, mo, d := int(u16(b, at)), int(b[at+2]), int(b[at+3])
	h, mi, s := int(b[at+4]), int(b[at+5]), int(b[at+6])
	if mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || s > 60 || ns < -1e9 || ns > 1e9 {
		return time.Time{}, false
	}
	t = time.Date(y, time.Month(mo), d, h, mi, s, 0, time.UTC)
	return t.Add(time.Duration(ns)), time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC).Day() == d
}

// PVT is NAV-PVT: time and position of an epoch.
type PVT struct {
	TOW         TOW
	Time        time.Time // UTC; zero if no calendar has it
	ValidDate   bool
	ValidTime   bool
	Resolved    bool    // the second is known, leap seconds and all
	Accuracy    float64 // of Time, seconds; 0 unknown
	Type        FixType
	OK          bool // the fix is within the receiver's limits
	ConfirmedOK bool // Confirmed* mean something
	Confirmed   bool // date and time were confirmed by another source
	Used        int  // satellites
	Position    gpspps.Position
}

// ReadPVT reads NAV-PVT.
func ReadPVT(b []byte) (m PVT, ok bool) {
	if len(b) < 84 {
		return m, false
	}
	m.TOW = tow(b, 0)
	m.Accuracy = accuracy(b, 12, 1e-9)
	m.ValidDate, m.ValidTime, m.Resolved = b[11]&1 != 0, b[11]&2 != 0, b[11]&4 != 0
	m.Time, ok = calendar(b, 4, i32(b, 16))
	if !ok {
		m.Time, m.ValidDate, m.ValidTime = time.Time{}, false, false
	}
	m.Type, m.OK = FixType(b[20]), b[21]&1 != 0
	m.ConfirmedOK = b[22]&0x20 != 0
	m.Confirmed = b[22]&0xc0 == 0xc0
	m.Used = int(b[23])
	m.Position = place(i32(b, 28), i32(b, 24), i32(b, 36), accuracy(b, 40, 1e-3))
	return m, true
}

// POSLLH is NAV-POSLLH: the position of an epoch.
type POSLLH struct {
	TOW      TOW
	Position gpspps.Position
}

// ReadPOSLLH reads NAV-POSLLH.
func ReadPOSLLH(b []byte) (m POSLLH, ok bool) {
	if len(b) < 28 {
		return m, false
	}
	return POSLLH{tow(b, 0), place(i32(b, 8), i32(b, 4), i32(b, 16), accuracy(b, 20, 1e-3))}, true
}

// SOL is NAV-SOL: what u-blox 4 to 7 say of an epoch.
type SOL struct {
	TOW      TOW // with its nanoseconds
	Epoch    TOW // without: what other messages of the epoch have
	Week     int // GPS
	WeekOK   bool
	TOWOK    bool
	Type     FixType
	OK       bool
	Used     int
	Position gpspps.Position
}

// ReadSOL reads NAV-SOL.
func ReadSOL(b []byte) (m SOL, ok bool) {
	if len(b) < 52 {
		return m, false
	}
	m.Epoch = tow(b, 0)
	m.TOW = m.Epoch + time.Duration(i32(b, 4))
	m.Week = int(int16(u16(b, 8)))
	m.Type = FixType(b[10])
	m.OK, m.WeekOK, m.TOWOK = b[11]&1 != 0, b[11]&4 != 0, b[11]&8 != 0
	m.Used = int(b[47])
	m.Position = geodetic(float64(i32(b, 12))/100, float64(i32(b, 16))/100, float64(i32(b, 20))/100)
	if m.Position.Known {
		m.Position.Accuracy = accuracy(b, 24, 1e-2)
	}
	return m, true
}

// geodetic is the position of earth-centred coordinates, metres, by Bowring's
// formula (WGS 84): right to a millimetre near the ground. Its height is not
// that above the sea and left out. What lies a hundred kilometres off the
// ground is no position.
func geodetic(x, y, z float64) gpspps.Position {
	const (
		a  = 6378137.0
		f  = 1 / 298.257223563
		b  = a * (1 - f)
		e2 = f * (2 - f)
		d2 = e2 / (1 - e2)
	)
	p := math.Hypot(x, y)
	if r := math.Hypot(p, z); r < b-100e3 || r > a+100e3 {
		return gpspps.Position{}
	}
	sin, cos := math.Sincos(math.Atan2(z*a, p*b))
	lat := math.Atan2(z+d2*b*sin*sin*sin, p-e2*a*cos*cos*cos)
	return gpspps.Position{Known: true, Lat: lat * 180 / math.Pi, Lon: math.Atan2(y, x) * 180 / math.Pi}
}

// Status is NAV-STATUS: what the fix is worth.
type Status struct {
	TOW    TOW
	Type   FixType
	OK     bool
	WeekOK bool
	TOWOK  bool
	Spoof  Spoof
	Uptime time.Duration
}

// Spoof is what a receiver thinks of its signals.
type Spoof byte

// What it may think.
const (
	SpoofUnknown Spoof = iota
	SpoofNone
	SpoofIndicated
	SpoofAffirmed // by several signs
)

// Suspected says whether there is a sign of spoofing.
func (s Spoof) Suspected() bool { return s >= SpoofIndicated }

// ReadStatus reads NAV-STATUS.
func ReadStatus(b []byte) (m Status, ok bool) {
	if len(b) < 16 {
		return m, false
	}
	return Status{
		TOW: tow(b, 0), Type: FixType(b[4]),
		OK: b[5]&1 != 0, WeekOK: b[5]&4 != 0, TOWOK: b[5]&8 != 0,
		Spoof: Spoof(b[7] >> 3 & 3), Uptime: tow(b, 12),
	}, true
}

// Sat is NAV-SAT: the satellites.
type Sat struct {
	TOW  TOW
	Used int
	Seen int // heard, or above the horizon
	list []byte
}

// SV is one satellite of NAV-SAT.
type SV struct {
	GNSS      int // as the protocol numbers the systems
	Number    int
	CN0       int // dB Hz; 0 not heard
	Elevation int // degrees; out of -90 to 90: not known
	Azimuth   int // degrees from north by east; out of 0 to 360: not known
	Used      bool
}

const satEach = 12 // bytes of each satellite

// Len is how many satellites there are; Satellite is one of them, good as long as
// the payload.
func (m *Sat) Len() int { return len(m.list) / satEach }
func (m *Sat) Satellite(i int) SV {
	s := m.list[i*satEach:]
	return SV{
		GNSS: int(s[0]), Number: int(s[1]), CN0: int(s[2]), Elevation: int(int8(s[3])), Azimuth: int(int16(u16(s, 4))),
		Used: u32(s, 8)&8 != 0,
	}
}

// ReadSat reads NAV-SAT.
func ReadSat(b []byte) (m Sat, ok bool) {
	const head = 8
	if len(b) < head {
		return m, false
	}
	m.TOW = tow(b, 0)
	n := int(b[5])
	if len(b) < head+n*satEach {
		return m, false
	}
	m.list = b[head : head+n*satEach]
	for i := range n {
		s := m.Satellite(i)
		if s.CN0 > 0 || s.Elevation > 0 && s.Elevation <= 90 {
			m.Seen++
		}
		if s.Used {
			m.Used++
		}
	}
	return m, true
}

// Svin is NAV-SVIN or TIM-SVIN: how far a survey of the antenna's place is.
type Svin struct {
	Duration     time.Duration
	Observations int
	Accuracy     float64    // of the mean, metres; 0 unknown
	ECEF         [3]float64 // mean, earth-centred, metres
	Valid        bool
	Active       bool
}

// ReadNavSvin reads NAV-SVIN.
func ReadNavSvin(b []byte) (m Svin, ok bool) {
	if len(b) < 40 {
		return m, false
	}
	m.Duration = time.Duration(u32(b, 8)) * time.Second
	for i := range m.ECEF {
		m.ECEF[i] = float64(i32(b, 12+4*i))/100 + float64(int8(b[24+i]))/1e4
	}
	m.Accuracy = accuracy(b, 28, 1e-4)
	m.Observations = int(u32(b, 32))
	m.Valid, m.Active = b[36] != 0, b[37] != 0
	return m, true
}
