package ubx

import (
	"math"
	"time"
)

// TimeUTC is NAV-TIMEUTC.
type TimeUTC struct {
	TOW      TOW
	Time     time.Time // zero if no calendar has it
	Accuracy float64   // seconds; 0 unknown
	TOWOK    bool
	WeekOK   bool
	UTCOK    bool // the leap seconds are known, if only to the firmware
	// Standard is whose UTC this is: 0 unknown to the receiver, 15 to us.
	// Anything else comes from satellites.
	Standard int
}

// FromSatellites says whether the correction to UTC is one that satellites sent.
func (m *TimeUTC) FromSatellites() bool { return m.UTCOK && m.Standard > 0 && m.Standard < 15 }

// ReadTimeUTC reads NAV-TIMEUTC.
func ReadTimeUTC(b []byte) (m TimeUTC, ok bool) {
	if len(b) < 20 {
		return m, false
	}
	m.TOW, m.Accuracy = tow(b, 0), accuracy(b, 4, 1e-9)
	m.TOWOK, m.WeekOK, m.UTCOK, m.Standard = b[19]&1 != 0, b[19]&2 != 0, b[19]&4 != 0, int(b[19]>>4)
	if m.Time, ok = calendar(b, 12, i32(b, 8)); !ok {
		m.Time, m.UTCOK = time.Time{}, false
	}
	return m, true
}

// TimeGPS is NAV-TIMEGPS.
type TimeGPS struct {
	TOW      TOW // with its nanoseconds
	Epoch    TOW // without
	Week     int
	Leap     int     // GPS time less UTC, seconds
	Accuracy float64 // seconds; 0 unknown
	TOWOK    bool
	WeekOK   bool
	LeapOK   bool // receivers say so of the firmware's count, too
}

// ReadTimeGPS reads NAV-TIMEGPS.
func ReadTimeGPS(b []byte) (m TimeGPS, ok bool) {
	if len(b) < 16 {
		return m, false
	}
	m.Epoch = tow(b, 0)
	m.TOW = m.Epoch + time.Duration(i32(b, 4))
	m.Week, m.Leap, m.Accuracy = int(int16(u16(b, 8))), int(int8(b[10])), accuracy(b, 12, 1e-9)
	m.TOWOK, m.WeekOK, m.LeapOK = b[11]&1 != 0, b[11]&2 != 0, b[11]&4 != 0
	return m, true
}

// UTC is a time of the week less leap seconds; ok is false if that is no time
// since GPS time began.
func UTC(weeks int, t TOW, leap int) (utc time.Time, ok bool) {
	if weeks < 0 || t < -time.Second || t > week+time.Second {
		return time.Time{}, false
	}
	return gpsEpoch.Add(time.Duration(weeks)*week + t - time.Duration(leap)*time.Second), true
}

// TimeLS is NAV-TIMELS: leap seconds.
type TimeLS struct {
	TOW    TOW
	Source int // of Leap: 0 the firmware, 7 a person, 255 unknown; else satellites
	Leap   int // GPS time less UTC, seconds
	LeapOK bool
	Change int           // of the next one: 1, -1; 0 none
	In     time.Duration // until then
	NextOK bool          // Change and In mean something
}

// FromSatellites says whether the count is one that satellites sent. A cold
// receiver calls that of its firmware valid.
func (m *TimeLS) FromSatellites() bool {
	return m.LeapOK && m.Source != 0 && m.Source != 7 && m.Source != 255
}

// ReadTimeLS reads NAV-TIMELS.
func ReadTimeLS(b []byte) (m TimeLS, ok bool) {
	if len(b) < 24 {
		return m, false
	}
	m.TOW, m.Source, m.Leap, m.Change = tow(b, 0), int(b[8]), int(int8(b[9])), int(int8(b[11]))
	m.In = time.Duration(i32(b, 12)) * time.Second
	m.LeapOK, m.NextOK = b[23]&1 != 0, b[23]&2 != 0
	return m, true
}

// Clock is NAV-CLOCK: the receiver's oscillator.
type Clock struct {
	TOW               TOW
	Bias              float64 // seconds
	Drift             float64 // seconds a second
	Accuracy          float64 // of the time, seconds; 0 unknown
	FrequencyAccuracy float64 // seconds a second; 0 unknown
}

// ReadClock reads NAV-CLOCK.
func ReadClock(b []byte) (m Clock, ok bool) {
	if len(b) < 20 {
		return m, false
	}
	return Clock{tow(b, 0), float64(i32(b, 4)) * 1e-9, float64(i32(b, 8)) * 1e-9, accuracy(b, 12, 1e-9), accuracy(b, 16, 1e-12)}, true
}

// TP is TIM-TP: the next pulse.
type TP struct {
	TOW     TOW // of the second that it marks, in the pulse's time base
	Week    int
	UTC     bool // the time base is UTC, not that of a satellite system
	UTCOK   bool
	Error   float64 // qErr, seconds: with it added to when the pulse came, it came on the second
	ErrorOK bool
}

// ReadTP reads TIM-TP.
func ReadTP(b []byte) (m TP, ok bool) {
	if len(b) < 16 {
		return m, false
	}
	const sub = 1.0 / (1 << 32) // ms
	m.TOW = tow(b, 0) + time.Duration(math.Round(float64(u32(b, 4))*sub*1e6))
	m.Error, m.ErrorOK = float64(i32(b, 8))*1e-12, b[14]&0x10 == 0
	m.Week, m.UTC, m.UTCOK = int(u16(b, 12)), b[14]&1 != 0, b[14]&2 != 0
	return m, true
}

// ReadTimSvin reads TIM-SVIN.
func ReadTimSvin(b []byte) (m Svin, ok bool) {
	if len(b) < 28 {
		return m, false
	}
	m.Duration = time.Duration(u32(b, 0)) * time.Second
	for i := range m.ECEF {
		m.ECEF[i] = float64(i32(b, 4+4*i)) / 100
	}
	m.Accuracy = math.Sqrt(accuracy(b, 16, 1e-6)) // the variance is in mm^2
	m.Observations = int(u32(b, 20))
	m.Valid, m.Active = b[24] != 0, b[25] != 0
	return m, true
}
