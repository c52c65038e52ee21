//go:build !updatetest

package update

import "time"

// ShortPolicy says that this was built with the tag updatetest, for tests of
// whole images alone: an image with it is never released.
const ShortPolicy = false

// DefaultPolicy is the policy of released images, and the floor of every other.
// init gives a trial 15 minutes: HealthWithin leaves it some of them.
func DefaultPolicy() Policy {
	return Policy{
		First: 3 * time.Minute, Poll: 6 * time.Hour, Retry: 10 * time.Minute, RetryMax: 6 * time.Hour, Again: 5 * time.Second,
		Spread: 0.25, ClockWait: 30 * time.Minute,
		Scrub: 7 * 24 * time.Hour, ScrubFirst: time.Hour, ScrubRate: 4 << 20,
		Window: Window{From: 2 * time.Hour, To: 5 * time.Hour}, WindowRoom: 30 * time.Minute, WindowWait: 3 * 24 * time.Hour,
		Tries:       []time.Duration{0, time.Hour, 24 * time.Hour},
		HealthEvery: 10 * time.Second, HealthWithin: 10 * time.Minute, Up: 5 * time.Minute, Verify: 30 * time.Second,
	}
}
