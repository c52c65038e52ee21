package receiver

import "github.com/truechimer/truechimer/gpspps/ubx"

// Satellite is one that a receiver tells of.
type Satellite struct {
	// System is RINEX's letter: G GPS, R GLONASS, E Galileo, C BeiDou, J QZSS,
	// S SBAS, I NavIC; 0 not known. Number is the satellite's there.
	System    byte
	Number    int
	Elevation int // degrees, 0 to 90; -1 not known, or below the horizon
	Azimuth   int // degrees from north by east, 0 to 359; -1 not known
	CN0       int // dB Hz, of the signal that is heard best; 0 not heard
	Used      bool
}

// table holds the satellites told of lately. What does not fit takes the place of
// what was told of longest ago.
type table struct {
	rows  [64]row
	count int
}

type row struct {
	Satellite
	epoch uint32 // when it was last told of
}

// said notes what was said of a satellite in an epoch, which may be said again for
// another signal.
func (t *table) said(v Satellite, epoch uint32) {
	if v.Number <= 0 {
		return
	}
	at := 0
	for i := range t.rows[:t.count] {
		r := &t.rows[i]
		if r.System == v.System && r.Number == v.Number {
			if r.epoch == epoch {
				v.CN0 = max(v.CN0, r.CN0)
			}
			v.Used = v.Used || r.Used
			*r = row{v, epoch}
			return
		}
		if r.epoch < t.rows[at].epoch {
			at = i
		}
	}
	if t.count < len(t.rows) {
		at = t.count
		t.count++
	}
	t.rows[at] = row{v, epoch}
}

// use says which are used, once all of an epoch is known: those of ids, named as in
// sky.
func (t *table) use(ids []uint32) {
	for i := range t.rows[:t.count] {
		t.rows[i].Used = false
	}
	for _, id := range ids {
		system, number := named(id>>16, int(id&0xffff))
		for i := range t.rows[:t.count] {
			if r := &t.rows[i]; r.System == system && r.Number == number {
				r.Used = true
			}
		}
	}
}

// Satellites appends those that the receiver has told of in the last epochs to list.
func (d *Decoder) Satellites(list []Satellite) []Satellite {
	s := &d.sky
	for i := range s.list.rows[:s.list.count] {
		if r := &s.list.rows[i]; s.epoch-r.epoch <= maxAge {
			list = append(list, r.Satellite)
		}
	}
	return list
}

// addSat takes what NAV-SAT says of each.
func (s *sky) addSat(m *ubx.Sat) {
	for i := range s.list.rows[:s.list.count] {
		s.list.rows[i].Used = false
	}
	for i := range m.Len() {
		v := m.Satellite(i)
		x := Satellite{System: letters[v.GNSS&7], Number: v.Number, Elevation: v.Elevation, Azimuth: v.Azimuth, CN0: v.CN0, Used: v.Used}
		if x.Elevation < 0 || x.Elevation > 90 {
			x.Elevation = -1
		}
		if x.Azimuth == 360 {
			x.Azimuth = 0
		}
		if x.Azimuth < 0 || x.Azimuth > 360 {
			x.Azimuth = -1
		}
		if x.CN0 == 0 && x.Elevation <= 0 {
			continue // known of, and not in view
		}
		s.list.said(x, s.epoch)
	}
}

// letters are the systems as UBX numbers them.
var letters = [8]byte{'G', 'S', 'E', 'C', 0, 'J', 'R', 'I'}

// named is a satellite's system and number from what a sentence has: the talker, or
// the system's digit since NMEA 4.11, and an identity. Receivers number the systems
// through in ways of their own; these are the ranges that are in use.
func named(from uint32, id int) (system byte, number int) {
	switch from {
	case 'G'<<8 | 'L', '2':
		if id > 64 {
			id -= 64
		}
		return 'R', id
	case 'G'<<8 | 'A', '3':
		if id > 300 {
			id -= 300
		}
		return 'E', id
	case 'G'<<8 | 'B', 'B'<<8 | 'D', '4':
		switch {
		case id > 400:
			id -= 400
		case id > 200:
			id -= 200
		}
		return 'C', id
	case 'G'<<8 | 'Q', 'Q'<<8 | 'Z', '5':
		if id > 192 {
			id -= 192
		}
		return 'J', id
	case 'G'<<8 | 'I', '6':
		return 'I', id
	}
	switch {
	case id > 400 && id <= 463:
		return 'C', id - 400
	case id > 300 && id <= 336:
		return 'E', id - 300
	case id > 200 && id <= 237:
		return 'C', id - 200
	case id > 192 && id <= 202:
		return 'J', id - 192
	case id >= 120 && id <= 158:
		return 'S', id
	case id > 64 && id <= 96:
		return 'R', id - 64
	case id > 32 && id <= 64:
		return 'S', id + 87
	case id <= 32:
		return 'G', id
	}
	return 0, id
}
