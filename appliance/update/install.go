package update

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// install writes a release to the slot that does not run, and restarts the
// station into it. It returns nil only when ctx has ended, or when all is written
// and the window for the restart has to be waited for.
func (e *Engine) install(ctx context.Context, m *artifact.Manifest, sum artifact.Sum) error {
	slot := e.o.System.Slot.Other()
	if err := e.mayWrite(ctx); err != nil {
		return err
	}
	if err := bootfs.CheckSlot(e.o.Boot, slot); err != nil {
		return volume(err)
	}
	r := e.mem.now
	old := r.Release
	r.Phase = PhaseStaging
	r.Release = &Release{Manifest: sum, Version: m.Version, Epoch: m.Epoch, Slot: slot}
	if old != nil && old.Version == m.Version {
		r.Release.Tries = old.Tries
	} else {
		r.Reason = ""
	}
	if old == nil || *old != *r.Release || e.mem.now.Phase != r.Phase {
		if err := e.put(r); err != nil {
			return err
		}
	}
	if err := e.forgetHolding(slot); err != nil {
		return err
	}
	s := newStaging(e, m, slot)
	if err := s.run(ctx); err != nil {
		return err
	}
	if err := e.writeSlot(ctx, s); err != nil {
		return err
	}
	if err := e.keepHolding(slot, m); err != nil {
		return err
	}
	if e.turn.staged = sum; !e.mayRestart(m) {
		return nil
	}
	return e.arm(ctx, sum)
}

// mayWrite says whether the slot that does not run may be lost: the one that
// runs is committed, and the station is not in a state in which another restart
// would make things worse.
func (e *Engine) mayWrite(ctx context.Context) error {
	v := e.o.Health.Vitals(ctx)
	if !v.Perm {
		return fmt.Errorf("%w: nothing can be kept on it", errCard)
	}
	at, err := e.o.Control.Current()
	if isPointer(err) {
		// The running slot can only be the committed one, but for faults of a
		// kind that have not been thought of: it has to look like it.
		if v.Serving != e.o.System.Version || v.Up < e.o.Policy.Up {
			return fmt.Errorf("which slot boots cannot be read (%w), and this system has not run for long enough to repair it", err)
		}
		if err := e.repair(e.o.System.Slot); err != nil {
			return volume(err)
		}
		at, err = e.o.Control.Current()
	}
	if err != nil {
		return fmt.Errorf("%w: which slot boots cannot be read: %w", errCard, err)
	}
	if at.Trial || at.Committed != e.o.System.Slot {
		return fmt.Errorf("slot %s runs, but slot %s is the one to boot: nothing is written until the station has been restarted", e.o.System.Slot, at.Committed)
	}
	return nil
}

// writeSlot makes the boot slot of what is staged, unless it is that already,
// and reads it back.
func (e *Engine) writeSlot(ctx context.Context, s *staging) error {
	e.s.set(func(st *Status) {
		st.State, st.Summary = StateWriting, fmt.Sprintf("Writing version %s.", s.m.Version)
	})
	files := s.slotFiles()
	verify := func() error {
		if err := forget(e.o.Boot); err != nil {
			return err
		}
		return bootfs.VerifySlot(e.o.Boot, s.slot, files)
	}
	err := verify()
	for n := 0; errors.Is(err, bootfs.ErrSlotDiffers) && n < writes && ctx.Err() == nil; n++ {
		to := bootfs.Guard(e.o.Boot, bootfs.SlotExtents(s.slot))
		if err := bootfs.WriteSlot(to, s.slot, files, e.stamp()); err != nil {
			return fmt.Errorf("%w: writing slot %s: %w", errCard, s.slot, err)
		}
		err = verify()
	}
	if errors.Is(err, bootfs.ErrSlotDiffers) {
		return fmt.Errorf("%w: it does not give back what was written to slot %s: %w", errCard, s.slot, err)
	}
	if err != nil {
		return volume(err)
	}
	return ctx.Err()
}

// writes is how often something is written that does not read back as it should.
const writes = 3

// stamp is the date of the slot's files.
func (e *Engine) stamp() time.Time {
	now, _ := e.reference()
	if now.Year() < 1980 || now.Year() > 2107 { // what FAT knows
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return now
}

// arm begins a try: it is counted first.
func (e *Engine) arm(ctx context.Context, sum artifact.Sum) error {
	base, err := e.baseline(ctx, sum)
	if err != nil {
		return err
	}
	r := e.mem.now
	release := *r.Release
	release.Tries++
	r.Phase, r.Release, r.Baseline, r.Reason = PhaseArmed, &release, &base, ""
	if err := e.put(r); err != nil {
		return err
	}
	argument, err := e.tryOnce(release.Slot)
	if err != nil {
		err = fmt.Errorf("%w: %w", errBoot, err)
		e.fail(err.Error())
		return err
	}
	e.turnUsed()
	e.restart(ctx, argument, fmt.Sprintf("Version %s is on the card: the station restarts to try it.", release.Version))
	return ctx.Err()
}

// baseline looks how the station is before a try, and whether the release is
// still the one to take.
func (e *Engine) baseline(ctx context.Context, sum artifact.Sum) (Baseline, error) {
	v := e.o.Health.Vitals(ctx)
	base := Baseline{Network: v.Network, Locked: v.Locked, Asked: v.Asked, Fix: v.Fix}
	got, err := e.refresh(ctx)
	if ctx.Err() != nil {
		return base, ctx.Err()
	}
	if errors.Is(err, errReach) {
		return base, nil // offline by now: the new system need not do better
	}
	if err != nil {
		return base, err
	}
	base.Metadata = true
	if err := e.believe(got); err != nil {
		return base, err
	}
	at, err := got.Target(e.target())
	if err != nil {
		return base, fmt.Errorf("%w: %w", errMetadata, err)
	}
	if at.SHA256 != nil && !bytes.Equal(at.SHA256, sum[:]) {
		return base, errSuperseded
	}
	return base, nil
}
