package web

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
)

// The metrics of the station's receiver, pulse and clock, and of the station itself.
var (
	gnssState      = describe("gnss_receiver_state", "1 for the state that the receiver is in, 0 for all others: down, nothing is heard of it; acquiring, it is heard; time_valid, true time is taken from it.", "state")
	gnssSatellites = describe("gnss_satellites", "Satellites by system and by what the receiver does with them; those used are among those seen. Without a system: it only says how many.", "constellation", "state")
	gnssCN0        = describe("gnss_cn0_dbhz", "Carrier to noise density of the satellites that are heard, dB-Hz.")
	pulseOffset    = describe("pps_offset_seconds", "Last pulse minus what was expected of it, by the station's clock.")
	pulseJitter    = describe("pps_jitter_seconds", "RMS of that over the pulses of the last minute.")
	pulseLate      = describe("pps_stamp_lateness_seconds", "How late the pulse's edges are stamped, which is taken out of the stamps.")

	clockSync       = describe("clock_sync_status", "1 while other programs are told that the station's clock is synchronised.")
	clockSteered    = describe("clock_steered", "1 while the station steers its clock, 0 where it only watches it.")
	clockEstimated  = describe("clock_estimated_error_seconds", "Error of the station's clock that other programs are told to expect.")
	clockGreatest   = describe("clock_maxerror_seconds", "Greatest error of the station's clock that other programs are told of.")
	clockTAI        = describe("clock_tai_offset_seconds", "TAI minus UTC, as the kernel was told.")
	clockLeap       = describe("clock_leap_second_change_seconds", "By how much the next leap second lengthens its day; 0 while none is announced.")
	clockSteps      = describe("clock_steps_total", "Steps of the station's clock, by who made them.", "by")
	clockAdjustment = describe("clock_foreign_adjustments_total", "Times that something else than the station changed the rate of its clock, or what it says of itself.")

	stationSafe         = describe("station_safe_mode", "1 while only the page and the network run, since the station hung too often.")
	stationNotices      = describe("station_notices", "Notices on the page: what a person should look at.")
	stationCard         = describe("station_card_written_bytes_total", "Bytes written to the card since the system was started.")
	stationTemperature  = describe("station_temperature_celsius", "Temperature of the processor.")
	stationUndervoltage = describe("station_undervoltage", "1 while the supply's voltage is below what the board needs, or was within the last minutes.")
	assignedServers     = describe("assignments_servers", "Servers that a source names.", "source")
	assignedAge         = describe("assignments_age_seconds", "Time since the list was last known to be the present one.", "source")
	serversByVerdict    = describe("ntp_probe_servers", "Addresses of servers by the verdict in force, all of them.", "verdict")

	stationDescs = []*prometheus.Desc{
		gnssState, gnssSatellites, gnssCN0, pulseOffset, pulseJitter, pulseLate,
		clockSync, clockSteered, clockEstimated, clockGreatest, clockTAI, clockLeap, clockSteps, clockAdjustment,
		stationSafe, stationNotices, stationCard, stationTemperature, stationUndervoltage, assignedServers, assignedAge, serversByVerdict,
	}
)

func collectStation(ch chan<- prometheus.Metric, s status.Status) {
	states(ch, gnssState, receiverStates, receiverState(s))
	collectSatellites(ch, s.Reference)
	maybe(ch, pulseLate, s.Receiver.PulseLate)
	collectClock(ch, s.Clock)
	gauge(ch, stationSafe, truth(s.Station.SafeMode))
	gauge(ch, stationNotices, float64(len(s.Notices)))
	if v := s.Machine; v != nil {
		maybe(ch, stationTemperature, v.Temperature)
		if v.CardWritten != nil {
			ch <- prometheus.MustNewConstMetric(stationCard, prometheus.CounterValue, *v.CardWritten)
		}
	}
	if m := s.Machine; m != nil && m.Undervoltage != nil {
		gauge(ch, stationUndervoltage, truth(*m.Undervoltage))
	}
	servers, age := map[string]int{}, map[string]float64{}
	for _, a := range s.Assignments {
		servers[a.Source] += a.Servers
		if a.Age != nil {
			age[a.Source] = max(age[a.Source], *a.Age)
		}
	}
	for source, n := range servers {
		gauge(ch, assignedServers, float64(n), source)
	}
	for source, oldest := range age {
		gauge(ch, assignedAge, oldest, source)
	}
	verdicts := map[string]int{}
	for _, v := range s.Servers {
		verdicts[v.Verdict]++
	}
	for _, w := range status.Verdicts {
		gauge(ch, serversByVerdict, float64(verdicts[w]), w)
	}
}

