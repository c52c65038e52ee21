package gpspps

import (
	"math"
	"time"
)

const (
	surveyMinutes = 6 * 60
	surveyFixes   = 30   // in a minute that counts
	surveyWithin  = 50.0 // metres from the median of the minutes: else it is moving
	surveyAway    = 5    // such minutes in a row that begin it anew
	surveyCoarse  = 50.0 // metres; a fix whose accuracy is worse counts for nothing

	farLeast    = 100.0 // metres
	farAccuracy = 5     // standard deviations, on top
	farFor      = 3 * time.Minute
	farFixes    = 60 // in that time
	nearFixes   = 10 // in a row that end a spell of far ones
	farGap      = time.Minute

	metresPerDegree = 111195.0 // of latitude, on a sphere of 6371 km

	reasonElsewhere = "the antenna is somewhere else than surveyed"
)

// Survey is where a fixed antenna was found to be: the home of whoever hosts
// the station, to metres. It is not to be logged or shown: printed as a value,
// it does not tell.
type Survey struct {
	Lat, Lon float64 // degrees, north and east positive (WGS 84)
}

// String keeps the position to itself.
func (Survey) String() string { return "a position" }

// valid says whether it can be a place on earth.
func (s Survey) valid() bool {
	return math.Abs(s.Lat) <= 90 && math.Abs(s.Lon) <= 180
}

// from is where s is as seen from o, metres east and north.
func (s Survey) from(o Survey) (p [2]float64) {
	lon := math.Mod(s.Lon-o.Lon+540, 360) - 180
	return [2]float64{lon * metresPerDegree * math.Cos(o.Lat*math.Pi/180), (s.Lat - o.Lat) * metresPerDegree}
}

// shifted is the place p metres east and north of s.
func (s Survey) shifted(p [2]float64) Survey {
	lat := s.Lat + p[1]/metresPerDegree
	lon := s.Lon
	if c := math.Cos(s.Lat * math.Pi / 180); c > 1e-6 {
		lon += p[0] / (metresPerDegree * c)
	}
	return Survey{min(max(lat, -90), 90), math.Mod(lon+540, 360) - 180}
}

// antenna is the survey of a fixed antenna, and whether it has left its place.
type antenna struct {
	known bool
	at    Survey

	origin  Survey       // what the survey in progress counts from
	minutes [][2]float64 // metres east and north of origin, means of a minute each
	sum     [2]float64   // of the present minute
	fixes   int
	minute  int64
	away    int // minutes in a row whose mean was away from the others

	last      int64 // instant of the newest position
	farSince  int64 // of the first fix of a spell of far ones, 0 none
	far, near int   // fixes of that spell; near ones in a row since
	nearSince int64 // of the first of these
	moved     bool
}

// locate takes the position of a valid fix.
func (r *Reference) locate(f Fix) {
	p := Survey{f.Position.Lat, f.Position.Lon}
	if r.c.MovingAntenna || !f.Position.Known || f.Mode == 1 || !p.valid() {
		return
	}
	a := &r.antenna
	if a.known {
		a.check(p, f.Position.Accuracy, f.Mono)
	}
	a.last = f.Mono
	if a.known && !a.moved || f.Position.Accuracy > surveyCoarse || !r.steady() {
		return
	}
	if a.survey(p, f.Mono) {
		r.c.Log.Info("the antenna's position was surveyed")
	}
}

// steady says whether the time that comes with a position counts for a survey:
// it is locked to, or it is doubted for the position's sake alone and most
// servers vouch for it.
func (r *Reference) steady() bool {
	if r.jammed.on || r.spoofed.on {
		return false
	}
	if !r.antenna.known {
		return r.shown() == StateLocked
	}
	if ok, _ := r.fixes.numbered(&r.train); !ok || !r.voted(r.now) {
		return false
	}
	m, asked := r.network(r.candidate)
	return asked && m.confirms(0) && !m.excludes(0, r.allowance())
}

// check holds a position against the surveyed one.
func (a *antenna) check(p Survey, accuracy float64, mono int64) {
	if a.farSince != 0 && !a.moved && mono-a.last > int64(farGap) {
		a.farSince, a.far, a.near = 0, 0, 0
	}
	d := p.from(a.at)
	if math.Hypot(d[0], d[1]) > farLeast+farAccuracy*max(accuracy, 0) {
		if a.farSince == 0 {
			a.farSince = mono
		}
		a.far, a.near = a.far+1, 0
		a.moved = a.moved || a.far >= farFixes && mono-a.farSince >= int64(farFor)
		return
	}
	if a.farSince == 0 || accuracy > surveyCoarse {
		return
	}
	if a.near == 0 || mono-a.last > int64(farGap) {
		a.near, a.nearSince = 0, mono
	}
	a.near++
	// Once it was believed to be elsewhere it has to be back for as long.
	if !a.moved && a.near >= nearFixes || a.near >= farFixes && mono-a.nearSince >= int64(farFor) {
		a.back()
	}
}

// back ends the suspicion, and a survey of another place with it.
func (a *antenna) back() {
	*a = antenna{known: true, at: a.at, last: a.last}
}

// survey takes one position more. It says whether that completed the survey.
func (a *antenna) survey(p Survey, mono int64) bool {
	minute := mono / int64(time.Minute)
	if minute != a.minute {
		fixes, mean := a.fixes, a.sum
		a.minute, a.fixes, a.sum = minute, 0, [2]float64{}
		if fixes >= surveyFixes {
			a.count([2]float64{mean[0] / float64(fixes), mean[1] / float64(fixes)})
		}
		if len(a.minutes) >= surveyMinutes {
			*a = antenna{known: true, at: a.origin.shifted(a.middle()), last: a.last}
			return true
		}
	}
	if len(a.minutes) == 0 && a.fixes == 0 {
		a.origin = p
	}
	d := p.from(a.origin)
	a.sum[0], a.sum[1] = a.sum[0]+d[0], a.sum[1]+d[1]
	a.fixes++
	return false
}

// count takes in a minute's mean. One that is away from the others does not
// count, several in a row begin the survey anew.
func (a *antenna) count(mean [2]float64) {
	if len(a.minutes) > 0 {
		m := a.middle()
		if math.Hypot(mean[0]-m[0], mean[1]-m[1]) > surveyWithin {
			if a.away++; a.away >= surveyAway {
				a.minutes, a.away = a.minutes[:0], 0
			}
			return
		}
	}
	a.minutes, a.away = append(a.minutes, mean), 0
}

// middle is the median of the minutes, east and north.
func (a *antenna) middle() (m [2]float64) {
	v := make([]float64, len(a.minutes))
	for axis := range m {
		for i, x := range a.minutes {
			v[i] = x[axis]
		}
		m[axis] = median(v)
	}
	return m
}

// Antenna is where a fixed antenna was surveyed to be, to be kept for
// Config.Survey over a restart; ok is false where it was not, or not yet.
func (r *Reference) Antenna() (s Survey, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.antenna.at, r.antenna.known
}

// Moved tells that the antenna was moved by people who may: it is surveyed
// anew, and nothing is held against where it is.
func (r *Reference) Moved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.antenna = antenna{}
	r.c.Log.Info("the antenna was moved: its survey begins anew")
}
