package receiver

import (
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

// epoch is what was said about one time of day. The zero value is none.
type epoch struct {
	open    bool
	emitted bool
	mono    int64
	clock   int64  // time of day, ns; nmea.NoTime
	address uint64 // of the sentence that it began with

	said    kind // which sentences named this time
	good    kind // which of them vouched for a fix
	timed   bool // one of them at least stands by the time
	mode    int  // by what they say of the place, as gpspps.Fix numbers it
	rmcDate time.Time
	zdaDate time.Time
	rolled  bool
	place   gpspps.Position

	ubx fromUBX
}

// kind is a set of sentences, bits by nmea.Type, and frames.
type kind uint32

const (
	ofRMC = kind(1) << nmea.TypeRMC
	ofGGA = kind(1) << nmea.TypeGGA
	ofGNS = kind(1) << nmea.TypeGNS
	// Sentences that say whether there is a fix.
	fixing = ofRMC | ofGGA | ofGNS
)

// dated is the last epoch that named its day.
type dated struct {
	day         time.Time
	clock, mono int64
}

// carry is the day of an epoch that named none, soon after one that did: a
// receiver may send GGA more often than RMC, or an RMC may have been dropped.
// It is zero if there is none.
func (d *dated) carry(e *epoch) time.Time {
	const most = int64(time.Minute)
	if d.day.IsZero() || e.clock == nmea.NoTime || e.mono-d.mono > most {
		return time.Time{}
	}
	day, passed := d.day, e.clock-d.clock
	if passed < 0 {
		day, passed = day.AddDate(0, 0, 1), passed+int64(24*time.Hour)
	}
	if passed > most {
		return time.Time{} // the clock jumped
	}
	return day
}

// beginBurst notes that a sentence or frame began at start: the first one after
// a gap begins a burst.
func (d *Decoder) beginBurst(start int64) {
	if d.begun {
		return
	}
	d.begun, d.begin, d.good = true, start, start
	d.cycle.clear()
	d.sky.clearUsed()
}

// endBurst is called when the line has been silent.
func (d *Decoder) endBurst() {
	if d.begun {
		d.cycle.learn()
	}
	d.begun = false
	d.finish()
}

// finish emits the epoch if it was not emitted yet. It stays as it is, so that
// a sentence that comes after it is not taken for a new one.
func (d *Decoder) finish() {
	e := &d.ep
	if !e.open || e.emitted {
		return
	}
	e.emitted = true
	f := gpspps.Fix{Mono: e.mono, Mode: d.sky.modeNow(e.mode), Used: d.sky.usedNow(), Seen: d.sky.seen(), Checksum: d.dropped, Position: e.place}
	d.dropped = 0
	if d.sky.gsa {
		d.sky.list.use(d.sky.ids[:d.sky.idCount])
	}
	d.sky.epoch++
	d.sky.clearUsed()
	if !f.Position.Known {
		f.Position = gpspps.Position{}
	}
	d.spoke = NMEA
	d.nmeaTime(e, &f)
	d.ubxCounts(e, &f)
	d.known.fill(&f)
	f.LeapUTC = f.LeapUTC && !(e.ubx.byPVT && e.ubx.vagueUTC)
	d.stats.Fixes++
	if e.rolled {
		d.stats.Rollover++
	}
	d.emit(f)
}

// nmeaTime is the time by the sentences.
func (d *Decoder) nmeaTime(e *epoch, f *gpspps.Fix) {
	day, conflict := e.zdaDate, false
	if day.IsZero() {
		day = e.rmcDate
	} else if !e.rmcDate.IsZero() {
		conflict = !day.Equal(e.rmcDate)
	}
	if day.IsZero() {
		day = d.dated.carry(e)
	} else if e.clock != nmea.NoTime {
		d.dated = dated{day, e.clock, e.mono}
	}
	f.NoFix = e.said&fixing&^e.good != 0
	if f.NoFix {
		f.Mode = 1
	}
	if e.timed && e.clock != nmea.NoTime && !day.IsZero() {
		f.Time = day.Add(time.Duration(e.clock))
		f.Valid = e.said&fixing != 0 && !f.NoFix && !conflict
	}
	if conflict {
		d.stats.Conflict++
	}
}

// ubxCounts puts what the frames say in place of what the sentences say.
func (d *Decoder) ubxCounts(e *epoch, f *gpspps.Fix) {
	u := &e.ubx
	if !u.spoke {
		return
	}
	t, ok := e.ubxTime(&d.known)
	if f.Time.IsZero() || !t.IsZero() {
		d.spoke = UBX
	}
	if u.fixSaid {
		f.NoFix, f.Mode = !u.fixOK, 1
		if u.fixOK {
			f.Mode = u.kind.Mode()
		}
	}
	if !t.IsZero() {
		f.Time, f.Valid = time.Time{}, false
		if day, weeks, dayOK := nmea.Resolve(t.Year(), int(t.Month()), t.Day(), d.pivot); dayOK {
			clock := clockOf(t, true)
			e.rolled = weeks > 0
			f.Time = day.Add(time.Duration(clock))
			f.Valid = ok && u.fixSaid && u.fixOK
			d.dated = dated{day, clock, e.mono}
		}
	}
	f.Valid = f.Valid && !f.NoFix
	f.Accuracy = u.accuracy
	if u.used >= 0 {
		f.Used = u.used
	}
	if d.known.seenAt != 0 && e.mono-d.known.seenAt <= freshAge {
		f.Seen = d.known.seen
	}
	if u.place.Known && u.fixSaid && u.fixOK {
		f.Position = u.place
	}
}

// rounding is how far apart two protocols may name one time, ns.
const rounding = int64(10 * time.Millisecond)

// same says whether a sentence that names this time of day speaks of the epoch.
// Sentences round to hundredths what frames tell exactly.
func (e *epoch) same(clock int64) bool {
	if clock == e.clock || clock == nmea.NoTime {
		return true
	}
	apart := clock - e.clock
	return e.ubx.spoke && e.clock != nmea.NoTime && max(apart, -apart) <= rounding
}

// at makes the epoch that of the time of day clock, named by a sentence of the
// kind k that began at start. It may be one that has been emitted: then it only
// tells the day for the next.
func (d *Decoder) at(clock, start int64, k kind, address uint64) *epoch {
	e := &d.ep
	switch {
	case !e.open:
	case d.another(k, clock, address):
		d.next(e)
	case e.same(clock):
		d.rest(e)
		e.said |= k
		return e
	case e.clock == nmea.NoTime && !e.emitted:
		e.clock = clock
		e.said |= k
		return e
	default:
		d.next(e)
	}
	d.open(start)
	e.clock, e.said, e.address = clock, k, address
	return e
}

// rest notes that a part of the epoch e has come.
func (d *Decoder) rest(e *epoch) {
	if e.emitted && d.begin > e.mono {
		// The rest of a burst that was held up: what follows it without a
		// silence did not begin with it.
		d.begin = e.mono
	}
}

// next ends the epoch e with the first part of the next one.
func (d *Decoder) next(e *epoch) {
	d.finish()
	if d.begin <= e.mono {
		// No silence between the two: the sentence before was the last.
		d.cycle.learn()
		d.cycle.clear()
	}
}

// open begins an epoch with what began at start.
func (d *Decoder) open(start int64) {
	e := &d.ep
	mono := start
	if !e.open || d.begin > e.mono {
		mono = d.begin // the first time named in this burst
	}
	*e = epoch{open: true, mono: mono, clock: nmea.NoTime}
	e.ubx.used = -1
}

// another says whether the sentence being read belongs to another burst than
// the epoch, even if it names the same time: the receiver's clock stands
// still, or has none. A burst that a busy computer or a slow line tore apart
// goes on with sentences that have not come yet.
func (d *Decoder) another(k kind, clock int64, address uint64) bool {
	e := &d.ep
	if clock == nmea.NoTime && e.said&k != 0 && (e.clock != nmea.NoTime || address == e.address) {
		return true // on a line without a silence
	}
	apart := d.begin - e.mono
	return e.emitted && (apart >= longestBurst || apart >= sameTimeApart && e.said&k != 0)
}

// atTOW makes the epoch that of a time of the week, named by a frame that
// began at start and may know the time of day, ns, too.
func (d *Decoder) atTOW(tow ubx.TOW, start, clock int64) *fromUBX {
	e := &d.ep
	switch {
	case !e.open:
	case e.emitted && d.begin-e.mono >= longestBurst:
	case e.ubx.spoke && e.ubx.tow == tow:
		d.rest(e)
		return &e.ubx
	case !e.ubx.spoke && d.fits(tow, clock):
		d.rest(e)
		e.ubx.spoke, e.ubx.tow = true, tow
		return &e.ubx
	default:
		d.next(e)
	}
	d.open(start)
	e.ubx.spoke, e.ubx.tow = true, tow
	return &e.ubx
}

// fits says whether a time of the week, or of the day, may be that of the
// epoch, which only sentences spoke of so far.
func (d *Decoder) fits(tow ubx.TOW, clock int64) bool {
	e := &d.ep
	if clock == nmea.NoTime && d.known.leapCount != 0 {
		clock = int64(tow) - int64(d.known.leapCount)*1e9
	}
	if e.clock == nmea.NoTime || clock == nmea.NoTime {
		return !e.emitted && d.begin <= e.mono
	}
	const day = int64(24 * time.Hour)
	apart := ((clock-e.clock)%day + day + day/2) % day // in the middle of the day if none
	return max(apart-day/2, day/2-apart) <= rounding
}
