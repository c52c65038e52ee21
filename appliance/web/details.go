package web

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// warningSentences are the warnings for people.
var warningSentences = map[monitor.Warning]string{
	monitor.WarnReftimeZero:   "It does not say when its clock was last set.",
	monitor.WarnReftimeFuture: "It says that its clock was set later than it answered.",
	monitor.WarnStaleRef:      "By its own word it has not heard from its source of time for more than a day and a half.",
	monitor.WarnVersionLow:    "It answers in an older version of NTP than it was asked in.",
	monitor.WarnLeapPending:   "It announces a leap second.",
	monitor.WarnLeapDisagree:  "What it says of the next leap second is not what this station knows of it.",
	monitor.WarnRootDistance:  "By its own word it may be further from true time than most clients accept.",
	monitor.WarnTooWide:       "The way to it is so long that the delay alone leaves more open than the limit.",
	monitor.WarnLoop:          "It seems to take its time from this station, or from a server that takes its own from it.",
	monitor.WarnSmearSuspect:  "It seems to spread leap seconds over a day, as some servers do on purpose.",
	monitor.WarnAsym:          "Packets wait in a queue on one way to it and not on the other, which shifts single offsets.",
	monitor.WarnAnycastChange: "Another server has begun to answer under this address: what was remembered began anew.",
	monitor.WarnRateInferred:  "It leaves requests unanswered that come soon after another: a rate limit, it seems, not a bad path.",
	monitor.WarnFamilies:      "Over IPv4 and IPv6 its time differs by more than the paths can explain.",
}

func warningTexts(s status.Server) (out []string) {
	for _, w := range s.Warnings {
		if text := warningSentences[monitor.Warning(w)]; text != "" {
			out = append(out, text)
		}
	}
	return out
}

var leapTexts = map[string]string{
	status.LeapNone: "none", status.LeapInsert: "one second more", status.LeapDelete: "one second less",
	status.LeapUnsynchronized: "not synchronised",
}

// details is what there is to tell of a server beside its row.
func details(s status.Server) (out []fact) {
	add := func(name, value, note string) { out = append(out, fact{name, value, note}) }
	if l := s.Latest; l != nil && s.Offset != nil && l.Offset != *s.Offset {
		add("Offset of the last exchange", health.Signed(l.Offset, 3), "a queue may have shifted it; shown above is the best of the last ones")
	}
	if s.Jitter != nil {
		add("Jitter", health.Seconds(*s.Jitter, 2), "of the last 8 exchanges, around the best")
	}
	if s.Sent > 0 {
		last := min(s.Sent, 16)
		add("Requests", grouped(s.Sent), "")
		add("Replies", grouped(s.Received), fmt.Sprintf("%d to the last %d", bits.OnesCount16(s.Reach), last))
	}
	if s.FamilyGap != nil {
		add("Beside the other family", health.Signed(*s.FamilyGap, 3), "offset over this one less that over the other")
	}
	c := s.Claims
	if c == nil {
		return out
	}
	const own = "by its own word"
	add("Distance from true time", "at most "+health.Within(c.RootDistance), own)
	add("Delay to its source", health.Seconds(c.RootDelay, 3), own)
	add("Dispersion", health.Seconds(c.RootDispersion, 3), own)
	if c.RefID != "" {
		add("Follows", c.RefID, own)
	}
	if c.ReferenceAge != nil {
		age := health.Span(*c.ReferenceAge) + " ago"
		if *c.ReferenceAge < 0 {
			age = health.Span(-*c.ReferenceAge) + " ahead"
		}
		add("Last heard from its source", age, own)
	}
	add("Next leap second", leapTexts[c.Leap], own)
	return out
}

// tidyDetails keeps the contract of the API in what details has.
func tidyDetails(v *status.Server) {
	v.Jitter, v.FamilyGap = known(v.Jitter), known(v.FamilyGap)
	if l := v.Latest; l != nil && !(finite(l.Offset) && finite(l.Uncertainty) && finite(l.Bound) && finite(l.RTT)) {
		v.Latest = nil
	}
	if v.Claims != nil {
		c := *v.Claims
		c.Leap = word(c.Leap, status.Leaps, status.LeapUnsynchronized)
		c.RefID = health.Clean(c.RefID, maxWord)
		c.ReferenceAge = known(c.ReferenceAge)
		v.Claims = &c
		if !finite(c.RootDelay) || !finite(c.RootDispersion) || !finite(c.RootDistance) {
			v.Claims = nil
		}
	}
	list := []string{}
	for _, w := range v.Warnings {
		if slices.Contains(status.Warnings, w) && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	v.Warnings = list
}
