package update

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// scrubRecord is what is remembered of scrubs, on /perm.
type scrubRecord struct {
	At     time.Time              `json:"at,omitzero"`      // of the last one; zero: none, or without a date
	Damage map[bootfs.Slot]string `json:"damage,omitempty"` // what was found in a slot, for people
}

const (
	scrubName = "scrub.json"
	// cardNotice is the topic of the notice that the card fails.
	cardNotice = "card"
)

func (e *Engine) loadScrubs() {
	e.scrubs = scrubRecord{}
	b, err := e.o.Store.Load(scrubName)
	if err == nil {
		b, err = unseal(b)
	}
	if err == nil {
		err = json.Unmarshal(b, &e.scrubs)
	}
	if err != nil {
		e.scrubs = scrubRecord{}
		if !errors.Is(err, fs.ErrNotExist) {
			e.o.Log.Warn("when the card was last read through is not known", "error", err)
		}
	}
	for slot, text := range e.scrubs.Damage {
		if slot != bootfs.SlotA && slot != bootfs.SlotB || !isPlain(text) || len(text) > maxReason {
			delete(e.scrubs.Damage, slot)
		}
	}
	if e.scrubs.Damage == nil {
		e.scrubs.Damage = map[bootfs.Slot]string{}
	}
	e.tellScrubs()
}

// keepScrubs counts even if it cannot be stored.
func (e *Engine) keepScrubs() {
	b, err := json.Marshal(e.scrubs)
	if err == nil {
		err = e.o.Store.Save(scrubName, seal(b))
	}
	if err != nil {
		e.o.Log.Warn("remembering that the card was read through", "error", err)
	}
	e.tellScrubs()
}

// tellScrubs tells people. The running slot's damage is the one that they have to
// do something about: nothing is switched by itself, for a system that runs is
// better than one that has not been tried for long.
func (e *Engine) tellScrubs() {
	here, there := e.scrubs.Damage[e.o.System.Slot], e.scrubs.Damage[e.o.System.Slot.Other()]
	notice := ""
	if here != "" {
		notice = "The card is failing: in the slot that runs, " + here + "."
		if there == "" {
			notice += " Nothing was found in the other slot."
		}
		notice += " Replace the card soon."
	}
	e.o.Notice(cardNotice, notice)
	var all []string
	for _, text := range []string{here, there} {
		if text != "" {
			all = append(all, capital(text)+".")
		}
	}
	e.s.set(func(s *Status) { s.Scrubbed, s.Damage = e.scrubs.At, strings.Join(all, " ") })
}

// idle waits, as wait does, or until somebody asks for a check, and meanwhile reads the card through when it is time to.
func (e *Engine) idle(ctx context.Context, d time.Duration) bool {
	const look = time.Hour // the date may become known
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if !e.pause(ctx, max(0, min(left, look, e.untilScrub()))) {
			return false
		}
		if e.asked.Swap(false) || time.Until(end) <= 0 {
			return true
		}
		if e.untilScrub() <= 0 {
			e.scrub(ctx)
		}
	}
}

// untilScrub is how long it is until the card is to be read through.
func (e *Engine) untilScrub() time.Duration {
	p, up := e.o.Policy, time.Since(e.begun)
	if !e.read.IsZero() {
		return p.Scrub - time.Since(e.read)
	}
	left := p.ScrubFirst - up
	if e.scrubs.At.IsZero() {
		return left
	}
	now, synced := e.o.Clock.Now()
	switch age := now.Sub(e.scrubs.At); {
	case !synced:
		left = max(left, p.Scrub-up)
	case age >= 0:
		left = max(left, p.Scrub-age)
	}
	return left
}

// scrub reads both slots through. What it finds is kept and told.
func (e *Engine) scrub(ctx context.Context) {
	running, spare := e.o.System.Slot, e.o.System.Slot.Other()
	e.scrubOne(ctx, running, e.o.RootActive)
	// What is being installed, or is to be tried again, is read by that.
	if e.mem.now.Phase == PhaseIdle {
		e.scrubOne(ctx, spare, e.o.RootInactive)
	}
	if ctx.Err() != nil {
		return // it is done again
	}
	e.read, e.scrubs.At = time.Now(), time.Time{}
	if now, synced := e.o.Clock.Now(); synced {
		e.scrubs.At = now.UTC()
	}
	e.keepScrubs()
}

// scrubOne reads a slot through, and mends the one that does not run.
func (e *Engine) scrubOne(ctx context.Context, slot bootfs.Slot, root Device) {
	damage, h, err := e.scrubSlot(ctx, slot, root)
	if err == nil && damage != "" && slot != e.o.System.Slot {
		damage = e.mend(ctx, slot, h, damage)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		damage = reason(fmt.Sprintf("slot %s cannot be read through (%v)", slot, err))
	}
	if damage == "" {
		delete(e.scrubs.Damage, slot)
		return
	}
	e.scrubs.Damage[slot] = damage
	e.o.Log.Error("the card does not give back what was written to it", "what", damage)
}

