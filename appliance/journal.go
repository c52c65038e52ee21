package main

import (
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/status"
	diary "github.com/truechimer/truechimer/monitor/journal"
)

// journalName is the directory of the journal beside what else is kept.
const journalName = "journal"

// journalPath is where the journal of exchanges is; empty where there is none: what
// is lost with the power is not worth the memory.
func (p *platform) journalPath() string {
	if p.journal != "" || p.perm == "" || p.volatile || p.safe {
		return p.journal
	}
	return filepath.Join(p.perm, journalName)
}

// newJournal makes the journal of exchanges; nil: none is kept.
func (s *station) newJournal() *diary.Journal {
	path := s.platform.journalPath()
	if path == "" {
		return nil
	}
	j, err := diary.New(diary.Config{
		Open: func() (diary.Dir, int64, error) {
			dir, err := diary.OpenDir(path)
			if err != nil {
				return nil, 0, err
			}
			room, err := diary.Room(path)
			return dir, room, err
		},
		Now: func() int64 {
			mono, _, err := s.kernel.Now()
			if err != nil {
				return 0 // people are told, see keepTime
			}
			return mono
		},
		Reference: func(mono int64, judged string) diary.Reference {
			r := s.ref.At(mono, judged)
			return diary.Reference{
				UTC: r.True, Known: r.Known, Uncertainty: r.Uncertainty, Usable: usable(r),
				Source: string(r.Source), State: string(r.State),
			}
		},
		Log: s.log,
	})
	if err != nil {
		s.log.Error("no journal of exchanges", "error", err)
		return nil
	}
	return j
}

// journalStatus shows the journal.
func journalStatus(st diary.Status) *status.Journal {
	out := &status.Journal{
		Records: st.Records, Waiting: st.Waiting, Dropped: st.Dropped, Late: st.Late,
		Written: st.Written, Size: st.Size,
	}
	if !st.Oldest.IsZero() {
		out.Oldest = &st.Oldest
	}
	return out
}
