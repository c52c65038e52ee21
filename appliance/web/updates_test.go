package web

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
)

func bytesOf(n int64) *int64 { return &n }

// fetching is an update on its way.
func fetching() *status.Update {
	return &status.Update{
		State: "fetching", Summary: "Version 0.2.0 is on its way to the card.", Channel: "stable",
		Hosts: []string{"https://updates.example.net/truechimer", "http://192.0.2.80"},
		Other: said("0.0.9"), Candidate: said("0.2.0"), Notes: said("Quicker.\n\n<b>Bolder</b>."),
		Done: bytesOf(17_900_000), Total: bytesOf(30_000_000), Tries: 1,
		Checked: ago(3 * time.Minute), Freshness: "fresh", Scrubbed: ago(2 * 24 * time.Hour), Expires: ago(-13 * 24 * time.Hour), Next: ago(-12 * time.Hour),
	}
}

func withUpdate(u *status.Update) status.Status {
	s := wellStation()
	s.Update = u
	return s
}

func TestUpdatesFragments(t *testing.T) {
	golden(t, "updates", newView(tidy(withUpdate(fetching())), nil, Build{}, "").Update, "updates-fetching.html")
	golden(t, "updates", newView(tidy(withUpdate(&status.Update{State: "off", Summary: "There is no update host.", Channel: "stable"})), nil, Build{}, "").Update, "updates-off.html")
	u := fetching()
	u.State, u.Done, u.Total, u.Candidate, u.Blocked, u.Notes = "idle", nil, nil, nil, said("0.2.0"), nil
	u.Failure, u.Freshness, u.Expires = "the card could not be read back", "expired", ago(50*time.Hour)
	u.Damage = "1 of 8 pieces in slot b do not read back as they were written."
	golden(t, "updates", newView(tidy(withUpdate(u)), nil, Build{}, "").Update, "updates-blocked.html")
}

// TestNoUpdaterNoSection: a computer that runs the program has other ways.
func TestNoUpdaterNoSection(t *testing.T) {
	if got := render(t, wellStation(), nil); strings.Contains(got, "Updates</h2>") {
		t.Error("there is a section on updates")
	}
	if got := render(t, withUpdate(fetching()), nil); !strings.Contains(got, "Updates</h2>") || strings.Contains(got, "https://") {
		t.Error("there is no section on updates, or the page refers to elsewhere")
	}
	if v := decode(t, wellStation())["update"]; v != nil {
		t.Errorf("update = %v, want null", v)
	}
}

func TestUpdateContract(t *testing.T) {
	fields := []string{
		"state", "summary", "failure", "channel", "hosts", "other_version", "candidate_version", "candidate_notes", "done_bytes", "total_bytes",
		"tries", "blocked_version", "scrubbed", "damage", "checked", "freshness", "expires", "next",
	}
	full := keys(t, "update", decode(t, withUpdate(fetching()))["update"], fields...)
	for field, want := range map[string]any{
		"state": "fetching", "done_bytes": 17_900_000.0, "total_bytes": 30_000_000.0, "tries": 1.0, "candidate_version": "0.2.0",
		"candidate_notes": "Quicker.\n\n<b>Bolder</b>.", "checked": "2026-07-01T14:00:22Z", "blocked_version": nil, "freshness": "fresh",
	} {
		if full[field] != want {
			t.Errorf("update.%s = %v, want %v", field, full[field], want)
		}
	}
	empty := keys(t, "update", decode(t, withUpdate(&status.Update{}))["update"], fields...)
	for _, field := range []string{"other_version", "candidate_version", "candidate_notes", "done_bytes", "total_bytes", "blocked_version", "scrubbed", "checked", "expires", "next"} {
		if empty[field] != nil {
			t.Errorf("update.%s = %v, want null", field, empty[field])
		}
	}
	if l, ok := empty["hosts"].([]any); !ok || len(l) != 0 || empty["state"] != "off" || empty["freshness"] != "unknown" {
		t.Errorf("of nothing: %v", empty)
	}
}

// TestEveryWordOfUpdates: those that the engine has, and page, API and metrics know.
func TestEveryWordOfUpdates(t *testing.T) {
	if len(status.UpdateStates) != len(updateStates) {
		t.Errorf("%d words, and the page knows %d", len(status.UpdateStates), len(updateStates))
	}
	for _, state := range status.UpdateStates {
		for _, freshness := range status.UpdateFreshness {
			u := fetching()
			u.State, u.Freshness = state, freshness
			got := decode(t, withUpdate(u))["update"].(map[string]any)
			if got["state"] != state || got["freshness"] != freshness {
				t.Errorf("%s, %s became %v, %v", state, freshness, got["state"], got["freshness"])
			}
			if v := newUpdateView(tidy(withUpdate(u))); v.State == "" || v.Tone == "" || !marked(v.Mark) {
				t.Errorf("the page does not know %s: %+v", state, v)
			}
		}
	}
	u := fetching()
	u.State, u.Freshness = "dancing", "stale"
	if got := tidy(withUpdate(u)).Update; got.State != string(update.StateOff) || got.Freshness != string(update.FreshUnknown) {
		t.Errorf("words that nobody knows: %+v", got)
	}
}

