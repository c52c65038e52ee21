package main

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/gpspps"
)

// taiClock is a PTP clock of a world, on TAI. It fails between two instants.
type taiClock struct {
	w          *world
	fails, end time.Duration
	open       *int
}

func (c taiClock) Name() string { return "of a test" }
func (c taiClock) Close() error { *c.open--; return nil }
func (c taiClock) Read() (mono, at int64, half float64, err error) {
	if d := time.Since(c.w.begun); d >= c.fails && d < c.end {
		return 0, 0, 0, errors.New("no such device")
	}
	return c.w.mono(), c.w.true().Add(37 * time.Second).UnixNano(), 2e-6, nil
}

// TestPTP: the time is taken from a clock that comes late, goes and comes back.
func TestPTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, open := newWorld(lack{}), 0
		var j journal
		s := newStation(&platform{build: oldestDate}, config.Default(), w, w, nil, j.log())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.readPTP(ctx, config.PTP{Device: "/dev/ptp0", Bound: 1e-4, Ahead: 37 * time.Second}, func(path string) (ptpClock, error) {
				if time.Since(w.begun) < time.Minute {
					return nil, errors.New("not there")
				}
				open++
				return taiClock{w, 30 * time.Minute, 40 * time.Minute, &open}, nil
			})
		}()
		for _, c := range []struct {
			at     time.Duration
			state  gpspps.State
			notice string
		}{
			{50 * time.Second, gpspps.StateCold, "The PTP clock cannot be read: not there."},
			{20 * time.Minute, gpspps.StateLocked, ""},
			{39 * time.Minute, gpspps.StateHoldover, "The PTP clock cannot be read: no such device."},
			{50 * time.Minute, gpspps.StateLocked, ""},
		} {
			time.Sleep(c.at - time.Since(w.begun))
			synctest.Wait()
			s.ref.Tick(w.mono())
			r := s.ref.At(w.mono(), "")
			if r.State != c.state || strings.Join(s.notes.list(), "|") != c.notice {
				t.Errorf("after %v: %+v, notices %q", c.at, r, s.notes.list())
			}
			if off := float64(r.True-w.true().UnixNano()) * 1e-9; c.state == gpspps.StateLocked && (r.Source != gpspps.SourcePTP || math.Abs(off) > r.Bound || r.Bound > 110e-6) {
				t.Errorf("after %v: %+v, %g s off", c.at, r, off)
			}
		}
		cancel()
		if err := <-done; err != nil || open != 0 {
			t.Errorf("%v, %d clocks are open", err, open)
		}
	})
}
