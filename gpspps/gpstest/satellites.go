package gpstest

import (
	"math"
	"slices"
	"time"
)

// The antenna stands at the Royal Observatory in Greenwich, a place everybody
// knows and nobody lives at.
const (
	antennaLat    = 51.4779 // degrees north
	antennaLon    = -0.0015 // degrees east
	antennaHeight = 46.0    // metres above mean sea level
	antennaGeoid  = 45.5    // metres, the geoid above the ellipsoid there
)

// system is a satellite system whose orbits are circles, evenly filled: close
// enough for satellites that rise, cross the sky and set.
type system struct {
	talker      string
	id          int // NMEA 4.11 system
	signal      int // NMEA 4.11 signal, of its first frequency
	first       int // number of its first satellite
	planes      int
	perPlane    int
	inclination float64 // degrees
	radius      float64 // km
	list        int     // at most so many are received: 9600 baud has no room for more
}

// The orbits are those of the systems' interface documents, rounded.
func systems() []system {
	return []system{
		{"GP", 1, 1, 1, 6, 4, 55, 26560, 8},
		{"GL", 2, 1, 65, 3, 8, 64.8, 25510, 4},
		{"GA", 3, 7, 1, 3, 8, 56, 29600, 4},
	}
}

type satellite struct {
	system int // index into systems
	number int
	el, az float64 // degrees
	signal int     // C/N0, dB Hz
	used   bool
}

// sky is the satellites received at t, the highest first, seen of them at most.
func sky(t time.Time, seen, used int) []satellite {
	var all []satellite
	for i, s := range systems() {
		of := s.above(i, t)
		all = append(all, of[:min(len(of), s.list)]...)
	}
	byHeight(all)
	all = all[:min(len(all), seen)]
	for i := range all {
		all[i].used = i < used
	}
	return all
}

func byHeight(s []satellite) {
	slices.SortFunc(s, func(a, b satellite) int {
		switch {
		case a.el > b.el:
			return -1
		case a.el < b.el:
			return 1
		}
		return a.number - b.number
	})
}

// above is the system's satellites above the horizon, the highest first.
func (s *system) above(index int, t time.Time) []satellite {
	const (
		mu    = 398600.4418 // km^3/s^2, the earth's gravity (WGS 84)
		spin  = 7.2921151467e-5
		earth = 6371.0 // km
		rad   = math.Pi / 180
	)
	motion := math.Sqrt(mu / (s.radius * s.radius * s.radius))
	// Seconds since GPS time began; only the satellites' motion depends on it.
	at := t.Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)).Seconds()
	lat, lon := antennaLat*rad, antennaLon*rad
	sinI, cosI := math.Sincos(s.inclination * rad)
	var out []satellite
	for n := range s.planes * s.perPlane {
		plane, slot := n/s.perPlane, n%s.perPlane
		u := motion*at + 2*math.Pi*(float64(slot)/float64(s.perPlane)+float64(plane)/float64(s.planes*s.perPlane))
		node := 2*math.Pi*float64(plane)/float64(s.planes) + float64(index) - spin*at
		sinU, cosU := math.Sincos(u)
		sinN, cosN := math.Sincos(node)
		x := s.radius * (cosU*cosN - sinU*cosI*sinN)
		y := s.radius * (cosU*sinN + sinU*cosI*cosN)
		z := s.radius * sinU * sinI
		// Seen from the antenna: east, north, up.
		sinLat, cosLat := math.Sincos(lat)
		sinLon, cosLon := math.Sincos(lon)
		east := -sinLon*x + cosLon*y
		north := -sinLat*cosLon*x - sinLat*sinLon*y + cosLat*z
		up := cosLat*cosLon*x + cosLat*sinLon*y + sinLat*z - earth
		el := math.Atan2(up, math.Hypot(east, north)) / rad
		if el < 0 {
			continue
		}
		az := math.Atan2(east, north) / rad
		if az < 0 {
			az += 360
		}
		// A flat antenna hears well what stands high; the rest is multipath.
		noise := math.Sin(at/17 + float64(n)*1.3 + float64(index))
		out = append(out, satellite{system: index, number: s.first + n, el: el, az: az,
			signal: int(math.Round(29 + 18*math.Sin(el*rad) + 2*noise))})
	}
	byHeight(out)
	return out
}
