package receiver

import (
	"time"

	"github.com/truechimer/truechimer/gpspps/nmea"
)

// sentence takes the one that became whole, whose '$' arrived at start.
func (d *Decoder) sentence(start int64) {
	s := nmea.Read(d.sentences.Body())
	whole := true
	switch s.Type {
	case nmea.Other:
		d.known.text(d.sentences.Body(), start)
	case nmea.TypeRMC, nmea.TypeZDA, nmea.TypeGGA, nmea.TypeGNS:
		if x, ok := s.Fix(); ok {
			d.said(&x, s.Type, s.Address, start)
		}
	case nmea.TypeGST, nmea.TypePUBX:
		if x, ok := s.Fix(); ok {
			d.added(&x)
		}
	case nmea.TypeGSA:
		if g, ok := s.GSA(); ok {
			d.sky.addGSA(&g)
		}
	case nmea.TypeGSV:
		if g, ok := s.GSV(); ok {
			d.sky.addGSV(&g, s.Talker)
			whole = g.Part == g.Parts
		}
	}
	if d.cycle.see(s.Address, whole) {
		d.finish()
	}
}

// said takes a sentence that names the time of its epoch.
func (d *Decoder) said(x *nmea.Fix, t nmea.Type, address uint64, start int64) {
	k := kind(1) << t
	e := d.at(x.Clock, start, k, address)
	if x.Void {
		return // even its date is one that the receiver keeps, or made up
	}
	e.timed = true
	if x.OK {
		// Of several talkers' one suffices, as they share the receiver's clock.
		e.good |= k
	}
	if x.Position.Known && (!e.place.Known || t != nmea.TypeRMC) {
		x.Position.Accuracy = e.place.Accuracy
		e.place = x.Position
		if x.OK && e.mode == 0 {
			e.mode = 2
		}
		if x.OK && t != nmea.TypeRMC {
			e.mode = 3
		}
	}
	if x.Used >= 0 {
		d.sky.gga = max(d.sky.gga, x.Used)
	}
	if t == nmea.TypeZDA {
		d.setDay(e, &e.zdaDate, x.Date)
	} else {
		d.setDay(e, &e.rmcDate, x.Date)
	}
}

// added takes a sentence that has more to say of the epoch there is.
func (d *Decoder) added(x *nmea.Fix) {
	e := &d.ep
	if x.Leap != 0 {
		d.known.leap(x.Leap, x.LeapUTC, d.active)
	}
	if !e.open || e.emitted || !e.same(x.Clock) {
		return
	}
	if x.Position.Accuracy > 0 {
		e.place.Accuracy = x.Position.Accuracy
	}
	if e.rmcDate.IsZero() && e.zdaDate.IsZero() {
		d.setDay(e, &e.rmcDate, x.Date)
	}
}

// setDay notes the day that a sentence of the epoch e named, if it did.
func (d *Decoder) setDay(e *epoch, of *time.Time, day nmea.Date) {
	t, weeks, ok := nmea.Resolve(day.Year, day.Month, day.Day, d.pivot)
	if !ok {
		return
	}
	*of = t
	e.rolled = e.rolled || weeks > 0
	if e.emitted && e.clock != nmea.NoTime {
		d.dated = dated{t, e.clock, e.mono}
	}
}
