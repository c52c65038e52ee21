package update

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Engine updates a station.
type Engine struct {
	o Options
	s statusBoard

	wake  chan struct{} // rings when somebody asked for a check
	asked atomic.Bool   // somebody has, and it has not begun yet
	hurry atomic.Bool   // and it does not wait for its turn or the window

	// What follows is Run's alone.
	mem    memory
	due    time.Time    // before it the release that failed is not tried again
	failed int          // attempts in a row
	unset  bool         // the clock was waited for in vain
	seen   artifact.Sum // manifest that was found to be nothing to install
	absent bool         // the metadata names no release for this board and channel
	begun  time.Time    // when Run was called
	scrubs scrubRecord
	read   time.Time // when both slots were last read through since then; zero: not yet
	turn   turn
}

// New checks the options. It reads and writes nothing.
func New(o Options) (*Engine, error) {
	switch {
	case o.Control == nil || o.State == nil || o.Boot == nil || o.RootActive == nil || o.RootInactive == nil:
		return nil, errors.New("update: boot control or a partition is missing")
	case o.Health == nil || o.Restart == nil || o.Clock == nil || o.Store == nil:
		return nil, errors.New("update: health, restart, clock or store is missing")
	case o.Hold == "" && (o.Metadata == nil || o.Files == nil):
		return nil, errors.New("update: no repository, and no reason for that")
	case o.Window != nil && !o.Window.sound():
		return nil, fmt.Errorf("update: a window from %v to %v: whole minutes of a day are expected", o.Window.From, o.Window.To)
	case o.System.Slot != bootfs.SlotA && o.System.Slot != bootfs.SlotB:
		return nil, fmt.Errorf("update: running from slot %q: there are only a and b", o.System.Slot)
	}
	o.Policy = o.Policy.atLeast(DefaultPolicy())
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Notice == nil {
		o.Notice = func(string, string) {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Hold == "" && !isVersion(o.System.Version) {
		o.Hold = fmt.Sprintf("This system is no release (it calls itself %.40q), so it is not updated.", o.System.Version)
	}
	e := &Engine{o: o, wake: make(chan struct{}, 1), mem: memory{state: o.State, store: o.Store}}
	e.s.now = Status{State: StateOff, Summary: NotStarted, Version: o.System.Version, Freshness: FreshUnknown}
	return e, nil
}

// Status is how things stand. It may be called at any time.
func (e *Engine) Status() Status { return e.s.get() }

// Check has the engine look for a newer release as soon as nothing is under way. It
// may be called at any time.
func (e *Engine) Check() {
	e.asked.Store(true)
	select {
	case e.wake <- struct{}{}:
	default: // it will already
	}
}

// Update is Check, and has a release that it finds installed and tried at once: it
// does not wait for the station's turn, for the window or for the end of the pause
// after a try that failed. One that its publisher holds back or that is blocked is not
// installed all the same.
func (e *Engine) Update() {
	e.hurry.Store(true)
	e.Check()
}

// Run updates the station until ctx ends, or until Options.Leave has and nothing
// is under way; then it returns nil. A station can have one Engine at a time, and
// call Run again after a panic in it.
func (e *Engine) Run(ctx context.Context) error {
	e.begun, e.read = time.Now(), time.Time{}
	switch {
	case e.o.System.Safe:
		return e.rest(ctx, "In safe mode nothing is updated.")
	case e.o.System.Rescue:
		return e.rest(ctx, "The newest system on the card cannot be started. Nothing is updated until it can, or the card is written anew.")
	}
	e.turn = turn{counted: time.Now()}
	if err := e.mem.load(); err != nil {
		e.o.Log.Warn("what is remembered of updates is not whole", "error", err)
	}
	e.loadScrubs()
	if !e.settle(ctx) {
		<-ctx.Done()
		return nil
	}
	if e.o.Settled != nil {
		e.o.Settled()
	}
	if e.o.Hold != "" {
		e.s.set(func(s *Status) { s.State, s.Summary, s.Next = StateOff, e.o.Hold, time.Time{} })
		for e.idle(ctx, e.o.Policy.Poll) {
		}
		return nil
	}
	for pause := e.spread(e.o.Policy.First); e.idle(ctx, pause); {
		pause = e.attempt(ctx)
	}
	return nil
}

// rest does nothing, and says why.
func (e *Engine) rest(ctx context.Context, why string) error {
	e.s.set(func(s *Status) { s.State, s.Summary, s.Next = StateOff, why, time.Time{} })
	<-ctx.Done()
	return nil
}

// attempt looks for a newer release and installs it. It returns how long to
// wait for the next attempt.
func (e *Engine) attempt(ctx context.Context) time.Duration {
	err := e.check(ctx)
	if ctx.Err() != nil {
		return 0
	}
	e.hurry.Store(false)
	p := e.o.Policy
	pause := e.spread(p.Poll)
	if err == nil {
		e.failed = 0
	} else {
		e.failed++
		pause = e.spread(min(p.Retry<<min(e.failed-1, 10), p.RetryMax))
		e.o.Log.Warn("updating", "error", err, "again in", pause.Round(time.Second))
	}
	waits := e.mem.now.Phase == PhaseFailed
	if d := time.Until(e.due); waits && d > 0 && d < pause {
		pause = d
	}
	if next := e.turn.next; err == nil && !next.IsZero() {
		pause = min(pause, max(time.Until(next), time.Second))
	}
	now, _ := e.o.Clock.Now()
	e.s.set(func(s *Status) {
		s.Next, s.Failure, s.State = now.Add(pause), "", StateIdle
		s.Done, s.Total = 0, 0
		if err != nil {
			s.Failure, s.State = sentence(err), StateWaiting
		} else if waits {
			s.State = StateWaiting
		}
		s.Summary = e.summary(*s)
	})
	return pause
}

// pause waits where nothing is under way, and says whether there is more to do: not
// when ctx has ended, or somebody else is to take over.
func (e *Engine) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-e.o.Leave:
		return false
	default:
		return until(ctx, e.o.Leave, e.wake, d)
	}
}

