package receiver

import (
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// fromUBX is what the frames of an epoch say.
type fromUBX struct {
	spoke bool
	tow   ubx.TOW // which they all have

	utc      time.Time // zero: not said
	utcOK    bool      // the receiver vouches for it
	byPVT    bool
	gpsSaid  bool // week and time of week below, to be corrected by leap seconds
	week     int
	gps      ubx.TOW
	accuracy float64 // of the time, seconds; 0 not said

	fixSaid  bool
	kind     ubx.FixType
	fixOK    bool
	used     int // -1 not said
	place    gpspps.Position
	vagueUTC bool // PVT says that the second is not known for sure
}

// frame takes one whose first byte arrived at start.
func (d *Decoder) frame(f *ubx.Frame, start int64) {
	b := f.Payload
	k := &d.known
	switch f.ID {
	case ubx.IDNavPVT:
		if m, ok := ubx.ReadPVT(b); ok {
			d.pvt(&m, start)
		}
	case ubx.IDNavSOL:
		if m, ok := ubx.ReadSOL(b); ok {
			d.sol(&m, start)
		}
	case ubx.IDNavPOSLLH:
		if m, ok := ubx.ReadPOSLLH(b); ok {
			d.atTOW(m.TOW, start, nmea.NoTime).place = m.Position
		}
	case ubx.IDNavSTATUS:
		if m, ok := ubx.ReadStatus(b); ok {
			u := d.atTOW(m.TOW, start, nmea.NoTime)
			u.fix(m.Type, m.OK)
			k.spoofed[0], k.spoofAt = m.Spoof.Suspected(), start
		}
	case ubx.IDNavTIMEUTC:
		if m, ok := ubx.ReadTimeUTC(b); ok {
			d.timeUTC(&m, start)
		}
	case ubx.IDNavTIMEGPS:
		if m, ok := ubx.ReadTimeGPS(b); ok {
			d.timeGPS(&m, start)
		}
	case ubx.IDNavTIMELS:
		if m, ok := ubx.ReadTimeLS(b); ok {
			d.timeLS(&m, start)
		}
	case ubx.IDNavCLOCK:
		if m, ok := ubx.ReadClock(b); ok {
			d.atTOW(m.TOW, start, nmea.NoTime).precise(m.Accuracy)
		}
	case ubx.IDNavSAT:
		if m, ok := ubx.ReadSat(b); ok {
			d.atTOW(m.TOW, start, nmea.NoTime)
			k.seen, k.seenAt = m.Seen, start
			d.sky.addSat(&m)
		}
	case ubx.IDTimTP:
		k.tp, k.tpSaid = ubx.ReadTP(b)
	case ubx.IDMonHW:
		if m, ok := ubx.ReadHW(b); ok {
			k.jammed[0], k.jamAt = m.Jam == ubx.JamCritical, start
			k.supervised(m.Antenna, start)
		}
	case ubx.IDMonRF:
		if m, ok := ubx.ReadRF(b); ok {
			k.jammed[1], k.jamAt = m.Jam == ubx.JamCritical, start
			k.supervised(m.Antenna, start)
		}
	case ubx.IDSecSIG:
		if m, ok := ubx.ReadSig(b); ok {
			k.jammed[2], k.jamAt = m.JamOn && m.Jam == ubx.JamCritical, start
			k.spoofed[1], k.spoofAt = m.SpoofOn && m.Spoof.Suspected(), start
		}
	}
	addr := 1<<63 | uint64(f.ID.Class)<<8 | uint64(f.ID.Number)
	// NAV-EOE ends an epoch, but sentences may follow, or TIM-TP.
	if ends := d.cycle.see(addr, true); ends || f.ID == ubx.IDNavEOE && d.ep.ubx.spoke && !d.cycle.goesOn(addr) {
		d.finish()
	}
}

func (d *Decoder) pvt(m *ubx.PVT, start int64) {
	timed := m.ValidDate && m.ValidTime
	u := d.atTOW(m.TOW, start, clockOf(m.Time, timed))
	u.fix(m.Type, m.OK)
	u.used, u.place, u.accuracy = m.Used, m.Position, m.Accuracy
	u.vagueUTC = !m.Resolved
	u.byPVT = true
	u.utc, u.utcOK = time.Time{}, false
	if timed {
		u.utc, u.utcOK = m.Time, m.Resolved
	}
	switch {
	case !m.Resolved:
		d.known.leapUTC = false // it may have started anew
	case timed:
		d.known.count(between(m.TOW, m.Time), start)
	}
	d.clocked()
}

func (d *Decoder) sol(m *ubx.SOL, start int64) {
	u := d.atTOW(m.Epoch, start, nmea.NoTime)
	u.fix(m.Type, m.OK)
	if u.used < 0 {
		u.used = m.Used
	}
	if !u.place.Known {
		u.place = m.Position
	}
	if m.WeekOK && m.TOWOK {
		u.gpsSaid, u.week, u.gps = true, m.Week, m.TOW
	}
	d.clocked()
}

func (d *Decoder) timeUTC(m *ubx.TimeUTC, start int64) {
	u := d.atTOW(m.TOW, start, clockOf(m.Time, m.UTCOK))
	if !u.byPVT && m.UTCOK {
		u.utc, u.utcOK = m.Time, m.TOWOK && m.WeekOK
	}
	u.precise(m.Accuracy)
	if m.UTCOK {
		d.known.count(between(m.TOW, m.Time), start)
	}
	// Which UTC it is, only later receivers say; the others claim nothing.
	if m.FromSatellites() && d.known.leapCount != 0 {
		d.known.leapUTC, d.known.leapUTCAt = true, start
	}
	d.clocked()
}

func (d *Decoder) timeGPS(m *ubx.TimeGPS, start int64) {
	u := d.atTOW(m.Epoch, start, nmea.NoTime)
	if m.WeekOK && m.TOWOK {
		u.gpsSaid, u.week, u.gps = true, m.Week, m.TOW
	}
	u.precise(m.Accuracy)
	if m.LeapOK {
		d.known.count(m.Leap, start)
	}
	d.clocked()
}

func (d *Decoder) timeLS(m *ubx.TimeLS, start int64) {
	d.atTOW(m.TOW, start, nmea.NoTime)
	k := &d.known
	if m.LeapOK {
		k.leap(m.Leap, m.FromSatellites(), start)
	} else {
		k.leapCount = 0
	}
	k.next = gpspps.NextLeap{}
	d.clocked()
	if t, _ := d.ep.ubxTime(k); m.NextOK && m.Change*m.Change == 1 && m.In > 0 && !t.IsZero() {
		// To the second, which may be off by the leap itself.
		k.next, k.nextAt = gpspps.NextLeap{Change: m.Change, At: t.Add(m.In).Round(24 * time.Hour)}, start
	}
}

// fix notes the kind of a fix.
func (u *fromUBX) fix(t ubx.FixType, ok bool) {
	if !u.byPVT {
		u.fixSaid, u.kind, u.fixOK = true, t, ok && t >= ubx.Fix2D && t <= ubx.FixTime
	}
}

// precise notes the accuracy of the time, if nothing better has said it.
func (u *fromUBX) precise(a float64) {
	if u.accuracy == 0 {
		u.accuracy = a
	}
}

// clockOf is the time of day of t, ns, to the millisecond.
func clockOf(t time.Time, known bool) int64 {
	if !known {
		return nmea.NoTime
	}
	t = t.Round(time.Millisecond)
	return int64(t.Sub(t.Truncate(24 * time.Hour)))
}

// clocked sets the epoch's time of day as soon as it is known.
func (d *Decoder) clocked() {
	if t, _ := d.ep.ubxTime(&d.known); !t.IsZero() {
		d.ep.clock = clockOf(t, true)
	}
}

// ubxTime is the epoch's UTC as the frames have it, to the millisecond, which
// is what a receiver aligns it to; zero if it cannot be told. ok says whether
// the receiver vouches for it, if it has a fix.
func (e *epoch) ubxTime(k *known) (t time.Time, ok bool) {
	u := &e.ubx
	t, ok = u.utc, u.utcOK
	if t.IsZero() && u.gpsSaid && k.leapCount != 0 && e.mono-k.leapAt <= freshAge {
		t, ok = ubx.UTC(u.week, u.gps, k.leapCount)
	}
	if t.IsZero() {
		return t, false
	}
	return t.Round(time.Millisecond), ok
}
