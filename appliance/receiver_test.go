package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// byteTime is how long a byte takes at 9600 baud.
const byteTime = time.Second / 960

var epoch = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// bench is a station's receiver in virtual time: whatever is opened is noted,
// and behaves as the test says.
type bench struct {
	in     *inbox
	log    journal
	mu     sync.Mutex
	opened []string
}

func newBench() *bench {
	b := &bench{}
	b.in = &inbox{ref: gpspps.New(gpspps.Config{}), notes: newNotes(nil, b.log.log()), log: slog.New(slog.DiscardHandler)}
	return b
}

func (b *bench) note(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = append(b.opened, name)
}

func (b *bench) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.opened)
}

func (b *bench) counters() gpspps.Counters { return b.in.ref.Info(0).Counters }

// line is a serial line in virtual time: what is sent to it is read with its
// stamp, and silence ends reads at their deadlines.
type line struct {
	bytes    chan []byte
	hungUp   chan struct{}
	closed   chan struct{}
	deadline time.Time
	begun    time.Time
	once     sync.Once
}

func newLine() *line {
	return &line{bytes: make(chan []byte, 100), hungUp: make(chan struct{}), closed: make(chan struct{}), begun: time.Now()}
}

func (l *line) mono() int64 { return 1e12 + int64(time.Since(l.begun)) }

func (l *line) ReadStamped(b []byte) (int, int64, error) {
	select {
	case <-l.closed:
		return 0, l.mono(), os.ErrClosed
	case x := <-l.bytes:
		n := copy(b, x)
		return n, l.mono() - int64(n)*int64(l.ByteTime()), nil
	case <-l.hungUp:
		return 0, l.mono(), errors.New("read /dev/x: the line has hung up")
	case <-time.After(time.Until(l.deadline)):
		return 0, l.mono(), fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
	}
}

func (l *line) SetReadDeadline(t time.Time) error { l.deadline = t; return nil }
func (*line) Write(b []byte) (int, error)         { return len(b), nil }
func (*line) SetWriteDeadline(time.Time) error    { return nil }
func (*line) ByteTime() time.Duration             { return byteTime }
func (l *line) Close() error                      { l.once.Do(func() { close(l.closed) }); return nil }

// speak sends what a receiver says for some seconds, with its faults.
func (l *line) speak(seconds int, faults ...string) {
	r := gpstest.New(1)
	for _, f := range faults {
		if err := r.Set(f); err != nil {
			panic(err)
		}
	}
	for range seconds {
		time.Sleep(100 * time.Millisecond)
		burst := r.Burst(epoch.Add(time.Duration(time.Since(l.begun).Truncate(time.Second))))
		for part := range slices.Chunk(burst, 64) {
			time.Sleep(time.Duration(len(part)) * byteTime)
			select {
			case l.bytes <- part:
			case <-l.closed:
				return
			}
		}
		time.Sleep(time.Until(l.begun.Add(time.Since(l.begun).Truncate(time.Second) + time.Second)))
	}
}

func receiverOn(ports []string, device string) (config.Config, boards.Board) {
	c := config.Default()
	if device != "" {
		c.Receiver.Device = device
	}
	return c, boards.Board{Serial: ports}
}

// TestPortAfterPort: the receiver is on the third port; the first cannot be
// opened, the second says nothing a receiver says.
func TestPortAfterPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		conf, board := receiverOn([]string{"none", "noise", "gps"}, "")
		conf.Receiver.Baud = 9600
		ctx, cancel := context.WithCancel(t.Context())
		h := hardware{conf: conf, board: board, openPort: func(name string, baud int) (port, error) {
			b.note(name)
			l := newLine()
			switch name {
			case "none":
				return nil, errors.New("open none: no such file")
			case "noise":
				go func() {
					for range 8 {
						l.bytes <- []byte("$GPRMC,nonsense*00\r\nlogin: \xff")
						time.Sleep(time.Second)
					}
				}()
			case "gps":
				go l.speak(60)
			}
			return l, nil
		}}
		done := make(chan error, 1)
		go func() { done <- h.listen(ctx, b.in) }()
		time.Sleep(40 * time.Second)
		if got := b.names(); !slices.Equal(got, []string{"none", "noise", "gps"}) {
			t.Errorf("opened %q", got)
		}
		if c := b.counters(); c.Fixes < 28 || c.FixesInvalid != 0 || c.FixesImplausible != 0 {
			t.Errorf("in the 30 s on the right port: %+v", c)
		}
		// Nothing but garbage came from the second port, and was counted.
		if d, n := b.in.tally.damaged.Load(), b.in.tally.noise.Load(); d != 8 || n != 8*8 {
			t.Errorf("%d damaged sentences, %d bytes of noise", d, n)
		}
		if len(b.log.lines("a receiver is heard on gps")) != 1 || len(b.in.notes.list()) != 0 {
			t.Errorf("log %q, notes %q", b.log.lines(""), b.in.notes.list())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // until the line's other end is done
	})
}

