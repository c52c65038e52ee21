package screen

import (
	"context"
	"io"
	"time"
)

// Terminal is a virtual terminal.
type Terminal interface {
	io.Writer
	// Show has the display show it, Leave the first terminal instead.
	Show() error
	Leave() error
	Close() error
}

const (
	// every is how often is looked whether something has changed, again how often it
	// is drawn all the same: something else may have written over it.
	every = 2 * time.Second
	again = time.Minute
)

// Run shows on t what view gives until ctx ends.
func Run(ctx context.Context, t Terminal, view func() View) error {
	defer t.Leave()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var shown View
	var text string // for it; empty: nothing was drawn yet
	var at time.Time
	for {
		if v := view(); text == "" || v != shown || time.Since(at) >= again {
			first := text == ""
			if first || v != shown {
				shown, text = v, Draw(v) // a code takes a board tens of milliseconds
			}
			if _, err := io.WriteString(t, text); err != nil {
				return err
			}
			if first {
				if err := t.Show(); err != nil {
					return err
				}
			}
			at = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
