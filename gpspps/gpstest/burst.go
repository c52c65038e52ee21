package gpstest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/truechimer/truechimer/gpspps/nmea"
)

// burst is what the receiver sends about one UTC second.
func (f *faults) burst(second time.Time, seed int64) []byte {
	if f.off {
		return nil
	}
	second = second.UTC()
	rng := rand.New(rand.NewPCG(uint64(seed), streamReceiver+uint64(second.Unix())))
	if f.garbage {
		b := make([]byte, bytesPerSecond)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	named := second.Add(time.Duration(f.shift()) * time.Second)
	valid, mode := f.fix()
	clock := named.Format("150405.00")
	sats := sky(second, f.seen(), f.sats)
	used := 0
	for _, s := range sats {
		if s.used {
			used++
		}
	}
	var out []byte
	add := func(format string, args ...any) {
		out = nmea.AppendSentence(out, fmt.Sprintf(format, args...))
	}
	if valid {
		place := place(rng, f.away)
		add("GNRMC,%s,A,%s,%.3f,,%s,,,A,V", clock, place, 0.02*rng.Float64(), named.Format("020106"))
		add("GNGGA,%s,%s,1,%02d,%.2f,%.1f,M,%.1f,M,,", clock, place, used, dilution(used),
			antennaHeight+rng.NormFloat64()/2, antennaGeoid)
	} else {
		add("GNRMC,%s,V,,,,,,,%s,,,N,V", clock, named.Format("020106"))
		add("GNGGA,%s,,,,,0,%02d,99.99,,,,,,", clock, used)
	}
	addGSA(add, sats, valid, mode, used)
	addGSV(add, sats)
	add("GNZDA,%s,%s,00,00", clock, named.Format("02,01,2006"))
	if f.antenna != "" {
		add("GNTXT,01,01,01,ANTENNA %s", f.antenna)
	}
	return out
}

// place is the antenna's position, so many metres north of where it is at first,
// with a metre of noise, as four fields.
func place(rng *rand.Rand, away int) string {
	const metre = 360.0 / 40e6 // degrees of latitude
	angle := func(deg float64, width int, plus, minus string) string {
		side := plus
		if deg < 0 {
			side, deg = minus, -deg
		}
		whole := math.Floor(deg)
		return fmt.Sprintf("%0*d%08.5f,%s", width, int(whole), (deg-whole)*60, side)
	}
	return angle(antennaLat+metre*(float64(away)+rng.NormFloat64()), 2, "N", "S") + "," +
		angle(antennaLon+metre*rng.NormFloat64(), 3, "E", "W")
}

// dilution is a plausible horizontal dilution of precision.
func dilution(used int) float64 { return 0.6 + 3/float64(max(used, 1)) }

func addGSA(add func(string, ...any), sats []satellite, valid bool, mode, used int) {
	for i, s := range systems() {
		ids := make([]string, 12)
		n := 0
		for _, x := range sats {
			if valid && x.used && x.system == i && n < len(ids) {
				ids[n] = fmt.Sprintf("%02d", x.number)
				n++
			}
		}
		h := 99.99
		if valid {
			h = dilution(used)
		}
		p := min(h*1.7, 99.99)
		add("GNGSA,A,%d,%s,%.2f,%.2f,%.2f,%d", mode, strings.Join(ids, ","), p, h, min(h*1.4, 99.99), s.id)
	}
}

func addGSV(add func(string, ...any), sats []satellite) {
	for i, s := range systems() {
		var of []satellite
		for _, x := range sats {
			if x.system == i {
				of = append(of, x)
			}
		}
		parts := max((len(of)+3)/4, 1)
		for part := range parts {
			b := fmt.Sprintf("%sGSV,%d,%d,%02d", s.talker, parts, part+1, len(of))
			for _, x := range of[part*4 : min(part*4+4, len(of))] {
				b += fmt.Sprintf(",%02d,%02d,%03d,%02d", x.number, int(x.el), int(x.az), x.signal)
			}
			add("%s,%d", b, s.signal)
		}
	}
}
