package web

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// Bounds of what foreign text may take up, in characters.
const (
	maxWord    = 64 // host names are longer, names for people are not
	maxAddress = 300
	maxReason  = 400
	maxNotice  = 600
	maxNotices = 50
	maxHosts   = 8
	maxNews    = 4096 // of release notes
)

// tidy returns a copy of s that keeps the contract of the API whatever the
// source did: no number that JSON cannot hold, no word outside the lists, no
// null list, no text without end.
func tidy(s status.Status) status.Status {
	s.Schema = status.Schema
	s.Time = instant(s.Time)
	st := &s.Station
	st.ID, st.Name = health.Clean(st.ID, maxWord), health.Clean(st.Name, maxWord)
	st.Version, st.Board = health.Clean(st.Version, maxWord), health.Clean(st.Board, maxWord)
	st.Slot = clean(st.Slot, maxWord)
	if !finite(st.Uptime) || st.Uptime < 0 {
		st.Uptime = 0
	}
	r := &s.Reference
	r.Source = word(r.Source, status.Sources, string(gpspps.SourceNone))
	r.State = word(r.State, status.States, string(gpspps.StateCold))
	r.Reason = health.Clean(r.Reason, maxReason)
	r.Offset, r.Uncertainty, r.Bound = known(r.Offset), known(r.Uncertainty), known(r.Bound)
	r.Frequency, r.Holdover = known(r.Frequency), known(r.Holdover)
	tidyReference(r)
	s.Tracking = tidyTracking(s.Tracking)
	rx := &s.Receiver
	rx.Device, rx.Pulse, rx.Hat = clean(rx.Device, maxAddress), clean(rx.Pulse, maxWord), clean(rx.Hat, maxWord)
	rx.Protocol = clean(rx.Protocol, maxWord)
	if rx.Protocol != nil && !slices.Contains(status.Protocols, *rx.Protocol) {
		rx.Protocol = nil
	}
	rx.Model, rx.Setup = clean(rx.Model, maxReason), clean(rx.Setup, maxWord)
	if rx.Setup != nil && !slices.Contains(status.Setups, *rx.Setup) {
		rx.Setup = nil
	}

	s.Probe.Outcomes = tidyOutcomes(s.Probe.Outcomes)
	tidyOwn(&s)
	s.Update = tidyUpdate(s.Update)
	s.Assignments = tidyAssignments(s.Assignments)
	if s.Journal != nil {
		j := *s.Journal
		j.Waiting, j.Size = max(j.Waiting, 0), max(j.Size, 0)
		if j.Oldest != nil {
			if oldest := instant(*j.Oldest); oldest.IsZero() {
				j.Oldest = nil
			} else {
				j.Oldest = &oldest
			}
		}
		s.Journal = &j
	}
	s.Servers = append([]status.Server{}, s.Servers...)
	for i := range s.Servers {
		tidyServer(&s.Servers[i])
	}
	s.Trees = tidyTrees(s.Trees, 0)
	notices := []string{}
	for _, n := range s.Notices[:min(len(s.Notices), maxNotices)] {
		notices = append(notices, health.Clean(n, maxNotice))
	}
	s.Notices = notices
	s.Summary = health.Clean(s.Summary, 2*maxNotice)
	summary, a := advice.Of(s)
	s.Advice = &a
	if s.Summary == "" {
		s.Summary = summary
	}
	return s
}

// clean is a copy of s without what would upset a page, or nil.
func clean(s *string, most int) *string {
	if s == nil {
		return nil
	}
	c := health.Clean(*s, most)
	return &c
}

