package advice

import (
	"fmt"
	"slices"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// Bounds of what foreign text may take up in the sentence, in characters.
const (
	maxReason = 160
	maxName   = 40
	maxNamed  = 3 // servers mentioned by name
)

// sentence says how the station and its servers are. It begins with lead, or,
// where that is empty, with what the time rests on.
func (f *facts) sentence(lead string) string {
	r := f.Reference
	usual, unjudged := reference(r)
	if lead == "" {
		lead = usual
	} else if gpspps.State(r.State) == gpspps.StateHoldover && r.Uncertainty != nil {
		lead += "; the time is still known within " + health.Within(*r.Uncertainty)
	}
	joint := "; "
	what := servers(f.Servers, unjudged, "servers are")
	if _, ok := among(r); ok && len(f.Servers) > 0 {
		joint = "; meanwhile servers are judged by each other: "
		what = servers(f.Servers, unjudged, "are")
	}
	return lead + joint + what + "." + updates(f.Update)
}

// among says whether servers stand in for a receiver, or for a pulse alone, that is
// waited for, and what it lacks. The reference tells so behind that word in its reason:
// `5 of 6 servers agree; receiver: no pulse`.
func among(r status.Reference) (lacks string, ok bool) {
	if gpspps.Source(r.Source) != gpspps.SourceQuorum || gpspps.State(r.State) != gpspps.StateLocked {
		return "", false
	}
	word := "receiver: "
	if r.PulseAlone {
		word = "pulse: "
	}
	_, lacks, ok = strings.Cut(r.Reason, word)
	return lacks, ok
}

// reference says what the time rests on, and what to say of servers when none
// of them is judged.
func reference(r status.Reference) (lead, unjudged string) {
	source, state := gpspps.Source(r.Source), gpspps.State(r.State)
	awaited := waited(source)
	if awaited == receiver && r.PulseAlone {
		awaited = "the pulse"
	}
	const until = "no server can be judged until then"
	switch state {
	case gpspps.StateLocked:
		if lacks, ok := among(r); ok {
			return "Waiting for " + awaited + because(lacks), "none has been judged yet"
		}
		return locked(source, r.Uncertainty), "no server has been judged yet"
	case gpspps.StateHoldover:
		lead := origin(source) + " is lost"
		if r.Holdover != nil {
			lead = origin(source) + " was lost " + health.Span(*r.Holdover) + " ago"
		}
		if r.Uncertainty == nil {
			return lead + " and the time is no longer known well enough", "no server can be judged until it is back"
		}
		return lead + ", the time is still known within " + health.Within(*r.Uncertainty), "no server has been judged yet"
	case gpspps.StateSuspect:
		return "The time is in doubt" + because(r.Reason), "no server is judged until this is settled"
	case gpspps.StateNumbering:
		return "Checking the time of " + awaited + because(r.Reason), until
	}
	return "Waiting for " + awaited + because(r.Reason), until
}

func locked(source gpspps.Source, uncertainty *float64) string {
	within := ""
	if uncertainty != nil {
		within = " within " + health.Within(*uncertainty)
	}
	switch source {
	case gpspps.SourceGPSPPS:
		return "Locked to GPS" + within
	case gpspps.SourcePPS:
		return "Locked to the pulse" + within
	case gpspps.SourceGPS:
		return "Locked to GPS without its pulse" + within
	case gpspps.SourceQuorum:
		return "The time is agreed among the servers" + within
	}
	return "Locked to " + waited(source) + within
}

// origin names a source that can be lost.
func origin(source gpspps.Source) string {
	switch source {
	case gpspps.SourcePPS:
		return "The pulse"
	case gpspps.SourcePTP:
		return "PTP"
	case gpspps.SourceChrony:
		return "Chrony"
	case gpspps.SourceNTP:
		return "The time server"
	case gpspps.SourceQuorum:
		return "The servers' agreement"
	}
	return "GPS"
}

// receiver is what is waited for where no source is known.
const receiver = "the receiver"

// waited names a source as the object of waiting.
func waited(source gpspps.Source) string {
	switch source {
	case gpspps.SourcePTP:
		return "PTP"
	case gpspps.SourceChrony:
		return "chrony"
	case gpspps.SourceNTP:
		return "the time server"
	}
	return receiver
}

// because appends a reason in plain words up to its first full stop or semicolon: what
// follows is advice, for which the sentence has no room.
func because(reason string) string {
	for _, end := range []string{"; ", ". "} {
		reason, _, _ = strings.Cut(reason, end)
	}
	reason = plain(strings.TrimRight(health.Clean(reason, maxReason), ". "))
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// servers says how many are right and names those that are not. noun follows
// a count: "servers are", or "are" where they were just mentioned.
func servers(list []status.Server, unjudged, noun string) string {
	n, right, waiting := len(list), 0, 0
	var bad []status.Server
	for _, s := range list {
		switch monitor.Verdict(s.Verdict) {
		case monitor.OK:
			right++
		case monitor.NotJudged, "":
			waiting++
		default:
			bad = append(bad, s)
		}
	}
	switch {
	case n == 0:
		return "no server is watched yet"
	case waiting == n:
		return unjudged
	case right == n && n == 1:
		return health.Clean(list[0].Name, maxName) + " is right"
	case right == n && n == 2:
		return "both " + noun + " right"
	case right == n:
		return fmt.Sprintf("all %d %s right", n, noun)
	}
	var parts []string
	switch {
	case right == 1:
		parts = append(parts, fmt.Sprintf("1 of %d %s right", n, strings.Replace(noun, "are", "is", 1)))
	case right > 1:
		parts = append(parts, fmt.Sprintf("%d of %d %s right", right, n, noun))
	case waiting == 0 && n > maxNamed:
		parts = append(parts, fmt.Sprintf("none of %d %s right", n, strings.Replace(noun, "are", "is", 1)))
	}
	parts = append(parts, troubles(bad, list)...)
	if waiting > 0 {
		verb := "are"
		if waiting == 1 {
			verb = "is"
		}
		parts = append(parts, fmt.Sprintf("%d %s not judged yet", waiting, verb))
	}
	return strings.Join(parts, ", ")
}

// gravity orders the verdicts that a person should hear of: a server that
// misleads its clients comes before one that only fails them.
var gravity = []monitor.Verdict{
	monitor.Off, monitor.Invalid, monitor.Doubtful, monitor.Unsynchronized,
	monitor.Unreachable, monitor.Refused, monitor.Denied, monitor.RateLimited,
}

// troubles names the worst of bad and counts the rest.
func troubles(bad, all []status.Server) []string {
	slices.SortStableFunc(bad, func(a, b status.Server) int {
		return slices.Index(gravity, monitor.Verdict(a.Verdict)) - slices.Index(gravity, monitor.Verdict(b.Verdict))
	})
	named := len(bad)
	if named > maxNamed {
		named = maxNamed - 1
	}
	var parts []string
	for _, s := range bad[:named] {
		parts = append(parts, called(s, all)+" "+predicate(s))
	}
	if more := len(bad) - named; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more need a look", more))
	}
	return parts
}

// called is the server's name, with the family where the name has two.
func called(s status.Server, all []status.Server) string {
	same := 0
	for _, o := range all {
		if o.Name == s.Name {
			same++
		}
	}
	name := health.Clean(s.Name, maxName)
	if same < 2 {
		return name
	}
	switch s.Family {
	case "ipv4":
		return name + " (IPv4)"
	case "ipv6":
		return name + " (IPv6)"
	}
	return name
}

func predicate(s status.Server) string {
	switch monitor.Verdict(s.Verdict) {
	case monitor.Off:
		if s.Offset == nil {
			return "is off"
		}
		return "is off by " + health.Signed(*s.Offset, 2)
	case monitor.Doubtful:
		return "is doubtful"
	case monitor.Unsynchronized:
		return "says that it does not know the time"
	case monitor.Unreachable:
		return "does not answer"
	case monitor.Refused:
		return "refuses requests"
	case monitor.Denied:
		return "turns this station away"
	case monitor.RateLimited:
		return "asks for fewer requests"
	case monitor.Invalid:
		return "gives answers that make no sense"
	}
	return "needs a look"
}
