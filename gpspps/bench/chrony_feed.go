package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"
)

const (
	// sendAfter is when in its slot a sample is sent: later than the instant
	// it is about, as chronyd takes none from the future.
	sendAfter = time.Millisecond
	// sendLimit bounds the time that a chronyd which does not read costs the others.
	sendLimit = 2 * time.Millisecond
	// stepLimit is how much this machine's clock may move against the
	// monotonic one in a slot: 500e-6 of it would be 31 us.
	stepLimit = 5 * time.Millisecond
	// progressEvery is five minutes, in seconds of a trace.
	progressEvery = 300 * Compression

	// sockMagic marks a sample of the SOCK reference clock (chrony.conf(5)).
	sockMagic = 0x534f434b
	sockSize  = 40
)

// feedChronyds sends every sample of the traces in its slot, and the probes.
func feedChronyds(ctx context.Context, start time.Time, all []*chrony, progress func(second, of int, f Feeding)) (fed Feeding, err error) {
	longest := 0
	for _, c := range all {
		longest = max(longest, c.watch.pulses+holdoverSeconds)
	}
	again := time.NewTimer(0)
	defer again.Stop()
	for n, last := 0, time.Now(); n < longest; n++ {
		// By the wall clock, which chronyd reads, not the monotonic one.
		at := start.Round(0).Add(time.Duration(n) * slot)
		now := time.Now()
		if apart(last, now).Abs() > stepLimit {
			// The two clocks are not read at once; a step is still there.
			now = time.Now()
		}
		if moved := apart(last, now); moved.Abs() > stepLimit {
			return fed, fmt.Errorf("this machine's clock was set by %v meanwhile: measure again", moved)
		}
		last = now
		again.Reset(at.Add(sendAfter).Sub(now.Round(0)))
		select {
		case <-again.C:
		case <-ctx.Done():
			return fed, context.Cause(ctx)
		}
		for _, c := range all {
			conn := c.pulse
			nanos, ok := c.watch.sample(n)
			if !ok {
				if nanos, ok = c.watch.probe(n); !ok {
					continue
				}
				conn = c.probe
			}
			if err := send(conn, at, nanos); err != nil {
				return fed, fmt.Errorf("trace %s, poll %d: %w", c.watch.trace.Name, c.watch.poll, err)
			}
		}
		fed.sent(time.Now().Round(0).Sub(at))
		if progress != nil && n%progressEvery == 0 && n > 0 {
			progress(n, longest, fed)
		}
	}
	return fed, nil
}

// sent accounts for a second's samples, the last of which was sent so long
// after its instant.
func (f *Feeding) sent(after time.Duration) {
	f.Seconds++
	f.Worst = max(f.Worst, after)
	if after > slot {
		f.Late++
	}
}

// apart is how much further the wall clock went than the monotonic one.
func apart(from, to time.Time) time.Duration {
	return to.Round(0).Sub(from.Round(0)) - to.Sub(from)
}

// send says that the clock was nanos behind true time at an instant. A chronyd
// that is too busy to take it loses it.
func send(conn *net.UnixConn, at time.Time, nanos int64) error {
	var b [sockSize]byte
	micros := at.UnixMicro()
	binary.NativeEndian.PutUint64(b[0:], uint64(micros/1e6))
	binary.NativeEndian.PutUint64(b[8:], uint64(micros%1e6))
	// chronyd cuts to whole nanoseconds, towards zero.
	offset := float64(nanos)
	offset = (offset + math.Copysign(0.3, offset)) * 1e-9
	binary.NativeEndian.PutUint64(b[16:], math.Float64bits(offset))
	// Not a bare pulse, no leap second, padding.
	binary.NativeEndian.PutUint32(b[36:], sockMagic)
	if err := conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return err
	}
	_, err := conn.Write(b[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
