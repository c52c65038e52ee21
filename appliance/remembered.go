package main

import (
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// leapWords are the leap indicators, RFC 5905 figure 9.
var leapWords = [...]string{status.LeapNone, status.LeapInsert, status.LeapDelete, status.LeapUnsynchronized}

// remembered adds what is known of a server beside its verdict.
func remembered(out *status.Server, r monitor.Result) {
	out.Jitter, out.FamilyGap = r.Jitter, r.FamilyGap
	out.Sent, out.Received, out.Reach = r.Sent, r.Received, r.Reach
	if m := r.Latest; m != nil {
		out.Latest = &status.Latest{Offset: m.Offset, Uncertainty: m.Uncertainty, Bound: m.Bound, RTT: m.RTT}
	}
	if c := r.Claims; c != nil {
		out.Claims = &status.Claims{
			Leap: leapWords[c.Leap&3], RootDelay: c.RootDelay, RootDispersion: c.RootDispersion, RootDistance: c.RootDistance,
			RefID: c.RefID, ReferenceAge: c.ReferenceAge,
		}
	}
	for _, w := range r.Warnings {
		out.Warnings = append(out.Warnings, string(w))
	}
}

// lastExchanges are those with a server of an id, for its picture.
func (s *station) lastExchanges(id string) []status.Point {
	mono, _, err := s.kernel.Now()
	if err != nil {
		return nil
	}
	list := s.recent.Of(id)
	out := make([]status.Point, 0, len(list))
	for _, p := range list {
		out = append(out, status.Point{
			Age: float64(mono-p.Mono) / 1e9, Offset: p.Offset, Uncertainty: p.Uncertainty, Score: p.Score, Verdict: string(p.Verdict),
		})
	}
	return out
}
