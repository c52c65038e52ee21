package web

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/truechimer/truechimer/appliance/status"
)

// The metrics of what is told of a server beside its verdict.
var (
	probeJitter       = describe("ntp_probe_jitter_seconds", "RMS of the last 8 offsets around the best one.", perServer...)
	probeRequests     = describe("ntp_probe_requests_total", "Requests sent to the server.", perServer...)
	probeReplies      = describe("ntp_probe_replies_total", "Replies to them, whatever they were worth.", perServer...)
	probeRootDistance = describe("ntp_probe_root_distance_seconds", "How far from true time the server may be by its own word.", perServer...)
	probeRootDelay    = describe("ntp_probe_root_delay_seconds", "Round trip to the source at the server's root, by its own word.", perServer...)
	probeRootDisp     = describe("ntp_probe_root_dispersion_seconds", "Error that the server has gathered from there, by its own word.", perServer...)
	probeLeap         = describe("ntp_probe_leap", "Leap indicator of the server's last reply: 0 none, 1 a second is inserted, 2 one is left out, 3 not synchronised.", perServer...)
	probeWarning      = describe("ntp_probe_warning", "1 for each warning in force.", append(perServer[:2:2], "warning")...)

	detailDescs = []*prometheus.Desc{probeJitter, probeRequests, probeReplies, probeRootDistance, probeRootDelay, probeRootDisp, probeLeap, probeWarning}
)

func collectDetails(ch chan<- prometheus.Metric, v status.Server, labels ...string) {
	maybe(ch, probeJitter, v.Jitter, labels...)
	if v.Sent > 0 {
		ch <- prometheus.MustNewConstMetric(probeRequests, prometheus.CounterValue, float64(v.Sent), labels...)
		ch <- prometheus.MustNewConstMetric(probeReplies, prometheus.CounterValue, float64(v.Received), labels...)
	}
	if v.Claims != nil {
		gauge(ch, probeRootDistance, v.Claims.RootDistance, labels...)
		gauge(ch, probeRootDelay, v.Claims.RootDelay, labels...)
		gauge(ch, probeRootDisp, v.Claims.RootDispersion, labels...)
		gauge(ch, probeLeap, float64(slices.Index(status.Leaps, v.Claims.Leap)), labels...)
	}
	for _, w := range v.Warnings {
		gauge(ch, probeWarning, 1, append(labels[:len(labels):len(labels)], w)...)
	}
}
