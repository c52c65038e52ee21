package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
)

// A server's offsets are drawn in a box like that of the pulses, on a scale that is
// linear near 0 and logarithmic beyond, so that microseconds and seconds both show;
// the NTP Pool's score stands on the right-hand axis, from scoreLeast to scoreMost.
const (
	offsetHeight = 240
	scoreMost    = 20.0
	scoreLeast   = -100.0
	offsetLeast  = 1e-7 // seconds: the linear part is no smaller
)

// offsetPoint is what is drawn at an instant: an exchange, or an hour of them.
type offsetPoint struct {
	at        time.Time
	offset    float64 // seconds; NaN: there was none
	low, high float64 // seconds: the ends of its bar; NaN: none
	tone      tone
	score     float64 // after it; NaN not known
}

// offsetPlot is the picture. Coordinates are as in plot.
type offsetPlot struct {
	Limit              string // the band within the limit
	Bars               string // uncertainties, or from least to most
	Good, Warn, Bad    string // dots by verdict
	Other              string // dots that no verdict on the time was drawn from
	Lost               string // marks at the lower edge: no offset was measured
	Unjudged           string // the same, where that says nothing of the server
	Beyond             string // marks at the edges: outside of the scale
	Score              string
	YTicks, XTicks     []tick
	ScoreTicks         []tick
	Top, Height, Below int
	Full               int // pixels
}

// bend is the scale of offsets: seconds to -1..1.
type bend struct{ linear, top float64 }

func (b bend) of(v float64) float64 {
	return math.Asinh(v/b.linear) / math.Asinh(b.top/b.linear)
}

// newBend fits what is to be seen, and the limit with it.
func newBend(points []offsetPoint, limit float64) bend {
	var sizes, spreads []float64
	for _, p := range points {
		if finite(p.offset) {
			sizes = append(sizes, math.Abs(p.offset))
		}
		if finite(p.low) && finite(p.high) {
			spreads = append(spreads, (p.high-p.low)/2, math.Abs(p.low), math.Abs(p.high))
		}
	}
	small := max(min(quantile(sizes, 0.5), quantile(spreads, 0.25)), offsetLeast)
	linear := math.Pow(10, math.Floor(math.Log10(small)))
	top := max(1.3*limit, 1.05*quantile(spreads, 0.9), 10*linear)
	// What is very far off is marked at the edge, or nothing else could be told apart.
	top = min(max(top, min(1.2*quantile(sizes, 1), 1e4*max(top, quantile(sizes, 0.9)))), plotMost)
	return bend{linear: max(linear, top*1e-7), top: top}
}

// drawOffsets draws points between two instants, or returns nil where there are none.
func drawOffsets(points []offsetPoint, from, to time.Time, limit float64) *offsetPlot {
	if len(points) == 0 || !to.After(from) {
		return nil
	}
	b := newBend(points, limit)
	p := &offsetPlot{Top: plotTop, Height: offsetHeight, Below: plotTop + offsetHeight + 20, Full: plotTop + offsetHeight + 30}
	span := to.Sub(from).Seconds()
	x := func(t time.Time) float64 { return plotWidth * t.Sub(from).Seconds() / span }
	y := func(v float64) float64 { return offsetHeight / 2 * (1 - min(max(b.of(v), -1.05), 1.05)) }
	p.Limit = fmt.Sprintf("M0 %sH%dV%sH0Z", short(y(limit)), plotWidth, short(y(-limit)))

	var bars dots
	byTone := map[tone]*dots{toneGood: {}, toneWarn: {}, toneBad: {}, toneWait: {}}
	var lost, unjudged, beyond strings.Builder
	lostAt, unjudgedAt, beyondAt := -1, -1, [2]int{-1, -1}
	many := len(points) > plotDots
	for _, q := range points {
		at := x(q.at)
		if at < 0 || at > plotWidth {
			continue
		}
		c := column(at)
		if !finite(q.offset) {
			to, last := &lost, &lostAt
			if q.tone == toneWait {
				to, last = &unjudged, &unjudgedAt
			}
			if c != *last {
				fmt.Fprintf(to, "M%s %dV%d", short(at), offsetHeight, offsetHeight-7)
			}
			*last = c
			continue
		}
		if math.Abs(q.offset) > b.top {
			side, edge := 0, "1V9"
			if q.offset < 0 {
				side, edge = 1, fmt.Sprintf("%dV%d", offsetHeight-1, offsetHeight-9)
			}
			if c != beyondAt[side] {
				fmt.Fprintf(&beyond, "M%s %s", short(at), edge)
			}
			beyondAt[side] = c
			continue
		}
		if finite(q.low) && finite(q.high) {
			bars.span(at, y(q.high), y(q.low), many)
		}
		byTone[q.tone].add(at, y(q.offset), many)
	}
	p.Bars, p.Lost, p.Unjudged, p.Beyond = bars.path(), lost.String(), unjudged.String(), beyond.String()
	p.Good, p.Warn, p.Bad, p.Other = byTone[toneGood].path(), byTone[toneWarn].path(), byTone[toneBad].path(), byTone[toneWait].path()
	p.drawScore(points, x)
	p.offsetTicks(b, y)
	p.XTicks = timeTicks(from, to, x)
	return p
}

