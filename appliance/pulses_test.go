package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// edges is a pulse line in virtual time that breaks when told.
type edges struct {
	gpiotest.Pin
	seq    uint32
	events chan pulse.Event
	broken chan struct{}
	open   atomic.Int32
}

func newEdges(name string) *edges {
	return &edges{Pin: gpiotest.Pin{N: name}, events: make(chan pulse.Event, 10), broken: make(chan struct{})}
}

func (e *edges) WaitForEdgeAt(timeout time.Duration) (pulse.Event, bool) {
	select {
	case x := <-e.events:
		return x, true
	case <-e.broken:
	case <-time.After(timeout):
	}
	return pulse.Event{}, false
}

func (e *edges) Err() error {
	select {
	case <-e.broken:
		return errors.New("no such device")
	default:
		return nil
	}
}

func (e *edges) Close() error { e.open.Add(-1); return nil }
func (*edges) Halt() error    { return nil }

// beat gives an edge at the top of some seconds, of which each numbered in lost
// comes and is not read.
func (e *edges) beat(seconds int, lost ...int) {
	for n := range seconds {
		e.seq++
		if !slices.Contains(lost, n) {
			e.events <- pulse.Event{Mono: time.Now().UnixNano(), Seq: e.seq}
		}
		time.Sleep(time.Second)
	}
}

func TestPulseLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		ctx, cancel := context.WithCancel(t.Context())
		line := newEdges("GPIO4")
		var there atomic.Pointer[edges]
		there.Store(line)
		h := hardware{conf: config.Default(), board: boards.Board{Pulse: []string{"GPIO18", "GPIO4"}}, openLine: func(name string) (pulse.Edges, error) {
			b.note(name)
			if l := there.Load(); name != "GPIO18" && l != nil {
				return l, nil
			}
			return nil, errors.New("pulse: no line " + name)
		}}
		done := make(chan error, 1)
		go func() { done <- h.watch(ctx, b.in) }()
		line.beat(20, 7, 12, 13)
		if c := b.counters(); c.Pulses != 17 || b.in.tally.edges.Load() != 3 {
			t.Errorf("%+v, %d lost", c, b.in.tally.edges.Load())
		}
		if got := b.names(); !slices.Equal(got, []string{"GPIO18", "GPIO4"}) || len(b.in.notes.list()) != 0 {
			t.Errorf("opened %q, notes %q", got, b.in.notes.list())
		}
		there.Store(nil)
		close(line.broken)
		time.Sleep(time.Minute)
		if got := strings.Join(b.in.notes.list(), ""); got != "No pulse line can be used: pulse: no line GPIO18; pulse: no line GPIO4." {
			t.Errorf("notes %q", got)
		}
		line = newEdges("GPIO4")
		there.Store(line)
		time.Sleep(again)
		line.beat(5)
		if c := b.counters(); c.Pulses != 22 || b.in.tally.edges.Load() != 3 || len(b.in.notes.list()) != 0 {
			t.Errorf("%+v, %d lost, notes %q", c, b.in.tally.edges.Load(), b.in.notes.list())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// lines are GPIO18 and GPIO4 of a station that looks for its pulse.
func lines(t *testing.T, names []string, try func(b *bench, line map[string]*edges)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		ctx, cancel := context.WithCancel(t.Context())
		line := map[string]*edges{"GPIO18": newEdges("GPIO18"), "GPIO4": newEdges("GPIO4")}
		h := hardware{conf: config.Default(), board: boards.Board{Pulse: names}, openLine: func(name string) (pulse.Edges, error) {
			b.note(name)
			line[name].open.Add(1)
			return line[name], nil
		}}
		done := make(chan error, 1)
		go func() { done <- h.watch(ctx, b.in) }()
		synctest.Wait()
		try(b, line)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for name, l := range line {
			if n := l.open.Load(); n != 0 {
				t.Errorf("%s is open %d times at the end", name, n)
			}
		}
	})
}

// on is the line that the page names.
func (b *bench) on() string {
	if p := b.in.found.status(auto).Pulse; p != nil {
		return *p
	}
	return ""
}

// TestPulseIsFound on the second line; the first one then is left alone.
func TestPulseIsFound(t *testing.T) {
	for _, name := range []string{"GPIO18", "GPIO4"} {
		lines(t, []string{"GPIO18", "GPIO4"}, func(b *bench, line map[string]*edges) {
			time.Sleep(10 * time.Minute)
			if len(b.names()) != 2 || b.on() != "" {
				t.Errorf("silent: opened %q, on %q", b.names(), b.on())
			}
			line[name].beat(30)
			if c := b.counters(); c.Pulses != 30 || b.on() != name || b.in.tally.edges.Load() != 0 {
				t.Errorf("%s: %+v, on %q", name, c, b.on())
			}
			for other, l := range line {
				if want := map[bool]int32{true: 1, false: 0}[other == name]; l.open.Load() != want {
					t.Errorf("%s is open %d times while pulses come on %s", other, l.open.Load(), name)
				}
			}
		})
	}
}

