package gpstest

import (
	"math"
	"math/rand/v2"

	"github.com/truechimer/truechimer/gpspps"
)

// in says whether the fault is there in second n.
func (f Fault) in(n int) bool { return n >= f.From && (f.To == 0 || n < f.To) }

// warn adds what the receiver says of its signals.
func (s *Sim) warn(n int, fix *gpspps.Fix) {
	for _, x := range s.Faults {
		if x.in(n) {
			fix.Jammed = fix.Jammed || x.Jammed
			fix.Spoofed = fix.Spoofed || x.Spoofed
		}
	}
}

// locate adds where the antenna seems to be.
func (s *Sim) locate(n int, fix *gpspps.Fix, rng *rand.Rand) {
	if s.PositionM <= 0 || !fix.Valid {
		return
	}
	const metres = 111195 // in a degree of latitude
	north, east := s.PositionM*rng.NormFloat64(), s.PositionM*rng.NormFloat64()
	for _, x := range s.Faults {
		if x.in(n) {
			north += x.NorthM
		}
	}
	fix.Position = gpspps.Position{
		Known: true, Accuracy: s.PositionM,
		Lat: s.Lat + north/metres,
		Lon: math.Remainder(s.Lon+east/(metres*math.Cos(s.Lat*math.Pi/180)), 360),
	}
}
