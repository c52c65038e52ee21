package gpstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// The serial line: 9600 baud, 8N1.
const (
	baud           = 9600
	bytesPerSecond = baud / 10
	byteTime       = time.Second / bytesPerSecond
	chunk          = 8 // bytes written at once, about 8 ms of the line
	// The bytes a receiver keeps when its line is too slow; what comes on top
	// is lost.
	queueMax = 2 * bytesPerSecond
	// A write that does not get through in this time is lost: a wire does not
	// wait.
	writeTime = 20 * time.Millisecond
)

// Receiver is an emulated GPS receiver on a serial line with its pulse. Its
// methods may be called from several goroutines.
type Receiver struct {
	seed int64
	mu   sync.Mutex
	f    faults
}

// New makes a receiver with power, a good view of the sky and no fault. The
// same seed gives the same bytes for the same second.
func New(seed int64) *Receiver {
	return &Receiver{seed: seed, f: healthy()}
}

// Set breaks the receiver or mends it. The words may come as one argument or
// several:
//
//	gps on        power on, every other gps command undone
//	gps off       no power: no sentences and no pulse
//	gps garbage   random bytes at the full rate of the line; the pulse stays
//	gps late      the sentences name the second before
//	gps leap N    its count of leap seconds is wrong by N, -18 to 18: with -1
//	              one too few are taken off GPS time, and its UTC is a second ahead
//	gps sats N    N satellites are used, 0 to 16: fewer than 3 give no fix
//	              (status V) and no pulse, 9 is a good sky
//	gps antenna W what it says of its antenna: ok, open or short; at first nothing
//	gps away N    the antenna is N metres north of where it was
//	pulse on      an edge at the top of every second, while there is a fix
//	pulse off     none
//	pulse double  a second edge 100 to 400 ms after the first
//
// "pps" means "pulse". An error says what to write instead; nothing is changed
// then.
func (r *Receiver) Set(args ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.set(args...)
}

func (r *Receiver) now() faults {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f
}

// Burst is what the receiver sends about one UTC second: RMC, GGA, GSA and GSV
// of three satellite systems, ZDA. It is nil without power.
func (r *Receiver) Burst(second time.Time) []byte {
	f := r.now()
	return f.burst(second, r.seed)
}

// Run lives the receiver by clock until ctx ends or writing fails, and returns
// why. At the top of every second pulse is called (nil: no pulse), with the
// instant of the edge; 60 to 120 ms later the burst about that second begins
// and goes to w at 9600 baud.
//
// A write or a pulse that blocks holds up everything after it. By a RealClock a
// w with a write deadline (a net.Conn, an os.File of a pipe) loses what it
// cannot take in 20 ms, as a wire does.
func (r *Receiver) Run(ctx context.Context, w io.Writer, pulse func(edge time.Time), clock Clock) error {
	l := wire{w: w}
	if _, ok := clock.(RealClock); ok {
		l.deadline, _ = w.(deadliner)
	}
	rng := rand.New(rand.NewPCG(uint64(r.seed), streamReceiver))
	next := clock.Now().Truncate(time.Second).Add(time.Second)
	var again time.Time // the second edge of a doubled pulse
	for {
		at := next
		if !again.IsZero() && again.Before(at) {
			at = again
		}
		if ready, ok := l.ready(); ok && ready.Before(at) {
			at = ready
		}
		if err := clock.SleepUntil(ctx, at); err != nil {
			return err
		}
		f := r.now()
		if f.off {
			l.queue = l.queue[:0]
		}
		switch {
		case at.Equal(next):
			if late := clock.Now().Sub(next); late > time.Second {
				// The computer slept: what it missed is not made up for.
				next, again, l.queue = clock.Now().Truncate(time.Second).Add(time.Second), time.Time{}, l.queue[:0]
				continue
			}
			edges := f.edges()
			if edges > 0 && pulse != nil {
				pulse(next)
			}
			delay, double := 60+rng.IntN(61), 100+rng.IntN(301)
			if again = (time.Time{}); edges > 1 {
				again = next.Add(time.Duration(double) * time.Millisecond)
			}
			if f.garbage {
				delay = 0
			}
			l.add(f.burst(next, r.seed), next.Add(time.Duration(delay)*time.Millisecond))
			next = next.Add(time.Second)
		case at.Equal(again):
			again = time.Time{}
			if f.edges() > 1 && pulse != nil {
				pulse(at)
			}
		default:
			if err := l.send(clock); err != nil {
				return fmt.Errorf("write to the receiver's serial line: %w", err)
			}
		}
	}
}

type deadliner interface{ SetWriteDeadline(time.Time) error }

// wire paces the bytes.
type wire struct {
	w        io.Writer
	deadline deadliner // nil: writes may block
	queue    []byte
	free     time.Time // when the bytes sent so far are through
}

// add queues a burst that begins at begin, or after what is still queued.
func (l *wire) add(b []byte, begin time.Time) {
	if len(l.queue) == 0 && l.free.Before(begin) {
		l.free = begin
	}
	l.queue = append(l.queue, b[:min(len(b), queueMax-len(l.queue))]...)
}

// ready is when the next chunk is through.
func (l *wire) ready() (time.Time, bool) {
	n := min(len(l.queue), chunk)
	return l.free.Add(time.Duration(n) * byteTime), n > 0
}

func (l *wire) send(clock Clock) error {
	n := min(len(l.queue), chunk)
	if n == 0 {
		return nil
	}
	b := l.queue[:n]
	l.queue, l.free = l.queue[n:], l.free.Add(time.Duration(n)*byteTime)
	if l.deadline != nil {
		if err := l.deadline.SetWriteDeadline(clock.Now().Add(writeTime)); err != nil {
			l.deadline = nil // a file that has none, as a terminal
		}
	}
	_, err := l.w.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