// TestPulseMoves to the other line: found a minute later, and again.
func TestPulseMoves(t *testing.T) {
	lines(t, []string{"GPIO18", "GPIO4"}, func(b *bench, line map[string]*edges) {
		line["GPIO18"].beat(30)
		go line["GPIO4"].beat(90) // is not listened to yet
		time.Sleep(lineSilent - 2*time.Second)
		if b.on() != "GPIO18" {
			t.Errorf("moved too soon, to %q", b.on())
		}
		time.Sleep(10 * time.Second)
		if b.on() != "GPIO4" {
			t.Errorf("pulses come on GPIO4, the page says %q; opened %q", b.on(), b.names())
		}
		time.Sleep(30 * time.Second)
		line["GPIO18"].beat(1)
		time.Sleep(2 * lineSilent)
		if b.on() != "" {
			t.Errorf("silent, and the page says %q", b.on())
		}
		line["GPIO18"].beat(5)
		if b.on() != "GPIO18" {
			t.Errorf("back on GPIO18, the page says %q", b.on())
		}
	})
}

// TestOtherLineIsNoisy: an open pin picks up the mains, or a bus talks on it.
func TestOtherLineIsNoisy(t *testing.T) {
	for _, apart := range []time.Duration{10 * time.Millisecond, 130 * time.Millisecond, 3700 * time.Millisecond} {
		lines(t, []string{"GPIO18", "GPIO4"}, func(b *bench, line map[string]*edges) {
			noisy := line["GPIO18"]
			stop := make(chan struct{})
			go func() {
				for n := uint32(1); ; n++ {
					select {
					case noisy.events <- pulse.Event{Mono: time.Now().UnixNano(), Seq: n}:
					case <-stop:
						return
					default: // the kernel keeps no more
					}
					select {
					case <-stop:
						return
					case <-time.After(apart):
					}
				}
			}()
			time.Sleep(30*time.Second + time.Millisecond)
			before := b.counters().Pulses
			line["GPIO4"].beat(60)
			if b.on() != "GPIO4" || b.counters().Pulses-before < 60 || b.counters().Pulses-before > 63 || before > 31 {
				t.Errorf("%v apart: on %q, %d edges before, then %+v", apart, b.on(), before, b.counters())
			}
			close(stop)
		})
	}
}

// TestDoubledPulseFromTheStart is for the reference to see, not to be hidden.
func TestDoubledPulseFromTheStart(t *testing.T) {
	lines(t, []string{"GPIO18", "GPIO4"}, func(b *bench, line map[string]*edges) {
		for n := range uint32(20) {
			now := time.Now().UnixNano()
			line["GPIO4"].events <- pulse.Event{Mono: now, Seq: 2*n + 1}
			line["GPIO4"].events <- pulse.Event{Mono: now + 300e6, Seq: 2*n + 2}
			time.Sleep(time.Second)
		}
		if c := b.counters(); b.on() != "GPIO4" || c.Pulses != 40 || c.PulsesDoubled < 18 {
			t.Errorf("on %q, %+v", b.on(), c)
		}
	})
}

// TestPulseIsMissed where there is a fix, and only there.
func TestPulseIsMissed(t *testing.T) {
	lines(t, []string{"GPIO18", "GPIO4"}, func(b *bench, line map[string]*edges) {
		second := 0
		fixes := func(n int, valid bool) {
			for range n {
				second++
				b.in.ref.AddFix(gpspps.Fix{Time: epoch.Add(time.Duration(second) * time.Second), Mono: int64(second) * 1e9, Valid: valid})
				time.Sleep(time.Second)
			}
		}
		fixes(300, false)
		fixes(50, true)
		if n := b.in.notes.list(); len(n) != 0 {
			t.Errorf("too early: %q", n)
		}
		fixes(30, true)
		if n := strings.Join(b.in.notes.list(), ""); !strings.Contains(n, "no pulse comes in on GPIO18 or GPIO4") {
			t.Errorf("notes %q", n)
		}
		line["GPIO4"].beat(5)
		if n := b.in.notes.list(); len(n) != 0 {
			t.Errorf("with a pulse: %q", n)
		}
	})
}
