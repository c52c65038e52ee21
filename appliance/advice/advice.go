// Package advice turns what a station knows of itself into what a person needs:
// one sentence, three lights and one next step.
//
// The sentence follows the dependencies: first what the time rests on, then the
// servers that are judged by it. The next step is that of the first of the
// [Situations] that there are.
package advice

import (
	"slices"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// Of says how a station is, from all other fields of its status than Summary
// and Advice, and gives both: the sentence, and the advice.
func Of(s status.Status) (summary string, a status.Advice) {
	f := newFacts(s)
	var there []Situation
	for _, x := range Situations {
		if x.holds(f) {
			there = append(there, x)
			a.Situations = append(a.Situations, x.ID)
			if x.ID == SafeMode {
				break // nothing else runs
			}
		}
	}
	first := there[0]
	// Of what the time lacks one is named. The others are its consequences, or
	// come to light when it is done.
	a.Situation, a.Sentence, a.Next = first.ID, f.fill(first.Sentence)+".", f.fill(first.Next)
	a.Time, a.Network, a.Updates = f.time(), f.network(), f.updates()
	for _, x := range there {
		switch x.about {
		case aboutTime:
			raise(&a.Time, x.level)
		case aboutNetwork:
			raise(&a.Network, x.level)
		case aboutUpdates:
			raise(&a.Updates, x.level)
		}
	}
	lead := ""
	if i := slices.IndexFunc(there, func(x Situation) bool { return x.leads }); i >= 0 {
		lead = f.fill(there[i].Sentence)
		if there[i].ID == SafeMode {
			return lead + ".", a
		}
	}
	return f.sentence(lead), a
}

// raise has a light be at least so bad.
func raise(l *status.Light, level string) {
	if slices.Index(status.Levels, level) > slices.Index(status.Levels, l.Level) {
		l.Level = level
	}
}

// named is what is wrong with a server, after its name.
func named(s status.Server, all []status.Server) string { return called(s, all) + " " + predicate(s) }

// brief is foreign text within a sentence.
func brief(s string) string { return health.Clean(s, maxName) }