func tidyServer(v *status.Server) {
	v.ID, v.Name = health.Clean(v.ID, maxAddress), health.Clean(v.Name, maxAddress)
	v.Address, v.Reason = health.Clean(v.Address, maxAddress), health.Clean(v.Reason, maxReason)
	v.Family, v.NameFault = word(v.Family, status.Families, ""), word(v.NameFault, status.NameFaults, status.NameFine)
	v.Verdict = word(v.Verdict, status.Verdicts, string(monitor.NotJudged))
	v.Offset, v.Uncertainty, v.Bound = known(v.Offset), known(v.Uncertainty), known(v.Bound)
	v.RTT, v.Score, v.Loss = known(v.RTT), known(v.Score), known(v.Loss)
	v.Path = tidyPath(v.Path)
	tidyDetails(v)
	if !finite(v.Limit) || v.Limit <= 0 {
		v.Limit = monitor.DefaultLimit // what the judge takes when nothing was said
	}
	if v.Last != nil {
		if v.Last.IsZero() {
			v.Last = nil
		} else {
			last := instant(*v.Last)
			v.Last = &last
		}
	}
}

// instant is t in UTC, or the zero time where RFC 3339 has no way to write it.
func instant(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func known(v *float64) *float64 {
	if v == nil || !finite(*v) {
		return nil
	}
	return v
}

func word(w string, allowed []string, otherwise string) string {
	if slices.Contains(allowed, w) {
		return w
	}
	return otherwise
}

// tidyUpdate is a copy that keeps the contract.
func tidyUpdate(u *status.Update) *status.Update {
	if u == nil {
		return nil
	}
	v := *u
	v.State = word(v.State, status.UpdateStates, string(update.StateOff))
	v.Freshness = word(v.Freshness, status.UpdateFreshness, string(update.FreshUnknown))
	v.Summary, v.Failure = health.Clean(v.Summary, maxNotice), health.Clean(v.Failure, maxNotice)
	v.Damage = health.Clean(v.Damage, maxNotice)
	v.Channel = health.Clean(v.Channel, maxWord)
	hosts := []string{}
	for _, h := range v.Hosts[:min(len(v.Hosts), maxHosts)] {
		hosts = append(hosts, health.Clean(h, maxAddress))
	}
	v.Hosts = hosts
	v.Other, v.Candidate, v.Blocked = clean(v.Other, maxWord), clean(v.Candidate, maxWord), clean(v.Blocked, maxWord)
	v.Notes = tidyNotes(v.Notes)
	if v.Done == nil || v.Total == nil || *v.Total <= 0 || *v.Done < 0 || *v.Done > *v.Total {
		v.Done, v.Total = nil, nil
	}
	v.Tries = max(v.Tries, 0)
	for _, t := range []**time.Time{&v.Checked, &v.Expires, &v.Next, &v.Scrubbed} {
		if *t != nil {
			at := instant(**t)
			*t = &at
			if at.IsZero() {
				*t = nil
			}
		}
	}
	return &v
}

// tidyNotes keeps the lines of release notes apart.
func tidyNotes(notes *string) *string {
	if notes == nil {
		return nil
	}
	var lines []string
	left := maxNews
	for line := range strings.SplitSeq(*notes, "\n") {
		if left <= 0 {
			break
		}
		line = health.Clean(line, left)
		left -= len([]rune(line)) + 1
		lines = append(lines, line)
	}
	lines = slices.CompactFunc(lines, func(a, b string) bool { return a == "" && b == "" })
	all := strings.Trim(strings.Join(lines, "\n"), "\n")
	if all == "" {
		return nil
	}
	return &all
}

// tidyAssignments likewise.
func tidyAssignments(list []status.Assignments) []status.Assignments {
	out := append([]status.Assignments{}, list...)
	for i := range out {
		a := &out[i]
		a.Source = word(a.Source, status.AssignmentsSources, status.AssignmentsFile)
		a.State = word(a.State, status.AssignmentsStates, status.AssignmentsNone)
		a.URL, a.Failure = clean(a.URL, maxAddress), health.Clean(a.Failure, maxReason)
		a.Servers, a.Refused = max(a.Servers, 0), max(a.Refused, 0)
		a.Age, a.Next = known(a.Age), known(a.Next)
	}
	return out
}

// tidyOutcomes leaves each word once.
func tidyOutcomes(list []status.Outcome) []status.Outcome {
	out, seen := []status.Outcome{}, map[string]bool{}
	for _, o := range list {
		if slices.Contains(status.Outcomes, o.Outcome) && !seen[o.Outcome] {
			seen[o.Outcome] = true
			out = append(out, o)
		}
	}
	return out
}
