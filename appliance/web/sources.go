package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// maxRows bounds the rows of the table: a browser draws so many at once, every
// ten seconds, and a small board writes them.
const maxRows = 250

func toneOf(s status.Server) tone { return verdictViews[monitor.Verdict(s.Verdict)].tone }

// worst are the servers that a page of most rows shows: all of them in their
// order, or, of more, those first that most need a look.
func worst(list []status.Server, most int) []status.Server {
	if len(list) <= most {
		return list
	}
	gravity := []tone{toneBad, toneWarn, toneWait, toneGood}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b status.Server) int {
		return slices.Index(gravity, toneOf(a)) - slices.Index(gravity, toneOf(b))
	})
	return list[:most]
}

// sources says where the servers come from, where that is more than
// truechimer.toml. Addresses are shown without https://.
func sources(list []status.Assignments) string {
	var parts []string
	lists := false
	for _, a := range list {
		if a.Source == status.AssignmentsFile {
			parts = append(parts, fmt.Sprintf("%d from truechimer.toml", a.Servers))
			continue
		}
		lists = true
		where, age := "a list", ""
		if a.URL != nil {
			where = strings.TrimPrefix(*a.URL, "https://")
		}
		if a.Age != nil {
			age = ", confirmed " + health.Span(*a.Age) + " ago"
		}
		switch a.State {
		case status.AssignmentsCurrent:
			parts = append(parts, fmt.Sprintf("%d from %s%s", a.Servers, where, age))
		case status.AssignmentsKept:
			parts = append(parts, fmt.Sprintf("%d from the last good list of %s%s", a.Servers, where, age))
		default:
			parts = append(parts, "none yet from "+where)
		}
	}
	if !lists {
		return ""
	}
	return "Servers: " + strings.Join(parts, "; ") + "."
}
