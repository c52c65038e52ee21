package advice

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/appliance/status"
)

func val(v float64) *float64 { return &v }

func server(name, verdict string) status.Server {
	s := status.Server{Name: name, Verdict: verdict, Limit: 0.025}
	if verdict == "off" {
		s.Offset = val(0.0801)
	}
	return s
}

func verdicts(words ...string) (list []status.Server) {
	names := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
	for i, w := range words {
		list = append(list, server(names[i], w))
	}
	return list
}

// summaryOf is the sentence alone.
func summaryOf(s status.Status) string {
	s1, _ := Of(s)
	return s1
}

func TestSummary(t *testing.T) {
	gps := status.Reference{Source: "gps+pps", State: "locked", Uncertainty: val(1.19e-5)}
	quorum := status.Reference{Source: "quorum", State: "locked", Uncertainty: val(0.0079)}
	with := func(r status.Reference, change func(*status.Reference)) status.Reference {
		change(&r)
		return r
	}
	ok3 := verdicts("ok", "ok", "ok")
	unjudged := verdicts("not_judged", "not_judged", "not_judged")
	for _, c := range []struct {
		name    string
		ref     status.Reference
		servers []status.Server
		want    string
	}{
		{"all well", gps, ok3, "Locked to GPS within 12 µs; all 3 servers are right."},
		{"one is off", gps, verdicts("ok", "ok", "off", "ok"),
			"Locked to GPS within 12 µs; 3 of 4 servers are right, gamma is off by +80 ms."},
		{"three in trouble, the worst first", gps, verdicts("ok", "unreachable", "unsynchronized", "off"),
			"Locked to GPS within 12 µs; 1 of 4 servers is right, delta is off by +80 ms, gamma says that it does not know the time, beta does not answer."},
		{"too many to name", gps, verdicts("ok", "unreachable", "refused", "off", "invalid", "denied"),
			"Locked to GPS within 12 µs; 1 of 6 servers is right, delta is off by +80 ms, epsilon gives answers that make no sense, 3 more need a look."},
		{"none right", gps, verdicts("off", "off", "off", "off"),
			"Locked to GPS within 12 µs; none of 4 servers is right, alpha is off by +80 ms, beta is off by +80 ms, 2 more need a look."},
		{"one server", gps, verdicts("ok"), "Locked to GPS within 12 µs; alpha is right."},
		{"one server, doubtful", gps, verdicts("doubtful"), "Locked to GPS within 12 µs; alpha is doubtful."},
		{"two servers", gps, verdicts("ok", "ok"), "Locked to GPS within 12 µs; both servers are right."},
		{"no servers", gps, nil, "Locked to GPS within 12 µs; no server is watched yet."},
		{"just locked", gps, unjudged, "Locked to GPS within 12 µs; no server has been judged yet."},
		{"some judged", gps, verdicts("ok", "ok", "not_judged", "rate_limited"),
			"Locked to GPS within 12 µs; 2 of 4 servers are right, delta asks for fewer requests, 1 is not judged yet."},
		{"uncertainty unknown", with(gps, func(r *status.Reference) { r.Uncertainty = nil }), ok3,
			"Locked to GPS; all 3 servers are right."},
		{"uncertainty without end", with(gps, func(r *status.Reference) { r.Uncertainty = val(math.Inf(1)) }), ok3,
			"Locked to GPS; all 3 servers are right."},
		{"no pulse", with(gps, func(r *status.Reference) { r.Source, r.Uncertainty = "gps", val(0.04) }), ok3,
			"Locked to GPS without its pulse within 40 ms; all 3 servers are right."},
		{"a pulse alone", with(gps, func(r *status.Reference) { r.Source = "pps" }), ok3,
			"Locked to the pulse within 12 µs; all 3 servers are right."},
		{"a pulse alone, lost", with(gps, func(r *status.Reference) { r.Source, r.State, r.Holdover = "pps", "holdover", val(252) }), ok3,
			"The pulse was lost 4 min 12 s ago, the time is still known within 12 µs; all 3 servers are right."},
		{"a pulse alone is waited for", with(quorum, func(r *status.Reference) {
			r.PulseAlone, r.Reason = true, "3 of 3 servers agree; pulse: pulses not numbered yet"
		}), ok3, "Waiting for the pulse: nobody says yet which second it is; meanwhile servers are judged by each other: all 3 are right."},
		{"ptp", with(gps, func(r *status.Reference) { r.Source = "ptp" }), ok3,
			"Locked to PTP within 12 µs; all 3 servers are right."},
		{"chrony waits", status.Reference{Source: "chrony", State: "cold", Reason: "chrony is not synchronized"}, unjudged,
			"Waiting for chrony: it does not know the time itself; no server can be judged until then."},
		{"cold", status.Reference{Source: "none", State: "cold", Reason: "no bytes on /dev/ttyS0 for 12 s; is it powered?"}, unjudged,
			"Waiting for the receiver: no bytes on /dev/ttyS0 for 12 s; no server can be judged until then."},
		{"cold, plain faults are known all the same", status.Reference{Source: "none", State: "cold"}, verdicts("not_judged", "unreachable", "not_judged"),
			"Waiting for the receiver; beta does not answer, 2 are not judged yet."},
		{"numbering", status.Reference{Source: "none", State: "numbering", Reason: "leap seconds unconfirmed"}, unjudged,
			"Checking the time of the receiver: it is not sure yet which second it is; no server can be judged until then."},
		{"quorum while waiting", with(quorum, func(r *status.Reference) { r.Reason = "3 of 3 servers agree; receiver: no pulse on GPIO18." }), verdicts("ok", "ok", "off"),
			"Waiting for the receiver: the pulse (PPS) does not come; meanwhile servers are judged by each other: 2 of 3 are right, gamma is off by +80 ms."},
		{"quorum while waiting, all right", with(quorum, func(r *status.Reference) { r.Reason = "3 of 3 servers agree; receiver: no fix, no pulse" }), ok3,
			"Waiting for the receiver: it tells no time yet; meanwhile servers are judged by each other: all 3 are right."},
		{"quorum while waiting, none judged", with(quorum, func(r *status.Reference) { r.Reason = "3 of 3 servers agree; receiver: no fix, no pulse" }), unjudged,
			"Waiting for the receiver: it tells no time yet; meanwhile servers are judged by each other: none has been judged yet."},
		{"quorum without a word of a receiver", with(quorum, func(r *status.Reference) { r.Reason = "5 of 6 servers agree" }), ok3,
			"The time is agreed among the servers within 7.9 ms; all 3 servers are right."},
		{"quorum on purpose", quorum, ok3, "The time is agreed among the servers within 7.9 ms; all 3 servers are right."},
		{"holdover", with(gps, func(r *status.Reference) { r.State, r.Holdover = "holdover", val(252) }), ok3,
			"GPS was lost 4 min 12 s ago, the time is still known within 12 µs; all 3 servers are right."},
		{"holdover without end", with(gps, func(r *status.Reference) { r.State, r.Uncertainty = "holdover", nil }), unjudged,
			"GPS is lost and the time is no longer known well enough; no server can be judged until it is back."},
		{"disputed", with(gps, func(r *status.Reference) {
			r.State, r.Reason = "suspect", "reference disputed: 4 of 5 servers say 1.0 s later"
		}), unjudged,
			"The receiver and most servers disagree about the time; no server is judged until this is settled."},
		{"two families of one name", gps, []status.Server{
			{Name: "gamma", Family: "ipv4", Verdict: "ok"},
			{Name: "gamma", Family: "ipv6", Verdict: "unreachable"},
		}, "Locked to GPS within 12 µs; 1 of 2 servers is right, gamma (IPv6) does not answer."},
		{"off by an unknown amount", gps, []status.Server{{Name: "gamma", Verdict: "off"}}, "Locked to GPS within 12 µs; gamma is off."},
		{"a word from the future", gps, []status.Server{{Name: "gamma", Verdict: "odd"}}, "Locked to GPS within 12 µs; gamma needs a look."},
		{"nothing known at all", status.Reference{}, nil, "Waiting for the receiver; no server is watched yet."},
		{"hostile text", status.Reference{Reason: "a\nb\x00\u202ec" + strings.Repeat("x", 5000)}, []status.Server{{Name: "g\r\na", Verdict: "off"}},
			"Waiting for the receiver: a bc" + strings.Repeat("x", 155) + "…; g a is off."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := summaryOf(status.Status{Reference: c.ref, Servers: c.servers}); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Every combination of words yields one finished sentence, and the caller's
// servers stay in their order.
func TestSummaryOfEveryWord(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, source := range status.Sources {
		for _, state := range status.States {
			for _, verdict := range status.Verdicts {
				list := verdicts(verdict, status.Verdicts[r.Intn(len(status.Verdicts))], "ok", "unreachable", "off")
				before := fmt.Sprint(list)
				s := summaryOf(status.Status{Reference: status.Reference{Source: source, State: state}, Servers: list})
				if !strings.HasSuffix(s, ".") || strings.Contains(s, "..") || strings.Contains(s, "  ") || !('A' <= s[0] && s[0] <= 'Z') {
					t.Errorf("%s, %s, %s: %q", source, state, verdict, s)
				}
				if fmt.Sprint(list) != before {
					t.Fatal("the servers were reordered")
				}
			}
		}
	}
}

// TestSummaryOfUpdates: only what somebody has to see to.
func TestSummaryOfUpdates(t *testing.T) {
	version := "0.2.0"
	for want, u := range map[string]*status.Update{
		"": {State: "waiting", Failure: "no network", Freshness: "unknown"},
		" The update to 0.2.0 failed each time and is left out.":          {State: "idle", Blocked: &version, Freshness: "expired"},
		" Updates have stopped: what the update host offers has expired.": {State: "waiting", Freshness: "expired", Hosts: []string{"https://updates.example.net"}},
	} {
		s := status.Status{Update: u}
		if got := summaryOf(s); got != summaryOf(status.Status{})+want {
			t.Errorf("%q, want %q at the end", got, want)
		}
		if u.State = "off"; summaryOf(s) != summaryOf(status.Status{}) {
			t.Errorf("switched off: %q", summaryOf(s))
		}
	}
}
