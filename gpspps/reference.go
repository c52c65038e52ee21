package gpspps

import (
	"log/slog"
	"math"
	"sync"
	"time"
)

const (
	// FinalAfter is how long a reading may still change: what comes within it
	// is taken in by the smoother.
	FinalAfter = 32 * time.Second

	history = 11 * time.Minute // how far back readings can be asked for
)

// Config says what is known beforehand. Zero values stand for the defaults.
type Config struct {
	// Build is when this program was made: no earlier date is believed. The
	// zero value stands for the start of 2025.
	Build time.Time
	// LastGood is a time known to be past from an earlier run; zero: none. A
	// receiver that names an earlier one has servers to confirm it, or a day.
	LastGood time.Time
	// PulseError is how late a pulse may be stamped every time, so that no
	// number of pulses shows it, seconds; 20e-6 if 0 (a Pi's interrupt).
	PulseError float64
	// OscillatorPPM is how far the oscillator may be off before it is
	// measured, 1e-6; 100 if 0.
	OscillatorPPM float64
	// HoldoverPPM is how far its frequency may wander away from the measured
	// one in holdover (95 %), 1e-6; 0.2 if 0 (a bare crystal in a room).
	HoldoverPPM float64
	// ConfirmUTC may vouch for a fix by what was known before the start, such
	// as a stored count of leap seconds. Nil: nobody does.
	ConfirmUTC func(Fix) bool
	// Survey is where the antenna was surveyed to be before the start, as
	// Reference.Antenna gave it. Nil: the first six stable hours tell.
	Survey *Survey
	// MovingAntenna says that the antenna is no fixed one, as in a vehicle:
	// where it is says nothing.
	MovingAntenna bool
	// PulseAlone says that pulses come from a clock that somebody else keeps on the
	// seconds of UTC, and that there is no receiver: which seconds they mark is told
	// by the named reference or by most servers, and fixes are not taken. Only people
	// can know that: the pulse of a receiver that has lost its fix may run free.
	PulseAlone bool
	// Log takes changes of state; nil: nowhere.
	Log *slog.Logger
}

// Reference takes fixes, pulses and votes and tells true time. Its methods may
// be called from several goroutines; nothing in it reads a clock.
type Reference struct {
	mu  sync.Mutex
	c   Config
	now int64 // the latest instant heard of

	paper  paper
	train  train
	fixes  fixes
	voters voters
	leaps  leaps
	named  named
	solo   solo

	phase    State // cold, numbering, locked or holdover; suspect is put over it
	reason   string
	ever     bool // GPS has been locked once
	est      estimator
	knots    []knot
	labels   []label
	saw      sawtooth
	tests    backtests
	smoother smoother
	held     knot  // what holdover lives on
	heldAt   int64 // the last good input before it
	lockedAt int64
	after    string  // why an earlier lock was given up, until the next one
	delay    float64 // mean from pulse to message when it locked, seconds
	due      int64   // UTC second up to which pulses are accounted for

	jump     int     // seconds the receiver's numbers moved by while pulses ran on; 0 none
	jumpAt   int64   // when it was noticed
	odd      int     // seconds the last fixes disagreed by
	oddAfter int64   // the last fix before them that agreed
	oddCount int     // how many in a row did
	good     int     // how many in a row agreed
	goodFix  int64   // instant of the newest fix that counts as present
	moved    float64 // seconds by which pulses came late outside the holdover's bound; 0 none
	movedAt  int64   // since when they have been where they are
	backed   bool    // the network says that they are wrong

	jammed  warning
	spoofed warning
	antenna antenna
	astray  astray

	unsure      float64 // seconds that pulses which moved may be wrong by
	unsureUntil int64

	firstVote int64
	round     int64 // instant of the last round of votes
	against   int   // rounds in a row that excluded GPS
	with      int   // rounds in a row that did not
	disputed  string

	pulseErrors []errorFrom // Config.PulseError and those told since, each smaller than the one before

	samples  []Sample
	diff     int64 // CLOCK_REALTIME less CLOCK_MONOTONIC, ns
	diffSet  bool
	counters Counters
}

