package web

import (
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

const (
	maxSteps = 16 // that need one thing
	maxDepth = 8  // that need one another
)

// tidyTrees keeps the contract in the trees of what the station needs.
func tidyTrees(list []status.Step, depth int) []status.Step {
	out := []status.Step{}
	if depth == maxDepth {
		return out
	}
	for _, s := range list[:min(len(list), maxSteps)] {
		if s.ID = word(s.ID, status.StepIDs, ""); s.ID == "" {
			continue
		}
		s.Name, s.Text = health.Clean(s.Name, maxWord), health.Clean(s.Text, maxReason)
		s.State = word(s.State, status.StepStates, status.StepUnknown)
		s.Next = tidyTrees(s.Next, depth+1)
		out = append(out, s)
	}
	return out
}

// stepView is one of them on the page.
type stepView struct {
	Name, Word, Text, Mark string
	Tone                   tone
	Next                   []stepView
}

var stepStates = map[string]struct {
	tone       tone
	mark, word string
}{
	status.StepWorks:   {toneGood, "disc", "works"},
	status.StepFails:   {toneBad, "cross", "fails"},
	status.StepWaits:   {toneWait, "half", "waits"},
	status.StepUnknown: {toneWait, "ring", "not known"},
}

func newStepViews(list []status.Step) (out []stepView) {
	for _, s := range list {
		v := stepStates[s.State]
		out = append(out, stepView{Name: s.Name, Word: v.word, Text: unbroken.Replace(s.Text), Mark: v.mark, Tone: v.tone, Next: newStepViews(s.Next)})
	}
	return out
}