// scrubSlot compares a slot with what it should hold. damage says, for people,
// what differs; empty: nothing, or nothing is known of it yet.
func (e *Engine) scrubSlot(ctx context.Context, slot bootfs.Slot, root Device) (damage string, h *holding, err error) {
	if h = e.holding(slot); h == nil {
		return "", nil, e.takeHolding(ctx, slot, root)
	}
	if err := errors.Join(root.Drop(), e.o.Boot.Drop()); err != nil {
		return "", h, err
	}
	boot, bootErr := bootfs.Open(e.o.Boot)
	bad, total, first := 0, 0, ""
	for _, part := range h.parts(slot) {
		name, r := part.path, io.ReaderAt(root)
		if name == "" {
			name = "the root file system"
		} else if r = nil; bootErr == nil {
			if c, err := boot.Content(string(slot) + "/" + part.path); err == nil && c.Size() == part.size {
				r = c
			}
		}
		if r == nil && part.size == 0 {
			continue
		}
		differs, err := e.compare(ctx, r, part)
		if err != nil {
			return "", h, err
		}
		if total += len(part.sums); differs > 0 && first == "" {
			first = name
		}
		bad += differs
	}
	if bad == 0 {
		return "", h, nil
	}
	version := ""
	if h.Version != "" {
		version = " of version " + h.Version
	}
	return reason(fmt.Sprintf("%d of %d pieces%s in slot %s do not read back as they were written, first in %s", bad, total, version, slot, first)), h, nil
}

// compare counts the pieces of a part that differ, however often they are read; r
// may be nil: all of them.
func (e *Engine) compare(ctx context.Context, r io.ReaderAt, part heldPart) (differs int, err error) {
	if r == nil {
		return len(part.sums), nil
	}
	room := make([]byte, min(artifact.ChunkSize, part.size))
	for i, want := range part.sums {
		at := int64(i) * artifact.ChunkSize
		b := room[:min(artifact.ChunkSize, part.size-at)]
		whole := false
		for n := 0; n < looks && !whole; n++ {
			whole = readFull(r, b, at) == nil && sha256.Sum256(b) == want
			if !e.pace(ctx, len(b)) {
				return differs, ctx.Err()
			}
			if !whole {
				_ = errors.Join(e.o.RootActive.Drop(), e.o.RootInactive.Drop(), e.o.Boot.Drop())
			}
		}
		if !whole {
			differs++
		}
	}
	return differs, nil
}

// looks is how often a piece is read that differs: once more than memory or the
// bus may be at fault.
const looks = 2

// takeHolding remembers what a slot holds that nothing is known of. One without a
// system holds nothing.
func (e *Engine) takeHolding(ctx context.Context, slot bootfs.Slot, root Device) error {
	size := squashfsSize(root)
	boot, err := bootfs.Open(e.o.Boot)
	if err != nil || size <= 0 || size > maxHeldRoot {
		return err
	}
	h := holding{Root: size}
	if slot == e.o.System.Slot {
		h.Version = e.o.System.Version
	}
	room := make([]byte, artifact.ChunkSize)
	take := func(r io.ReaderAt, size int64) error {
		for at := int64(0); at < size; at += artifact.ChunkSize {
			b := room[:min(artifact.ChunkSize, size-at)]
			if err := readFull(r, b, at); err != nil {
				return fmt.Errorf("slot %s: %w", slot, err)
			}
			h.Sums = append(h.Sums, sha256.Sum256(b))
			if !e.pace(ctx, len(b)) {
				return ctx.Err()
			}
		}
		return nil
	}
	if err := take(root, size); err != nil {
		return err
	}
	for path := range slotPaths(boot, slot) {
		c, err := boot.Content(path)
		if err == nil {
			err = take(c, c.Size())
		}
		if err != nil {
			return err
		}
		h.Files = append(h.Files, heldFile{strings.TrimPrefix(path, string(slot)+"/"), c.Size()})
	}
	if len(h.Files) == 0 {
		return nil
	}
	return e.saveHolding(slot, h)
}

// pace waits after n bytes were read, so that no more of the card's time is
// taken than the policy gives. It says whether ctx lives on.
func (e *Engine) pace(ctx context.Context, n int) bool {
	return e.wait(ctx, time.Duration(n)*time.Second/time.Duration(e.o.Policy.ScrubRate))
}

// mend repairs the slot that does not run, by the same steps that installed what
// it holds: what differs is copied from the running system where that has it,
// else fetched. It returns what is to be told.
func (e *Engine) mend(ctx context.Context, slot bootfs.Slot, h *holding, damage string) string {
	before := e.Status()
	defer e.s.set(func(s *Status) { s.State, s.Summary, s.Done, s.Total = before.State, before.Summary, 0, 0 })
	err := errors.New("it came with the image")
	if h.manifest != nil {
		s := newStaging(e, h.manifest, slot)
		s.doing = fmt.Sprintf("Repairing version %s in slot %s.", h.Version, slot)
		if err = e.mayWrite(ctx); err == nil {
			err = bootfs.CheckSlot(e.o.Boot, slot)
		}
		if err == nil {
			err = s.run(ctx)
		}
		if err == nil {
			err = e.writeSlot(ctx, s)
		}
	}
	if err != nil {
		return reason(fmt.Sprintf("%s; it could not be repaired (%v)", damage, err))
	}
	e.o.Log.Warn("the card did not give back what was written to it; it was written anew", "what", damage)
	return ""
}
