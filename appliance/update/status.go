package update

import (
	"sync"
	"time"
)

// State is what an Engine is doing.
type State string

// The states.
const (
	StateOff       State = "off"       // no update is begun: Summary says why
	StateIdle      State = "idle"      // nothing to do until the next check
	StateChecking  State = "checking"  // the metadata is fetched
	StateFetching  State = "fetching"  // a release is on its way to the card
	StateVerifying State = "verifying" // it is read back
	StateWriting   State = "writing"   // the boot slot is written
	StateRestart   State = "restart"   // the station restarts into another slot
	StateTrial     State = "trial"     // this system has to show that it is well
	StateWaiting   State = "waiting"   // something failed, it is tried again later
)

// NotStarted is the summary until Run knows what this system is: one on trial, say.
const NotStarted = "The updater has not started yet."

// Status is how an Engine's work stands, for people and programs.
type Status struct {
	State   State
	Summary string // one sentence

	Version   string // of the system that runs
	Candidate string // version that is being installed, was tried or is on trial; empty: none
	Notes     string // the candidate's release notes, from its signed manifest; empty: none, or not fetched yet
	Done      int64  // bytes of the candidate that are on the card, while fetching; or that were read back, while verifying
	Total     int64  // bytes of it; 0: not known
	Tries     int    // how often the candidate was tried, 0 to 3
	Blocked   string // version that failed three times; empty: none

	Checked   time.Time // when the metadata was last verified since the start; zero: not yet
	Later     string    // when the candidate is taken, a sentence for people; empty: nothing is waited for
	Freshness Freshness // of the metadata at that time
	Failure   string    // why the last attempt failed, for people; empty: it did not
	Scrubbed  time.Time // when both slots were last read through and compared, by the clock then; zero: never
	Damage    string    // what did not read back as it was written, for people; empty: nothing
	Next      time.Time // next check or try, by the clock as it was when that was planned; zero: not planned
}

// Freshness says whether metadata is known to be recent.
type Freshness string

// The kinds of freshness.
const (
	FreshUnknown Freshness = "unknown" // not checked yet, or without a date to compare with
	Fresh        Freshness = "fresh"
	Expired      Freshness = "expired" // nobody has renewed it: nothing is installed
)

// statusBoard guards a Status.
type statusBoard struct {
	mu  sync.Mutex
	now Status
}

func (b *statusBoard) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *statusBoard) set(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.now)
}
