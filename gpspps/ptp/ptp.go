// Package ptp reads a PTP hardware clock: one in a network card, which somebody
// else keeps right over the network, or the one through which the host of a virtual
// machine shows its own.
//
// How right such a clock is nobody can read from it. Who names it says so.
package ptp

import (
	"fmt"
	"math"
)

// reads is how often the clock is read; the reading that took least counts.
const reads = 9

// clocks are what is read. Both are in ns.
type clocks interface {
	monotonic() (int64, error) // CLOCK_MONOTONIC
	hardware() (int64, error)
}

// read reads the hardware clock between two readings of the monotonic one.
func read(c clocks) (mono, time int64, half float64, err error) {
	narrowest := int64(math.MaxInt64)
	for range reads {
		before, err := c.monotonic()
		if err != nil {
			return 0, 0, 0, fmt.Errorf("reading the monotonic clock: %w", err)
		}
		t, err := c.hardware()
		if err != nil {
			return 0, 0, 0, fmt.Errorf("reading the PTP clock: %w", err)
		}
		after, err := c.monotonic()
		if err != nil {
			return 0, 0, 0, fmt.Errorf("reading the monotonic clock: %w", err)
		}
		if width := after - before; width >= 0 && width < narrowest {
			narrowest, mono, time = width, before+width/2, t
		}
	}
	return mono, time, float64(narrowest) / 2 * 1e-9, nil
}
