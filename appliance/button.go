package main

import (
	"context"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/gpio"

	"github.com/truechimer/truechimer/appliance/button"
	"github.com/truechimer/truechimer/appliance/led"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// pin is the line of the button for a factory reset.
type pin interface {
	button.Pin
	Close() error
}

// openButton opens a line between which and ground there is a button.
func openButton(name string) (pin, error) {
	e, err := pulse.Open(name)
	if err != nil {
		return nil, err
	}
	p, ok := e.(pin)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no line of a GPIO chip", name), e.Close())
	}
	if err := p.In(gpio.PullUp, gpio.BothEdges); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// The topics of what is told of the button.
const (
	buttonTopic = "reset button"
	stuckTopic  = "reset button, stuck"
)

// watchButton has the station reset by a button. taken are the lines on which a pulse
// is looked for; where tells the names of one line from those of others.
func (s *station) watchButton(ctx context.Context, taken []string, open func(string) (pin, error), where func(string) (string, error)) error {
	name := s.settings.Now().ResetButton // in safe mode, too
	if name == "" {
		return nil
	}
	for ctx.Err() == nil {
		reset, err := s.waitForButton(ctx, name, taken, open, where)
		if err == nil && reset {
			err = changed{s}.forget("with its button")
		}
		if err != nil {
			s.notes.set(buttonTopic, fmt.Sprintf("The reset button did nothing, or cannot be used: %v.", err))
			wait(ctx, again)
		} else if reset {
			return nil
		}
	}
	return nil
}

func (s *station) waitForButton(ctx context.Context, name string, taken []string, open func(string) (pin, error), where func(string) (string, error)) (bool, error) {
	at, err := where(name)
	if err != nil {
		return false, err
	}
	for _, other := range taken {
		// A line that is not there is none that the button is on.
		if there, err := where(other); other == name || err == nil && there == at {
			return false, fmt.Errorf("a pulse is looked for on %s, which is %s: connect the button to another line, or name that of the pulse as pps in truechimer.toml", name, other)
		}
	}
	p, err := open(name)
	if err != nil {
		return false, err
	}
	defer p.Close()
	s.notes.set(buttonTopic, "")
	return button.Wait(ctx, p, s.showButton)
}

// showButton shows people that the button is held.
func (s *station) showButton(p button.Phase) {
	s.held.Store(map[button.Phase]led.Pattern{button.Counting: led.Held, button.Enough: led.LetGo}[p])
	stuck := ""
	if p == button.TooLong {
		stuck = "The reset button has been down for more than 20 seconds, so nothing is reset. If nobody holds it, its line has a short circuit."
	}
	s.notes.set(stuckTopic, stuck)
}
