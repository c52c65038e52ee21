package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/appliance/status"
)

// ordering is a column that the table can be sorted by.
type ordering struct {
	key, name string
	number    bool // its column is aligned to the right
	value     func(s *status.Server) (v float64, known bool)
	text      func(s *status.Server) string // instead of value
}

// orders are what the table of servers can be sorted by, in the order of its columns.
// Servers of which a value is not known come last, whichever way it is sorted.
var orders = []ordering{
	{key: "name", name: "Server", text: func(s *status.Server) string { return strings.ToLower(s.Name) + "\x00" + s.Address }},
	{key: "verdict", name: "Verdict", value: func(s *status.Server) (float64, bool) {
		return float64(slices.Index([]tone{toneBad, toneWarn, toneWait, toneGood}, toneOf(*s))), true
	}},
	{key: "offset", name: "Offset", number: true, value: func(s *status.Server) (float64, bool) { return size(s.Offset) }},
	{key: "uncertainty", name: "Uncertainty", number: true, value: func(s *status.Server) (float64, bool) { return size(s.Uncertainty) }},
	{key: "rtt", name: "Round trip", number: true, value: func(s *status.Server) (float64, bool) { return size(s.RTT) }},
	{key: "stratum", name: "Stratum", number: true, value: func(s *status.Server) (float64, bool) {
		if s.Stratum == nil {
			return 0, false
		}
		return float64(*s.Stratum), true
	}},
	{key: "score", name: "Score", number: true, value: func(s *status.Server) (float64, bool) {
		if s.Score == nil {
			return 0, false
		}
		return *s.Score, true
	}},
	{key: "loss", name: "Loss", number: true, value: func(s *status.Server) (float64, bool) { return size(s.Loss) }},
	{key: "last", name: "Last (UTC)", number: true, value: func(s *status.Server) (float64, bool) {
		if s.Last == nil {
			return 0, false
		}
		return float64(s.Last.UnixNano()), true
	}},
}

// size is how large a value is, whatever its sign: the worst offset is the largest.
func size(v *float64) (float64, bool) {
	if v == nil {
		return 0, false
	}
	return max(*v, -*v), true
}

// sorting is a column's heading.
type sorting struct {
	Name, Href string
	Number     bool
	Sorted     string // ascending or descending; empty: not by this one
}

// arranged sorts servers as sort says, a key with a minus in front to turn it round;
// ok is false where it says nothing that is known, and they are as they were.
func arranged(list []status.Server, sort string) (out []status.Server, ok bool) {
	key, down := strings.CutPrefix(sort, "-")
	at := slices.IndexFunc(orders, func(o ordering) bool { return o.key == key })
	if at < 0 {
		return list, false
	}
	by, turn := orders[at], 1
	if down {
		turn = -1
	}
	out = slices.Clone(list)
	slices.SortStableFunc(out, func(a, b status.Server) int {
		if by.text != nil {
			return turn * cmp.Compare(by.text(&a), by.text(&b))
		}
		x, knownX := by.value(&a)
		y, knownY := by.value(&b)
		switch {
		case knownX && knownY:
			return turn * cmp.Compare(x, y)
		case knownX:
			return -1
		case knownY:
			return 1
		}
		return 0
	})
	return out, true
}

// arrange has the table sorted as a query says, and draws what else is in it.
func (p *page) arrange(v *view, raw, s status.Status, q url.Values) {
	list, sorted := arranged(s.Servers, q.Get("sort"))
	shown := list[:min(len(list), maxRows)]
	if !sorted {
		shown = worst(s.Servers, maxRows)
	}
	v.Sorted, v.Sorts = sorted, headings(q)
	if sorted {
		v.Servers = nil
		for _, server := range shown {
			v.Servers = append(v.Servers, newServerView(server, s.Time))
		}
	}
	if p.options.Recent == nil {
		return
	}
	ids := map[string]string{} // as the station has them, by those that are shown
	for i, server := range s.Servers {
		if own := raw.Servers[i].ID; own != server.ID {
			ids[server.ID] = own
		}
	}
	most := sparkWide
	if len(v.Servers) > manySparks {
		most /= 3
	}
	for i := range v.Servers {
		id := shown[i].ID
		if own, ok := ids[id]; ok {
			id = own
		}
		v.Servers[i].Spark = drawSpark(p.options.Recent(id), most, shown[i].Limit)
	}
}

// headings are the links that sort the table; q is the page's query, the rest of which
// they keep.
func headings(q url.Values) (out []sorting) {
	current := q.Get("sort")
	for _, o := range orders {
		h := sorting{Name: o.name, Number: o.number}
		next := o.key
		switch current {
		case o.key:
			h.Sorted, next = "ascending", "-"+o.key
		case "-" + o.key:
			h.Sorted = "descending"
		default:
			// What is worst comes first, where that is the most.
			if o.number && o.key != "score" {
				next = "-" + o.key
			}
		}
		to := url.Values{"sort": {next}}
		if q.Get("refresh") == "off" {
			to.Set("refresh", "off")
		}
		h.Href = "?" + to.Encode() + "#servers"
		out = append(out, h)
	}
	return out
}
