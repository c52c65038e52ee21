package main

import (
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

// status is how updates stand, for the page.
func (u *updater) status() *status.Update {
	if u.s.platform.safe {
		return &status.Update{State: string(update.StateOff), Summary: "In safe mode nothing is updated.", Freshness: string(update.FreshUnknown), Hosts: []string{}}
	}
	u.mu.Lock()
	from, other, missing := u.from, u.other, u.missing
	u.mu.Unlock()
	out := &status.Update{Channel: from.channel, Hosts: append([]string{}, from.hosts...), Expires: utc(u.expires.Load())}
	e := u.engine.Load()
	if e == nil {
		out.State, out.Summary, out.Freshness = string(update.StateOff), update.NotStarted, string(update.FreshUnknown)
		if missing != nil {
			out.Summary = fmt.Sprintf("Nothing can be updated: %v.", missing)
		}
		return out
	}
	s := e.Status()
	out.State, out.Summary, out.Failure, out.Freshness = string(s.State), s.Summary, s.Failure, string(s.Freshness)
	out.Candidate, out.Notes, out.Blocked, out.Tries = text(s.Candidate), text(s.Notes), text(s.Blocked), s.Tries
	out.Scrubbed, out.Damage = utc(&s.Scrubbed), s.Damage
	out.Checked, out.Next = utc(&s.Checked), utc(&s.Next)
	if s.Total > 0 {
		out.Done, out.Total = &s.Done, &s.Total
	}
	// What the other slot held at the start is overwritten by another release.
	if s.Candidate == "" || s.Candidate == other {
		out.Other = text(other)
	}
	return out
}

// text is s, or nil where it is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// utc is t in UTC, or nil where it is zero.
func utc(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	out := t.UTC()
	return &out
}
