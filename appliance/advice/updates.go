package advice

import (
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

// updates is a further sentence where somebody has to see to updates; empty
// where they go on by themselves, a failure that is tried again included.
func updates(u *status.Update) string {
	switch {
	case u == nil || u.State == string(update.StateOff):
		return ""
	case u.Blocked != nil:
		return " The update to " + health.Clean(*u.Blocked, maxName) + " failed each time and is left out."
	case u.Freshness == string(update.Expired) && len(u.Hosts) > 0: // of a bundle there is a notice
		return " Updates have stopped: what the update host offers has expired."
	}
	return ""
}
