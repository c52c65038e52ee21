package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

// TestCardsThatDoNotStamp: people are told, and that it is over.
func TestCardsThatDoNotStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		var j journal
		s := newStation(&platform{build: oldestDate}, config.Default(), w, w, nil, j.log())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.watchCards(ctx, func() []string {
				switch d := time.Since(w.begun); {
				case d < time.Minute:
					return []string{"no time stamps of eth0: it has no clock", "no time stamps of eth1: there is no such interface"}
				case d < 2*time.Minute:
					return []string{"no time stamps of eth1: there is no such interface"}
				}
				return nil
			})
		}()
		for at, want := range []string{
			"There are no time stamps of eth0: it has no clock; and no time stamps of eth1: there is no such interface. The kernel's serve.",
			"There are no time stamps of eth1: there is no such interface. The kernel's serve.",
			"",
		} {
			time.Sleep(time.Duration(at)*time.Minute + 30*time.Second - time.Since(w.begun))
			synctest.Wait()
			if got := strings.Join(s.notes.list(), "|"); got != want {
				t.Errorf("in minute %d: %q", at, got)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
