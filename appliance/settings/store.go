// Package settings changes what a station is told, on its page.
//
// Every change is checked by the code that reads truechimer.toml, shown beside what
// holds before it counts, and kept so that a power cut leaves the old settings or the
// new ones. Those from before the last ten changes are kept too, and each can be had
// back. Settings of the network hold on trial until somebody who can still reach the
// station confirms them.
//
// What comes in was sent by who is logged in, see package access, and is checked as
// if anybody had sent it.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/health"
)

// PastMost is how many earlier settings are kept.
const PastMost = 10

// Past are settings that held, until a change.
type Past struct {
	At   time.Time `json:"at"`   // of the change; zero: the station did not know the time
	What string    `json:"what"` // was changed
	Text string    `json:"text"` // a truechimer.toml
}

// StoreOptions are what a Store works with.
type StoreOptions struct {
	Dir    string        // where settings are kept; empty: they last as long as the process
	Config config.Config // in force
	// Now is the time, and whether that is known.
	Now func() (time.Time, bool)
	Log *slog.Logger
}

// Store has the settings in force and those from before.
type Store struct {
	o StoreOptions

	mu      sync.Mutex
	now     config.Config
	past    []Past // the latest first
	problem string // why earlier settings are not kept; empty: they are
}

// ErrChanged says that somebody else changed the settings meanwhile.
var ErrChanged = errors.New("the settings have been changed meanwhile: look at them, and change them once more")

// NewStore reads the settings from before. That they cannot be read is no error.
func NewStore(o StoreOptions) *Store {
	s := &Store{o: o, now: o.Config}
	if o.Dir == "" {
		return s
	}
	h, err := readHistory(o.Dir)
	if err != nil {
		s.failed(err)
		return s
	}
	s.past = h.Past
	// A file on the card may have been changed, or the power been cut when the
	// settings were kept and this was not yet.
	if text := string(config.Render(s.now)); h.Now != "" && h.Now != text {
		s.remember(Past{What: "what the station started with", Text: h.Now})
		s.write()
	}
	return s
}

// Now are the settings in force, but for a network that is on trial.
func (s *Store) Now() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Past are the settings from before, the latest first.
func (s *Store) Past() (list []Past, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Past{}, s.past...), s.problem
}

// Lasting says whether settings outlast the process.
func (s *Store) Lasting() bool { return s.o.Dir != "" }

// Check says what is wrong with settings, by the code that reads truechimer.toml.
func Check(c config.Config) error {
	_, err := config.Parse("the settings", config.Render(c))
	return err
}

// Put has change make new settings of those in force, whose lists it must not write
// to, and keeps them. what says what is changed. Nothing is changed where it gives an error.
func (s *Store) Put(what string, change func(*config.Config) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, before := s.now, config.Render(s.now)
	if err := change(&c); err != nil {
		return err
	}
	if c.Name == "" {
		c.Name = c.Hostname // as at the next start
	}
	if err := Check(c); err != nil {
		return err
	}
	if bytes.Equal(config.Render(c), before) {
		return nil
	}
	if s.o.Dir != "" {
		if err := config.Keep(s.o.Dir, c); err != nil {
			return fmt.Errorf("the settings could not be kept, so nothing was changed: %w", err)
		}
	}
	s.now = c
	at, known := s.o.Now()
	if !known {
		at = time.Time{}
	}
	s.remember(Past{At: at.UTC(), What: health.Clean(what, whatMost/utf8.UTFMax), Text: string(before)})
	s.write()
	s.o.Log.Info("the settings were changed", "what", what)
	return nil
}

// remember is called with mu held, or before anybody else knows s.
func (s *Store) remember(p Past) {
	s.past = append([]Past{p}, s.past[:min(len(s.past), PastMost-1)]...)
}

func (s *Store) write() {
	if s.o.Dir == "" {
		return
	}
	s.failed(history{Now: string(config.Render(s.now)), Past: s.past}.write(s.o.Dir))
}

func (s *Store) failed(err error) {
	s.problem = ""
	if err != nil {
		s.problem = fmt.Sprintf("The settings from before cannot be kept: %v.", err)
		s.o.Log.Warn("the settings from before", "error", err)
	}
}
