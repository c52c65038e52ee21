package main

import (
	"context"
	"sync"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
)

// outcomes counts what becomes of exchanges, since the start.
type outcomes struct {
	mu sync.Mutex
	n  map[string]uint64
}

// of has the exchanges of p counted.
func (o *outcomes) of(p monitor.Prober) monitor.Prober { return counting{p, o} }

type counting struct {
	monitor.Prober
	to *outcomes
}

func (c counting) Probe(ctx context.Context, t monitor.Target) monitor.Exchange {
	x := c.Prober.Probe(ctx, t)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	if c.to.n == nil {
		c.to.n = map[string]uint64{}
	}
	c.to.n[string(x.Outcome)]++
	return x
}

func (o *outcomes) list() []status.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]status.Outcome, 0, len(status.Outcomes))
	for _, w := range status.Outcomes {
		out = append(out, status.Outcome{Outcome: w, Count: o.n[w]})
	}
	return out
}
