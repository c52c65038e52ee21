package health

import "github.com/truechimer/truechimer/appliance/status"

// Needed is step, with what needs it put in order: what does not work and needs
// something that does not work either waits for that. What works in spite of it is
// believed.
func Needed(step status.Step, next ...status.Step) status.Step {
	step.Next = []status.Step{}
	for _, n := range next {
		if step.State == status.StepFails || step.State == status.StepWaits {
			n = waiting(n, lowered(step.Name))
		}
		step.Next = append(step.Next, n)
	}
	return step
}

// waiting is step while what it needs, for, does not work; and so is all that needs it.
func waiting(step status.Step, cause string) status.Step {
	if step.State == status.StepWorks {
		return step
	}
	step.State, step.Text = status.StepWaits, "waits for the "+cause
	next := make([]status.Step, 0, len(step.Next))
	for _, n := range step.Next {
		next = append(next, waiting(n, lowered(step.Name)))
	}
	step.Next = next
	return step
}

// lowered is a name within a sentence: an abbreviation stays as it is.
func lowered(name string) string {
	if len(name) > 1 && name[1] >= 'a' && name[1] <= 'z' && name[0] >= 'A' && name[0] <= 'Z' {
		return string(name[0]+'a'-'A') + name[1:]
	}
	return name
}
