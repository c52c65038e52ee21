package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

// updateView is how the station gets new releases.
type updateView struct {
	State   string
	Tone    tone
	Mark    string
	Summary string
	Failure string
	Damage  string
	Facts   []fact
	Source  string // where releases come from, in a sentence
	Notes   *releaseNotes
}

type releaseNotes struct {
	Version string
	Lines   []string
}

var updateStates = map[update.State]struct {
	tone       tone
	mark, word string
}{
	update.StateOff:       {toneWait, "ring", "off"},
	update.StateIdle:      {toneGood, "disc", "idle"},
	update.StateChecking:  {toneWait, "half", "checking"},
	update.StateFetching:  {toneWait, "half", "fetching"},
	update.StateVerifying: {toneWait, "half", "reading back"},
	update.StateWriting:   {toneWait, "half", "writing"},
	update.StateRestart:   {toneWait, "half", "restarting"},
	update.StateTrial:     {toneWait, "half", "on trial"},
	update.StateWaiting:   {toneWarn, "triangle", "trying again later"},
}

// newUpdateView is nil where there is nothing to say.
func newUpdateView(s status.Status) *updateView {
	u := s.Update
	if u == nil {
		return nil
	}
	state := updateStates[update.State(u.State)]
	v := &updateView{State: state.word, Tone: state.tone, Mark: state.mark, Summary: u.Summary, Failure: u.Failure, Damage: u.Damage}
	if v.Failure == v.Summary {
		v.Failure = ""
	}
	if v.Tone == toneGood && (u.Blocked != nil || u.Damage != "" || u.Freshness == string(update.Expired)) {
		v.Tone = toneWarn
	}
	add := func(name, value, note string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{name, value, note})
		}
	}
	slot := ""
	if s.Station.Slot != nil {
		slot = "in slot " + *s.Station.Slot
	}
	add("This version", s.Station.Version, slot)
	add("In the other slot", optional(u.Other), "")
	tries := ""
	if u.Tries > 0 {
		tries = "tried " + times(u.Tries)
	}
	add("New version", optional(u.Candidate), tries)
	if u.Done != nil && u.Total != nil {
		add("On the card", fmt.Sprintf("%d %%", percent(*u.Done, *u.Total)), "of "+megabytes(*u.Total))
	}
	add("Left out", optional(u.Blocked), "it failed each time")
	add("Last check", minute(u.Checked, s.Time), "UTC")
	add("Next", minute(u.Next, s.Time), "UTC")
	add("Card read through", minute(u.Scrubbed, s.Time), "UTC")
	if u.Expires != nil {
		note := ""
		if u.Freshness == string(update.Expired) {
			note = "the update host has no newer one"
		}
		add("List of releases valid until", u.Expires.Format(time.DateOnly), note)
	}
	v.Source = source(u)
	if u.Notes != nil && u.Candidate != nil {
		v.Notes = &releaseNotes{Version: *u.Candidate, Lines: strings.Split(*u.Notes, "\n")}
	}
	return v
}

// source says where releases come from. The hosts are shown without https://.
func source(u *status.Update) string {
	if len(u.Hosts) == 0 {
		return ""
	}
	var hosts []string
	for _, h := range u.Hosts {
		_, rest, ok := strings.Cut(h, "://")
		if !ok {
			rest = h
		}
		hosts = append(hosts, rest)
	}
	return "Releases of the channel " + u.Channel + " from " + strings.Join(hosts, ", ") + "."
}

// minute is an instant as people read it, with the day where it is another
// one than now's.
func minute(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return ""
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// optional is a text that may not be known.
func optional(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// percent is rounded down: 100 is all of it.
func percent(done, total int64) int64 {
	if done >= total {
		return 100
	}
	return int64(float64(done) / float64(total) * 100)
}

func megabytes(n int64) string {
	return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + "\u00a0MB"
}

var (
	updateState     = describe("station_update_state", "1 for the state that the updater is in, 0 for all others.", "state")
	updateFreshness = describe("station_update_freshness", "1 for what is known of the update metadata's age, 0 for all others.", "freshness")
	updateDone      = describe("station_update_done_bytes", "Bytes of a new release that are on the card, or were read back.")
	updateTotal     = describe("station_update_size_bytes", "Bytes of the new release.")
	updateTries     = describe("station_update_tries", "How often the new release was tried.")
	updateBlocked   = describe("station_update_blocked", "1 while there is a release that failed each time and is tried no more.")
	updateChecked   = describe("station_update_checked_timestamp_seconds", "When update metadata was last verified, since the Unix epoch.")
	updateScrubbed  = describe("station_update_scrubbed_timestamp_seconds", "When both slots of the card were last read through, since the Unix epoch.")
	updateDamaged   = describe("station_update_damaged", "1 while something on the card does not read back as it was written.")
	updateExpires   = describe("station_update_expires_timestamp_seconds", "When the update metadata has to be renewed by, since the Unix epoch.")
)

var updateDescs = []*prometheus.Desc{
	updateState, updateFreshness, updateDone, updateTotal, updateTries, updateBlocked, updateChecked, updateExpires,
	updateScrubbed, updateDamaged,
}

func collectUpdate(ch chan<- prometheus.Metric, u *status.Update) {
	if u == nil {
		return
	}
	states(ch, updateState, status.UpdateStates, u.State)
	states(ch, updateFreshness, status.UpdateFreshness, u.Freshness)
	if u.Done != nil {
		gauge(ch, updateDone, float64(*u.Done))
		gauge(ch, updateTotal, float64(*u.Total))
	}
	gauge(ch, updateTries, float64(u.Tries))
	blocked := 0.0
	if u.Blocked != nil {
		blocked = 1
	}
	gauge(ch, updateBlocked, blocked)
	damaged := 0.0
	if u.Damage != "" {
		damaged = 1
	}
	gauge(ch, updateDamaged, damaged)
	if u.Scrubbed != nil {
		gauge(ch, updateScrubbed, float64(u.Scrubbed.Unix()))
	}
	if u.Checked != nil {
		gauge(ch, updateChecked, float64(u.Checked.Unix()))
	}
	if u.Expires != nil {
		gauge(ch, updateExpires, float64(u.Expires.Unix()))
	}
}
