package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

func TestTrialLimit(t *testing.T) {
	for cmdline, want := range map[string]time.Duration{
		"ro truechimer.slot=b":            trialTime,
		"truechimer.trial=90s ro":         90 * time.Second,
		"truechimer.trial=1ms":            trialLeast,
		"truechimer.trial=1000h":          trialMost,
		"truechimer.trial=-5m":            trialLeast,
		"truechimer.trial=soon":           trialTime,
		"truechimer.trial=":               trialTime,
		"truechimer.trials=90s":           trialTime,
		"truechimer.trial=99999999999999": trialTime,
	} {
		if got := trialLimit(cmdline); got != want {
			t.Errorf("%q: %v, want %v", cmdline, got, want)
		}
	}
}

// control is a loader's state that a test sets.
type control struct {
	bootctl.Control
	mu    sync.Mutex
	state bootctl.State
	err   error
	asked int
}

func (c *control) Current() (bootctl.State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.state, c.err
}

func TestTrial(t *testing.T) {
	trying := bootctl.State{Running: bootfs.SlotB, Committed: bootfs.SlotA, Trial: true}
	committed := bootctl.State{Running: bootfs.SlotB, Committed: bootfs.SlotB}
	for _, tt := range []struct {
		name        string
		first, last bootctl.State
		firstErr    error
		lastErr     error
		asked       int
		restarts    int
	}{
		{"no trial", committed, committed, nil, nil, 1, 0},
		{"never committed", trying, trying, nil, nil, 2, 1},
		{"committed in time", trying, committed, nil, nil, 2, 0},
		{"the card does not answer at first", trying, trying, errors.New("EIO"), nil, 1, 0},
		{"the card does not answer in the end", trying, committed, nil, errors.New("EIO"), 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &control{state: tt.first, err: tt.firstErr}
				var restarts atomic.Int32
				begun := time.Now()
				tr := &trial{c, trialTime, time.Sleep, func() {
					restarts.Add(1)
					if d := time.Since(begun); d != trialTime {
						t.Errorf("restarted after %v", d)
					}
				}}
				tr.begin()
				time.Sleep(trialTime - time.Second)
				synctest.Wait()
				if restarts.Load() != 0 {
					t.Error("restarted early")
				}
				c.mu.Lock()
				c.state, c.err = tt.last, tt.lastErr
				c.mu.Unlock()
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := int(restarts.Load()); got != tt.restarts || c.asked != tt.asked {
					t.Errorf("%d restarts, want %d; asked %d times, want %d", got, tt.restarts, c.asked, tt.asked)
				}
			})
		})
	}
}

func TestBootControlRefuses(t *testing.T) {
	for _, tt := range []struct{ board, slot string }{{"toaster", "a"}, {"rpi", "a"}} {
		if _, err := (&stationDisk{}).bootControl(tt.board, tt.slot); err == nil {
			t.Errorf("%+v: there is none", tt)
		}
	}
}

func TestRescued(t *testing.T) {
	for cmdline, want := range map[string]bool{
		"ro truechimer.slot=b truechimer.rescue=1": true, "ro truechimer.slot=b": false, "truechimer.rescue=0": false, "xtruechimer.rescue=1": false,
	} {
		if got := rescued(cmdline); got != want {
			t.Errorf("%q: %v", cmdline, got)
		}
	}
}
