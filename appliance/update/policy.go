package update

import (
	"slices"
	"time"
)

// Policy is when an Engine does what.
type Policy struct {
	First    time.Duration // from the start to the first check
	Poll     time.Duration // between checks that went well
	Retry    time.Duration // after the first attempt that failed; it doubles with each
	RetryMax time.Duration // and is never longer than this
	Again    time.Duration // after no mirror had a sound piece of a release
	Spread   float64       // share of each of these by which they vary at random, 0 to 0.5
	// ClockWait is how long a check waits for a date that is known. After it, what
	// is newer is installed without knowing whether it is the newest.
	ClockWait time.Duration

	Scrub      time.Duration // between two times that both slots are read through
	ScrubFirst time.Duration // that a system must have run for before it is done
	ScrubRate  int           // bytes per second that are read for it at the most
	// Window is when the station may restart to try a release, where Options do
	// not say it. Stations do so from minutes of their own on, WindowRoom or more
	// before its end: first they read back what is staged. WindowWait is how long
	// the window is waited for, in the time that the station runs.
	Window                 Window
	WindowRoom, WindowWait time.Duration

	// Tries are the pauses before each try of a release, counted from the start of
	// the system that tries it. There are as many tries as pauses.
	Tries []time.Duration

	HealthEvery  time.Duration // between two looks at the station's health on trial
	HealthWithin time.Duration // from the start of a system on trial until it must be well
	Up           time.Duration // that the appliance must have run until then
	Verify       time.Duration // between two times that a system on trial asks for the metadata
}

// atLeast is p, but with nothing shorter than in floor, with as many tries, and
// with no less time for a trial: who makes options can make an engine slower, but
// neither let it ask servers or restart the station more often nor end trials early.
func (p Policy) atLeast(floor Policy) Policy {
	for _, d := range []struct {
		d *time.Duration
		f time.Duration
	}{
		{&p.First, floor.First}, {&p.Poll, floor.Poll}, {&p.Retry, floor.Retry}, {&p.RetryMax, floor.RetryMax}, {&p.Again, floor.Again},
		{&p.ClockWait, floor.ClockWait}, {&p.HealthEvery, floor.HealthEvery}, {&p.Up, floor.Up}, {&p.Verify, floor.Verify},
		{&p.Scrub, floor.Scrub}, {&p.ScrubFirst, floor.ScrubFirst},
		{&p.WindowRoom, floor.WindowRoom}, {&p.WindowWait, floor.WindowWait},
	} {
		*d.d = max(*d.d, d.f)
	}
	if p.ScrubRate <= 0 || p.ScrubRate > floor.ScrubRate {
		p.ScrubRate = floor.ScrubRate
	}
	// init ends a trial, whatever a policy says.
	p.HealthWithin = floor.HealthWithin
	p.Window = floor.Window
	p.Spread = min(max(p.Spread, floor.Spread), 0.5)
	tries := slices.Clone(floor.Tries)
	for i := range tries[:min(len(tries), len(p.Tries))] {
		tries[i] = max(tries[i], p.Tries[i])
	}
	p.Tries = tries
	return p
}
