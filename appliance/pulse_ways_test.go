package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// modemLines is a port that has some.
type modemLines struct{ antenna }

func (*modemLines) SyscallConn() (syscall.RawConn, error) { return struct{ syscall.RawConn }{}, nil }

// wired is a station on which a pulse may come in several ways.
type wired struct {
	*bench
	lines  map[string]*edges
	mu     sync.Mutex
	pps    []string
	failed map[string]error
}

func (w *wired) device(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pps = names
}

// hear says that a receiver is heard on a port, or that it is gone.
func (w *wired) hear(there bool) {
	if !there {
		w.in.found.lost()
		return
	}
	w.in.found.opened("/dev/ttyS0", &modemLines{})
	w.in.found.receiver("/dev/ttyS0", 9600, "nmea")
}

func (w *wired) open(name string) (pulse.Edges, error) {
	w.note(name)
	if err := w.failed[name]; err != nil {
		return nil, err
	}
	w.lines[name].open.Add(1)
	return w.lines[name], nil
}

func onWays(t *testing.T, conf config.Config, board boards.Board, failed map[string]error, try func(t *testing.T, w *wired)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wired{bench: newBench(), lines: map[string]*edges{}, failed: failed}
		for _, name := range []string{"GPIO18", "GPIO4", "/dev/pps0", "/dev/ttyS0"} {
			w.lines[name] = newEdges(name)
		}
		h := hardware{conf: conf, board: board, openLine: w.open,
			openCarrier: func(path string, _ syscall.RawConn) (pulse.Edges, error) { return w.open(path) },
			devices: func(string) []string {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.pps
			}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.watch(ctx, w.in) }()
		synctest.Wait()
		try(t, w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for name, l := range w.lines {
			if n := l.open.Load(); n != 0 {
				t.Errorf("%s is open %d times at the end", name, n)
			}
		}
	})
}