func TestHostileUpdate(t *testing.T) {
	const evil = `"'><script>alert(1)</script>{{.}}` + "\u202e\x00"
	long := strings.Repeat(evil, 1<<12)
	u := fetching()
	u.Summary, u.Failure, u.Channel, u.Hosts = long, evil, long, []string{long, evil, "x://" + long, "", "", "", "", "", "", ""}
	u.Other, u.Candidate, u.Blocked, u.Notes = said(long), said(evil), said(evil), said(strings.Repeat(evil+"\n", 1<<12))
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	u.Checked, u.Next, u.Expires = &far, &time.Time{}, &far
	u.Done, u.Total, u.Tries = bytesOf(7), bytesOf(-1), -3
	s := withUpdate(u)
	got := render(t, s, nil)
	wellFormed(t, got)
	for _, bad := range []string{"<script", "\u202e", "\x00"} {
		if strings.Contains(unscripted(got), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if len(got) > 100<<10 || len(body(t, fetch(handler(t, Options{Source: fixed{status: s}}), "GET", "/api/v1/status"))) > 100<<10 {
		t.Errorf("the page has %d bytes", len(got))
	}
	if v := tidy(s).Update; v.Checked != nil || v.Next != nil || v.Expires != nil || v.Done != nil || v.Total != nil || v.Tries != 0 || len(v.Hosts) != maxHosts {
		t.Errorf("%+v", v)
	}
	if u.Notes == nil || u.Tries != -3 || len(u.Hosts) != 10 {
		t.Error("the source's own values were changed")
	}
}

func TestPercentIsOfAll(t *testing.T) {
	for _, c := range []struct{ done, total, want int64 }{{0, 1, 0}, {1, 3, 33}, {999, 1000, 99}, {1000, 1000, 100}, {1<<62 - 1, 1 << 62, 100}} {
		if got := percent(c.done, c.total); got != c.want {
			t.Errorf("%d of %d: %d %%, want %d", c.done, c.total, got, c.want)
		}
	}
}

func TestUpdateMetrics(t *testing.T) {
	want := `
# HELP station_update_blocked 1 while there is a release that failed each time and is tried no more.
# TYPE station_update_blocked gauge
station_update_blocked 0
# HELP station_update_checked_timestamp_seconds When update metadata was last verified, since the Unix epoch.
# TYPE station_update_checked_timestamp_seconds gauge
station_update_checked_timestamp_seconds 1.782914422e+09
# HELP station_update_damaged 1 while something on the card does not read back as it was written.
# TYPE station_update_damaged gauge
station_update_damaged 0
# HELP station_update_done_bytes Bytes of a new release that are on the card, or were read back.
# TYPE station_update_done_bytes gauge
station_update_done_bytes 1.79e+07
# HELP station_update_freshness 1 for what is known of the update metadata's age, 0 for all others.
# TYPE station_update_freshness gauge
station_update_freshness{freshness="expired"} 0
station_update_freshness{freshness="fresh"} 1
station_update_freshness{freshness="unknown"} 0
# HELP station_update_scrubbed_timestamp_seconds When both slots of the card were last read through, since the Unix epoch.
# TYPE station_update_scrubbed_timestamp_seconds gauge
station_update_scrubbed_timestamp_seconds 1.782741802e+09
# HELP station_update_size_bytes Bytes of the new release.
# TYPE station_update_size_bytes gauge
station_update_size_bytes 3e+07
# HELP station_update_state 1 for the state that the updater is in, 0 for all others.
# TYPE station_update_state gauge
station_update_state{state="checking"} 0
station_update_state{state="fetching"} 1
station_update_state{state="idle"} 0
station_update_state{state="off"} 0
station_update_state{state="restart"} 0
station_update_state{state="trial"} 0
station_update_state{state="verifying"} 0
station_update_state{state="waiting"} 0
station_update_state{state="writing"} 0
# HELP station_update_tries How often the new release was tried.
# TYPE station_update_tries gauge
station_update_tries 1
`
	names := []string{
		"station_update_blocked", "station_update_checked_timestamp_seconds", "station_update_damaged", "station_update_done_bytes", "station_update_freshness",
		"station_update_scrubbed_timestamp_seconds", "station_update_size_bytes", "station_update_state", "station_update_tries",
	}
	if err := testutil.GatherAndCompare(registry(t, withUpdate(fetching()), Build{}), strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	// Without an updater there is nothing to say.
	if err := testutil.GatherAndCompare(registry(t, wellStation(), Build{}), strings.NewReader(""), names...); err != nil {
		t.Error(err)
	}
}