// TestReceiverIsPulledOut and plugged in again: told while it lasts, once.
func TestReceiverIsPulledOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		conf, board := receiverOn([]string{"a", "b"}, "/dev/ttyUSB7")
		ctx, cancel := context.WithCancel(t.Context())
		l := newLine()
		var there atomic.Pointer[line]
		there.Store(l)
		h := hardware{conf: conf, board: board, openPort: func(name string, baud int) (port, error) {
			b.note(fmt.Sprint(name, " ", baud))
			if l := there.Load(); l != nil {
				return l, nil
			}
			return nil, errors.New("open /dev/ttyUSB7: no such file")
		}}
		done := make(chan error, 1)
		go func() { done <- h.listen(ctx, b.in) }()
		l.speak(5)
		if got := b.names(); !slices.Equal(got, []string{"/dev/ttyUSB7 9600"}) {
			t.Errorf("opened %q", got)
		}
		there.Store(nil)
		close(l.hungUp)
		time.Sleep(time.Hour)
		if got := b.in.notes.list(); len(got) != 1 || got[0] != "No serial port can be read: open /dev/ttyUSB7: no such file." {
			t.Errorf("notes %q", got)
		}
		if n := len(b.names()); n < 600 || n > 800 {
			t.Errorf("looked for %d times in an hour", n)
		}
		if n := len(b.log.lines("No serial port")); n < 1 || n > 3 {
			t.Errorf("logged %d times in an hour", n)
		}
		fixes := b.counters().Fixes
		l = newLine()
		there.Store(l)
		go l.speak(20)
		time.Sleep(25 * time.Second)
		if got := b.in.notes.list(); len(got) != 0 {
			t.Errorf("plugged in again: %q", got)
		}
		if n := b.counters().Fixes - fixes; n < 13 {
			t.Errorf("%d fixes since", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestSilenceOnTheOnlyPort: it is kept open, as there is nowhere else to look,
// and its receiver is heard whenever it begins to speak.
func TestSilenceOnTheOnlyPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		conf, board := receiverOn([]string{"gps"}, "")
		conf.Receiver.Baud = 9600
		ctx, cancel := context.WithCancel(t.Context())
		l := newLine()
		h := hardware{conf: conf, board: board, openPort: func(name string, _ int) (port, error) { b.note(name); return l, nil }}
		done := make(chan error, 1)
		go func() { done <- h.listen(ctx, b.in) }()
		time.Sleep(10 * time.Minute)
		if got := strings.Join(b.in.notes.list(), ""); !strings.HasPrefix(got, "No receiver is heard: nothing comes in on gps.") {
			t.Errorf("notes %q", got)
		}
		l.speak(3, "gps garbage")
		if c := b.counters(); c.Fixes != 0 || b.in.tally.noise.Load() < 500 || b.in.tally.damaged.Load() < 1 {
			t.Errorf("of garbage: %+v, %d bytes of noise, %d damaged", c, b.in.tally.noise.Load(), b.in.tally.damaged.Load())
		}
		l.speak(5)
		if n := len(b.names()); n != 1 || b.counters().Fixes != 5 || len(b.in.notes.list()) != 0 {
			t.Errorf("opened %d times, %d fixes, notes %q", n, b.counters().Fixes, b.in.notes.list())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// script is a port whose reads end as written, then for good.
type script struct{ reads []read }

type read struct {
	bytes []byte
	first int64
	err   error
}

func (s *script) ReadStamped(b []byte) (int, int64, error) {
	if len(s.reads) == 0 {
		return 0, 0, errors.New("the script is over")
	}
	r := s.reads[0]
	s.reads = s.reads[1:]
	return copy(b, r.bytes), r.first, r.err
}

func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) Write(b []byte) (int, error)      { return len(b), nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) ByteTime() time.Duration          { return byteTime }
func (*script) Close() error                     { return nil }

// TestProcessHeldUp: the process does not run for 400 ms in the middle of every
// burst. A deadline passes although bytes have come in; then they are read, in
// one piece, and the burst is whole.
func TestProcessHeldUp(t *testing.T) {
	b := newBench()
	s := &script{}
	r := gpstest.New(1)
	for n := range int64(6) {
		burst := r.Burst(epoch.Add(time.Duration(n) * time.Second))
		half := int64(len(burst) / 2)
		begin := n*1e9 + 80e6
		middle := begin + half*int64(byteTime)
		end := begin + int64(len(burst))*int64(byteTime)
		s.reads = append(s.reads,
			read{bytes: burst[:half], first: begin},
			read{first: middle + 400e6, err: os.ErrDeadlineExceeded},
			read{bytes: burst[half:], first: middle + 1e6},
			read{first: end + 51e6, err: os.ErrDeadlineExceeded},
			read{first: end + 101e6, err: os.ErrDeadlineExceeded},
			read{first: end + 151e6, err: os.ErrDeadlineExceeded},
		)
		if n == 2 { // a driver that hands over bytes a little early
			s.reads[len(s.reads)-4].first = middle - 3e6
		}
	}
	first := slices.Clone(s.reads[:6])
	conf, _ := receiverOn(nil, "gps")
	h := hardware{conf: conf, openPort: func(string, int) (port, error) { return s, nil }}
	if err := h.finder(b.in).readPort(t.Context(), "gps", 9600, limits{silent: patience}); err == nil || err.Error() != "the script is over" {
		t.Errorf("ended with %v", err)
	}
	if c := b.counters(); c.Fixes != 6 || c.FixesInvalid != 0 || b.in.tally.damaged.Load() != 0 {
		t.Errorf("%+v, %d damaged", c, b.in.tally.damaged.Load())
	}

	// The satellites in view, which are named last, belong to the same fix.
	b = newBench()
	s.reads = first
	_ = h.finder(b.in).readPort(t.Context(), "gps", 9600, limits{silent: patience})
	if i := b.in.ref.Info(1e9); i.Counters.Fixes != 1 || i.SatellitesUsed != 9 || i.SatellitesSeen != 14 {
		t.Errorf("of one burst: %+v", i)
	}
}

// TestNothingToLookFor ends at once: there is no receiver, and none is waited for.
func TestNothingToLookFor(t *testing.T) {
	h := newHardware(config.Default(), boards.Board{})
	in := newBench().in
	over, end := context.WithCancel(t.Context())
	end()
	// A pulse may come in ways that are not there yet, so its end is awaited.
	if err := errors.Join(h.listen(t.Context(), in), h.watch(over, in)); err != nil {
		t.Error(err)
	}
	h.conf.Receiver.Pulse, h.board.Pulse = config.Off, []string{"GPIO18"}
	if err := h.watch(t.Context(), in); err != nil {
		t.Error(err)
	}
	// Real ports and lines that are not there are told, not fatal.
	h.conf.Receiver.Device, h.conf.Receiver.Pulse = "/dev/none", "none:0"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- h.listen(ctx, in) }()
	go func() { done <- h.watch(ctx, in) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if len(in.notes.list()) == 2 {
			break
		}
		<-tick.C
	}
	got := in.notes.list()
	if len(got) != 2 || !strings.Contains(got[0], "No pulse line can be used") || !strings.Contains(got[1], "/dev/none") {
		t.Errorf("notes %q", got)
	}
	cancel()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
}
