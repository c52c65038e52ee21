package web

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
)

// The pulses are drawn in a box of plotWidth by plotHeight units that is
// stretched to the page's width, while text and strokes keep their size. The
// box begins plotTop pixels below the picture's top. What lies outside the
// scale is marked at its edge.
const (
	plotWidth   = 1000
	plotHeight  = 200
	plotTop     = 22
	plotColumns = 500  // the finest that is drawn of more; bounds the size of the page
	plotDots    = 900  // so many pulses are drawn as a dot each
	plotMost    = 1e9  // seconds; what is larger is no sample of a clock
	maxSamples  = 3600 // the newest of so many are drawn
)

// plot is the picture of pulse offsets over time. Coordinates are those of the
// box, but for the ticks: X is in percent of the width, Y in pixels.
type plot struct {
	Band       string // outline of the 95 % uncertainty
	Dots       string // pulses while locked
	Loose      string // pulses in any other state
	Beyond     string // edge marks of pulses outside the scale
	Shades     []shade
	YTicks     []tick
	XTicks     []tick
	Caption    string // the picture in words
	Top, Below int    // pixels: where the box begins, where labels of the x axis stand
}

// shade marks the times in which the reference was in one state.
type shade struct {
	State  string
	Label  string
	Path   string
	LabelX string // percent: middle of the longest stretch; empty: too short for a label
	widest float64
}

type tick struct {
	At     string
	Label  string
	Anchor string
	Zero   bool
	Tight  bool // has no room for its label on a phone
}

// point is a sample that can be drawn.
type point struct {
	x           float64 // box units
	offset      float64 // seconds; NaN none
	uncertainty float64 // seconds; NaN unknown
	state       string
}

// drawPlot draws samples, or returns nil where there is nothing to draw.
func drawPlot(samples []status.Sample) *plot {
	samples = drawable(samples)
	samples = samples[max(0, len(samples)-maxSamples):]
	if len(samples) == 0 {
		return nil
	}
	span, step := timeScale(samples[0].Age)
	points := make([]point, len(samples))
	for i, s := range samples {
		points[i] = point{x: plotWidth * (1 - s.Age/span), offset: s.Offset, uncertainty: s.Uncertainty, state: s.State}
	}
	top := valueScale(points)
	p := &plot{Top: plotTop, Below: plotTop + plotHeight + 20}
	y := func(v float64) float64 {
		return min(max(plotHeight/2*(1-v/top), -plotHeight), 2*plotHeight)
	}
	gap := gapWidth(points)
	p.Band = drawBand(points, gap, y)
	beyond := p.drawDots(points, top, y)
	p.Shades = drawShades(points, gap)
	p.ticks(span, step, top)
	p.Caption = caption(samples, beyond)
	return p
}

// drawable keeps the samples that have a place in the picture, oldest first.
func drawable(samples []status.Sample) []status.Sample {
	var kept []status.Sample
	for _, s := range samples {
		if !(s.Age >= 0 && s.Age <= plotMost) {
			continue
		}
		if !(math.Abs(s.Offset) <= plotMost) {
			s.Offset = math.NaN()
		}
		if s.Uncertainty < 0 {
			s.Uncertainty = math.NaN()
		}
		s.Uncertainty = min(s.Uncertainty, plotMost)
		if math.IsNaN(s.Offset) && math.IsNaN(s.Uncertainty) {
			continue
		}
		s.State = word(s.State, status.States, string(gpspps.StateCold))
		kept = append(kept, s)
	}
	slices.SortStableFunc(kept, func(a, b status.Sample) int {
		switch {
		case a.Age > b.Age:
			return -1
		case a.Age < b.Age:
			return 1
		}
		return 0
	})
	return kept
}

// bends leaves of a band's corners those between which it is not as wide as before.
func bends(run []point, y func(float64) float64) []point {
	kept := run[:0]
	for i, p := range run {
		at := func(i int) int { return tenths(y(run[i].uncertainty)) }
		if n := len(kept); n > 0 && i+1 < len(run) && tenths(y(kept[n-1].uncertainty)) == at(i) && at(i) == at(i+1) {
			continue
		}
		kept = append(kept, p)
	}
	return kept
}

func column(x float64) int { return min(int(x/plotWidth*plotColumns), plotColumns-1) }

// drawBand outlines the uncertainty around 0, at most one corner in bandWidth
// units, drawn as wide as the widest that the corner stands for.
func drawBand(points []point, gap float64, y func(float64) float64) string {
	const bandWidth = 8
	var out strings.Builder
	var run []point
	var last point
	flush := func() {
		if len(run) > 0 && last.x > run[len(run)-1].x {
			run = append(run, last)
		}
		run = bends(run, y)
		var outline pen
		for i, p := range run {
			if i == 0 {
				outline.move(p.x, y(p.uncertainty))
				continue
			}
			outline.line(p.x, y(p.uncertainty))
		}
		for _, p := range slices.Backward(run) {
			outline.line(p.x, y(-p.uncertainty))
		}
		if len(run) > 0 {
			out.WriteString(outline.path() + "Z")
		}
		run = run[:0]
	}
	for i, p := range points {
		unknown := math.IsNaN(p.uncertainty)
		if unknown || i > 0 && p.x-points[i-1].x > gap {
			flush()
		}
		switch n := len(run); {
		case unknown:
		case n > 0 && p.x-run[n-1].x < bandWidth:
			run[n-1].uncertainty = max(run[n-1].uncertainty, p.uncertainty)
		default:
			run = append(run, p)
		}
		last = p
	}
	flush()
	return out.String()
}

