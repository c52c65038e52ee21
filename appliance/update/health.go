package update

import (
	"context"
	"time"
)

// Health says how the station is.
type Health interface {
	// Vitals looks anew. It may take a few seconds and ends with ctx.
	Vitals(ctx context.Context) Vitals
}

// Vitals are how the station is at a moment.
type Vitals struct {
	Serving string        // version that the station's own page names, asked over the network stack; empty: it does not answer
	Perm    bool          // a file can be written to /perm and synced, and /perm is on the card
	Up      time.Duration // since the appliance was started

	Network bool // there is an address and a way out
	Locked  bool // the reference is locked, or the clock was synced
	Locking bool // the reference gets all it needs for that, but has not proven yet which second it is: that may take longer than a trial
	Asked   bool // an NTP server has answered since the start
	Fix     bool // the receiver has a fix
}
