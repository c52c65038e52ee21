package web

import (
	"fmt"
	"math"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// spark is the small picture of a server's last exchanges, sparkWide by sparkHigh: the
// nth is at x = n, so that all of them are as far apart. Its middle is 0, its edges
// the limit, or more if an offset is.
type spark struct {
	Path  string // the offsets
	Lost  string // marks where there was none
	Label string // the picture in words
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
	var path, lost strings.Builder
	s := &spark{}
	from, before, alone := sparkWide-len(points), -1, false
	for i, p := range points {
		if !finite(p.Offset) {
			fmt.Fprintf(&lost, "M%d %dv-4", from+i, sparkHigh)
			before = -1
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
	s.Path, s.Lost = path.String(), lost.String()
	switch gone := len(points) - measured; {
	case measured == 0:
		s.Label = fmt.Sprintf("none of the last %d requests told an offset", len(points))
	default:
		s.Label = fmt.Sprintf("last %d offsets from %s to %s", measured, health.Signed(low, 2), health.Signed(high, 2))
		if gone > 0 {
			s.Label += fmt.Sprintf(", %d without", gone)
		}
	}
	return s
}
