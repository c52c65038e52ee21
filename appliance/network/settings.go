package network

import "github.com/truechimer/truechimer/appliance/config"

// Settings are what a person may change while the station runs.
type Settings struct {
	Network config.Network
	Wifi    *config.Wifi // the network to join while no cable has a carrier; nil: none
}

// now are the settings in force, and a number that changes with them.
func (m *Manager) now() (Settings, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings, m.turn
}
