package gpspps

import (
	"fmt"
	"math"
	"time"
)

// How fixes number pulses. A receiver sends the sentences that name a second
// after the pulse that began it; how long after depends on the model, the load
// and the baud rate.
const (
	delayLeast  = 0.020 // seconds from pulse to message
	delayMost   = 0.900 // seconds; beyond, it may belong to the next pulse
	delaySpread = 0.050 // standard deviation, seconds
	delaySpan   = 5.0   // seconds that all this must hold
	delayWindow = 16    // messages
	ambiguous   = 60.0  // seconds in which at most one message may belong to another pulse
	silence     = 3.0   // seconds without fixes or pulses until they are missed

	// A receiver knows the leap seconds once it has heard the whole almanac,
	// which takes 12.5 minutes (IS-GPS-200, 20.3.3.5.1).
	almanac = 15 * time.Minute
)

// fixes is the recent past of what the receiver said. Of a pulse alone the present
// sequence is that of alone.go.
type fixes struct {
	last     Fix   // the newest of all
	valid    Fix   // the newest plausible one
	arrived  int64 // when it was heard
	since    int64 // instant since which valid fixes came without a gap, 0 none
	offset   int64 // UTC second less the train's count, of the present sequence
	began    int64 // instant of the first fix of the sequence, 0 none
	train    int64 // train.since that the sequence counts by
	delays   []float64
	badDelay float64  // seconds; of the last fix whose second was ambiguous, 0 none
	badAt    [2]int64 // when it and the one before came, 0 none
}

// breakOff forgets the sequence.
func (f *fixes) breakOff() { f.began, f.delays = 0, f.delays[:0] }

// gap is called with every valid fix before it becomes the last one.
func (f *fixes) gap(mono int64) {
	if f.since == 0 || seconds(f.valid.Mono, mono) > silence {
		f.since = mono
		f.breakOff()
	}
}

// match counts a fix as naming the second of the edge before it.
func (f *fixes) match(fix Fix, t *train) {
	e, ok := t.before(fix.Mono)
	if !ok || fix.Time.Nanosecond() != 0 {
		return // receivers that speak several times a second name the whole one too
	}
	delay := seconds(e.mono, fix.Mono)
	if delay < delayLeast || delay > delayMost {
		if delay < wholeSecond+delayLeast { // else a pulse was missing
			f.badDelay, f.badAt = delay, [2]int64{f.badAt[1], fix.Mono}
		}
		f.breakOff()
		return
	}
	offset := fix.Time.Unix() - e.count
	if f.train != t.since {
		f.breakOff()
	}
	if f.began == 0 || offset != f.offset {
		if f.began != 0 {
			f.since = fix.Mono // seconds did not follow each other: nothing before counts
		}
		f.breakOff()
		f.offset, f.began, f.train = offset, fix.Mono, t.since
	}
	if len(f.delays) >= delayWindow {
		f.delays = append(f.delays[:0], f.delays[1:]...)
	}
	f.delays = append(f.delays, delay)
}

// delay is the mean time from pulse to message and its standard deviation, seconds.
func (f *fixes) delay() (mean, sd float64) {
	for _, d := range f.delays {
		mean += d
	}
	mean /= float64(len(f.delays))
	for _, d := range f.delays {
		sd += (d - mean) * (d - mean)
	}
	return mean, math.Sqrt(sd / float64(len(f.delays)))
}

// numbered says whether the train's edges can be numbered, and if not, why.
func (f *fixes) numbered(t *train) (ok bool, why string) {
	if t.twice() {
		return false, reasonTwice
	}
	// One alone is a pulse that was held up.
	if f.badAt[0] != 0 && seconds(f.badAt[0], f.valid.Mono) < ambiguous {
		return false, fmt.Sprintf("the message comes %.0f ms after the pulse: its second is ambiguous", f.badDelay*1e3)
	}
	if f.began == 0 || len(f.delays) == 0 || f.train != t.since {
		return false, reasonUnnumbered
	}
	if _, sd := f.delay(); sd >= delaySpread {
		return false, fmt.Sprintf("the message's delay varies by %.0f ms", sd*1e3)
	}
	if seconds(f.began, f.valid.Mono) < delaySpan || seconds(t.since, t.last()) < delaySpan {
		return false, reasonUnnumbered
	}
	return true, ""
}

// seconds is the time from one instant to another.
func seconds(from, to int64) float64 { return float64(to-from) * 1e-9 }
