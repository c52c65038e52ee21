package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// TestVitals: what a system on trial shows, lack by lack.
func TestVitals(t *testing.T) {
	well := update.Vitals{Serving: "1.2.0", Perm: true, Locked: true, Asked: true, Fix: true}
	for name, c := range map[string]struct {
		after time.Duration // of the start; 0: 20 minutes, in which the reference locks in any case
		lack  lack
		perm  string // empty: a good one
		later func(*world, *station)
		want  func(*update.Vitals)
	}{
		"well":       {want: func(*update.Vitals) {}},
		"no GPS":     {lack: lack{mute: true}, want: func(v *update.Vitals) { v.Fix = false }},
		"alone":      {after: 8 * time.Minute, lack: lack{unlinked: true}, want: func(v *update.Vitals) { v.Asked, v.Locked, v.Locking = false, false, true }},
		"no pulse":   {after: 8 * time.Minute, lack: lack{unlinked: true, pulseless: true}, want: func(v *update.Vitals) { v.Asked, v.Locked = false, false }},
		"no network": {lack: lack{unlinked: true}, want: func(v *update.Vitals) { v.Asked = false }},
		"neither":    {lack: lack{unlinked: true, mute: true}, want: func(v *update.Vitals) { v.Asked, v.Fix, v.Locked = false, false, false }},
		"read-only":  {perm: "/proc/truechimer", want: func(v *update.Vitals) { v.Perm = false }},
		"volatile":   {later: func(_ *world, s *station) { s.platform.volatile = true }, want: func(v *update.Vitals) { v.Perm = false }},
		"no page":    {later: func(w *world, _ *station) { w.pageless.Store(true) }, want: func(v *update.Vitals) { v.Serving = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			if c.perm == "" {
				c.perm = t.TempDir()
			}
			if c.after == 0 {
				c.after = 20 * time.Minute
			}
			p := updatable(t, &platform{station: true, perm: c.perm, bootDevice: card(t, []byte(dayFile))})
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				var got update.Vitals
				w.atEnd = func(s *station) {
					if c.later != nil {
						c.later(w, s)
					}
					got = (&vitals{s: s}).Vitals(t.Context())
				}
				live(t, w, p, c.after)
				want := well
				c.want(&want)
				if want.Up = got.Up; got != want || got.Up < c.after {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
			})
			if _, err := os.Stat(filepath.Join(c.perm, "can-be-written")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what was tried is left: %v", err)
			}
		})
	}
}

// TestUpIsAsLongAsNoPartFailed that a station cannot do without: one that is begun
// anew again and again is not well, though the process goes on. The others may
// fail all the time.
func TestUpIsAsLongAsNoPartFailed(t *testing.T) {
	const hour = time.Hour
	for name, up := range map[string]time.Duration{
		"page": 0, "network": 0, "watchdog": 0, "clock": 0, "monitor": 0, "updater": 0,
		"receiver": hour, "pulse": hour, "link to the host": hour, "list of sockets": hour,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := testStation(t, &platform{}, stopped{})
				ctx, cancel := context.WithCancel(t.Context())
				s.parts.keep(ctx, name, func(context.Context) error { panic("no") })
				time.Sleep(hour) // which is a multiple of the time between failures
				synctest.Wait()
				if got := time.Since(s.steadySince()); got != up {
					t.Errorf("up for %v after an hour, want %v", got, up)
				}
				cancel()
				s.parts.running.Wait()
			})
		})
	}
}

// TestUpBeginsAnew with the last failure.
func TestUpBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStation(t, &platform{}, stopped{})
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		s.parts.keep(ctx, partPage, func(ctx context.Context) error {
			if n++; n < 3 {
				return errors.New("no")
			}
			<-ctx.Done()
			return nil
		})
		time.Sleep(time.Minute)
		if up := time.Since(s.steadySince()); up != time.Minute-again {
			t.Errorf("up for %v, and the last failure was %v ago", up, time.Minute-again)
		}
		cancel()
		s.parts.running.Wait()
	})
}

// TestACardThatHangs takes no file, and holds nobody up; when it answers again it
// is asked again.
func TestACardThatHangs(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "can-be-written.new") // opening it waits for a reader
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	v := &vitals{s: testStation(t, &platform{perm: dir}, stopped{})}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if v.permTakesFiles(ctx) {
			t.Error("a file was written to a card that hangs")
		}
		cancel()
	}
	reader, err := os.OpenFile(pipe, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if v.permTakesFiles(t.Context()) {
		t.Error("a pipe cannot be synced")
	}
	if !v.permTakesFiles(t.Context()) {
		t.Error("it takes files again, and that is not seen")
	}
}

// TestStationClock: only a reference that is sure says what date it is.
func TestStationClock(t *testing.T) {
	s := testStation(t, &platform{build: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, stopped{})
	before := time.Now()
	if now, synced := (stationClock{s}).Now(); synced || now.Before(before) {
		t.Errorf("of nothing: %v, %v", now, synced)
	}
	if at := (stationClock{s}).likely(); !at.Equal(s.platform.build) {
		t.Errorf("%v is before the image was built", at)
	}
	ref, mono := lived(30)
	s.ref, s.kernel = ref, stopped{mono: mono}
	now, synced := stationClock{s}.Now()
	if want := time.Date(2026, 3, 4, 5, 6, 36, 700e6, time.UTC); !synced || now.Sub(want).Abs() > time.Millisecond {
		t.Errorf("locked: %v, %v", now, synced)
	}
	ref.AddFix(gpspps.Fix{Mono: mono, Time: time.Date(2026, 3, 4, 5, 6, 36, 0, time.UTC), NoFix: true})
	if _, synced := (stationClock{s}).Now(); !synced {
		t.Error("in holdover the date is not known")
	}
	s.kernel = stopped{err: errors.New("no clock")}
	if _, synced := (stationClock{s}).Now(); synced {
		t.Error("a clock that cannot be read is taken for one that was set")
	}
}

// TestAnsweredByAServer: silence and refusals are no answer.
func TestAnsweredByAServer(t *testing.T) {
	s := testStation(t, &platform{}, stopped{})
	x := exchange()
	x.Outcome = monitor.OutcomeSendError
	if s.Put(x, monitor.Result{}); s.answered.Load() {
		t.Error("a request that could not be sent was answered")
	}
	if s.Put(exchange(), monitor.Result{}); !s.answered.Load() {
		t.Error("an answer was not noticed")
	}
}
