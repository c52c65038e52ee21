//go:build !linux

package probe

import (
	"context"

	"github.com/truechimer/truechimer/monitor"
)

// Trace implements monitor.Tracer: a path can be looked at on Linux only.
func (p *Prober) Trace(_ context.Context, to monitor.Target) monitor.Path {
	return monitor.Path{To: to.Addr, End: monitor.PathUnavailable, Detail: "not on this system, only on Linux"}
}
