//go:build !linux

package probe

import (
	"context"
	"io"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Kernel stamps are taken on Linux only; dialBest is the plain path here.
func dialBest(ctx context.Context, t monitor.Target, c Clock, timeout time.Duration) (wire, error) {
	return dialPlain(ctx, t, c, timeout)
}

func openKeeper() io.Closer { return nil }
