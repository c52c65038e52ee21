package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps/gpstest"
)

// socket is a port with a receiver that listens on its other end, in virtual time.
type socket struct {
	device   *gpstest.Device
	begun    time.Time
	deadline time.Time
	writes   atomic.Int32
	stuck    bool
	gone     atomic.Bool
	closed   atomic.Bool
}

func newSocket(m gpstest.Model, baud int) *socket {
	return &socket{device: gpstest.NewDevice(m, baud, epoch), begun: time.Now()}
}

func (s *socket) now() time.Time { return epoch.Add(time.Since(s.begun)) }
func (s *socket) mono() int64    { return 1e12 + int64(time.Since(s.begun)) }

func (s *socket) ReadStamped(b []byte) (int, int64, error) {
	for {
		if s.gone.Load() || s.closed.Load() {
			return 0, s.mono(), errors.New("read gps: the line has hung up")
		}
		if out := s.device.Read(s.now()); len(out) > 0 {
			n := copy(b, out)
			return n, s.mono() - int64(n)*int64(s.ByteTime()), nil
		}
		if !time.Now().Before(s.deadline) {
			return 0, s.mono(), os.ErrDeadlineExceeded
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *socket) Write(b []byte) (int, error) {
	s.writes.Add(1)
	if s.stuck {
		time.Sleep(writing)
		return 0, fmt.Errorf("write gps: %w", os.ErrDeadlineExceeded)
	}
	s.device.Write(b, s.now())
	return len(b), nil
}

func (s *socket) SetReadDeadline(t time.Time) error { s.deadline = t; return nil }
func (*socket) SetWriteDeadline(time.Time) error    { return nil }
func (s *socket) ByteTime() time.Duration {
	if s.device.Baud == 0 {
		return 0
	}
	return 10 * time.Second / time.Duration(s.device.Baud)
}
func (s *socket) Close() error { s.closed.Store(true); return nil }

// tuned has a station listen to a receiver that listens.
func tuned(t *testing.T, s func() *socket, set func(*config.Receiver), try func(b *bench, s *socket)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(), s()
		conf, board := receiverOn([]string{"gps"}, "")
		conf.Receiver.Baud = s.device.Baud
		if set != nil {
			set(&conf.Receiver)
		}
		ctx, cancel := context.WithCancel(t.Context())
		h := hardware{conf: conf, board: board, openPort: func(string, int) (port, error) {
			if s.gone.Load() {
				return nil, errors.New("open gps: no such file")
			}
			s.closed.Store(false)
			return s, nil
		}}
		done := make(chan error, 1)
		go func() { done <- h.listen(ctx, b.in) }()
		try(b, s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func setup(b *bench) (model, setup string) {
	r := b.in.found.status(auto)
	if r.Model != nil {
		model = *r.Model
	}
	if r.Setup != nil {
		setup = *r.Setup
	}
	return model, setup
}

// TestReceiverIsConfigured: also one whose bursts run into each other as it
// comes, and one that sends no sentence.
func TestReceiverIsConfigured(t *testing.T) {
	mute := gpstest.NeoM9N // its sentences were turned off, and kept so
	mute.Usual, mute.Usually = "", []byte{0x01, 0x07}
	for _, c := range []struct {
		model gpstest.Model
		baud  int
		name  string
		cable int64 // what is left to take off
	}{
		{gpstest.NeoM9N, 9600, "u-blox NEO-M9N (SPG 4.04)", 0},
		{gpstest.NeoM8N, 9600, "u-blox NEO-M8N-0 (SPG 3.01)", 0},
		{gpstest.MT3339, 9600, "MediaTek PA6H (AXN_2.31_3339_13101700)", 60},
		{gpstest.LC29H, 115200, "Quectel LC29HAANR11A05S", 60},
		{mute, 38400, "u-blox NEO-M9N (SPG 4.04)", 0},
	} {
		tuned(t, func() *socket { return newSocket(c.model, c.baud) }, func(r *config.Receiver) { r.CableDelay = 60 }, func(b *bench, s *socket) {
			time.Sleep(time.Second)
			if b.in.cable.Load() != 60 {
				t.Errorf("%s: at first %d ns of cable", c.name, b.in.cable.Load())
			}
			took := until(time.Minute, func() bool { _, s := setup(b); return s == "done" })
			if model, setup := setup(b); model != c.name || setup != "done" || b.in.cable.Load() != c.cable {
				t.Errorf("%q, %q, %d ns of cable left", model, setup, b.in.cable.Load())
			}
			time.Sleep(10 * time.Second)
			before := b.counters()
			time.Sleep(100 * time.Second)
			now := b.counters()
			if n := now.Fixes - before.Fixes; n < 99 || n > 101 || now.FixesInvalid != before.FixesInvalid || len(b.in.notes.list()) != 0 {
				t.Errorf("%s: %d fixes in 100 s, %+v, notes %q", c.name, n, now, b.in.notes.list())
			}
			if len(b.log.lines(c.name+" on gps is configured")) != 1 || len(s.device.Forbidden()) != 0 {
				t.Errorf("log %q, told to %q", b.log.lines(""), s.device.Forbidden())
			}
			t.Logf("%s: after %v, fixes meanwhile %+v", c.name, took, before)
		})
	}
}

// TestReceiverDoesNotAgree, or does not answer, or cannot be told: it is read
// as before.
func TestReceiverDoesNotAgree(t *testing.T) {
	fixes := func(b *bench, what string) {
		before := b.counters()
		time.Sleep(100 * time.Second)
		if n := b.counters().Fixes - before.Fixes; n < 98 {
			t.Errorf("%s: %d fixes in 100 s", what, n)
		}
	}
	tuned(t, func() *socket { return newSocket(gpstest.Refusing, 38400) }, nil, func(b *bench, s *socket) {
		time.Sleep(time.Minute)
		want := "The receiver on gps, u-blox NEO-M8N-0 (SPG 3.01), does not agree to this, and keeps its own settings for it: to send only what is read; one fix a second; a pulse only while it is locked; an antenna that stands still."
		if got := b.in.notes.list(); len(got) != 1 || got[0] != want {
			t.Errorf("notes %q", got)
		}
		fixes(b, "refuses")
		s.gone.Store(true)
		time.Sleep(time.Second)
		if got := strings.Join(b.in.notes.list(), ""); strings.Contains(got, "agree") {
			t.Errorf("unplugged: notes %q", got)
		}
	})
	tuned(t, func() *socket { return newSocket(gpstest.NoAnswer, 38400) }, nil, func(b *bench, s *socket) {
		time.Sleep(time.Minute)
		if model, setup := setup(b); model != "" || setup != "unanswered" || len(b.in.notes.list()) != 0 || len(b.log.lines("does not answer")) != 1 || s.writes.Load() != 8 {
			t.Errorf("mute: %q, %q, notes %q, %d messages", model, setup, b.in.notes.list(), s.writes.Load())
		}
		fixes(b, "mute")
	})
	tuned(t, func() *socket { s := newSocket(gpstest.NeoM8N, 38400); s.stuck = true; return s }, nil, func(b *bench, s *socket) {
		time.Sleep(time.Minute)
		got := strings.Join(b.in.notes.list(), "|")
		if !strings.HasPrefix(got, "The receiver on gps cannot be told what the station needs of it, and works with its own settings: write gps: i/o timeout") || s.writes.Load() != 1 {
			t.Errorf("stuck: notes %q, %d writes", got, s.writes.Load())
		}
		fixes(b, "stuck")
	})
	tuned(t, func() *socket { return newSocket(gpstest.NeoM8N, 38400) }, func(r *config.Receiver) { r.Configure = false }, func(b *bench, s *socket) {
		time.Sleep(time.Minute)
		if model, setup := setup(b); s.writes.Load() != 0 || model != "" || setup != "" {
			t.Errorf("not wanted: %d messages, %q, %q", s.writes.Load(), model, setup)
		}
		fixes(b, "not wanted")
	})
}
