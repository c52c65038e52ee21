package nmea

import (
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// noTime is the time of day of a receiver that does not know it.
const noTime = -1

// epoch is what was said about one time of day. The zero value is none.
type epoch struct {
	open    bool
	emitted bool
	mono    int64
	clock   int64 // time of day, ns; noTime

	said         kind // which sentences named this time
	rmcOK, ggaOK bool
	rmcDate      time.Time
	zdaDate      time.Time
	rolled       bool
}

// kind is a sentence that names the time of day.
type kind uint8

const (
	ofRMC kind = 1 << iota
	ofGGA
	ofZDA
)

// dated is the last epoch that named its day.
type dated struct {
	day         time.Time
	clock, mono int64
}

// setDay notes the day that a sentence of the epoch e named.
func (p *Parser) setDay(e *epoch, of *time.Time, day time.Time, weeks int) {
	*of = day
	e.rolled = e.rolled || weeks > 0
	if e.emitted && e.clock != noTime {
		p.dated = dated{day, e.clock, e.mono}
	}
}

// carry is the day of an epoch that named none, soon after one that did: a
// receiver may send GGA more often than RMC, or an RMC may have been dropped.
// It is zero if there is none.
func (d *dated) carry(e *epoch) time.Time {
	const most = int64(time.Minute)
	if d.day.IsZero() || e.clock == noTime || e.mono-d.mono > most {
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

// beginBurst notes that a sentence began at start: the first one after a gap
// begins a burst.
func (p *Parser) beginBurst(start int64) {
	if p.begun {
		return
	}
	p.begun, p.begin, p.good = true, start, start
	p.cycle.clear()
	p.sky.clearUsed()
}

// endBurst is called when the line has been silent.
func (p *Parser) endBurst() {
	if p.begun {
		p.cycle.learn()
	}
	p.begun = false
	p.finish()
}

// finish emits the epoch if it was not emitted yet. It stays as it is, so that
// a sentence that comes after it is not taken for a new one.
func (p *Parser) finish() {
	e := &p.ep
	if !e.open || e.emitted {
		return
	}
	e.emitted = true
	f := gpspps.Fix{Mono: e.mono, Mode: p.sky.mode, Used: p.sky.usedNow(), Seen: p.sky.seen(), Checksum: p.dropped}
	p.dropped = 0
	p.sky.epoch++
	p.sky.clearUsed()

	day, conflict := e.zdaDate, false
	if day.IsZero() {
		day = e.rmcDate
	} else if !e.rmcDate.IsZero() {
		conflict = !day.Equal(e.rmcDate)
	}
	if day.IsZero() {
		day = p.dated.carry(e)
	} else if e.clock != noTime {
		p.dated = dated{day, e.clock, e.mono}
	}
	if e.clock != noTime && !day.IsZero() {
		f.Time = day.Add(time.Duration(e.clock))
		f.Valid = e.said&(ofRMC|ofGGA) != 0 && !e.denied() && !conflict
	}
	f.NoFix = e.denied()
	p.stats.Fixes++
	if e.rolled {
		p.stats.Rollover++
	}
	if conflict {
		p.stats.Conflict++
	}
	p.emit(f)
}

// denied says whether the receiver said that it has no fix.
func (e *epoch) denied() bool {
	return e.said&ofRMC != 0 && !e.rmcOK || e.said&ofGGA != 0 && !e.ggaOK
}

// at makes the epoch that of the time of day clock, named by a sentence of the
// kind k that began at start. It may be one that has been emitted: then it only
// tells the day for the next.
func (p *Parser) at(clock, start int64, k kind) *epoch {
	e := &p.ep
	switch {
	case !e.open:
	case p.another(k):
	case clock == e.clock || clock == noTime:
		if e.emitted && p.begin > e.mono {
			// The rest of a burst that was held up: what follows it without a
			// silence did not begin with it.
			p.begin = e.mono
		}
		e.said |= k
		return e
	case e.clock == noTime && !e.emitted:
		e.clock = clock
		e.said |= k
		return e
	default:
		p.finish()
		if p.begin <= e.mono {
			// No silence between the two: the sentence before was the last.
			p.cycle.learn()
			p.cycle.clear()
		}
	}
	mono := start
	if !e.open || p.begin > e.mono {
		mono = p.begin // the first time named in this burst
	}
	*e = epoch{open: true, mono: mono, clock: clock, said: k}
	return e
}

// another says whether the sentence being read belongs to another burst than
// the epoch that was emitted, even if it names the same time: the receiver's
// clock stands still, or has none. A burst that a busy computer or a slow line
// tore apart goes on with sentences that have not come yet.
func (p *Parser) another(k kind) bool {
	e := &p.ep
	apart := p.begin - e.mono
	return e.emitted && (apart >= longestBurst || apart >= sameTimeApart && e.said&k != 0)
}
