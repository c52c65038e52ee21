//go:build station

package main

import (
	"context"
	"errors"
	"log/slog"
)

// runSimulated is not part of what a station boots.
func runSimulated(context.Context, *platform, *slog.Logger) error {
	return errors.New("this is a station's own program, it does not simulate; use go run ./appliance -sim")
}
