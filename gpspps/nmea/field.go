package nmea

import "github.com/truechimer/truechimer/gpspps"

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

// clockOf reads hhmmss with a fraction, ns of the day. An empty field is
// NoTime. Second 60 is a leap second, at the end of a UTC day only.
func clockOf(b []byte) (int64, bool) {
	if len(b) == 0 {
		return NoTime, true
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

// ddmmyy reads a date; the zero one if it is none.
func ddmmyy(b []byte) Date {
	n, ok := digits(b, 6)
	if !ok || len(b) != 6 {
		return Date{}
	}
	return Date{n % 100, n / 100 % 100, n / 10000}
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

// decimal reads a number with a sign and a fraction, of nine digits at most
// before the point.
func decimal(b []byte) (float64, bool) {
	sign := 1.0
	if len(b) > 0 && b[0] == '-' {
		sign, b = -1, b[1:]
	}
	point := 0
	for point < len(b) && b[point] != '.' {
		point++
	}
	n, ok := digits(b[:point], 9)
	frac, fracOK := fraction(b[point:], 1e9)
	return sign * (float64(n) + float64(frac)*1e-9), ok && fracOK
}

// position reads the four fields of one; it is not known if they hold none on
// earth.
func position(f *fields) (p gpspps.Position) {
	lat, ns, lon, ew := f.next(), f.next(), f.next(), f.next()
	y, ok1 := angle(lat, 2, 90)
	x, ok2 := angle(lon, 3, 180)
	if !ok1 || !ok2 || string(ns) != "N" && string(ns) != "S" || string(ew) != "E" && string(ew) != "W" {
		return p
	}
	if ns[0] == 'S' {
		y = -y
	}
	if ew[0] == 'W' {
		x = -x
	}
	return gpspps.Position{Known: true, Lat: y, Lon: x}
}

// angle reads degrees of so many digits, two digits of minutes and a fraction.
func angle(b []byte, width, most int) (float64, bool) {
	if len(b) < width+2 {
		return 0, false
	}
	n, ok := digits(b[:width+2], width+2)
	frac, fracOK := fraction(b[width+2:], 1e9)
	deg, minutes := n/100, n%100
	if !ok || !fracOK || minutes >= 60 || deg > most || deg == most && (minutes != 0 || frac != 0) {
		return 0, false
	}
	const perDegree = 60e9 // units of 1e-9 minutes
	return (float64(deg)*perDegree + float64(minutes)*1e9 + float64(frac)) / perDegree, true
}
