// Package pulse catches the edge with which a receiver marks the start of a
// second, and the instant at which the kernel saw it.
//
// The line is looked up by name through periph and then requested from the
// GPIO character device with a time stamp per edge: the kernel takes it in the
// interrupt handler, milliseconds before any program runs. The same type is a
// periph gpio.PinIn. Pins that have no stamps of their own are stamped when
// the wait for the edge returns, which is later and less even.
package pulse

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"

	"github.com/truechimer/truechimer/gpspps"
)

// Event is one edge.
type Event struct {
	Mono int64  // CLOCK_MONOTONIC at the edge, ns
	Seq  uint32 // counts the line's edges from 1 on and wraps; 0 where nobody counts
}

// Pin is an input whose edges carry the instant at which they came.
//
// One goroutine at a time may wait. WaitForEdge and WaitForEdgeAt take edges
// from the same queue; a timeout of 0 only looks, a negative one waits for ever.
type Pin interface {
	gpio.PinIn
	// WaitForEdgeAt waits for the next edge, or takes the oldest that came
	// since the last call. False: the timeout passed, Halt, In or Close was
	// called, or Err is not nil.
	WaitForEdgeAt(timeout time.Duration) (Event, bool)
	// Err says why no edge will ever come again; nil while one may.
	Err() error
	// Close gives the line back and ends a pending wait. A pin that was opened
	// elsewhere is left open.
	Close() error
}

// slice bounds one wait of a Source, so that a pin whose Halt does nothing
// still notices the end of its context.
const slice = time.Second

// Source makes pulses of a pin's edges.
type Source struct {
	pin  Pin
	last uint32
	lost atomic.Uint64
}

// NewSource reads from pin, which must have been set up for the edge that
// marks the second. The pin stays the caller's to close.
func NewSource(pin Pin) *Source { return &Source{pin: pin} }

// Read waits for the next pulse. It returns ctx's error within a second of its
// end, and an error that names the pin when no edge can come any more.
func (s *Source) Read(ctx context.Context) (gpspps.Pulse, error) {
	stop := context.AfterFunc(ctx, func() { _ = s.pin.Halt() })
	defer stop()
	for {
		if err := ctx.Err(); err != nil {
			return gpspps.Pulse{}, err
		}
		if e, ok := s.pin.WaitForEdgeAt(slice); ok {
			s.count(e.Seq)
			return gpspps.Pulse{Mono: e.Mono, Seq: e.Seq}, nil
		}
		if err := s.pin.Err(); err != nil {
			return gpspps.Pulse{}, fmt.Errorf("pulse: %s gives no more edges: %w", s.pin.Name(), err)
		}
	}
}

// Lost is how many edges the source counted that were never read, since the
// start. Any goroutine may ask.
func (s *Source) Lost() uint64 { return s.lost.Load() }

// count notices gaps. A number that does not advance is a line that was set up
// anew and counts from the beginning, not four thousand million lost edges.
func (s *Source) count(seq uint32) {
	if seq == 0 {
		return
	}
	if gap := int32(seq - s.last); s.last != 0 && gap > 1 {
		s.lost.Add(uint64(gap - 1))
	}
	s.last = seq
}
