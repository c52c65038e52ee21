package web

import (
	"strconv"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
)

// deviceFacts are what there is to tell of the device, as far as it is known.
func deviceFacts(s status.Status, b Build) (out []fact) {
	add := func(name, value, note string) {
		if value != "" {
			out = append(out, fact{name, value, note})
		}
	}
	version, slot := b.Version, b.Slot
	if version == "" {
		version = s.Station.Version
	}
	if slot == "" {
		slot = optional(s.Station.Slot)
	}
	add("Version", version, "")
	if slot != "" {
		add("Slot", slot, "of two: the other one holds the version before or the next")
	}
	add("Running for", health.Span(s.Station.Uptime), "")
	if v := s.Machine; v != nil {
		if v.Temperature != nil {
			add("Temperature", strconv.FormatFloat(*v.Temperature, 'f', 1, 64)+"\u00a0°C", "")
		}
		switch {
		case v.CardPerDay != nil:
			add("Written to the card", megabytes(whole64(*v.CardPerDay)), "a day, at the rate since it was started")
		case v.CardWritten != nil:
			add("Written to the card", megabytes(whole64(*v.CardWritten)), "since it was started")
		}
	}
	if m := s.Machine; m != nil && m.Undervoltage != nil {
		supply, note := "enough", ""
		if *m.Undervoltage {
			supply, note = "too low", "the supply or its cable is too weak"
		}
		add("Supply voltage", supply, note)
	}
	if j := s.Journal; j != nil {
		add("Journal", megabytes(j.Size), "on the card")
	}
	return out
}

// whole64 is v without its fraction; no card has taken more than an exabyte.
func whole64(v float64) int64 { return int64(min(max(v, 0), 1e18)) }
