package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

const aloneFile = `
[receiver]
pps = "GPIO18"
pps_alone = true
cable_delay_ns = 40
[[server]]
name = "cellar"
address = "192.0.2.1"
`

// TestPulseAlone: a station with a pulse and no receiver looks for none, misses none,
// and judges servers by the pulse.
func TestPulseAlone(t *testing.T) {
	const others = "[[server]]\naddress = \"198.51.100.1\"\n[[server]]\nname = \"attic\"\naddress = \"203.0.113.1\"\n"
	for name, c := range map[string]struct {
		file    string
		lack    lack
		source  string
		state   string
		reason  string
		summary string
	}{
		"a named server": {file: aloneFile + "reference = true\n", source: "pps", state: "locked",
			summary: "Locked to the pulse within 21 µs; cellar is right."},
		"three servers": {file: aloneFile + others, source: "pps", state: "locked",
			summary: "Locked to the pulse within 21 µs; 2 of 3 servers are right, attic is off by +75 ms."},
		"no network": {file: aloneFile + "reference = true\n", lack: lack{unlinked: true}, source: "none", state: "numbering",
			reason:  "pulses not numbered yet: nobody says which second they mark",
			summary: "Checking the time of the pulse: nobody says yet which second it is; no server can be judged until then."},
		"no pulse": {file: aloneFile + others, lack: lack{pulseless: true}, source: "quorum", state: "locked",
			reason:  "2 of 3 servers agree; pulse: no pulse",
			summary: "Waiting for the pulse: the pulse (PPS) does not come; meanwhile servers are judged by each other: "},
		"nothing": {file: aloneFile + "reference = true\n", lack: lack{pulseless: true, unlinked: true}, source: "none", state: "cold",
			reason: "no pulse", summary: "Waiting for the pulse: the pulse (PPS) does not come; "},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(c.file))}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				w.wrong = func(server string) time.Duration {
					if server == "attic" {
						return 75 * time.Millisecond
					}
					return 0
				}
				var got update.Vitals
				w.atEnd = func(s *station) {
					got = (&vitals{s: s}).Vitals(t.Context())
					if cable := s.inbox.cable.Load(); cable != 40 {
						t.Errorf("%d ns of cable", cable)
					}
				}
				s, j := live(t, w, p, 20*time.Minute)
				r := s.Reference
				if r.Source != c.source || r.State != c.state || r.Reason != c.reason || !strings.HasPrefix(s.Summary, c.summary) {
					t.Errorf("%s, %s (%s): %s", r.Source, r.State, r.Reason, s.Summary)
				}
				if r.Counters.Fixes != 0 || s.Receiver.Device != nil || !r.PulseAlone || len(j.lines("looking for a receiver")) != 0 {
					t.Errorf("a receiver is read: %+v", s.Receiver)
				}
				for _, n := range s.Notices {
					if strings.Contains(n, "receiver") {
						t.Errorf("notice %q", n)
					}
				}
				if got.Fix || got.Locked != (c.state == "locked") || got.Locking {
					t.Errorf("%+v", got)
				}
				if c.source == "pps" {
					held(t, s)
				}
			})
		})
	}
}

// held looks whether a station that is locked to its pulse says so right.
func held(t *testing.T, s status.Status) {
	t.Helper()
	if r := s.Reference; *r.Offset > 1e-6 || *r.Offset < -1e-6 || *r.Bound > 70e-6 || s.Receiver.Pulse == nil {
		t.Errorf("%+v, pulse %v", r, s.Receiver.Pulse)
	}
}
