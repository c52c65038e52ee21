package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/monitor"
	diary "github.com/truechimer/truechimer/monitor/journal"
)

// TestJournalWords holds the journal's words against the station's.
func TestJournalWords(t *testing.T) {
	for _, source := range status.Sources {
		for _, state := range status.States {
			if !diary.Knows(source, state) {
				t.Errorf("the journal has no number for %q or %q", source, state)
			}
		}
	}
}

// TestJournal lives two hours of a station whose clock is decades behind when it
// starts: each exchange is kept, at its true time.
func TestJournal(t *testing.T) {
	perm := t.TempDir()
	p := updatable(t, &platform{station: true, perm: perm, bootDevice: card(t, []byte(dayFile))})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{hostless: true})
		servers, last := map[string]int{}, epoch
		w.atEnd = func(s *station) {
			found, err := s.diary.Range(context.Background(), diary.Query{From: epoch}, func(r *diary.Record) error {
				servers[r.Target.ID]++
				if r.Time.Before(last.Add(-10*time.Second)) || r.Time.After(w.true()) {
					t.Errorf("%s comes after %s", r.Time, last)
				}
				last = r.Time
				// Half an hour is enough to know the time.
				if late := r.Time.After(epoch.Add(30 * time.Minute)); late && (r.Verdict != monitor.OK || r.Provisional || !r.Measured || r.Reference.Source != "gps+pps" || r.DatedLater) {
					t.Errorf("%+v", *r)
				}
				return nil
			})
			if err != nil || found.Damaged+found.Missing > 0 {
				t.Errorf("%+v, %v", found, err)
			}
			hours := 0
			if err := s.diary.Rollups(context.Background(), diary.Query{}, func(r *diary.Rollup) error { hours++; return nil }); err != nil || hours != 4 {
				t.Errorf("%d roll-ups: %v", hours, err)
			}
		}
		s, _ := live(t, w, p, 2*time.Hour)
		for _, v := range s.Servers {
			if n := servers[v.ID]; n < 100 || n > 130 {
				t.Errorf("%d exchanges with %s", n, v.ID)
			}
		}
		if s.Journal == nil || s.Journal.Records < 400 || s.Journal.Dropped != 0 || s.Journal.Written == 0 || s.Journal.Size == 0 {
			t.Errorf("%+v", s.Journal)
		}
	})
	if _, err := os.Stat(filepath.Join(perm, journalName, "x-000")); err != nil {
		t.Error(err)
	}
}

// TestJournalPath keeps nothing where it would cost memory, or in safe mode.
func TestJournalPath(t *testing.T) {
	for _, c := range []struct {
		p    platform
		want string
	}{
		{platform{}, ""},
		{platform{perm: "/perm/x"}, "/perm/x/journal"},
		{platform{perm: "/perm/x", volatile: true}, ""},
		{platform{perm: "/perm/x", safe: true}, ""},
		{platform{journal: "/home/me"}, "/home/me"},
	} {
		if got := c.p.journalPath(); got != c.want {
			t.Errorf("%+v: %q", c.p, got)
		}
	}
}
