package nmea

// fields walks over the comma separated fields of a sentence.
type fields struct{ rest []byte }

// next is the next field, empty when there is none.
func (f *fields) next() []byte {
	for i, c := range f.rest {
		if c == ',' {
			x := f.rest[:i]
			f.rest = f.rest[i+1:]
			return x
		}
	}
	x := f.rest
	f.rest = nil
	return x
}

func (f *fields) skip(n int) {
	for range n {
		f.next()
	}
}

// sentence takes one with the right checksum, whose '$' arrived at start.
func (p *Parser) sentence(body []byte, start int64) {
	f := fields{body}
	name := f.next()
	var addr uint64
	for _, c := range name[:min(len(name), 8)] {
		addr = addr<<8 | uint64(c)
	}
	whole := true
	// Addresses with P are makers' own: PGRMC is Garmin's C, not a talker PG.
	if len(name) == 5 && name[0] != 'P' {
		talker := uint16(name[0])<<8 | uint16(name[1])
		switch string(name[2:]) {
		case "RMC":
			p.rmc(&f, start)
		case "ZDA":
			p.zda(&f, start)
		case "GGA":
			p.gga(&f, start)
		case "GSA":
			p.gsa(&f, talker)
		case "GSV":
			whole = p.gsv(&f, talker)
		}
	}
	if p.cycle.see(addr, whole) {
		p.finish()
	}
}

// rmc: time, status, latitude, N/S, longitude, E/W, speed, course, ddmmyy,
// magnetic variation, E/W, mode since NMEA 2.3.
func (p *Parser) rmc(f *fields, start int64) {
	clock, ok := clockOf(f.next())
	if !ok {
		return
	}
	status := f.next()
	place := position(f)
	f.skip(2)
	day := f.next()
	f.skip(2)
	mode := f.next()
	e := p.at(clock, start, ofRMC)
	good := string(status) == "A" && place
	if len(mode) > 0 {
		switch mode[0] {
		case 'A', 'D', 'P', 'R', 'F': // autonomous, differential, precise, RTK, float RTK
		default:
			good = false // none, estimated, manual, simulated, or unknown
		}
	}
	// Of several talkers' one suffices, as they share the receiver's clock.
	e.rmcOK = e.rmcOK || good
	if n, ok := digits(day, 6); ok && len(day) == 6 {
		if t, weeks, ok := Resolve(n%100, n/100%100, n/10000, p.pivot); ok {
			p.setDay(e, &e.rmcDate, t, weeks)
		}
	}
}

// zda: time, day, month, four-digit year, local zone.
func (p *Parser) zda(f *fields, start int64) {
	clock, ok := clockOf(f.next())
	if !ok {
		return
	}
	dd, ok1 := digits(f.next(), 2)
	mm, ok2 := digits(f.next(), 2)
	yyyy, ok3 := digits(f.next(), 4)
	e := p.at(clock, start, ofZDA)
	if !ok1 || !ok2 || !ok3 || yyyy < 100 {
		return
	}
	if t, weeks, ok := Resolve(yyyy, mm, dd, p.pivot); ok {
		p.setDay(e, &e.zdaDate, t, weeks)
	}
}

// gga: time, latitude, N/S, longitude, E/W, quality, satellites used.
func (p *Parser) gga(f *fields, start int64) {
	clock, ok := clockOf(f.next())
	if !ok {
		return
	}
	place := position(f)
	quality := f.next()
	used, usedOK := digits(f.next(), 3)
	e := p.at(clock, start, ofGGA)
	good := false
	if place && len(quality) == 1 && !(usedOK && used == 0) {
		switch quality[0] {
		case '1', '2', '3', '4', '5', '9': // 6 estimated, 7 manual, 8 simulated; 9 some receivers' SBAS
			good = true
		}
	}
	e.ggaOK = e.ggaOK || good
	if usedOK {
		p.sky.gga = max(p.sky.gga, used)
	}
}

// gsa: manual or automatic, 1 none 2 2D 3 3D, twelve satellites used, three
// dilutions, system since NMEA 4.11.
func (p *Parser) gsa(f *fields, talker uint16) {
	f.next()
	mode, ok := digits(f.next(), 1)
	if !ok || mode < 1 || mode > 3 {
		return
	}
	var ids [12]int
	for i := range ids {
		id, ok := digits(f.next(), 3)
		if !ok {
			id = 0
		}
		ids[i] = id
	}
	f.skip(3)
	system := uint32(talker)
	if s := f.next(); len(s) == 1 {
		system = uint32(s[0])
	}
	p.sky.gsa, p.sky.mode = true, max(p.sky.mode, mode)
	for _, id := range ids {
		if id > 0 && mode > 1 {
			p.sky.addUsed(system, uint32(id))
		}
	}
}

// gsv: parts, part, satellites in view, four fields for each of up to four
// satellites, signal since NMEA 4.11. It says whether this is the last part.
func (p *Parser) gsv(f *fields, talker uint16) (last bool) {
	parts, ok1 := digits(f.next(), 2)
	part, ok2 := digits(f.next(), 2)
	total, ok3 := digits(f.next(), 3)
	if !ok1 || !ok2 || !ok3 || part < 1 || part > parts {
		return true
	}
	var signal byte
	count, heard := 0, false
	for f.rest != nil {
		x := f.next()
		count++
		if f.rest == nil && count%4 == 1 && len(x) == 1 {
			signal = x[0]
		}
		heard = heard || count%4 == 0 && len(x) > 0 // C/N0
	}
	v := p.sky.view(talker, signal)
	v.total, v.epoch, v.heard = total, p.sky.epoch, heard || part > 1 && v.heard
	return part == parts
}

// clockOf reads hhmmss with a fraction, ns of the day. An empty field is
// noTime. Second 60 is a leap second, at the end of a UTC day only.
func clockOf(b []byte) (int64, bool) {
	if len(b) == 0 {
		return noTime, true
	}
	if len(b) < 6 {
		return 0, false
	}
	n, ok := digits(b[:6], 6)
	h, m, s := n/10000, n/100%100, n%100
	if !ok || h > 23 || m > 59 || s > 60 || (s == 60 && (h != 23 || m != 59)) {
		return 0, false
	}
	ns, ok := fraction(b[6:], 1e9)
	return (int64(h)*3600+int64(m)*60+int64(s))*1e9 + ns, ok
}

// fraction reads "" or '.' and digits, in units of 1/unit, cut off.
func fraction(b []byte, unit int64) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != '.' {
		return 0, false
	}
	var x int64
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return 0, false
		}
		unit /= 10
		x += int64(c-'0') * unit
	}
	return x, true
}

// digits reads one to most decimal digits.
func digits(b []byte, most int) (int, bool) {
	if len(b) == 0 || len(b) > most {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// position says whether the four fields of a position hold one on earth.
func position(f *fields) bool {
	lat, ns, lon, ew := f.next(), f.next(), f.next(), f.next()
	return angle(lat, 2, 90) && (string(ns) == "N" || string(ns) == "S") &&
		angle(lon, 3, 180) && (string(ew) == "E" || string(ew) == "W")
}

// angle reads degrees of so many digits, two digits of minutes and a fraction.
func angle(b []byte, width, most int) bool {
	if len(b) < width+2 {
		return false
	}
	n, ok := digits(b[:width+2], width+2)
	frac, fracOK := fraction(b[width+2:], 1e9)
	deg, minutes := n/100, n%100
	return ok && fracOK && minutes < 60 && (deg < most || deg == most && minutes == 0 && frac == 0)
}
