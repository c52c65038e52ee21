package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/monitor"
)

const (
	mannersName = "manners"
	mannersHead = "truechimer manners 1"
	mannersMost = monitor.MostManners * 192 // bytes; the longest entry has some 150
)

// manners is the file in which the station keeps, while it is off, who asked it
// to stay away. It implements monitor.Manners; without a dir it keeps nothing.
type manners struct {
	dir   string
	clock func() (time.Time, bool)
	notes *notes
}

// entry is a monitor.Manner in the file.
type entry struct {
	Addr     netip.AddrPort `json:"addr"`
	Kiss     string         `json:"kiss"`
	Until    *time.Time     `json:"until,omitempty"`
	Left     float64        `json:"left_s"`
	Interval float64        `json:"interval_s,omitempty"`
}

// Load implements monitor.Manners.
func (m manners) Load() ([]monitor.Manner, error) {
	if m.dir == "" {
		return nil, nil
	}
	f, err := os.Open(filepath.Join(m.dir, mannersName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mannersMost+1))
	if err != nil {
		return nil, err
	}
	list, err := parseManners(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return list, nil
}

// parseManners reads a file that may hold anything.
func parseManners(b []byte) ([]monitor.Manner, error) {
	body, err := durable.Unsummed(mannersHead, b, mannersMost)
	if err != nil {
		return nil, err
	}
	var entries []entry
	if err := json.Unmarshal(body, &entries); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if len(entries) > monitor.MostManners {
		return nil, fmt.Errorf("it cannot be right: %d addresses", len(entries))
	}
	const most = 1e6 // seconds; no pause is so long
	var list []monitor.Manner
	for _, e := range entries {
		if !e.Addr.IsValid() || !(e.Left >= 0 && e.Left <= most) || !(e.Interval >= 0 && e.Interval <= most) {
			return nil, fmt.Errorf("it cannot be right: %s for %g s, every %g s", e.Addr, e.Left, e.Interval)
		}
		x := monitor.Manner{Addr: e.Addr, Kiss: e.Kiss, Left: lasting(e.Left), Interval: lasting(e.Interval)}
		if e.Until != nil {
			x.Until = e.Until.UTC()
		}
		list = append(list, x)
	}
	return list, nil
}

func lasting(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Save implements monitor.Manners.
func (m manners) Save(list []monitor.Manner) error {
	if m.dir == "" {
		return nil
	}
	b, err := mannersFile(list)
	if err == nil {
		err = os.MkdirAll(m.dir, 0o700)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(m.dir, mannersName), b)
	}
	text := ""
	if err != nil {
		text = fmt.Sprintf("Which servers asked to be left alone cannot be kept for the next start: %v.", err)
	}
	m.notes.say(slog.LevelWarn, "what servers asked for", text)
	return err
}

func mannersFile(list []monitor.Manner) ([]byte, error) {
	entries := []entry{}
	for _, x := range list {
		e := entry{Addr: x.Addr, Kiss: x.Kiss, Left: x.Left.Round(time.Second).Seconds(), Interval: x.Interval.Seconds()}
		if !x.Until.IsZero() {
			until := x.Until.UTC().Truncate(time.Second)
			e.Until = &until
		}
		entries = append(entries, e)
	}
	body, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	return durable.Summed(mannersHead, body), nil
}

// Now implements monitor.Manners.
func (m manners) Now() (time.Time, bool) { return m.clock() }

// manners are where those are kept.
func (s *station) manners() manners {
	m := manners{clock: stationClock{s}.Now, notes: s.notes}
	if !s.platform.volatile {
		m.dir = s.platform.perm
	}
	return m
}
