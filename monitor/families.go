package monitor

import "math"

// familyLeast is how many exchanges both families of a server must have had
// before they are compared.
const familyLeast = windowFast

// familyGap is by how much one family of a server differs from the other. A way
// that is longer in one direction can be behind as much as half of both delays;
// more is the server's doing, or two servers'.
type familyGap struct {
	offset   float64 // this target's less the other's, seconds
	known    bool
	disagree bool // more than both ways and the reference explain
}

func (f familyGap) tell(r *Result) {
	if !f.known {
		return
	}
	gap := f.offset
	r.FamilyGap = &gap
	if f.disagree {
		r.Warnings = append(r.Warnings, WarnFamilies)
	}
}

// compareFamilies does so for t at an instant, and for its fellow.
func (m *Monitor) compareFamilies(t *target, mono int64) {
	other := t.from.targets[1-family(t.target().Addr.Addr())]
	if other == nil {
		t.family = familyGap{}
		return
	}
	was := other.family
	t.family = gapBetween(&t.now.past, &other.now.past, mono)
	other.family = t.family
	other.family.offset = -t.family.offset
	if other.family.disagree != was.disagree {
		m.show(other.result())
	}
}

func gapBetween(a, b *window, mono int64) familyGap {
	if a.held < familyLeast || b.held < familyLeast {
		return familyGap{}
	}
	i, _ := a.best(mono)
	j, _ := b.best(mono)
	gap := i.offset - j.offset
	return familyGap{offset: gap, known: true, disagree: math.Abs(gap) > i.bound+j.bound}
}
