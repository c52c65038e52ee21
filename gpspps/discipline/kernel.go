package discipline

import "github.com/truechimer/truechimer/gpspps"

// Kernel is the clock of the operating system. One that is also a [Settable]
// is taken over as it runs, and one that is a [Watched] is looked after.
type Kernel interface {
	// Now reads CLOCK_MONOTONIC and by how much CLOCK_REALTIME is ahead of it, ns.
	Now() (mono, diff int64, err error)
	// SetFrequency makes both clocks run ppm (1e-6) fast by what the
	// oscillator gives, whatever else was set; -500..500, beyond is an error.
	SetFrequency(ppm float64) error
	// Step adds ns to CLOCK_REALTIME at once.
	Step(ns int64) error
	// Report tells other programs how good the clock is.
	Report(Condition) error
}

// Condition is what is told of a clock. The zero value says that it is not
// synchronised.
type Condition struct {
	EstError float64 // estimated error, seconds
	MaxError float64 // greatest possible error, seconds
	Synced   bool
	Leap     int // the UTC day ends with a second more (1) or less (-1), which the kernel is to make; 0: with neither
}

// Settable is a Kernel that tells what it is set to, by this process or another.
type Settable interface {
	Read() (Settings, error)
	// SetTAI sets TAI less UTC, whole seconds.
	SetTAI(seconds int) error
}

// Settings are what a clock is set to.
type Settings struct {
	PPM    float64 // 1e-6, as SetFrequency sets it
	Synced bool
	Leap   int  // as in Condition
	TAI    int  // TAI less UTC, seconds; 0 nobody has set it
	Other  bool // the kernel's own loop moves the clock, for somebody else
}

// Watched is a Kernel that notices when CLOCK_REALTIME is set.
type Watched interface {
	// WasSet says whether it was since the last call, by anybody. It is true
	// as well after a leap second that the kernel made.
	WasSet() bool
}

// ReferenceSource is what the clock is steered by; *gpspps.Reference is one.
type ReferenceSource interface {
	At(mono int64, judged string) gpspps.Reading
	Info(mono int64) gpspps.Info
	Leap() gpspps.Leap
	Steered(mono int64, ppm float64)
}
