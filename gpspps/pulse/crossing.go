package pulse

import "time"

// Crossing is an edge that was seen by reading a line again and again.
type Crossing struct {
	At  int64 // in the middle of the last reading before the edge and the first after it, CLOCK_MONOTONIC ns
	Gap int64 // how long the two took, ns: the edge is no farther from At than half of it
}

// Watcher is Edges of a line that can also be read at once.
type Watcher interface {
	Edges
	// Now reads the clock of the stamps, ns.
	Now() int64
	// Watch waits for the instant from and then reads the line without a pause
	// until it rises, or until the instant until. False: it was not seen to
	// rise. It keeps a processor busy meanwhile.
	Watch(from, until int64) (Crossing, bool)
}

// nap is for how long before the instant from Watch may be called: it waits in
// the kernel, where nothing ends the wait.
const nap = 5 * time.Millisecond

// crossing finds the edge in a row of readings.
type crossing struct {
	before int64 // start of the last reading before the edge
	begun  bool
}

// read takes a reading that the kernel made at some instant from a to b. done:
// no more are needed; ok: there was an edge. A line on which the edge has come
// before the first reading says nothing.
func (c *crossing) read(a, b int64, after bool) (found Crossing, done, ok bool) {
	if !after {
		c.before, c.begun = a, true
		return Crossing{}, false, false
	}
	if !c.begun {
		return Crossing{}, true, false
	}
	gap := b - c.before
	return Crossing{At: c.before + gap/2, Gap: gap}, true, true
}
