// Package pulse catches the edge with which a receiver marks the start of a
// second, and the instant at which it came.
//
// It comes in one of three ways, the best first:
//
//   - On a line of a GPIO chip. It is looked up by name through periph and then
//     requested from the GPIO character device with a time stamp per edge: the
//     kernel takes it in the interrupt handler, milliseconds before any program
//     runs. The same type is a periph gpio.PinIn.
//   - On a PPS device, /dev/pps0, where the kernel has a driver for one (kpps.go).
//     Its stamps come from the interrupt handler, too.
//   - On the carrier detect pin of the serial port (carrier.go), which is read in
//     a tight loop around the instant at which the edge has to come.
//
// Pins of periph that have no stamps of their own are stamped when the wait for
// the edge returns, which is later and less even (Stamped).
//
// An interrupt is taken some microseconds after the edge, every time, and no
// number of pulses shows it. A GPIO line can also be read: around every other
// pulse it is, as fast as the machine can, and what that says of the stamps in
// between is how late they are (lateness.go, calibrate.go).
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

// Edges is where edges come from, with the instant at which they came.
//
// One goroutine at a time may wait; a timeout of 0 only looks, a negative one
// waits for ever.
type Edges interface {
	// Name is what a person calls it by in truechimer.toml.
	Name() string
	// WaitForEdgeAt waits for the next edge, or takes the oldest that came
	// since the last call. False: the timeout passed, Halt or Close was called,
	// or Err is not nil.
	WaitForEdgeAt(timeout time.Duration) (Event, bool)
	// Err says why no edge will ever come again; nil while one may.
	Err() error
	// Halt ends a pending wait; later ones work.
	Halt() error
	// Close gives the line back and ends a pending wait. What was opened
	// elsewhere is left open.
	Close() error
}

// Edges that are stamped otherwise than in an interrupt handler also have
//
//	Late() float64
//
// to say how late, or early, a stamp may be every time, seconds.
type late interface{ Late() float64 }

// interruptLate is how late an interrupt handler may be every time, seconds: a
// Raspberry Pi 5 was measured to be 11.7 us late (satpulse, ppsbias).
const interruptLate = 20e-6

// Pin is Edges that are periph's as well. WaitForEdge and WaitForEdgeAt take
// edges from the same queue; In ends a pending wait.
type Pin interface {
	gpio.PinIn
	Edges
}

// slice bounds one wait of a Source, so that a pin whose Halt does nothing
// still notices the end of its context.
const slice = time.Second

// Source makes pulses of edges.
type Source struct {
	edges Edges
	last  uint32
	lost  atomic.Uint64
	fine  fine
	// prepare makes the thread that watches the line fit for that.
	prepare func()
}

// NewSource reads from edges, which must be those that mark the second. They
// stay the caller's to close.
func NewSource(edges Edges) *Source {
	return &Source{edges: edges, fine: fine{stamps: make(chan int64, 1)}, prepare: urgent}
}

// Read waits for the next pulse. It returns ctx's error within a second of its
// end, and an error that names the line when no edge can come any more.
func (s *Source) Read(ctx context.Context) (gpspps.Pulse, error) {
	stop := context.AfterFunc(ctx, func() { _ = s.edges.Halt() })
	defer stop()
	for {
		if err := ctx.Err(); err != nil {
			return gpspps.Pulse{}, err
		}
		if e, ok := s.edges.WaitForEdgeAt(slice); ok {
			s.count(e.Seq)
			return gpspps.Pulse{Mono: s.fine.correct(e.Mono), Seq: e.Seq}, nil
		}
		if err := s.edges.Err(); err != nil {
			return gpspps.Pulse{}, fmt.Errorf("pulse: %s gives no more edges: %w", s.edges.Name(), err)
		}
	}
}

// PulseError is how late or early the pulses read of late may be every time, so
// that no number of them shows it, seconds. Any goroutine may ask.
func (s *Source) PulseError() float64 {
	if l, ok := s.edges.(late); ok {
		return l.Late()
	}
	return s.fine.error()
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
