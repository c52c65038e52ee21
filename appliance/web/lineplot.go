package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// linePlot is a line over time or over an interval. Coordinates are as in plot; Height
// is that of its box.
type linePlot struct {
	Line, Second, Dots string
	Band               string // what is behind the lines
	Shades             []shade
	YTicks, XTicks     []tick
	Top, Height, Below int
	Full               int // pixels
	Caption            string
}

func newLinePlot(height int) *linePlot {
	return &linePlot{Top: plotTop, Height: height, Below: plotTop + height + 20, Full: plotTop + height + 30}
}

// drawJitter draws how much pulses scatter, or returns nil where that is not known. Of
// a sample the offset is the jitter.
func drawJitter(samples []status.Sample) *linePlot {
	samples = drawable(samples)
	var sizes []float64
	for _, s := range samples {
		if finite(s.Offset) {
			sizes = append(sizes, s.Offset)
		}
	}
	if len(sizes) < 2 {
		return nil
	}
	p := newLinePlot(100)
	span, step := timeScale(samples[0].Age)
	top := niceAbove(max(1.1*quantile(sizes, 0.995), 1e-9))
	var line pen
	var points []point
	for _, s := range samples {
		points = append(points, point{x: plotWidth * (1 - s.Age/span)})
	}
	gap, last := gapWidth(points), math.Inf(-1)
	for i, s := range samples {
		if !finite(s.Offset) {
			continue
		}
		x := points[i].x
		draw := line.line
		if x-last > gap {
			draw = line.move
		}
		draw(x, float64(p.Height)*(1-min(s.Offset/top, 1)))
		last = x
	}
	p.Line = line.path()
	for i := range 3 {
		v := top * float64(i) / 2
		label := "0"
		if i > 0 {
			label = trimZeros(health.Seconds(v, 3))
		}
		p.YTicks = append(p.YTicks, tick{At: short(plotTop + float64(p.Height)*(1-float64(i)/2)), Label: label, Zero: i == 0})
	}
	p.XTicks = ageTicks(span, step)
	p.Caption = "RMS of each minute's pulses around their mean: half of the minutes below " + health.Seconds(quantile(sizes, 0.5), 2) + "."
	return p
}

// drawStability draws the Allan deviation, both ways logarithmic, or returns nil where
// fewer than two intervals are known.
func drawStability(list []status.Deviation) *linePlot {
	var x, y []float64
	for _, d := range list {
		if d.Deviation > 0 {
			x, y = append(x, math.Log10(d.Interval)), append(y, math.Log10(d.Deviation))
		}
	}
	if len(x) < 2 {
		return nil
	}
	p := newLinePlot(200)
	right := max(math.Ceil(x[len(x)-1]*2)/2, x[0]+1)
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range y {
		low, high = min(low, math.Floor(v)), max(high, math.Ceil(v))
	}
	high = max(high, low+1)
	var line, dots strings.Builder
	for i := range x {
		px, py := short(plotWidth*(0.1+0.88*(x[i]-x[0])/(right-x[0]))), short(float64(p.Height)*(high-y[i])/(high-low))
		fmt.Fprintf(&line, "%s%s %s", pick(i == 0, "M", "L"), px, py)
		fmt.Fprintf(&dots, "M%s %sh0", px, py)
	}
	p.Line, p.Dots = line.String(), dots.String()
	p.Caption = "Plot of the Allan deviation against the interval."
	every := max(1, math.Ceil((high-low)/5))
	for v := low; v <= high; v += every {
		p.YTicks = append(p.YTicks, tick{
			At: short(plotTop + float64(p.Height)*(high-v)/(high-low)), Label: "1e" + strings.Replace(strconv.Itoa(int(v)), "-", "−", 1),
		})
	}
	for v := 0.0; v <= right; v++ {
		p.XTicks = append(p.XTicks, tick{At: short(100 * (0.1 + 0.88*(v-x[0])/(right-x[0]))), Label: health.Seconds(math.Pow(10, v), 1), Anchor: "middle"})
	}
	for i := range p.XTicks {
		p.XTicks[i].Label = trimZeros(p.XTicks[i].Label)
	}
	return p
}

// ageTicks stand at whole steps before now.
func ageTicks(span, step float64) (out []tick) {
	for age := math.Floor(span/step) * step; age >= 0; age -= step {
		t := tick{At: short(100 * (1 - age/span)), Label: "−" + trimZeros(health.Seconds(age, 3)), Anchor: "middle", Tight: len(out) == 1}
		switch age {
		case span:
			t.Anchor = "start"
		case 0:
			t.Anchor, t.Label = "end", "now"
		}
		out = append(out, t)
	}
	return out
}
