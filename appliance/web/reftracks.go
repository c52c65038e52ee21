package web

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor/journal"
)

// track is one picture of what the reference was like over time. Coordinates are as in
// linePlot.
type track struct {
	linePlot
	Key    string // by which the script knows it
	Name   string
	Legend []fact // class and words
}

const (
	trackHeight = 140
	// decadesMost is how many powers of ten a logarithmic scale has.
	decadesMost = 9
)

// worstState is the worst one that a part of time ended a minute in; empty: the
// reference was locked in all of them.
func worstState(h *journal.ReferenceHour) string {
	for _, s := range [...]gpspps.State{gpspps.StateSuspect, gpspps.StateHoldover, gpspps.StateCold, gpspps.StateNumbering} {
		if h.States(string(s)) > 0 {
			return string(s)
		}
	}
	return ""
}

// drawTracks draws what is known of the parts.
func drawTracks(st period, parts []*journal.ReferenceHour) []track {
	d := trackDrawing{st: st, parts: parts, ticks: timeTicks(st.from, st.to, st.x), part: partName(st.part)}
	var list []track
	for _, t := range []*track{d.offsets(), d.spreads(), d.frequency(), d.temperature()} {
		if t != nil {
			list = append(list, *t)
		}
	}
	return list
}

// x is where an instant stands.
func (s period) x(t time.Time) float64 {
	return plotWidth * float64(t.Sub(s.from)) / float64(s.long())
}

type trackDrawing struct {
	st    period
	parts []*journal.ReferenceHour
	ticks []tick
	part  string
}

func (d *trackDrawing) track(key, name, caption string) *track {
	t := &track{linePlot: *newLinePlot(trackHeight), Key: key, Name: name}
	t.Caption, t.XTicks = caption, d.ticks
	return t
}

// all are the numbers that are known.
func (d *trackDrawing) all(of func(*journal.ReferenceHour) float64) (list []float64) {
	for _, h := range d.parts {
		if h != nil && finite(of(h)) {
			list = append(list, of(h))
		}
	}
	return list
}

// middle is where a part stands.
func (d *trackDrawing) middle(h *journal.ReferenceHour) float64 {
	return min(max(d.st.x(h.Hour.Add(d.st.part/2)), 0), plotWidth)
}

// trackY is where a number on a scale from 0 at the lower edge to 1 stands; what is
// beyond it is cut off just outside.
func trackY(v float64) float64 { return trackHeight * (1 - min(max(v, -.1), 1.1)) }

// line joins the numbers of parts that follow on each other, on a scale from 0 at the
// lower edge to 1.
func (d *trackDrawing) line(of func(*journal.ReferenceHour) float64, scale func(float64) float64) string {
	var out pen
	joined := false
	for i, h := range d.parts {
		if h == nil || !finite(of(h)) {
			joined = false
			continue
		}
		x, y := d.middle(h), trackY(scale(of(h)))
		switch next := i+1 < len(d.parts) && d.parts[i+1] != nil && finite(of(d.parts[i+1])); {
		case joined:
			out.line(x, y)
		case next:
			out.move(x, y)
		default: // one that stands alone
			half := d.st.x(h.Hour.Add(d.st.part)) - d.st.x(h.Hour)
			out.move(max(x-half/2, 0), y)
			out.line(min(x+half/2, plotWidth), y)
		}
		joined = true
	}
	return out.path()
}

// offsets are those of the pulses: their mean, and from the least to the greatest.
func (d *trackDrawing) offsets() *track {
	mean := func(h *journal.ReferenceHour) float64 { return h.Mean }
	least := func(h *journal.ReferenceHour) float64 { return h.Least }
	greatest := func(h *journal.ReferenceHour) float64 { return h.Greatest }
	var sizes []float64
	for _, v := range append(d.all(least), d.all(greatest)...) {
		sizes = append(sizes, math.Abs(v))
	}
	if len(d.all(mean)) == 0 {
		return nil
	}
	t := d.track("offset", "Pulses against the estimate", "Mean of each "+d.part+", from the least to the greatest.")
	top := niceAbove(max(1.1*quantile(sizes, 0.98), 1e-9))
	scale := func(v float64) float64 { return (1 + v/top) / 2 }
	t.Line = d.line(mean, scale)
	t.Band = d.band(least, greatest, scale)
	for i := -1; i <= 1; i++ {
		label := "0"
		if i != 0 {
			label = trimZeros(health.Signed(top*float64(i), 3))
		}
		t.YTicks = append(t.YTicks, tick{At: short(plotTop + trackHeight*(1-scale(top*float64(i)))), Label: label, Zero: i == 0})
	}
	t.Legend = []fact{{Name: "l-line", Value: "mean"}, {Name: "l-band", Value: "least to greatest"}}
	t.Shades = d.shades()
	for _, s := range t.Shades {
		t.Legend = append(t.Legend, fact{Name: "l-shade " + s.State, Value: s.Label})
	}
	return t
}

