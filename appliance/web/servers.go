package web

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// mark is a shape that stands for a state beside its word and colour, drawn in
// a box of 16 by 16.
type mark struct{ Name, Path string }

// marks are filled by the even-odd rule, so an inner outline is a hole.
var marks = []mark{
	{"disc", "M8 1a7 7 0 1 0 .01 0Z"},
	{"check", "M8 1a7 7 0 1 0 .01 0ZM4.2 8.3l1.3-1.3 1.8 1.8 3.5-3.5 1.3 1.3-4.8 4.8Z"},
	{"half", "M8 1a7 7 0 1 0 .01 0ZM8 3a5 5 0 0 1 0 10Z"},
	{"ring", "M8 1a7 7 0 1 0 .01 0ZM8 3a5 5 0 1 1-.01 0Z"},
	{"triangle", "M8 1 15.5 14.5H.5ZM7.2 5.5v4.5h1.6V5.5ZM7.2 11.2v1.6h1.6v-1.6Z"},
	{"diamond", "M8 .5 15.5 8 8 15.5.5 8ZM8 3.3 3.3 8 8 12.7 12.7 8Z"},
	{"cross", "M2.8 1.2 8 6.4l5.2-5.2 1.6 1.6L9.6 8l5.2 5.2-1.6 1.6L8 9.6l-5.2 5.2-1.6-1.6L6.4 8 1.2 2.8Z"},
	{"barred", "M8 1a7 7 0 1 0 .01 0ZM3.5 7v2h9V7Z"},
	{"pause", "M2.5 1.5h4v13h-4ZM9.5 1.5h4v13h-4Z"},
	{"square", "M1.5 1.5h13v13h-13ZM7.2 4v5h1.6V4ZM7.2 10.4V12h1.6v-1.6Z"},
}

var verdictViews = map[monitor.Verdict]struct {
	tone       tone
	mark, word string
}{
	monitor.OK:             {toneGood, "disc", "ok"},
	monitor.Doubtful:       {toneWarn, "half", "doubtful"},
	monitor.Off:            {toneBad, "triangle", "off"},
	monitor.Unsynchronized: {toneWarn, "diamond", "unsynchronized"},
	monitor.Unreachable:    {toneBad, "cross", "unreachable"},
	monitor.Refused:        {toneBad, "barred", "refused"},
	monitor.Denied:         {toneWarn, "barred", "denied"},
	monitor.RateLimited:    {toneWarn, "pause", "rate limited"},
	monitor.Invalid:        {toneBad, "square", "invalid"},
	monitor.NotJudged:      {toneWait, "ring", "not judged"},
}

// serverView is one row of the table. An empty text is a value not known.
type serverView struct {
	Name, Address       string
	Tone                tone
	Mark, Verdict, Note string
	Scale               *scale
	Cells               []fact // numbers, in the order of the table's columns
	Last                *moment
	Reason              string
	Path                *pathView
	Proof               string // address of the file that proves the verdict; empty: there is none
	Warnings            []string
	Details             []fact
	Href                string // of its own page; empty: it has none
	Spark               *spark
}

func newServerView(s status.Server, now time.Time) serverView {
	vv := verdictViews[monitor.Verdict(s.Verdict)]
	v := serverView{
		Name: s.Name, Address: s.Address, Reason: s.Reason,
		Tone: vv.tone, Mark: vv.mark, Verdict: vv.word,
		Scale: drawScale(s), Path: newPathView(s.Path, now),
	}
	v.Warnings, v.Details, v.Href = warningTexts(s), details(s), serverAddress(s.ID)
	var notes []string
	if s.Assured && s.Verdict == string(monitor.OK) {
		v.Mark = "check"
		notes = append(notes, "assured")
	}
	if s.Provisional {
		notes = append(notes, "provisional")
	}
	v.Note = strings.Join(notes, ", ")
	v.Cells = []fact{
		{Name: "Offset", Value: text(s.Offset, func(o float64) string { return health.Signed(o, 3) })},
		{Name: "Uncertainty", Value: text(s.Uncertainty, func(u float64) string { return "± " + health.Seconds(u, 2) })},
		{Name: "Round trip", Value: text(s.RTT, func(r float64) string { return health.Seconds(r, 3) })},
		{Name: "Stratum", Value: count(s.Stratum)},
		{Name: "Score", Value: text(s.Score, func(p float64) string {
			return strings.Replace(strconv.FormatFloat(p, 'f', 1, 64), "-", "−", 1)
		})},
		{Name: "Loss", Value: text(s.Loss, func(l float64) string {
			return strconv.FormatFloat(math.Round(l*1000)/10, 'f', -1, 64) + " %"
		})},
	}
	if s.Last != nil {
		layout := "15:04:05"
		if s.Last.Format(time.DateOnly) != now.Format(time.DateOnly) {
			layout = "2006-01-02 15:04:05"
		}
		v.Last = newMoment(*s.Last, layout)
	}
	return v
}

// whyMost is how much text the table has beside its numbers, bytes: a hundred servers
// that all have much to say would make the page too long for a phone.
const whyMost = 8000

// fit shortens what the rows say if it is more than that, the same for each. The
// servers' own pages have all of it.
func fit(list []serverView) {
	all := 0
	for _, v := range list {
		all += len(v.Reason)
		for _, w := range v.Warnings {
			all += len(w)
		}
		if v.Path != nil {
			all += len(v.Path.Summary)
		}
	}
	if all <= whyMost {
		return
	}
	most := whyMost / len(list)
	for i := range list {
		v := &list[i]
		v.Reason = health.Clean(v.Reason, most)
		left := most - len(v.Reason)
		v.Warnings = slices.DeleteFunc(slices.Clone(v.Warnings), func(w string) bool {
			left -= len(w)
			return left < 0
		})
		if v.Path != nil && len(v.Path.Summary) > left {
			v.Path = nil
		}
	}
}

// text writes a value that may not be known.
func text(v *float64, write func(float64) string) string {
	if v == nil {
		return ""
	}
	return write(*v)
}

// scale shows where a server's offset interval lies against its limit, in percent of
// its width. The limit is at 25 and 75, between which the scale is linear, and what is
// infinitely far off is at 0 or 100.
type scale struct {
	From, Wide string // where the interval begins, and how wide it is
	At         string // the offset
	Spread     bool   // the interval is known
	Label      string // the picture in words
}

func drawScale(s status.Server) *scale {
	if s.Offset == nil {
		return nil
	}
	at := func(v float64) float64 {
		v /= s.Limit
		if a := math.Abs(v); a > 1 {
			return 50 + math.Copysign(50-25/a, v)
		}
		return 50 + 25*v
	}
	c := &scale{At: short(at(*s.Offset))}
	c.Label = health.Signed(*s.Offset, 3)
	if s.Bound != nil {
		c.Spread = true
		from, to := at(*s.Offset-math.Abs(*s.Bound)), at(*s.Offset+math.Abs(*s.Bound))
		c.From, c.Wide = short(from), short(to-from)
		c.Label += ", at most " + health.Within(*s.Bound) + " from that"
	}
	c.Label += ", limit ± " + health.Seconds(s.Limit, 2)
	return c
}
