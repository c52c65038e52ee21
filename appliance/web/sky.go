package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/truechimer/truechimer/appliance/status"
)

// sky is where the satellites stand, north up and the horizon as the circle, in a box
// from -100 to 100 both ways, and how well each is heard.
type sky struct {
	Dots    []skyDot
	Bars    []skyBar
	Caption string
	Width   int // of the bars' box, units
}

type skyDot struct {
	X, Y, Name, System, Title string
	Used                      bool
}

// skyBar is a satellite's C/N0, in a box of barHeight for maxCN0.
type skyBar struct {
	X, Height, Y, Name, System string
	Middle, Label              string
	Used                       bool
	CN0                        int
}

const (
	maxCN0    = 55.0 // dB Hz
	barHeight = 110
	barWidth  = 26
)

var systemNames = map[string]string{
	"G": "GPS", "R": "GLONASS", "E": "Galileo", "C": "BeiDou", "J": "QZSS", "S": "SBAS", "I": "NavIC", "": "satellite",
}

// drawSky draws them, or returns nil where there are none.
func drawSky(list []status.Satellite) *sky {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b status.Satellite) int {
		return cmp.Or(cmp.Compare(slices.Index(status.Systems, a.System), slices.Index(status.Systems, b.System)), cmp.Compare(a.Number, b.Number))
	})
	v := &sky{}
	used, heard := 0, 0
	for _, s := range list {
		name := s.System + strconv.Itoa(s.Number)
		title := systemNames[s.System] + " " + strconv.Itoa(s.Number)
		if s.Used {
			used++
			title += ", used"
		}
		if s.CN0 != nil {
			heard++
			title += fmt.Sprintf(", %d dB Hz", *s.CN0)
			h := barHeight * min(float64(*s.CN0)/maxCN0, 1)
			at := float64(len(v.Bars) * barWidth)
			v.Bars = append(v.Bars, skyBar{
				X: short(at + 3), Y: short(barHeight - h), Height: short(h), Name: name, System: s.System, Used: s.Used, CN0: *s.CN0,
				Middle: short(at + barWidth/2), Label: short(barHeight - h - 4),
			})
		}
		if s.Elevation != nil && s.Azimuth != nil {
			sin, cos := math.Sincos(float64(*s.Azimuth) * math.Pi / 180)
			r := 90 - float64(*s.Elevation)
			title += fmt.Sprintf(", %d° high, azimuth %d°", *s.Elevation, *s.Azimuth)
			v.Dots = append(v.Dots, skyDot{X: short(r * sin), Y: short(-r * cos), Name: name, System: s.System, Title: title, Used: s.Used})
		}
	}
	v.Width = max(len(v.Bars), 1) * barWidth
	v.Caption = fmt.Sprintf("%d satellites told of, %d heard, %d used.", len(list), heard, used)
	return v
}
