package web

import (
	"fmt"
	"slices"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
)

// everything is a station of which all is known, with one server of each verdict,
// and pulses: it has a sample of every metric.
func everything() fixed {
	s := withUpdate(fetching())
	s.Update.Expires = ago(-time.Hour)
	s.Reference.Holdover, s.Receiver.PulseLate, s.Receiver.PulseLateError = val(12), val(2e-6), val(1e-6)
	for i, system := range status.Systems {
		s.Reference.Satellites = append(s.Reference.Satellites, status.Satellite{System: system, Number: i + 1, Elevation: whole(40), Azimuth: whole(120), CN0: whole(20 + 4*i), Used: i%2 == 0})
	}
	no := false
	s.Machine = &status.Machine{Undervoltage: &no, Temperature: val(51.5), CardWritten: val(81920), CardPerDay: val(2e7)}
	for _, w := range status.Outcomes {
		s.Probe.Outcomes = append(s.Probe.Outcomes, status.Outcome{Outcome: w, Count: 3})
	}
	one := s.Servers[0]
	one.Jitter, one.Sent, one.Received = val(3e-5), 9, 8
	one.Latest = &status.Latest{Offset: 1e-4, Uncertainty: 1e-4, Bound: 1e-3, RTT: 2e-3}
	one.Claims = &status.Claims{Leap: status.LeapNone, RootDelay: .001, RootDispersion: .002, RootDistance: .0025, RefID: "GPS"}
	one.Warnings = slices.Clone(status.Warnings)
	s.Servers = nil
	for i, verdict := range status.Verdicts {
		one.ID, one.Name, one.Verdict = fmt.Sprint("n", i), fmt.Sprint("n", i), verdict
		s.Servers = append(s.Servers, one)
	}
	var pulses []status.Sample
	for i := range 100 {
		pulses = append(pulses, status.Sample{Age: float64(i), Offset: 1e-7 * float64(i%2*2-1), Uncertainty: 1e-6, State: "locked"})
	}
	return fixed{s, pulses}
}
