package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/truechimer/truechimer/appliance/led"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
)

// showLight shows on the board's LED how the station is.
func (s *station) showLight(ctx context.Context) error {
	if s.platform.board.LED == "" {
		return nil
	}
	err := led.Run(ctx, led.Options{Dir: led.Dir, Name: s.platform.board.LED, Pattern: s.pattern})
	if errors.Is(err, fs.ErrNotExist) {
		s.log.Info("no LED shows how the station is", "error", err)
		return nil
	}
	return err
}

// pattern is what the LED shows. It is asked several times a second, so it looks at
// few things.
func (s *station) pattern() led.Pattern {
	if held, ok := s.held.Load().(led.Pattern); ok && held != "" {
		return held
	}
	mono, _, err := s.kernel.Now()
	if err != nil || s.platform.safe || s.alive() != nil {
		return led.Fault
	}
	updating := update.StateOff
	if s.updater != nil {
		if e := s.updater.engine.Load(); e != nil {
			updating = e.Status().State
		}
	}
	return patternOf(updating, s.ref.At(mono, "").State)
}

// patternOf is that of a station in which nothing stands still.
func patternOf(u update.State, r gpspps.State) led.Pattern {
	switch u {
	case update.StateFetching, update.StateVerifying, update.StateWriting, update.StateRestart, update.StateTrial:
		return led.Updating
	}
	switch r {
	case gpspps.StateLocked:
		return led.Locked
	case gpspps.StateHoldover:
		return led.Holdover
	case gpspps.StateSuspect:
		return led.Fault
	}
	return led.Acquiring
}
