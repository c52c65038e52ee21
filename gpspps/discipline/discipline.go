// Package discipline steers the station's clock to the reference. It is the
// only code that sets the clock.
//
// The clock is steered by frequency alone and stepped as rarely as can be:
// everything else on the station sees a clock that runs on.
package discipline

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

const (
	maxPPM     = 500        // the kernel's MAXFREQ
	stepPPM    = 1. / 65536 // the kernel's unit of frequency
	steerEvery = 4 * time.Second
	// steerLeast is a change of rate not worth making, 1e-6: within steerEvery
	// it moves the clock by less than a pulse's stamp is good for.
	steerLeast = 0.01

	// Offsets die away with this time constant: quickly while far off, slowly
	// enough not to hand the noise of single pulses on to the clock.
	tauFar, tauNear = 16.0, 32.0 // seconds
	far             = 1e-3       // seconds

	// stepFirst: at the first lock an offset up to this is slewed, because
	// 500 ppm removes it within a minute and no program sees a jump. A larger
	// one would keep the clock wrong for minutes after the station is ready.
	stepFirst = 0.010 // seconds
	// stepLater: once the clock has been set, only an offset that slewing
	// would need more than a quarter of an hour for is stepped away, and only
	// when the source has been sure of itself for a while.
	stepLater  = 0.5 // seconds
	stepProven = time.Minute
)

// Owner owns the clock: one per machine.
type Owner struct {
	kernel Kernel
	ref    ReferenceSource
	log    *slog.Logger

	mu        sync.Mutex
	begun     bool
	observing bool    // for want of rights
	expected  float64 // the oscillator's rate before it is measured, 1e-6; NaN unknown
	steps     int
	wasSet    bool    // the clock has been set by GPS or by a quorum
	ever      bool    // GPS has been locked
	locked    int64   // since when GPS is locked without a break, 0 it is not
	ppm       float64 // the clock's rate as it was set last, 1e-6
	level     float64 // the part of it that makes up for the oscillator
	steered   int64
	diff      int64 // of the last tick
	trouble   string
	told      Condition // what was reported last
	offset    float64
	known     bool

	foreign foreign
	leap    planned
	rearm   int64 // no leap second is planned before this instant
	tai     int   // as it was set; 0 not yet
}

// New makes the owner of a clock. A nil log takes nothing.
func New(k Kernel, ref ReferenceSource, log *slog.Logger) *Owner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Owner{kernel: k, ref: ref, log: log, offset: math.NaN(), expected: math.NaN()}
}

// Expect tells before the first Tick how fast the oscillator was found to be
// when it was last measured, 1e-6. A kernel whose rate is not set yet is made
// to run right by it.
func (o *Owner) Expect(fast float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if math.Abs(fast) <= maxPPM {
		o.expected = fast
	}
}

// Steps is how often the clock has been stepped.
func (o *Owner) Steps() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.steps
}

// Observing says whether the clock is only watched, for want of rights or
// because something else keeps setting it.
func (o *Owner) Observing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.watching()
}

func (o *Owner) watching() bool { return o.observing || o.foreign.yielded }

// Offset is the station's clock less true time at the last tick, seconds;
// known is false and the offset NaN while no source tells the time.
func (o *Owner) Offset() (offset float64, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.offset, o.known
}

// Tick is called once a second, after the reference's own, with the present
// instant of CLOCK_MONOTONIC.
func (o *Owner) Tick(mono int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, diff, err := o.kernel.Now()
	if o.failed("reading the clock", err) {
		return
	}
	// What the caller says is older than what was read just now.
	mono = max(mono, now)
	set := o.set()
	settings, readable := o.read()
	if !o.begun {
		o.begin(mono, settings)
		readable = false // what was read is past
	} else {
		o.watch(mono, diff-o.diff, set)
	}
	o.diff = diff
	if s, ok := o.ref.(interface{ SetRealtime(diff int64) }); ok {
		defer func() { s.SetRealtime(o.diff) }()
	}

	r := o.ref.At(mono, "")
	o.known = r.Known
	o.offset = math.NaN()
	if r.Known {
		o.offset = float64(mono+diff-r.True) * 1e-9
	}
	gps := r.Known && r.Source != gpspps.SourceQuorum
	sure := r.Known && (r.State == gpspps.StateLocked || r.State == gpspps.StateHoldover)
	if gps && r.State == gpspps.StateLocked {
		if o.locked == 0 {
			o.locked = mono
		}
	} else {
		o.locked = 0
	}
	if readable {
		o.compare(mono, settings)
	}
	if o.watching() || o.leaping(mono) {
		return
	}
	o.leapPast(mono)
	if sure {
		o.step(mono, r)
	}
	if sure && gps {
		o.steer(mono)
	} else {
		o.release(mono)
	}
	leap := o.ref.Leap()
	o.plan(mono, r, leap, sure && gps)
	o.report(r, sure)
	if readable && sure && gps {
		o.setTAI(mono, settings.TAI, leap.GPSLessUTC)
	}
}

