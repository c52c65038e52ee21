//go:build updatetest

package update

import "time"

// ShortPolicy says that this was built with the tag updatetest, for tests of
// whole images alone: an image with it is never released.
const ShortPolicy = true

// DefaultPolicy is a policy for people who watch.
func DefaultPolicy() Policy {
	return Policy{
		First: time.Second, Poll: 10 * time.Second, Retry: 2 * time.Second, RetryMax: 10 * time.Second, Again: time.Second,
		Spread: 0.25, ClockWait: 5 * time.Second,
		Scrub: 2 * time.Minute, ScrubFirst: time.Minute, ScrubRate: 16 << 20,
		WindowRoom: time.Minute, WindowWait: time.Minute, // and a window of the whole day
		Tries:       []time.Duration{0, 5 * time.Second, 10 * time.Second},
		HealthEvery: time.Second, HealthWithin: 60 * time.Second, Up: 10 * time.Second, Verify: 2 * time.Second,
	}
}