// wait waits and says whether ctx lives on.
func (e *Engine) wait(ctx context.Context, d time.Duration) bool { return until(ctx, nil, nil, d) }

// until waits for d, or until woken, and says whether neither ctx nor leave ended
// first.
func until(ctx context.Context, leave, wake <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-leave:
		return false
	case <-wake:
		return ctx.Err() == nil
	case <-t.C:
		return ctx.Err() == nil
	}
}

// spread varies a duration, so that stations do not ask at the same moment.
func (e *Engine) spread(d time.Duration) time.Duration {
	return d + time.Duration((2*e.o.Random()-1)*e.o.Policy.Spread*float64(d))
}

// put stores the record, which is then e.mem.now.
func (e *Engine) put(r Record) error {
	note, err := e.mem.put(r)
	if note != nil {
		e.o.Log.Warn("what is remembered of updates is in one place only: the card may be failing", "error", note)
	}
	if err != nil {
		return fmt.Errorf("%w: its state partition: %w", errCard, err)
	}
	return nil
}

// restart restarts the station; it returns when ctx ends.
func (e *Engine) restart(ctx context.Context, argument, why string) {
	e.s.set(func(s *Status) { s.State, s.Summary, s.Next = StateRestart, why, time.Time{} })
	e.o.Log.Info(why)
	for ctx.Err() == nil {
		if err := e.o.Restart(argument); err != nil {
			e.o.Log.Error("restarting", "error", err)
		}
		e.wait(ctx, restartWait)
	}
}

// restartWait is how long a restart may take until it is asked for once more.
const restartWait = 2 * time.Minute

// reference is the date that expiry is judged by: no earlier than what the image
// and the publisher's offline keys prove, and the clock's where it was set.
func (e *Engine) reference() (now time.Time, synced bool) {
	now = e.proven()
	clock, synced := e.o.Clock.Now()
	if synced && clock.After(now) {
		now = clock
	}
	return now, synced
}
