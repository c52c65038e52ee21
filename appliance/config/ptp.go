package config

import (
	"strings"
	"time"
)

// PTP is a PTP hardware clock that somebody else keeps right.
type PTP struct {
	Device string        // a path below /dev
	Bound  float64       // that its time leaves at most once in a million, seconds
	Ahead  time.Duration // of UTC, whole seconds
}

// The bounds of what may be said of a PTP clock.
const (
	minPTPBound = 100 * time.Nanosecond
	maxPTPBound = 100 * time.Millisecond
	maxAhead    = 100 * time.Second // TAI was 37 s ahead in 2026
)

func (r *reader) ptp(t map[string]any) *PTP {
	r.known("ptp", "in [ptp]", t, "device", "bound", "ahead")
	var p PTP
	device, ok := r.text(t, "ptp", "device")
	if !ok {
		if t["device"] == nil && len(t) > 0 {
			r.atKey("ptp", wrong{"this clock has no device", `write device = "/dev/ptp0" below`})
		}
		return nil
	}
	if p.Device = device; len(device) > maxName || !devicePath.MatchString(device) || !strings.HasPrefix(device, "/dev/ptp") {
		r.atValue("ptp.device", wrong{"device " + quoted(device) + " is no PTP clock", `write a path such as "/dev/ptp0"`})
	}
	if t["bound"] == nil {
		r.atKey("ptp", wrong{"nobody says how right this clock is", `write bound = "100us" below, or whatever those who set it vouch for`})
	} else if d, ok := r.duration(t, "ptp", "bound", minPTPBound, maxPTPBound); ok {
		p.Bound = d.Seconds()
	}
	if d, ok := r.duration(t, "ptp", "ahead", 0, maxAhead); ok {
		if p.Ahead = d; d%time.Second != 0 {
			r.atValue("ptp.ahead", wrong{"ahead " + quoted(d.String()) + " is no whole number of seconds", `write "0s" for a clock that shows UTC, "37s" for one that shows TAI`})
		}
	}
	return &p
}
