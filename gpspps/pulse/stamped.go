package pulse

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// earlyReturns is how often in a row a pin may say "no edge" well before the
// timeout until it is taken for broken: such a pin would keep a core busy.
const earlyReturns = 16

var errClosed = errors.New("the pin was closed")

// Stamped makes a Pin of any periph input by reading mono, CLOCK_MONOTONIC in
// ns, when WaitForEdge returns. Such stamps are late by the time it takes to
// wake this process: tens of microseconds to milliseconds. Seq is always 0,
// since nobody counts the edges.
//
// The pin is set up for rising edges.
func Stamped(p gpio.PinIn, mono func() int64) (Pin, error) {
	if err := p.In(gpio.PullNoChange, gpio.RisingEdge); err != nil {
		return nil, fmt.Errorf("pulse: pin %s does not report rising edges: %w; choose another pin", p.Name(), err)
	}
	return &stamped{PinIn: p, mono: mono}, nil
}

// wakeLate is what Stamped's comment says, seconds.
const wakeLate = 1e-3

type stamped struct {
	gpio.PinIn
	mono   func() int64
	early  int
	broken atomic.Pointer[error]
}

func (s *stamped) WaitForEdge(timeout time.Duration) bool {
	_, ok := s.WaitForEdgeAt(timeout)
	return ok
}

func (s *stamped) WaitForEdgeAt(timeout time.Duration) (Event, bool) {
	if s.Err() != nil {
		return Event{}, false
	}
	if timeout < 0 {
		timeout = -1 // the only negative value that periph's contract gives a meaning
	}
	start := s.mono()
	ok := s.PinIn.WaitForEdge(timeout)
	now := s.mono()
	if s.Err() != nil {
		return Event{}, false
	}
	if ok {
		s.early = 0
		return Event{Mono: now}, true
	}
	if timeout < 0 || time.Duration(now-start) < timeout/2 {
		if s.early++; s.early >= earlyReturns {
			s.fail(fmt.Errorf("%d times in a row the wait for an edge ended early without one", s.early))
		}
	} else {
		s.early = 0
	}
	return Event{}, false
}

// Late implements late.
func (s *stamped) Late() float64 { return wakeLate }

func (s *stamped) fail(err error) { s.broken.CompareAndSwap(nil, &err) }

func (s *stamped) Err() error {
	if e := s.broken.Load(); e != nil {
		return *e
	}
	return nil
}

func (s *stamped) Close() error {
	s.fail(errClosed)
	return s.Halt()
}
