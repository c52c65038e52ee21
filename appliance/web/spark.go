package web

import (
	"fmt"
	"math"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// spark is the small picture of a server's last exchanges, sparkWide by sparkHigh: the
// nth is at x = n, so that all of them are as far apart. Its middle is 0, its edges
// the limit, or more if an offset is.
type spark struct {
	Path string // the offsets
	Lost string // marks where there was none
	// Unjudged are marks where there was none that says anything of the server, as
	// before the station knows the time.
	Unjudged string
	Label    string // the picture in words
}

const (
	sparkWide = 48 // as many as recent.Kept
	sparkHigh = 20
	// manySparks is from how many servers on a page there is room for a third of each.
	manySparks = 50
)

// drawSpark draws the last of them, most at the most, or returns nil where there are
// fewer than two.
func drawSpark(points []status.Point, most int, limit float64) *spark {
	points = points[max(0, len(points)-most):]
	if len(points) < 2 {
		return nil
	}
	top, low, high, measured := limit/50, math.Inf(1), math.Inf(-1), 0
	for _, p := range points {
		if finite(p.Offset) {
			top = max(top, min(math.Abs(p.Offset), plotMost))
			low, high, measured = min(low, p.Offset), max(high, p.Offset), measured+1
		}
	}
	var path, lost, unjudged strings.Builder
	s, open := &spark{}, 0
	from, before, alone := sparkWide-len(points), -1, false
	for i, p := range points {
		if !finite(p.Offset) {
			before = -1
			if p.Verdict == string(monitor.NotJudged) {
				open++
				fmt.Fprintf(&unjudged, "M%d %dh0", from+i, sparkHigh-2)
				continue
			}
			fmt.Fprintf(&lost, "M%d %dv-4", from+i, sparkHigh)
			continue
		}
		y := int(math.Round(sparkHigh / 2 * (1 - 0.9*p.Offset/top)))
		y = min(max(y, 0), sparkHigh)
		switch {
		case before < 0:
			fmt.Fprintf(&path, "M%d %dh0", from+i, y) // of no length: a dot
		default:
			// A minus parts numbers as well as a space.
			fmt.Fprintf(&path, "%s1%s%d", pick(alone, "l", " "), pick(y < before, "", " "), y-before)
		}
		before, alone = y, before < 0
	}
	s.Path, s.Lost, s.Unjudged = path.String(), lost.String(), unjudged.String()
	switch gone := len(points) - measured - open; {
	case measured+gone == 0:
		s.Label = fmt.Sprintf("the last %d requests were not judged", open)
		return s
	case measured == 0:
		s.Label = fmt.Sprintf("none of the last %d requests told an offset", gone)
	default:
		s.Label = fmt.Sprintf("%d offsets from %s to %s", measured, health.Signed(low, 2), health.Signed(high, 2))
		if gone > 0 {
			s.Label += fmt.Sprintf(", %d without", gone)
		}
	}
	if open > 0 {
		s.Label += fmt.Sprintf(", %d not judged", open)
	}
	return s
}