// constellations are the systems of satellites by their letters.
var constellations = map[string]string{"G": "gps", "R": "glonass", "E": "galileo", "C": "beidou", "J": "qzss", "S": "sbas", "I": "navic"}

// cn0Buckets part what is hardly heard from what is heard well, dB-Hz.
var cn0Buckets = []float64{15, 20, 25, 30, 35, 40, 45, 50}

func collectSatellites(ch chan<- prometheus.Metric, r status.Reference) {
	if len(r.Satellites) == 0 {
		if n := r.SatellitesUsed; n != nil {
			gauge(ch, gnssSatellites, float64(*n), "", "used")
		}
		if n := r.SatellitesSeen; n != nil {
			gauge(ch, gnssSatellites, float64(*n), "", "seen")
		}
		return
	}
	used, seen := map[string]int{}, map[string]int{}
	heard, sum, buckets := uint64(0), 0.0, map[float64]uint64{}
	for _, x := range r.Satellites {
		system := constellations[x.System]
		seen[system]++
		if x.Used {
			used[system]++
		}
		if x.CN0 == nil {
			continue
		}
		heard++
		sum += float64(*x.CN0)
		for _, b := range cn0Buckets {
			if float64(*x.CN0) <= b {
				buckets[b]++
			}
		}
	}
	for system, n := range seen {
		gauge(ch, gnssSatellites, float64(n), system, "seen")
		gauge(ch, gnssSatellites, float64(used[system]), system, "used")
	}
	// The buckets need all their bounds, also those below which nothing is.
	for _, b := range cn0Buckets {
		buckets[b] += 0
	}
	ch <- prometheus.MustNewConstHistogram(gnssCN0, heard, sum, buckets)
}

func collectClock(ch chan<- prometheus.Metric, c *status.Clock) {
	if c == nil {
		return
	}
	gauge(ch, clockSync, truth(c.Synchronized))
	gauge(ch, clockSteered, truth(c.Steered))
	maybe(ch, clockEstimated, known(c.EstimatedError))
	maybe(ch, clockGreatest, known(c.GreatestError))
	if c.TAILessUTC != nil {
		gauge(ch, clockTAI, float64(*c.TAILessUTC))
	}
	change := 0
	if c.Leap != nil {
		change = c.Leap.Change
	}
	gauge(ch, clockLeap, float64(change))
	count := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(clockSteps, c.Steps, "station")
	count(clockSteps, c.ForeignSteps, "other")
	count(clockAdjustment, c.ForeignAdjustments)
}

const (
	receiverDown      = "down"
	receiverAcquiring = "acquiring"
	receiverValid     = "time_valid"
)

var receiverStates = []string{receiverDown, receiverAcquiring, receiverValid}

func receiverState(s status.Status) string {
	source := gpspps.Source(s.Reference.Source)
	switch {
	case s.Receiver.Device == nil:
		return receiverDown
	case s.Reference.State == string(gpspps.StateLocked) && (source == gpspps.SourceGPSPPS || source == gpspps.SourceGPS):
		return receiverValid
	}
	return receiverAcquiring
}

const (
	// pulseFresh is how old the last pulse may be, pulseSpan that of the first one of
	// the jitter's, in seconds; pulseLeast is how many of them make one.
	pulseFresh, pulseSpan = 5, 60
	pulseLeast            = 8
)

// collectPulses tells of the last pulse, and of those of the last minute.
func collectPulses(ch chan<- prometheus.Metric, samples []status.Sample) {
	var last *status.Sample
	var squares float64
	n := 0
	for i, p := range samples {
		if !finite(p.Offset) || !(p.Age >= 0 && p.Age <= pulseSpan) {
			continue
		}
		squares += p.Offset * p.Offset
		n++
		if p.Age <= pulseFresh && (last == nil || p.Age < last.Age) {
			last = &samples[i]
		}
	}
	if last != nil {
		gauge(ch, pulseOffset, last.Offset)
	}
	if jitter := math.Sqrt(squares / float64(n)); n >= pulseLeast && finite(jitter) {
		gauge(ch, pulseJitter, jitter)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
