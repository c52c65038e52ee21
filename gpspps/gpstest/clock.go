package gpstest

import (
	"context"
	"errors"
	"time"
)

// Clock is the time a Receiver runs by.
type Clock interface {
	Now() time.Time
	// SleepUntil returns at t, at once if t is past, or earlier with an error
	// when ctx ends.
	SleepUntil(ctx context.Context, t time.Time) error
}

// RealClock is this computer's clock.
type RealClock struct{}

// Now is the time.
func (RealClock) Now() time.Time { return time.Now() }

// SleepUntil waits for t by the computer's clock as it stands now: a step of
// that clock meanwhile is not noticed.
func (RealClock) SleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

// ErrEnd says that a VirtualClock has come to its end.
var ErrEnd = errors.New("virtual time is over")

// VirtualClock is a clock that jumps to whatever instant is waited for. It
// serves one goroutine.
type VirtualClock struct{ now, end time.Time }

// NewVirtualClock makes a clock that stands at start and can be waited on
// until end.
func NewVirtualClock(start, end time.Time) *VirtualClock { return &VirtualClock{start, end} }

// Now is the instant it stands at.
func (c *VirtualClock) Now() time.Time { return c.now }

// SleepUntil moves it to t, or to its end with ErrEnd if t lies after that.
func (c *VirtualClock) SleepUntil(ctx context.Context, t time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.After(c.end) {
		c.now = c.end
		return ErrEnd
	}
	if t.After(c.now) {
		c.now = t
	}
	return nil
}
