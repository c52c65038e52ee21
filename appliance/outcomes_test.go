package main

import (
	"context"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// alike is a prober that answers every exchange alike.
type alike monitor.Outcome

func (a alike) Probe(context.Context, monitor.Target) monitor.Exchange {
	return monitor.Exchange{Outcome: monitor.Outcome(a)}
}

// TestOutcomes counts every word, and lists those that never came up, too.
func TestOutcomes(t *testing.T) {
	var o outcomes
	for i, w := range status.Outcomes[1:] {
		for range i + 1 {
			o.of(alike(w)).Probe(t.Context(), monitor.Target{})
		}
	}
	for i, c := range o.list() {
		if c.Outcome != status.Outcomes[i] || c.Count != uint64(i) {
			t.Errorf("%+v, want %d", c, i)
		}
	}
	if len(o.list()) != len(status.Outcomes) {
		t.Errorf("%d words of %d", len(o.list()), len(status.Outcomes))
	}
}