// span adds a stroke from high to low, one for each column if they are merged.
func (d *dots) span(x, high, low float64, merge bool) {
	if n := len(*d); merge && n > 0 && column((*d)[n-1].x) == column(x) {
		last := &(*d)[n-1]
		last.high, last.low = min(last.high, high), max(last.low, low)
		return
	}
	*d = append(*d, struct{ x, high, low float64 }{x, high, low})
}

// drawScore draws the score as steps, where it is known.
func (p *offsetPlot) drawScore(points []offsetPoint, x func(time.Time) float64) {
	var out strings.Builder
	last, lastY, drawn := -1, "", false
	for _, q := range points {
		at := x(q.at)
		if !finite(q.score) || at < 0 || at > plotWidth {
			drawn = drawn && finite(q.score)
			continue
		}
		at, here := max(at, 0), short(scoreY(q.score))
		switch {
		case !drawn:
			fmt.Fprintf(&out, "M%s %s", short(at), here)
		case here == lastY, column(at) == last:
			continue
		default:
			fmt.Fprintf(&out, "L%s %s", short(at), here)
		}
		drawn, last, lastY = true, column(at), here
	}
	if out.Len() > 0 && drawn {
		fmt.Fprintf(&out, "L%s %s", short(x(points[len(points)-1].at)), short(scoreY(points[len(points)-1].score)))
	}
	p.Score = out.String()
	if p.Score == "" {
		return
	}
	for _, v := range []float64{20, 10, 0, -50, -100} {
		p.ScoreTicks = append(p.ScoreTicks, tick{At: short(plotTop + scoreY(v)), Label: strings.Replace(strconv.Itoa(int(v)), "-", "−", 1)})
	}
}

// scoreY is where a score stands: linear above 0, and the bad ones below closer.
func scoreY(v float64) float64 {
	v = min(max(v, scoreLeast), scoreMost)
	if v >= 0 {
		return offsetHeight * 0.6 * (1 - v/scoreMost)
	}
	return offsetHeight * (0.6 + 0.4*v/scoreLeast)
}

// offsetTicks are powers of ten on both sides of 0, as many as there is room for.
func (p *offsetPlot) offsetTicks(b bend, y func(float64) float64) {
	add := func(v float64, label string) {
		p.YTicks = append(p.YTicks, tick{At: short(plotTop + y(v)), Label: label, Zero: v == 0})
	}
	add(0, "0")
	last := y(0)
	for v := b.linear; v <= b.top*(1+1e-9); v *= 10 {
		if last-y(v) < 24 {
			continue
		}
		last = y(v)
		add(v, trimZeros(health.Signed(v, 1)))
		add(-v, trimZeros(health.Signed(-v, 1)))
	}
}

// timeTicks stand at whole hours, days or months of UTC.
func timeTicks(from, to time.Time, x func(time.Time) float64) (ticks []tick) {
	const day = 24 * time.Hour
	span := to.Sub(from)
	first, layout := time.Date(from.Year(), from.Month()+1, 1, 0, 0, 0, 0, time.UTC), "Jan 2006"
	next := func(t time.Time) time.Time { return t.AddDate(0, 2, 0) }
	for _, s := range []struct {
		most, step time.Duration
		layout     string
	}{
		{2 * time.Minute, 30 * time.Second, "15:04:05"}, {10 * time.Minute, 2 * time.Minute, "15:04"}, {time.Hour, 15 * time.Minute, "15:04"},
		{2 * time.Hour, 30 * time.Minute, "15:04"}, {8 * time.Hour, 2 * time.Hour, "15:04"}, {14 * time.Hour, 3 * time.Hour, "15:04"}, {26 * time.Hour, 6 * time.Hour, "15:04"},
		{8 * day, 2 * day, "2 Jan"}, {40 * day, 7 * day, "2 Jan"},
	} {
		if span <= s.most {
			first, layout = from.Truncate(s.step).Add(s.step), s.layout
			next = func(t time.Time) time.Time { return t.Add(s.step) }
			break
		}
	}
	for t := first; !t.After(to); t = next(t) {
		at := x(t) / plotWidth * 100
		if at < 4 || at > 96 {
			continue
		}
		ticks = append(ticks, tick{At: short(at), Label: t.UTC().Format(layout), Anchor: "middle"})
	}
	return ticks
}
