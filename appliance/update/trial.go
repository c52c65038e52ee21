package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// trial lets the system that runs show that it is well, and commits it then. It
// is false where it did not in time, and the station goes back to the system
// before, or where ctx ended.
func (e *Engine) trial(ctx context.Context) bool {
	r := e.mem.now
	version := e.o.System.Version
	e.s.set(func(s *Status) {
		s.State, s.Candidate, s.Tries = StateTrial, r.Release.Version, r.Release.Tries
		s.Summary = fmt.Sprintf("Version %s has just been installed and is on trial: it has to show that it is well, or the version before it starts again.", version)
	})
	if r.Release.Version != version {
		return e.giveUp(ctx, fmt.Sprintf("it calls itself %.40q", version))
	}
	if r.Phase != PhaseTrial {
		if r.Phase = PhaseTrial; r.Baseline == nil {
			r.Baseline = &Baseline{Metadata: true} // the loader tried it later than it was told to
		}
		if err := e.put(r); err != nil {
			return e.giveUp(ctx, err.Error())
		}
	}
	g := gate{e: e, base: *r.Baseline}
	for end := time.Now().Add(e.o.Policy.HealthWithin); ; {
		lacks := g.lacks(ctx)
		if len(lacks) == 0 {
			err := e.commit(ctx)
			if err == nil {
				e.mem.now.Floors.Metadata = highestMetadata(e.mem.now.Floors.Metadata, g.floor)
				e.committed()
				e.plan()
				return true
			}
			lacks = []string{fmt.Sprintf("it could not be committed (%v)", err)}
		}
		left := time.Until(end)
		if left <= 0 {
			return e.giveUp(ctx, strings.Join(lacks, ", "))
		}
		if !e.wait(ctx, min(left, e.o.Policy.HealthEvery)) {
			return false
		}
	}
}

// giveUp goes back to the system before, which finds the reason in the record.
func (e *Engine) giveUp(ctx context.Context, why string) bool {
	if ctx.Err() != nil {
		return false
	}
	if at, err := e.o.Control.Current(); err == nil && !at.Trial {
		// The commit was done, and said that it was not.
		e.committed()
		e.plan()
		return true
	}
	r := e.mem.now
	r.Reason = reason(why)
	e.keep(r)
	e.restart(ctx, "", fmt.Sprintf("Version %s is not well (%s): the version before it starts again.", e.o.System.Version, why))
	return false
}

// gate is what a system on trial has to pass.
type gate struct {
	e    *Engine
	base Baseline

	asked    time.Time // when the metadata was last asked for
	verified bool
	floor    tuf.Floor
	err      error // why it is not verified
}

// lacks lists what the station does not show yet, for people.
func (g *gate) lacks(ctx context.Context) (list []string) {
	v := g.e.o.Health.Vitals(ctx)
	for _, part := range []struct {
		needed, is bool
		lack       string
	}{
		{true, v.Serving == g.e.o.System.Version, "its page does not answer"},
		{true, v.Perm, "nothing can be kept on the card"},
		{true, v.Up >= g.e.o.Policy.Up, "it does not run for long enough"},
		{g.base.Network, v.Network, "it has no network"},
		{g.base.Locked, v.Locked || v.Locking, "its clock is not set"},
		{g.base.Asked, v.Asked, "no time server has answered"},
		{g.base.Fix, v.Fix, "its receiver has no fix"},
	} {
		if part.needed && !part.is {
			list = append(list, part.lack)
		}
	}
	// It must be able to fetch the version after it.
	bad := func(err error) bool { return isVerdict(err) && !errors.Is(err, tuf.ErrExpired) }
	if g.verify(ctx); !g.verified && (g.base.Metadata || bad(g.err)) {
		list = append(list, fmt.Sprintf("it cannot verify what the update host says (%s)", plain(g.err)))
	}
	return list
}

// verify asks for the metadata, now and then, until it could be verified.
func (g *gate) verify(ctx context.Context) {
	if g.e.o.Hold != "" {
		g.verified = true // people do not want that anybody is asked
	}
	if g.verified || !g.asked.IsZero() && time.Since(g.asked) < g.e.o.Policy.Verify {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, verifyWait)
	defer cancel()
	got, err := g.e.refresh(ctx)
	g.asked, g.err = time.Now(), err
	if err != nil {
		g.e.o.Log.Warn("verifying what the update host says, on trial", "error", err)
		return
	}
	g.verified, g.floor = true, got.Floor()
}

// verifyWait is how long fetching the metadata may take on trial.
const verifyWait = 2 * time.Minute
