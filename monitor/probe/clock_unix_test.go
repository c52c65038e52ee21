//go:build unix

package probe

import "testing"

func TestSystemClock(t *testing.T) {
	c := SystemClock()
	least := int64(1e9) // what a reading between two of the system's may be away
	for range 1000 {
		before := clockMonotonic()
		got := c.Monotonic()
		after := clockMonotonic()
		if got < before-50_000 || got > after+50_000 {
			t.Fatalf("%d, not from %d to %d", got, before, after)
		}
		least = min(least, max(before-got, got-after, 0))
	}
	if least > 1000 {
		t.Errorf("CLOCK_MONOTONIC missed by %d ns at the least", least)
	}
}
