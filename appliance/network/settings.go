package network

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

// Settings are what a person may change while the station runs.
type Settings struct {
	Network config.Network
	Wifi    *config.Wifi // the network to join while no cable has a carrier; nil: none
}

// Check says whether s can be tried. Its error is for people.
func (s Settings) Check() error {
	if s.Wifi != nil {
		if err := s.Wifi.Check(); err != nil {
			return err
		}
	}
	return s.Network.Check()
}

// TrialTime is how long a person has to confirm settings, who may have to find
// the station at another address first.
const TrialTime = time.Minute

// maxTrial bounds how long settings may be on trial: whoever tries them may be
// cut off for all of it.
const maxTrial = 10 * time.Minute

// ErrNoTrial is what Confirm and GiveUp say where there is nothing to confirm.
var ErrNoTrial = errors.New("network: these settings are not on trial any more; those from before hold again, so try the change once more")

// trial is a change of settings that nobody has confirmed yet. It lives in
// memory only: after a power cut the settings from before hold.
type trial struct {
	token  string
	before Settings
	until  time.Time
	timer  *time.Timer
}

// Try has settings in force for d, and then those from before again, unless
// Confirm is called with the token. A second change while one is on trial takes its
// place; what comes back is what was confirmed last.
func (m *Manager) Try(s Settings, d time.Duration) (token string, err error) {
	if err := s.Check(); err != nil {
		return "", fmt.Errorf("network: %w", err)
	}
	if d <= 0 || d > maxTrial {
		return "", fmt.Errorf("network: a trial of %v; it may take up to %v", d, maxTrial)
	}
	m.trying.Lock()
	defer m.trying.Unlock()
	before, _ := m.now()
	if m.trial != nil {
		before = m.trial.before
		m.trial.timer.Stop()
	}
	t := &trial{token: rand.Text(), before: before, until: time.Now().Add(d)}
	t.timer = time.AfterFunc(d, func() { m.revert(t) })
	m.trial = t
	m.log.Info("network: new settings are on trial", "for", d)
	m.set(s)
	return t.token, nil
}

// Trial is until when settings are on trial; ok is false where none are.
func (m *Manager) Trial() (until time.Time, ok bool) {
	m.trying.Lock()
	defer m.trying.Unlock()
	if m.trial == nil {
		return time.Time{}, false
	}
	return m.trial.until, true
}

// Confirm ends the trial of that token: its settings stay, and are kept. Where
// they cannot be kept, those from before come back at once, since they would
// after the next power cut.
func (m *Manager) Confirm(token string) error {
	m.trying.Lock()
	defer m.trying.Unlock()
	t, err := m.onTrial(token)
	if err != nil {
		return err
	}
	t.timer.Stop()
	m.trial = nil
	s, _ := m.now()
	if m.o.Keep != nil {
		if err := m.o.Keep(s); err != nil {
			m.set(t.before)
			return fmt.Errorf("network: the new settings cannot be kept, and those from before hold again: %w", err)
		}
	}
	m.log.Info("network: the new settings are confirmed")
	return nil
}

// GiveUp ends the trial of that token at once: the settings from before come
// back.
func (m *Manager) GiveUp(token string) error {
	m.trying.Lock()
	defer m.trying.Unlock()
	t, err := m.onTrial(token)
	if err != nil {
		return err
	}
	t.timer.Stop()
	m.trial = nil
	m.set(t.before)
	return nil
}

// onTrial is called with trying held.
func (m *Manager) onTrial(token string) (*trial, error) {
	if m.trial == nil || subtle.ConstantTimeCompare([]byte(token), []byte(m.trial.token)) == 0 {
		return nil, ErrNoTrial
	}
	return m.trial, nil
}

// revert ends a trial that nobody confirmed in time.
func (m *Manager) revert(t *trial) {
	m.trying.Lock()
	defer m.trying.Unlock()
	if m.trial != t {
		return // confirmed or replaced meanwhile
	}
	m.trial = nil
	m.log.Warn("network: nobody confirmed the new settings; those from before hold again")
	m.set(t.before)
}

// Settings are those in force, on trial or not.
func (m *Manager) Settings() Settings {
	s, _ := m.now()
	return s
}

// now are the settings in force, and a number that changes with them.
func (m *Manager) now() (Settings, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings, m.turn
}

// set has the links used anew with other settings.
func (m *Manager) set(s Settings) {
	m.mu.Lock()
	m.settings = s
	m.turn++
	m.mu.Unlock()
	m.changed.ring()
}