// band is what lies between two numbers of each part.
func (d *trackDrawing) band(low, high func(*journal.ReferenceHour) float64, scale func(float64) float64) string {
	var out strings.Builder
	y := func(v float64) float64 { return trackY(scale(v)) }
	for i := 0; i < len(d.parts); {
		var run []*journal.ReferenceHour
		for ; i < len(d.parts) && d.parts[i] != nil && finite(low(d.parts[i])) && finite(high(d.parts[i])); i++ {
			run = append(run, d.parts[i])
		}
		if len(run) == 0 {
			i++
			continue
		}
		var outline pen
		for k, h := range run {
			if k == 0 {
				outline.move(d.middle(h), y(high(h)))
			} else {
				outline.line(d.middle(h), y(high(h)))
			}
		}
		for k := range run {
			h := run[len(run)-1-k]
			outline.line(d.middle(h), y(low(h)))
		}
		out.WriteString(outline.path() + "Z")
	}
	return out.String()
}

// shades are the parts that were not locked all the time.
func (d *trackDrawing) shades() (list []shade) {
	for i := 0; i < len(d.parts); {
		h := d.parts[i]
		i++
		if h == nil || worstState(h) == "" {
			continue
		}
		state, end := worstState(h), h.Hour.Add(d.st.part)
		for ; i < len(d.parts) && d.parts[i] != nil && worstState(d.parts[i]) == state; i++ {
			end = d.parts[i].Hour.Add(d.st.part)
		}
		at := slices.IndexFunc(list, func(s shade) bool { return s.State == state })
		if at < 0 {
			at, list = len(list), append(list, shade{State: state, Label: shadeLabels[gpspps.State(state)]})
		}
		from := max(d.st.x(h.Hour), 0)
		list[at].add(from, max(min(d.st.x(end), plotWidth), from+plotWidth/plotColumns), trackHeight)
	}
	return list
}

// spreads are the uncertainty and the jitter, on a logarithmic scale.
func (d *trackDrawing) spreads() *track {
	uncertainty := func(h *journal.ReferenceHour) float64 { return positive(h.Uncertainty) }
	jitter := func(h *journal.ReferenceHour) float64 { return positive(h.Jitter) }
	all := append(d.all(uncertainty), d.all(jitter)...)
	if len(all) == 0 {
		return nil
	}
	t := d.track("spread", "Uncertainty and jitter", "The greatest 95 % uncertainty of each "+d.part+", and how much its pulses scatter. The scale is logarithmic.")
	high := math.Ceil(math.Log10(quantile(all, 1)))
	low := max(min(math.Floor(math.Log10(quantile(all, 0))), high-1), high-decadesMost)
	scale := func(v float64) float64 { return (math.Log10(v) - low) / (high - low) }
	t.Line, t.Second = d.line(uncertainty, scale), d.line(jitter, scale)
	every := max(1, math.Ceil((high-low)/5))
	for v := low; v <= high; v += every {
		t.YTicks = append(t.YTicks, tick{At: short(plotTop + trackHeight*(high-v)/(high-low)), Label: trimZeros(health.Seconds(math.Pow(10, v), 1))})
	}
	t.Legend = []fact{{Name: "l-line", Value: "95 % uncertainty"}, {Name: "l-second", Value: "jitter, RMS"}}
	return t
}

func positive(v float64) float64 {
	if v > 0 {
		return v
	}
	return math.NaN()
}

func (d *trackDrawing) frequency() *track {
	return d.plain("frequency", "Oscillator", "Its frequency if it were left alone, in ppm; positive is fast.", "ppm", 0.002,
		func(h *journal.ReferenceHour) float64 { return h.Frequency })
}

func (d *trackDrawing) temperature() *track {
	return d.plain("temperature", "Temperature", "Of the processor, in °C.", "°C", 2, func(h *journal.ReferenceHour) float64 { return h.Temperature })
}

// plain is a number on a scale that fits it, and spans least at the least.
func (d *trackDrawing) plain(key, name, caption, unit string, least float64, of func(*journal.ReferenceHour) float64) *track {
	all := d.all(of)
	if len(all) == 0 {
		return nil
	}
	t := d.track(key, name, caption)
	low, high := quantile(all, 0), quantile(all, 1)
	if spare := least - (high - low); spare > 0 {
		low, high = low-spare/2, high+spare/2
	}
	step := niceAbove((high - low) / 4)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	t.Line = d.line(of, func(v float64) float64 { return (v - low) / (high - low) })
	digits, plus := int(max(0, -math.Floor(math.Log10(step)))), ""
	if unit == "°C" {
		plus = "+" // nobody writes it
	}
	for i := range int(math.Round((high-low)/step)) + 1 {
		v := low + float64(i)*step
		t.YTicks = append(t.YTicks, tick{At: short(plotTop + trackHeight*(high-v)/(high-low)), Label: strings.TrimPrefix(decimal(v, digits), plus) + " " + unit})
	}
	return t
}
