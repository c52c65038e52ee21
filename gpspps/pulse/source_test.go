package pulse

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

// ticks is a monotonic clock that advances a millisecond whenever it is read.
func ticks() func() int64 {
	var t int64
	return func() int64 { t += int64(time.Millisecond); return t }
}

func TestStampedPin(t *testing.T) {
	fake := &gpiotest.Pin{N: "FAKE", Num: 7, EdgesChan: make(chan gpio.Level, 4)}
	mono := int64(1_000_000_000)
	p, err := Stamped(fake, func() int64 { return mono })
	if err != nil {
		t.Fatal(err)
	}
	fake.EdgesChan <- gpio.High
	if e, ok := p.WaitForEdgeAt(-5); !ok || e != (Event{Mono: mono}) {
		t.Fatalf("got %+v, %v, want the clock's reading and no number", e, ok)
	}
	mono += 1_000_000_123
	fake.EdgesChan <- gpio.High
	pulse, err := NewSource(p).Read(t.Context())
	if err != nil || pulse.Mono != 2_000_000_123 || pulse.Seq != 0 {
		t.Fatalf("got %+v, %v", pulse, err)
	}
	if p.Name() != "FAKE" || p.Number() != 7 {
		t.Errorf("the pin is called %s (%d)", p.Name(), p.Number())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	fake.EdgesChan <- gpio.High
	if _, err := NewSource(p).Read(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("reading a closed pin: %v", err)
	}
}

func TestStampedNeedsEdges(t *testing.T) {
	_, err := Stamped(&gpiotest.Pin{N: "NOEDGE"}, ticks())
	if err == nil || !strings.Contains(err.Error(), "NOEDGE") {
		t.Fatalf("got %v, want an error that names the pin", err)
	}
}

// hasty is a pin whose driver cannot wait.
type hasty struct{ gpiotest.Pin }

func (*hasty) WaitForEdge(time.Duration) bool { return false }

func TestStampedPinThatCannotWait(t *testing.T) {
	p, err := Stamped(&hasty{gpiotest.Pin{N: "HASTY", EdgesChan: make(chan gpio.Level)}}, ticks())
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewSource(p).Read(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HASTY") || !strings.Contains(err.Error(), "16 times") {
		t.Fatalf("got %v, want the pin given up by name", err)
	}
}

// scripted is a pin that hands out what it was given, then ends.
type scripted struct {
	gpiotest.Pin
	seq []uint32
	end error
}

func (s *scripted) WaitForEdgeAt(time.Duration) (Event, bool) {
	if len(s.seq) == 0 {
		return Event{}, false
	}
	e := Event{Mono: int64(s.seq[0]) * 1e9, Seq: s.seq[0]}
	s.seq = s.seq[1:]
	return e, true
}

func (s *scripted) Err() error {
	if len(s.seq) > 0 {
		return nil
	}
	return s.end
}

func (s *scripted) Close() error { return nil }

func TestSourceCountsLostEdges(t *testing.T) {
	gone := errors.New("gone")
	for _, c := range []struct {
		name string
		seq  []uint32
		lost uint64
	}{
		{"none", []uint32{1, 2, 3}, 0},
		{"one gap of two", []uint32{1, 4, 5}, 2},
		{"started late", []uint32{9, 10}, 0},
		{"across the wrap", []uint32{1<<32 - 2, 1<<32 - 1, 1, 2}, 1},
		{"set up anew", []uint32{7, 8, 1, 2, 4}, 1},
		{"the same twice", []uint32{7, 7, 8}, 0},
		{"not counted", []uint32{0, 0, 0}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := NewSource(&scripted{Pin: gpiotest.Pin{N: "S"}, seq: c.seq, end: gone})
			for _, want := range c.seq {
				p, err := s.Read(t.Context())
				if err != nil || p.Seq != want || p.Mono != int64(want)*1e9 {
					t.Fatalf("got %+v, %v, want number %d", p, err, want)
				}
			}
			if _, err := s.Read(t.Context()); !errors.Is(err, gone) {
				t.Errorf("at the end: %v", err)
			}
			if got := s.Lost(); got != c.lost {
				t.Errorf("%d lost, want %d", got, c.lost)
			}
		})
	}
}

func TestSourceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := Stamped(&gpiotest.Pin{N: "QUIET", EdgesChan: make(chan gpio.Level)}, ticks())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSource(p).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
