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
	"github.com/truechimer/truechimer/gpspps/pulse"
)

// edges is a pulse line in virtual time that breaks when told.
type edges struct {
	gpiotest.Pin
	seq    uint32
	events chan pulse.Event
	broken chan struct{}
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

func (*edges) Close() error { return nil }
func (*edges) Halt() error  { return nil }

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
		h := hardware{conf: config.Default(), board: boards.Board{Pulse: []string{"GPIO18", "GPIO4"}}, openLine: func(name string) (pulse.Pin, error) {
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