// together gives the same pulse on several ways, on the better ones later.
func (w *wired) together(seconds int, names ...string) {
	for range seconds {
		now := time.Now().UnixNano()
		for i, name := range slices.Backward(names) {
			l := w.lines[name]
			l.seq++
			select {
			case l.events <- pulse.Event{Mono: now + int64(i), Seq: l.seq}:
			default: // nobody listens
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(now + 1e9 - time.Now().UnixNano()))
	}
}

func TestWays(t *testing.T) {
	var in inbox
	h := hardware{conf: config.Default(), board: boards.Board{Pulse: []string{"GPIO18", "GPIO4"}},
		devices: func(receiver string) []string { return []string{"/dev/pps0 of " + receiver} }}
	want := func(names ...string) {
		t.Helper()
		if got := h.ways(&in); !slices.Equal(got, names) {
			t.Errorf("got %q, want %q", got, names)
		}
	}
	want("GPIO18", "GPIO4", "/dev/pps0 of ")
	in.found.opened("/dev/ttyS0", &modemLines{})
	want("GPIO18", "GPIO4", "/dev/pps0 of ")
	in.found.receiver("/dev/ttyS0", 9600, "nmea")
	h.conf.Receiver.Hat = "adafruit"
	want("GPIO4", "/dev/pps0 of /dev/ttyS0", "dcd")
	in.found.opened("/dev/ttyACM0", &antenna{})
	want("GPIO4", "/dev/pps0 of ")
	in.found.receiver("/dev/ttyACM0", 0, "nmea")
	want("GPIO4", "/dev/pps0 of /dev/ttyACM0")
	h.conf.Receiver.Pulse = "/dev/pps7"
	want("/dev/pps7")
	h.conf.Receiver.Pulse = config.Off
	want()
}

// TestBestWay: a pulse that comes on all of them is taken from the best.
func TestBestWay(t *testing.T) {
	board := boards.Board{Pulse: []string{"GPIO18", "GPIO4"}}
	inUse := map[string]error{"GPIO18": errors.New("in use"), "GPIO4": errors.New("in use")}
	for _, c := range []struct {
		name    string
		failed  map[string]error
		pps     []string
		pulses  []string
		want    string
		longest time.Duration
	}{
		{"all", nil, []string{"/dev/pps0"}, []string{"GPIO18", "/dev/pps0", "/dev/ttyS0"}, "GPIO18", 3 * time.Second},
		{"the kernel has it", inUse, []string{"/dev/pps0"}, []string{"/dev/pps0", "/dev/ttyS0"}, "/dev/pps0", 5 * time.Second},
		{"no GPIO pulse", nil, []string{"/dev/pps0"}, []string{"/dev/pps0", "/dev/ttyS0"}, "/dev/pps0", 5 * time.Second},
		{"carrier", nil, nil, []string{"/dev/ttyS0"}, "the carrier detect pin of /dev/ttyS0", 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			onWays(t, config.Default(), board, c.failed, func(t *testing.T, w *wired) {
				w.hear(true)
				w.device(c.pps...)
				time.Sleep(noPulseEvery + time.Second) // noticed by then
				go w.together(60, c.pulses...)
				time.Sleep(c.longest - 500*time.Millisecond)
				if w.on() != c.want {
					t.Errorf("on %q, want %q", w.on(), c.want)
				}
				time.Sleep(50 * time.Second)
				if n := w.counters(); w.on() != c.want || n.PulsesDoubled != 0 || n.Pulses != uint64((c.longest+50*time.Second)/time.Second) {
					t.Errorf("on %q, %+v", w.on(), n)
				}
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// TestCarrierComesAndGoes with the receiver's port.
func TestCarrierComesAndGoes(t *testing.T) {
	for _, way := range []string{config.Auto, config.DCD} {
		conf := config.Default()
		conf.Receiver.Pulse = way
		onWays(t, conf, boards.Board{}, nil, func(t *testing.T, w *wired) {
			time.Sleep(time.Minute)
			notes := strings.Join(w.in.notes.list(), "")
			if w.on() != "" || len(w.names()) != 0 || strings.Contains(notes, "no receiver is heard yet") != (way == config.DCD) {
				t.Errorf("%s: on %q, opened %q, notes %q", way, w.on(), w.names(), notes)
			}
			w.hear(true)
			time.Sleep(noPulseEvery)
			w.lines["/dev/ttyS0"].beat(30)
			if w.on() != "the carrier detect pin of /dev/ttyS0" || w.counters().Pulses != 30 || len(w.in.notes.list()) != 0 {
				t.Errorf("%s: on %q, %+v, notes %q", way, w.on(), w.counters(), w.in.notes.list())
			}
			w.hear(false)
			close(w.lines["/dev/ttyS0"].broken)
			time.Sleep(time.Second)
			if w.on() != "" {
				t.Errorf("%s: the port is closed, and the page says %q", way, w.on())
			}
		})
	}
}

// TestLatenessIsShown for as long as the pulse comes on that line.
func TestLatenessIsShown(t *testing.T) {
	var f found
	f.pulses("GPIO18")
	f.late(pulse.Result{Late: 11.7e-6, Error: 1e-6})
	if s := f.status(config.Receiver{}); s.PulseLate != nil {
		t.Errorf("shown while being measured: %g", *s.PulseLate)
	}
	f.late(pulse.Result{Known: true, Late: 11.7e-6, Error: 1e-6})
	if s := f.status(config.Receiver{}); s.PulseLate == nil || *s.PulseLate != 11.7e-6 || *s.PulseLateError != 1e-6 {
		t.Errorf("got %+v", s)
	}
	f.pulses("GPIO4")
	if s := f.status(config.Receiver{}); s.PulseLate != nil {
		t.Error("shown for another line")
	}
}

// legible is a line that can be read as well, whose edges come at the top of each
// second and are stamped 12 µs late.
type legible struct{ *edges }

func (legible) Now() int64 { return time.Now().UnixNano() }

func (legible) Watch(from, until int64) (pulse.Crossing, bool) {
	time.Sleep(time.Duration(until - time.Now().UnixNano()))
	return pulse.Crossing{At: (until / 1e9) * 1e9, Gap: 1000}, true
}

// TestLatenessIsTakenOut of what the reference gets.
func TestLatenessIsTakenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		line := legible{newEdges("GPIO18")}
		h := hardware{conf: config.Default(), board: boards.Board{Pulse: []string{"GPIO18"}},
			openLine: func(string) (pulse.Edges, error) { line.open.Add(1); return line, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.watch(ctx, b.in) }()
		time.Sleep(500 * time.Millisecond)
		for n := range uint32(1800) {
			time.Sleep(time.Duration(1e9 - time.Now().UnixNano()%1e9))
			at := time.Now().UnixNano()
			time.Sleep(12 * time.Microsecond)
			line.events <- pulse.Event{Mono: at + 12_000, Seq: n + 1}
		}
		s := b.in.found.status(auto)
		if s.PulseLate == nil || *s.PulseLate < 11.5e-6 || *s.PulseLate > 12.5e-6 {
			t.Errorf("late by %v", s.PulseLate)
		}
		if last := b.in.ref.Info(0).LastPulse % 1e9; last > 1000 {
			t.Errorf("the last pulse is stamped %d ns late", last)
		}
		if got := b.log.lines("late, give or take"); len(got) != 1 {
			t.Errorf("the log says %q", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
