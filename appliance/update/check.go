package update

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
)

// check looks for a newer release, and installs it.
func (e *Engine) check(ctx context.Context) error {
	e.s.set(func(s *Status) {
		s.State, s.Summary, s.Next = StateChecking, "Looking for a newer version.", time.Time{}
		s.Later = ""
	})
	e.turn.next = time.Time{}
	if !e.waitForClock(ctx) {
		return ctx.Err()
	}
	got, err := e.refresh(ctx)
	if err != nil {
		return err
	}
	if err := e.believe(got); err != nil {
		return err
	}
	m, sum, err := e.offered(ctx, got)
	if m == nil || err != nil {
		return err
	}
	if err := e.judge(m); err != nil {
		if errors.Is(err, errNothing) {
			e.seen = sum
			return nil
		}
		return err
	}
	e.s.set(func(s *Status) { s.Candidate, s.Notes = m.Version, m.Notes })
	if r := e.mem.now.Release; r != nil && r.Version == m.Version && time.Until(e.due) > 0 && !e.hurry.Load() {
		return nil
	}
	if !e.isDue(m) || e.turn.staged == sum && !e.mayRestart(m) {
		return nil
	}
	return e.install(ctx, m, sum)
}

// waitForClock waits for a date, once for as long as the policy says.
func (e *Engine) waitForClock(ctx context.Context) bool {
	const look = 10 * time.Second
	for end := time.Now().Add(e.o.Policy.ClockWait); ; {
		_, synced := e.o.Clock.Now()
		if synced || e.unset {
			e.unset = !synced
			return true
		}
		if time.Until(end) <= 0 {
			e.unset = true
			continue
		}
		if !e.wait(ctx, look) {
			return false
		}
	}
}

// refresh fetches and verifies the metadata.
func (e *Engine) refresh(ctx context.Context) (Trusted, error) {
	if err := e.begin(); err != nil {
		return nil, fmt.Errorf("%w: %w", errKeep, err)
	}
	now, synced := e.reference()
	got, err := e.o.Metadata.Refresh(ctx, Trust{
		Initial: e.initial(), Now: now, Floor: e.floor(),
	})
	e.s.set(func(s *Status) {
		clock, _ := e.o.Clock.Now()
		switch {
		case errors.Is(err, tuf.ErrExpired):
			s.Checked, s.Freshness = clock, Expired
		case err == nil && synced:
			s.Checked, s.Freshness = clock, Fresh
		case err == nil:
			s.Checked, s.Freshness = clock, FreshUnknown
		}
	})
	if err != nil {
		return nil, classed(err)
	}
	return got, nil
}

// believe keeps floors that have risen, and with the first verified metadata what
// it was that it was verified against.
func (e *Engine) believe(got Trusted) error {
	r := e.mem.now
	r.Floors.Metadata = highestMetadata(r.Floors.Metadata, got.Floor())
	r.Anchor = e.anchor()
	if r.Floors == e.mem.now.Floors && r.Anchor == e.mem.now.Anchor {
		return nil
	}
	return e.put(r)
}

// target is the name of the manifest in the metadata.
func (e *Engine) target() string {
	return e.o.System.Channel + "/" + e.o.System.Board + "/manifest.json"
}

// offered is the manifest of the release that there is; nil if there is none, or
// it is the one that was found to be nothing to install.
func (e *Engine) offered(ctx context.Context, got Trusted) (*artifact.Manifest, artifact.Sum, error) {
	name := e.target()
	at, err := got.Target(name)
	if errors.Is(err, tuf.ErrNoTarget) {
		e.absent = true
		return nil, artifact.Sum{}, nil
	}
	e.absent = false
	if err != nil {
		return nil, artifact.Sum{}, fmt.Errorf("%w: %w", errMetadata, err)
	}
	if len(at.SHA256) == len(e.seen) && artifact.Sum(at.SHA256) == e.seen {
		return nil, e.seen, nil
	}
	b, err := got.Manifest(ctx, name, artifact.MaxManifest)
	if err != nil {
		return nil, artifact.Sum{}, classed(err)
	}
	m, err := artifact.Parse(b)
	if err != nil {
		return nil, artifact.Sum{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	return m, sha256.Sum256(b), nil
}

// judge says whether a release may be installed: nothing has been written yet.
func (e *Engine) judge(m *artifact.Manifest) error {
	s, floors := e.o.System, e.mem.now.Floors
	for _, same := range []struct{ what, is, want string }{
		{"board", m.Board, s.Board}, {"architecture", m.Arch, s.Arch}, {"channel", m.Channel, s.Channel},
	} {
		if same.is != same.want {
			return fmt.Errorf("%w: it is for the %s %s, and this is %s", errRefused, same.what, same.is, same.want)
		}
	}
	switch {
	case m.Version == s.Version:
		return errNothing
	case !newer(m.Version, s.Version):
		return fmt.Errorf("%w: version %s is older than %s, which runs", errRefused, m.Version, s.Version)
	case floors.Version != "" && compare(m.Version, floors.Version) < 0:
		return fmt.Errorf("%w: version %s is older than %s, which this station has run already", errRefused, m.Version, floors.Version)
	case e.mem.now.Blocked != "" && !newer(m.Version, e.mem.now.Blocked):
		return errNothing
	case m.Epoch < max(floors.Epoch, s.Epoch):
		return fmt.Errorf("%w: version %s is of security epoch %d, and this station does not go below %d", errRefused, m.Version, m.Epoch, max(floors.Epoch, s.Epoch))
	case m.MinFrom != "" && newer(m.MinFrom, s.Version):
		return fmt.Errorf("%w: version %s can be installed from %s on only, and this is %s", errRefused, m.Version, m.MinFrom, s.Version)
	case m.MinEEPROM > 0 && s.EEPROM < m.MinEEPROM:
		return fmt.Errorf("%w: version %s needs a boot loader of %s or later on this board", errRefused, m.Version, time.Unix(m.MinEEPROM, 0).UTC().Format(time.DateOnly))
	}
	return nil
}