// drawDots draws the pulses, one dot each while there is room, else one stroke
// a column from the lowest to the highest, and returns how many lie outside the
// scale.
func (p *plot) drawDots(points []point, top float64, y func(float64) float64) (beyond int) {
	var settled, loose dots
	var edge strings.Builder
	above, below := -1, -1 // the last columns marked
	for _, q := range points {
		if math.IsNaN(q.offset) {
			continue
		}
		c := column(q.x)
		switch {
		case q.offset > top:
			beyond++
			if c != above {
				fmt.Fprintf(&edge, "M%s 1V10", short(q.x))
			}
			above = c
		case q.offset < -top:
			beyond++
			if c != below {
				fmt.Fprintf(&edge, "M%s %dV%d", short(q.x), plotHeight-1, plotHeight-10)
			}
			below = c
		case q.state == string(gpspps.StateLocked):
			settled.add(q.x, y(q.offset), len(points) > plotDots)
		default:
			loose.add(q.x, y(q.offset), len(points) > plotDots)
		}
	}
	p.Dots, p.Loose, p.Beyond = settled.path(), loose.path(), edge.String()
	return beyond
}

// dots collects strokes from high to low at x.
type dots []struct{ x, high, low float64 }

func (d *dots) add(x, y float64, merge bool) {
	if n := len(*d); merge && n > 0 && column((*d)[n-1].x) == column(x) {
		last := &(*d)[n-1]
		last.high, last.low = min(last.high, y), max(last.low, y)
		return
	}
	*d = append(*d, struct{ x, high, low float64 }{x, y, y})
}

func (d dots) path() string {
	var p pen
	for _, s := range d {
		p.move(s.x, s.high)
		p.down(s.low)
	}
	return p.path()
}

// shadeLabels are short enough to stand inside the picture.
var shadeLabels = map[gpspps.State]string{
	gpspps.StateCold:      "no time yet",
	gpspps.StateNumbering: "numbering",
	gpspps.StateHoldover:  "holdover",
	gpspps.StateSuspect:   "in doubt",
}

// drawShades marks the stretches that were not locked, one path for each state.
func drawShades(points []point, gap float64) []shade {
	var shades []shade
	for i := 0; i < len(points); {
		state, from, to := points[i].state, points[i].x, points[i].x
		for i < len(points) && points[i].state == state && points[i].x-to <= gap {
			to = points[i].x
			i++
		}
		if i < len(points) && points[i].x-to <= gap {
			to = points[i].x // up to where the next state begins
		}
		label, ok := shadeLabels[gpspps.State(state)]
		if !ok {
			continue
		}
		at := slices.IndexFunc(shades, func(s shade) bool { return s.State == state })
		if at < 0 {
			shades = append(shades, shade{State: state, Label: label})
			at = len(shades) - 1
		}
		shades[at].add(from, max(to, from+plotWidth/plotColumns), plotHeight)
	}
	return shades
}

func (s *shade) add(from, to float64, height int) {
	const enough = 0.14 * plotWidth // a label on a phone is this wide
	s.Path += fmt.Sprintf("M%s 0H%sV%dH%sZ", short(from), short(to), height, short(from))
	if w := to - from; w > s.widest {
		s.widest = w
		if w >= enough {
			s.LabelX = short((from + to) / 2 / plotWidth * 100)
		}
	}
}

func (p *plot) ticks(span, step, top float64) {
	for i := 2; i >= -2; i-- {
		v := top * float64(i) / 2
		label := "0"
		if i != 0 {
			label = trimZeros(health.Signed(v, 3))
		}
		p.YTicks = append(p.YTicks, tick{At: short(plotTop + plotHeight/2 - float64(i)*plotHeight/4), Label: label, Zero: i == 0})
	}
	p.XTicks = ageTicks(span, step)
}

func caption(samples []status.Sample, beyond int) string {
	var sizes []float64
	for _, s := range samples {
		if !math.IsNaN(s.Offset) {
			sizes = append(sizes, math.Abs(s.Offset))
		}
	}
	last := trimZeros(health.Seconds(max(1, samples[0].Age), 2))
	var text string
	switch len(sizes) {
	case 0:
		return "No pulse in the last " + last + "."
	case 1:
		text = "One pulse, " + health.Seconds(sizes[0], 2) + " from the estimate."
	default:
		text = fmt.Sprintf("%d pulses in the last %s: half of them within %s of the estimate, 95 %% within %s.",
			len(sizes), last, health.Seconds(quantile(sizes, 0.5), 2), health.Seconds(quantile(sizes, 0.95), 2))
	}
	switch {
	case beyond == 1:
		text += " One lies outside the scale and is marked at its edge."
	case beyond > 1:
		text += fmt.Sprintf(" %d lie outside the scale and are marked at its edge.", beyond)
	}
	return text
}

func pick(c bool, yes, no string) string {
	if c {
		return yes
	}
	return no
}
