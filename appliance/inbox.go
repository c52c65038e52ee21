package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

// source is a receiver and its pulse: the hardware, or a simulation.
type source interface {
	// listen delivers what the receiver says to in until ctx ends, and comes
	// back by itself after every fault it knows of.
	listen(ctx context.Context, in *inbox) error
	// watch does the same for the pulse. A source that gives both at once
	// returns nil here.
	watch(ctx context.Context, in *inbox) error
}

// inbox is what a source delivers to.
type inbox struct {
	ref   *gpspps.Reference
	pivot time.Time // no date before it is believed
	notes *notes
	tally tally
	found found
	above above
	cable atomic.Int64 // ns by which pulses come late that a receiver does not take off itself
	log   *slog.Logger
}

// tally counts what was lost on the way from the receiver to the reference,
// over all ports and lines that were opened.
type tally struct {
	damaged atomic.Uint64 // sentences
	noise   atomic.Uint64 // bytes
	edges   atomic.Uint64
}

// parser makes a decoder that delivers to the reference, and a function to be
// called after each piece of what came in: garbage alone never makes a fix, so
// the fixes cannot carry the count of it.
func (in *inbox) parser(byteTime time.Duration) (d *receiver.Decoder, count func()) {
	d = receiver.NewDecoder(receiver.DecoderConfig{Emit: in.fix, Pivot: in.pivot, ByteTime: byteTime})
	var last receiver.DecoderStats
	return d, func() {
		s := d.Stats()
		in.tally.damaged.Add(s.Checksum + s.Broken + s.Damaged - last.Checksum - last.Broken - last.Damaged)
		in.tally.noise.Add(s.Noise - last.Noise)
		if s.Fixes != last.Fixes {
			in.above.set(d.Satellites(nil))
		}
		last = s
	}
}

// fix passes on what the receiver said about a second.
func (in *inbox) fix(f gpspps.Fix) {
	in.above.heard(f)
	in.ref.AddFix(f)
}