// begin takes the clock over with a frequency that is known: what is left of
// another process, most likely of an earlier run of this one, would look like
// the oscillator's own. It is kept, since it is better than none.
func (o *Owner) begin(mono int64, s Settings) {
	o.begun = true
	o.steered = mono
	ppm := s.PPM
	if ppm == 0 && !math.IsNaN(o.expected) {
		ppm = -o.expected
	}
	// Set it even so: that shows whether there is the right to.
	o.setRate(mono, ppm, ppm)
	if !o.observing {
		// Whatever it says of itself was said by somebody else.
		o.tell(Condition{})
	}
}

// setRate makes the clock run ppm fast, level of it to make up for the oscillator.
func (o *Owner) setRate(mono int64, ppm, level float64) {
	ppm = math.Round(min(max(ppm, -maxPPM), maxPPM)/stepPPM) * stepPPM
	if o.failed("steering the clock", o.kernel.SetFrequency(ppm)) {
		return
	}
	o.ppm, o.level = ppm, level
	// The change took place before this read; the reference is told a few
	// microseconds of a few parts in a million too late.
	if at, _, err := o.kernel.Now(); !o.failed("reading the clock", err) {
		mono = at
	}
	o.ref.Steered(mono, ppm)
}

// release ends the removal of an offset that nobody knows any more: the clock
// would run away from the truth at the rate that was to bring it there.
func (o *Owner) release(mono int64) {
	if math.Abs(o.ppm-o.level) >= steerLeast {
		o.setRate(mono, o.level, o.level)
	}
}

// step sets the clock where it must be, and decides when that is.
func (o *Owner) step(mono int64, r gpspps.Reading) {
	off := math.Abs(o.offset)
	first := !o.ever
	threshold := math.Inf(1)
	switch {
	case r.Source == gpspps.SourceQuorum:
		if !o.wasSet && !o.ever {
			threshold = stepLater
		}
	case r.State != gpspps.StateLocked:
	case first && !o.wasSet:
		threshold = stepFirst
	case mono-o.locked >= int64(stepProven):
		threshold = stepLater
	}
	if r.State == gpspps.StateLocked && r.Source != gpspps.SourceQuorum {
		o.ever = true
	}
	// Within the bound nobody knows on which side the clock is.
	if off <= max(threshold, r.Bound) {
		return
	}
	by := r.True - (mono + o.diff)
	if o.failed("stepping the clock", o.kernel.Step(by)) {
		return
	}
	o.wasSet = true
	o.steps++
	o.diff += by
	o.offset = 0
	o.set() // it was this
	o.stepped(mono)
	o.release(mono) // what was to remove the offset would make another
	o.log.Info("clock stepped", "seconds", float64(by)*1e-9, "source", string(r.Source), "steps", o.steps)
}

// steer takes the oscillator's error out of the clock's rate and lets the rest
// of the offset die away.
func (o *Owner) steer(mono int64) {
	if mono-o.steered < int64(steerEvery) {
		return
	}
	fast := o.ref.Info(mono).FrequencyPPM
	if math.IsNaN(fast) {
		return
	}
	tau := tauNear
	if math.Abs(o.offset) > far {
		tau = tauFar
	}
	o.steered = mono
	if ppm := -fast - o.offset/tau*1e6; math.Abs(ppm-o.ppm) >= steerLeast {
		o.setRate(mono, ppm, -fast)
	}
}

// report tells other programs, and with them the kernel, which keeps the
// battery-backed clock by a synchronised one.
func (o *Owner) report(r gpspps.Reading, sure bool) {
	off := math.Abs(o.offset)
	if !sure || off > stepLater { // about to be stepped; nobody should trust it yet
		if o.told != (Condition{}) {
			o.tell(Condition{})
		}
		return
	}
	o.tell(Condition{EstError: off + r.Uncertainty, MaxError: off + r.Bound, Synced: true, Leap: o.leap.change})
}

func (o *Owner) tell(c Condition) {
	if !o.failed("reporting the clock", o.kernel.Report(c)) {
		o.told = c
	}
}

// failed logs an error once, until another one comes. Without the rights it
// gives up for good.
func (o *Owner) failed(doing string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, fs.ErrPermission):
		if !o.observing {
			o.log.Info("no right to set the clock: it is observed, not steered", "error", err)
		}
		o.observing = true
	case o.trouble != doing+err.Error():
		o.trouble = doing + err.Error()
		o.log.Error(doing, "error", err)
	}
	return true
}