// New makes a reference that knows nothing yet.
func New(c Config) *Reference {
	if c.Build.IsZero() {
		c.Build = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if c.PulseError <= 0 {
		c.PulseError = 20e-6
	}
	if c.OscillatorPPM <= 0 {
		c.OscillatorPPM = 100
	}
	if c.HoldoverPPM <= 0 {
		c.HoldoverPPM = 0.2
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Reference{c: c, voters: voters{}, phase: StateCold, now: math.MinInt64}
	if r.reason = reasonCold; c.PulseAlone {
		r.reason = reasonNoPulse
	}
	if c.Survey != nil && c.Survey.valid() && !c.MovingAntenna {
		r.antenna.known, r.antenna.at = true, *c.Survey
	}
	return r
}

// heard moves the present on.
func (r *Reference) heard(mono int64) {
	r.now = max(r.now, mono)
	if len(r.labels) == 0 {
		r.labels = append(r.labels, label{from: mono, state: r.phase, reason: r.reason})
	}
}

// AddFix takes what the receiver said about one second.
func (r *Reference) AddFix(f Fix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.c.PulseAlone {
		return
	}
	r.heard(f.Mono)
	r.counters.Fixes++
	r.counters.Checksum += uint64(max(f.Checksum, 0))
	if f.Mono < r.fixes.last.Mono {
		r.counters.FixesImplausible++
		return
	}
	r.fixes.last = f
	f = r.counted(f)
	switch {
	case !f.Valid:
		r.counters.FixesInvalid++
		// A burst with damaged or missing sentences says nothing, least of all
		// that the fix is gone.
		if f.Checksum == 0 && (f.NoFix || f.Mode == 1) {
			r.fixes.since = 0
			r.fixes.breakOff()
			if r.phase == StateLocked {
				r.hold(r.goodFix, reasonFixLost)
			}
		}
	case f.Time.Before(r.c.Build) || f.Time.After(r.c.Build.AddDate(40, 0, 0)):
		r.counters.FixesImplausible++
	case r.ambiguous(f):
		r.fixes.arrived, r.goodFix = r.now, r.now
	default:
		r.fixes.gap(f.Mono)
		r.fixes.match(f, &r.train)
		r.fixes.valid, r.fixes.arrived = f, r.now
		r.saw.announce(f)
		r.compare(f)
		r.leapFix(f)
	}
	r.listen(f)
	r.evaluate()
}

// AddPulse takes one edge.
func (r *Reference) AddPulse(p Pulse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard(p.Mono)
	r.counters.Pulses++
	inPlace := r.train.add(p.Mono)
	switch {
	case r.phase == StateLocked:
		r.follow(p.Mono)
		return
	case inPlace:
		r.counters.PulsesUnnumbered++
	default:
		r.counters.PulsesDoubled++
	}
	if r.phase == StateHoldover {
		if n, rest := whole(r.own(p.Mono).True); math.Abs(rest) < edgeGate {
			r.due = max(r.due, n)
		}
	}
	r.sample(Sample{Mono: p.Mono, Offset: math.NaN(), Residual: math.NaN(), Uncertainty: math.NaN(), State: r.shown()})
}

// AddVote takes what one network server said.
func (r *Reference) AddVote(v Vote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now
	if len(r.labels) == 0 {
		now = v.Mono // nothing has been heard yet
	}
	if r.leaps.near(v.Mono, leapAside) {
		return
	}
	v.Time += r.leaps.by(v.Mono) * 1e9
	if !r.voters.add(v, now) {
		return
	}
	r.heard(v.Mono)
	if r.counters.Votes == 0 {
		r.firstVote = v.Mono
	}
	r.counters.Votes++
	r.count()
}

// Tick is to be called about once a second: what does not come is noticed by it.
func (r *Reference) Tick(mono int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard(mono)
	r.voters.expire(r.now)
	r.watchLeap()
	r.account()
	r.evaluate()
	r.settle()
}

// Steered tells that from the instant mono on the clock's rate is changed by
// ppm, in all, not in addition; positive: made faster.
func (r *Reference) Steered(mono int64, ppm float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paper.steer(mono, ppm)
}

// SetRealtime tells CLOCK_REALTIME less CLOCK_MONOTONIC, ns, so that Samples
// can say what the station's clock shows.
func (r *Reference) SetRealtime(diff int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.diff, r.diffSet = diff, true
}

// Confirmed says whether GPS has been locked since the start, and with it the
// second of UTC proven.
func (r *Reference) Confirmed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ever
}
