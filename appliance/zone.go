package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"
	_ "time/tzdata" // an image has no zones of its own

	"github.com/truechimer/truechimer/appliance/config"
)

// newLog writes to w, with times as they are read off a wall in zone.
func newLog(w io.Writer, zone *time.Location) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Value = slog.TimeValue(a.Value.Time().In(zone))
			}
			return a
		},
	}))
}

// zoneOf is the time zone of a configuration. Where that names none it is the
// system's, which on a station is UTC; notice says that its name is not known.
func zoneOf(conf config.Config) (zone *time.Location, notice string) {
	if conf.Timezone == "" {
		return time.Local, ""
	}
	zone, err := time.LoadLocation(conf.Timezone)
	if err != nil {
		return time.UTC, fmt.Sprintf("The time zone %q is not known: the log has UTC. Name one such as \"Europe/Berlin\" in %s.", conf.Timezone, config.FileName)
	}
	return zone, ""
}
