package update

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// settle finishes what was under way when the station restarted: a trial, a try
// that failed, a commit that was cut short. It says whether updates may go on;
// where not, the station restarts, has to be restarted, or ctx has ended.
func (e *Engine) settle(ctx context.Context) bool {
	at, known, ok := e.current(ctx)
	if !ok {
		return false
	}
	r := e.mem.now
	begun := r.Phase == PhaseArmed || r.Phase == PhaseTrial
	ours := r.Release != nil && r.Release.Slot == e.o.System.Slot && r.Phase != PhaseStaging
	same := ours && r.Release.Version == e.o.System.Version
	switch {
	case known && at.Trial && !ours:
		// A person chose it in a boot menu, or what was remembered is lost.
		e.s.set(func(s *Status) {
			s.State = StateOff
			s.Summary = fmt.Sprintf("Slot %s was started, but slot %s is the one to boot: nothing is updated until the station has been restarted.", at.Running, at.Committed)
		})
		return false
	case known && at.Trial, !known && same:
		return e.trial(ctx)
	case same:
		e.finish(ctx)
	case ours:
		// Somebody else wrote the slot.
		e.keep(Record{Format: recordFormat, Phase: PhaseIdle, Floors: r.Floors, Blocked: r.Blocked, Anchor: r.Anchor})
	case begun:
		e.fail("")
	}
	if known {
		e.mem.now.Floors = highest(e.mem.now.Floors, e.runs())
	}
	e.plan()
	e.s.set(func(s *Status) {
		s.State, s.Failure = StateIdle, ""
		s.Summary = e.summary(*s)
	})
	return true
}

// runs are the floors that a committed system that runs sets.
func (e *Engine) runs() Floors {
	f := Floors{Epoch: e.o.System.Epoch}
	if isVersion(e.o.System.Version) {
		f.Version = e.o.System.Version
	}
	return f
}

// plan says when the next try of a release that failed is due.
func (e *Engine) plan() {
	e.due = time.Time{}
	r := e.mem.now
	if r.Release != nil && r.Release.Tries > 0 && r.Release.Tries < len(e.o.Policy.Tries) {
		e.due = time.Now().Add(e.o.Policy.Tries[r.Release.Tries])
	}
	e.s.set(func(s *Status) {
		s.Blocked, s.Candidate, s.Tries = r.Blocked, "", 0
		if r.Release != nil {
			s.Candidate, s.Tries = r.Release.Version, r.Release.Tries
		}
	})
}

// current asks the boot control until it answers. known is false if a pointer
// file is not as it should be; then at.Running alone counts.
func (e *Engine) current(ctx context.Context) (at bootctl.State, known, ok bool) {
	for n := 0; ; n++ {
		at, err := e.o.Control.Current()
		if err == nil || isPointer(err) {
			return at, err == nil, true
		}
		e.o.Log.Error("which slot is committed is not known", "error", err)
		e.s.set(func(s *Status) {
			s.State, s.Failure = StateWaiting, sentence(fmt.Errorf("%w: which slot boots cannot be read: %w", errCard, err))
			s.Summary = s.Failure
		})
		if !e.wait(ctx, e.spread(min(e.o.Policy.Retry<<min(n, 10), e.o.Policy.RetryMax))) {
			return at, false, false
		}
	}
}

// fail notes that the try that was under way has failed. Where the record cannot
// be stored it counts for this boot; and as nothing is tried without storing it,
// it is counted again at the next.
func (e *Engine) fail(why string) {
	r := e.mem.now
	switch {
	case why != "":
		r.Reason = reason(why)
	case r.Reason != "":
	case r.Phase == PhaseTrial:
		r.Reason = "it was started, but restarted before it had shown that it is well"
	default:
		r.Reason = "it was not started, or did not come far, or the power failed meanwhile"
	}
	e.o.Log.Warn("a try of a release has failed", "version", r.Release.Version, "try", r.Release.Tries, "reason", r.Reason)
	r.Phase = PhaseFailed
	if r.Release.Tries >= len(e.o.Policy.Tries) {
		r.Phase, r.Blocked = PhaseIdle, r.Release.Version
	}
	e.keep(r)
	e.plan()
}

// keep stores a record that counts even if it cannot be stored.
func (e *Engine) keep(r Record) {
	if err := e.put(r); err != nil {
		e.o.Log.Error("remembering how the update stands", "error", err)
		e.mem.now = r.tidy()
	}
}

// finish notes that the running slot is committed, and has its commit completed.
func (e *Engine) finish(ctx context.Context) {
	if err := e.commit(ctx); err != nil {
		e.o.Log.Warn("completing a commit", "error", err)
	}
	e.committed()
}

// committed notes that the running system is the one to boot from now on: the
// only place where floors rise with a release.
func (e *Engine) committed() {
	r := e.mem.now
	f := e.runs()
	f.Epoch = max(f.Epoch, r.Release.Epoch)
	r.Floors = highest(r.Floors, f)
	r.Phase, r.Reason = PhaseIdle, ""
	if !newer(r.Blocked, f.Version) {
		r.Blocked = ""
	}
	e.keep(r)
	e.o.Log.Info("this system is committed", "version", f.Version)
}

// commit makes the running slot the committed one, and repairs pointer files on
// the way to it.
func (e *Engine) commit(ctx context.Context) error {
	slot := e.o.System.Slot
	err := e.o.Control.Commit(slot)
	if isPointer(err) {
		if err = e.repair(slot); err == nil {
			err = e.o.Control.Commit(slot)
		}
	}
	for n := 0; errors.Is(err, bootctl.ErrUntidy) && n < 2; n++ {
		if !e.wait(ctx, e.o.Policy.Again) {
			return ctx.Err()
		}
		err = e.o.Control.Commit(slot)
	}
	if errors.Is(err, bootctl.ErrUntidy) {
		e.o.Log.Warn("the system is committed, but", "error", err)
		return nil
	}
	return err
}

// tryOnce arms a slot, and repairs pointer files on the way to it: the running
// slot is the committed one, or it would not be updated.
func (e *Engine) tryOnce(slot bootfs.Slot) (argument string, err error) {
	argument, err = e.o.Control.TryOnce(slot)
	if isPointer(err) {
		if err = e.repair(e.o.System.Slot); err == nil {
			argument, err = e.o.Control.TryOnce(slot)
		}
	}
	return argument, err
}

// repair puts the pointer files right that are not as they should be: those of
// a fresh card, with committed in the place of slot a.
func (e *Engine) repair(committed bootfs.Slot) error {
	for _, on := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		t, ok := e.o.Pointers[on]
		if !ok {
			continue
		}
		to := committed
		if on == bootfs.SlotB {
			to = committed.Other()
		}
		_, err := bootfs.FindPointer(e.o.Boot, t)
		if !isPointer(err) {
			continue
		}
		e.o.Log.Warn("repairing", "file", t.Path, "because", err)
		kept, err := bootfs.RepairPointer(e.o.Boot, t, to)
		if err != nil {
			return err
		}
		e.o.Log.Info("repaired", "file", t.Path, "kept", kept)
	}
	return nil
}

// isPointer says whether RepairPointer may mend what an error is about.
func isPointer(err error) bool {
	for _, p := range []error{
		bootfs.ErrPointerMissing, bootfs.ErrPointerTwice, bootfs.ErrPointerEmpty, bootfs.ErrPointerLarge,
		bootfs.ErrPointerPieces, bootfs.ErrPointerInSlot, bootfs.ErrPointerShared, bootfs.ErrPointerEdited,
	} {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}
