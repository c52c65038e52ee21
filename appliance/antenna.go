package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/gpspps"
)

const (
	// antennaName is the file that keeps where the antenna was surveyed to be.
	// It is the home of whoever hosts the station: mode 0600, and it goes
	// nowhere else.
	antennaName = "antenna"
	antennaHead = "truechimer antenna 1"
	antennaMost = 256 // bytes
	// antennaEvery is how often the survey is looked at: it takes hours.
	antennaEvery = time.Minute
)

// antennaFile is what is in it.
type antennaFile struct {
	Lat, Lon *float64 // degrees
}

// antennaPath is where the survey is kept; empty where nothing can be.
func (p *platform) antennaPath() string {
	if p.perm == "" || p.volatile || p.safe {
		return ""
	}
	return filepath.Join(p.perm, antennaName)
}

// surveyed is what an earlier start found, nil if there is nothing that can be
// used: then the antenna is surveyed anew.
func (p *platform) surveyed() *gpspps.Survey {
	path := p.antennaPath()
	if path == "" {
		return nil
	}
	return readAntenna(path)
}

func readAntenna(path string) *gpspps.Survey {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, antennaMost+1))
	if err != nil {
		return nil
	}
	return parseAntenna(b)
}

// parseAntenna reads a file that may hold anything.
func parseAntenna(b []byte) *gpspps.Survey {
	body, err := durable.Unsummed(antennaHead, b, antennaMost)
	var at antennaFile
	if err != nil || json.Unmarshal(body, &at) != nil || at.Lat == nil || at.Lon == nil || math.Abs(*at.Lat) > 90 || math.Abs(*at.Lon) > 180 {
		return nil
	}
	return &gpspps.Survey{Lat: *at.Lat, Lon: *at.Lon}
}

// keepAntenna has the survey outlast the station's restarts, and forgets it
// where the antenna was moved by people or is none that stays.
func (s *station) keepAntenna(ctx context.Context) error {
	path := s.platform.antennaPath()
	for path != "" && ctx.Err() == nil {
		text := ""
		if err := s.writeAntenna(path); err != nil {
			text = fmt.Sprintf("cannot be kept: %v", err) // others tell people of the card
		}
		s.notes.say(slog.LevelWarn, "where the antenna is", text)
		wait(ctx, antennaEvery)
	}
	return nil
}

// writeAntenna has the file at path say what the reference knows.
func (s *station) writeAntenna(path string) error {
	at, ok := s.ref.Antenna()
	kept := readAntenna(path)
	switch {
	case s.antennaSet.Load():
		return nil
	case !ok:
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return durable.Remove(path)
	case kept != nil && *kept == at:
		return nil
	}
	b, err := json.Marshal(antennaFile{&at.Lat, &at.Lon})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(path, durable.Summed(antennaHead, b))
}
