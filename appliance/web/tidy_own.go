package web

import (
	"slices"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// tidyOwn does it for what the station says of its receiver, its board and its
// network. Pointers lead to copies.
func tidyOwn(s *status.Status) {
	r := &s.Receiver
	if r.Trouble != nil && !slices.Contains(status.ReceiverTroubles, *r.Trouble) {
		r.Trouble = nil
	}
	r.PulseElsewhere = clean(r.PulseElsewhere, maxWord)
	if r.Antenna != nil && !slices.Contains(status.Antennas, *r.Antenna) {
		r.Antenna = nil
	}
	if s.Machine != nil {
		m := *s.Machine
		m.Model = clean(m.Model, maxWord)
		m.Temperature, m.CardWritten, m.CardPerDay = known(m.Temperature), known(m.CardWritten), known(m.CardPerDay)
		s.Machine = &m
	}
	if s.Network != nil {
		n := *s.Network
		n.Trouble = word(n.Trouble, status.NetworkTroubles, status.NetworkFine)
		n.Link, n.RouterRTT = health.Clean(n.Link, maxWord), known(n.RouterRTT)
		tidyAddresses(&n)
		s.Network = &n
	}
	if c := s.Clock; c != nil && c.Leap != nil && instant(c.Leap.At).IsZero() {
		clock := *c
		clock.Leap = nil
		s.Clock = &clock
	}
}
