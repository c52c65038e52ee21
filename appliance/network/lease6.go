package network

import (
	"net/netip"
	"time"
)

// Lease6 is what a DHCPv6 server granted or told, checked.
type Lease6 struct {
	Address netip.Addr // not valid: only resolvers were asked for
	DNS     []netip.Addr
	// From the start: when to renew or ask anew, when to ask any server, when it
	// ends. Without an address only Renew means something. Monotonic readings.
	Start, Renew, Rebind, End time.Time
	Preferred                 time.Time // until when the address is used for new connections
	Forever                   bool      // Renew, Rebind, End and Preferred mean nothing
}
