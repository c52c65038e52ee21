package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
)

const (
	// heardWithin is how long a fix and a pulse are waited for: receivers give one
	// of each a second.
	heardWithin = 3 * time.Second
	// permWithin is how long a small file may take to reach the card.
	permWithin = 20 * time.Second
	// maxStatus bounds what is read of the page's status, bytes.
	maxStatus = 1 << 20
)

// vitals say whether the station is well enough for its system to be kept.
type vitals struct {
	s       *station
	writing chan error // of a write to /perm that has not come back; nil: none
}

// Vitals implements update.Health.
func (v *vitals) Vitals(ctx context.Context) update.Vitals {
	s := v.s
	out := update.Vitals{
		Perm:    v.permTakesFiles(ctx),
		Up:      time.Since(s.steadySince()),
		Network: s.wayOut(),
		Asked:   s.answered.Load(),
	}
	out.Serving, _ = s.servedVersion(ctx)
	fix, pulse := s.heard(ctx)
	out.Fix = fix
	_, out.Locked = stationClock{s}.Now()
	out.Locking = fix && pulse && s.numbering()
	return out
}

// permTakesFiles writes a small file to /perm, syncs it and deletes it again. A
// card that does not answer holds up the next look, not this one for ever.
func (v *vitals) permTakesFiles(ctx context.Context) bool {
	if v.s.platform.volatile || v.s.platform.perm == "" {
		return false
	}
	if v.writing == nil {
		done := make(chan error, 1)
		dir := v.s.platform.perm
		go func() { done <- tryFile(dir) }()
		v.writing = done
	}
	late := time.NewTimer(permWithin)
	defer late.Stop()
	select {
	case err := <-v.writing:
		v.writing = nil
		return err == nil
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

func tryFile(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, "can-be-written")
	if err := durable.WriteFile(path, []byte("The station tries whether it can keep files.\n")); err != nil {
		return err
	}
	return durable.Remove(path)
}

// steadySince is when the process began, or when a part of it last failed without
// which a station is none, or is never updated again. Others fail for reasons
// that another version cannot help, such as a receiver that was pulled out: no
// trial would ever pass then. What such a part is there for, a fix or a lock, is
// looked at for itself.
func (s *station) steadySince() time.Time {
	since := s.born
	failed := s.parts.lastFailure(partPage, partNetwork, partWatchdog, partClock, partMonitor, partUpdater)
	if failed.After(since) {
		since = failed
	}
	return since
}

// heard waits for a fix that the receiver vouches for, and for a pulse.
func (s *station) heard(ctx context.Context) (fix, pulse bool) {
	const looks = 6
	count := func() (fixes, pulses uint64) {
		c := s.ref.Info(0).Counters
		return c.Fixes - c.FixesInvalid - c.FixesImplausible, c.Pulses
	}
	fixes, pulses := count()
	for range looks {
		wait(ctx, heardWithin/looks)
		f, p := count()
		if fix, pulse = f > fixes, p > pulses; fix && pulse {
			break
		}
	}
	return fix, pulse
}

// numbering says whether nothing but time is missing until the reference locks: a
// quarter of an hour where no server vouches for the second, which is more than a
// trial has.
func (s *station) numbering() bool {
	mono, _, err := s.kernel.Now()
	return err == nil && s.ref.At(mono, "").State == gpspps.StateNumbering
}

// servedVersion asks the station's own page which version it is.
func (s *station) servedVersion(ctx context.Context) (string, error) {
	resp, err := s.askPage(ctx, s.pageClient(), "/api/v1/status")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return versionOf(resp.Body)
}

// versionOf reads no further than it has to: thousands of servers may follow.
func versionOf(body io.Reader) (string, error) {
	var said struct {
		Version string `json:"version"`
	}
	d := json.NewDecoder(io.LimitReader(body, maxStatus))
	if _, err := d.Token(); err != nil {
		return "", err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		if key == "station" {
			err := d.Decode(&said)
			return said.Version, err
		}
		var other json.RawMessage
		if err := d.Decode(&other); err != nil {
			return "", err
		}
	}
	return "", errors.New("the page does not say which version it is of")
}

// wayOut says whether the network has one.
func (s *station) wayOut() bool {
	m := s.manager.Load()
	return m != nil && m.State().WayOut()
}

// stationClock is the date that the reference knows. It implements update.Clock.
type stationClock struct{ s *station }

// Now is true time and true while the reference knows it, by the receiver or by
// agreement of servers; else the system's clock, which may never have been set.
func (c stationClock) Now() (time.Time, bool) {
	mono, _, err := c.s.kernel.Now()
	if err != nil {
		return time.Now(), false
	}
	r := c.s.ref.At(mono, "")
	if !r.Known || r.State != gpspps.StateLocked && r.State != gpspps.StateHoldover {
		return time.Now(), false
	}
	return time.Unix(0, r.True), true
}

// likely is the date that certificates are judged by: no earlier than the image.
func (c stationClock) likely() time.Time {
	now, _ := c.Now()
	if now.Before(c.s.platform.build) {
		return c.s.platform.build
	}
	return now
}
