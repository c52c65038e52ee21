package web

import (
	"fmt"
	"strconv"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// maxHops is how many hops of a path are told of, as many as are asked.
const maxHops = 30

// tidyPath is a copy that keeps the contract.
func tidyPath(p *status.Path) *status.Path {
	if p == nil {
		return nil
	}
	v := *p
	v.End = word(v.End, status.PathEnds, string(monitor.PathUnavailable))
	v.Summary = health.Clean(v.Summary, maxReason)
	v.Packets, v.Took = max(v.Packets, 0), known(v.Took)
	if v.At != nil {
		at := instant(*v.At)
		if v.At = &at; at.IsZero() {
			v.At = nil
		}
	}
	v.Hops = append([]status.Hop{}, v.Hops[:min(len(v.Hops), maxHops)]...)
	for i := range v.Hops {
		h := &v.Hops[i]
		h.Address, h.RTT = clean(h.Address, maxWord), known(h.RTT)
	}
	return &v
}

// pathView is how far requests got, in a line to open.
type pathView struct {
	Summary string
	At      *moment
	Hops    []fact // who answered, where, and what
}

func newPathView(p *status.Path, now time.Time) *pathView {
	if p == nil {
		return nil
	}
	v := &pathView{Summary: p.Summary}
	if p.At != nil {
		layout := "15:04:05"
		if p.At.Format(time.DateOnly) != now.Format(time.DateOnly) {
			layout = "2006-01-02 15:04:05"
		}
		v.At = newMoment(*p.At, layout)
	}
	answered := 0
	for i, h := range p.Hops {
		if h.Address != nil {
			answered = i + 1
		}
	}
	for _, h := range p.Hops[:answered] {
		f := fact{Name: strconv.Itoa(h.Hop), Value: "no answer"}
		if h.Address != nil {
			f.Value, f.Note = *h.Address, text(h.RTT, func(r float64) string { return health.Seconds(r, 3) })
		}
		v.Hops = append(v.Hops, f)
	}
	switch rest := p.Hops[answered:]; len(rest) {
	case 0:
	case 1:
		v.Hops = append(v.Hops, fact{Name: strconv.Itoa(rest[0].Hop), Value: "no answer"})
	default:
		v.Hops = append(v.Hops, fact{Name: fmt.Sprintf("%d to %d", rest[0].Hop, rest[len(rest)-1].Hop), Value: "no answer"})
	}
	return v
}
