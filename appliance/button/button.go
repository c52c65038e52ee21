// Package button tells whether somebody holds a button down for as long as a factory
// reset takes.
//
// The button connects a GPIO line to ground; the line is pulled up, so that it is low
// while the button is down. A line that is low may as well have a short circuit, which
// must never have a station forget anything. So nothing happens while the line is low:
// it has to be low for 10 to 20 s without a break, and then to be let go, and stay high.
// Whoever holds a button lets go of it; a short circuit stays, or comes and goes in
// moments. A button that is down when the watch begins, as at power-on, counts from
// then on.
package button

import (
	"context"
	"time"

	"periph.io/x/conn/v3/gpio"
)

const (
	// Least and Most are how long the button has to be held for it to count.
	Least = 10 * time.Second
	Most  = 20 * time.Second

	// bounce is how long contacts may take to open, and apart how long the line has
	// to be high then without a break.
	bounce = 300 * time.Millisecond
	apart  = time.Second

	// look is how often the line is looked at while the button is down, seldom while
	// it is not: an edge ends that wait. pace bounds what a line costs that picks up
	// noise.
	look   = 50 * time.Millisecond
	seldom = 500 * time.Millisecond
	pace   = 10 * time.Millisecond
)

// Phase is how far it has come.
type Phase int

// The phases.
const (
	Up       Phase = iota // nobody holds it
	Counting              // it is held: not for long enough yet
	Enough                // it is to be let go now
	TooLong               // it counts no more, until it is held anew
)

// Pin is a line of a GPIO chip, set to tell of both edges.
type Pin interface {
	gpio.PinIn
	// Err says why the line cannot be read any more; nil: it can.
	Err() error
}

// Wait waits until the button was held for long enough, and let go. It tells show of
// each phase. It returns false when ctx ends first, and an error when the line fails:
// what is read of it then counts for nothing.
func Wait(ctx context.Context, p Pin, show func(Phase)) (bool, error) {
	shown := Up
	tell := func(now Phase) {
		if now != shown {
			shown = now
			show(now)
		}
	}
	defer tell(Up)
	var c counter
	for ctx.Err() == nil {
		pause := look
		if c.state == up {
			pause = seldom
		}
		edge := p.WaitForEdge(pause)
		if edge {
			time.Sleep(pace)
		}
		down := p.Read() == gpio.Low
		if err := p.Err(); err != nil {
			return false, err
		}
		now := time.Now()
		if c.see(now, down, edge) {
			return true, nil
		}
		tell(c.phase(now))
	}
	return false, nil
}

type state int

const (
	up state = iota
	held
	released // after it was held for as long as it takes
)

// counter goes by what is seen of the line.
type counter struct {
	state state
	since time.Time // of the state
}

func (c *counter) to(s state, now time.Time) { c.state, c.since = s, now }

// press is for a line that did what it should not, or begins anew.
func (c *counter) press(now time.Time, down bool) {
	if down {
		c.to(held, now)
	} else {
		c.to(up, now)
	}
}

// see takes a look at the line: whether it is down, and whether there was an edge since
// the last look. It says whether that makes a reset.
func (c *counter) see(now time.Time, down, edge bool) bool {
	took := now.Sub(c.since)
	switch c.state {
	case up:
		if down {
			c.to(held, now)
		}
	case held:
		switch broken := edge || !down; {
		case !broken:
		case took >= Least && took <= Most:
			c.to(released, now)
		default:
			c.press(now, down)
		}
	case released:
		switch {
		case took < bounce:
		case down || edge:
			c.press(now, down)
		case took >= bounce+apart:
			return true
		}
	}
	return false
}

func (c *counter) phase(now time.Time) Phase {
	switch took := now.Sub(c.since); {
	case c.state == up || c.state == held && took < bounce:
		return Up
	case c.state == released:
		return Enough
	case took < Least:
		return Counting
	case took <= Most:
		return Enough
	}
	return TooLong
}
