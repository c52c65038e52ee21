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

// Kernel is the clock of the operating system. One that also has
//
//	Frequency() (ppm float64, err error)
//
// to tell what SetFrequency last set, maybe before this process began, is taken
// over as it runs.
type Kernel interface {
	// Now reads CLOCK_MONOTONIC and by how much CLOCK_REALTIME is ahead of it, ns.
	Now() (mono, diff int64, err error)
	// SetFrequency makes both clocks run ppm (1e-6) fast by what the
	// oscillator gives; -500..500, beyond is an error.
	SetFrequency(ppm float64) error
	// Step adds ns to CLOCK_REALTIME at once.
	Step(ns int64) error
	// Report tells other programs how good the clock is: the estimated and the
	// greatest possible error, seconds, and whether it is synchronised at all.
	Report(estError, maxError float64, synced bool) error
}

// ReferenceSource is what the clock is steered by; *gpspps.Reference is one.
type ReferenceSource interface {
	At(mono int64, judged string) gpspps.Reading
	Info(mono int64) gpspps.Info
	Steered(mono int64, ppm float64)
}

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

	foreignStep = 1e-3 // seconds; a change of REALTIME that is not the owner's
)

// Owner owns the clock: one per machine.
type Owner struct {
	kernel Kernel
	ref    ReferenceSource
	log    *slog.Logger

	mu        sync.Mutex
	begun     bool
	observing bool
	steps     int
	wasSet    bool    // the clock has been set by GPS or by a quorum
	ever      bool    // GPS has been locked
	locked    int64   // since when GPS is locked without a break, 0 it is not
	ppm       float64 // the clock's rate as it was set last, 1e-6
	level     float64 // the part of it that makes up for the oscillator
	steered   int64
	diff      int64 // of the last tick
	trouble   string
	synced    bool
	offset    float64
	known     bool
}

// New makes the owner of a clock. A nil log takes nothing.
func New(k Kernel, ref ReferenceSource, log *slog.Logger) *Owner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Owner{kernel: k, ref: ref, log: log, offset: math.NaN()}
}

// Steps is how often the clock has been stepped.
func (o *Owner) Steps() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.steps
}

// Observing says whether the clock is only watched, for want of rights.
func (o *Owner) Observing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.observing
}

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
	if !o.begun {
		o.begin(mono)
	} else if moved := float64(diff-o.diff) * 1e-9; math.Abs(moved) > foreignStep {
		o.log.Warn("something else has stepped the clock", "seconds", moved)
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
	if o.observing {
		return
	}
	if sure {
		o.step(mono, r)
	}
	if sure && gps {
		o.steer(mono)
	} else {
		o.release(mono)
	}
	o.report(r, sure)
}

// begin takes the clock over with a frequency that is known: what is left of
// another process, most likely of an earlier run of this one, would look like
// the oscillator's own. It is kept, since it is better than none.
func (o *Owner) begin(mono int64) {
	o.begun = true
	o.steered = mono
	ppm := 0.0
	if k, ok := o.kernel.(interface {
		Frequency() (ppm float64, err error)
	}); ok {
		if f, err := k.Frequency(); !o.failed("reading the clock's rate", err) {
			ppm = f
		}
	}
	// Set it even so: that shows whether there is the right to.
	o.set(mono, ppm, ppm)
}

// set makes the clock run ppm fast, level of it to make up for the oscillator.
func (o *Owner) set(mono int64, ppm, level float64) {
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
		o.set(mono, o.level, o.level)
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
		o.set(mono, ppm, -fast)
	}
}

func (o *Owner) report(r gpspps.Reading, sure bool) {
	if !sure {
		if o.synced {
			o.synced = o.failed("reporting the clock", o.kernel.Report(0, 0, false))
		}
		return
	}
	off := math.Abs(o.offset)
	if off > stepLater {
		return // about to be stepped; nobody should trust it yet
	}
	o.synced = true
	o.failed("reporting the clock", o.kernel.Report(off+r.Uncertainty, off+r.Bound, true))
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
