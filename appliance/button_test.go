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

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/led"
	"github.com/truechimer/truechimer/boards"
)

// buttonLine is that of a button.
type buttonLine struct {
	*gpiotest.Pin
	closed atomic.Int32
}

func (w *buttonLine) Err() error   { return nil }
func (w *buttonLine) Close() error { w.closed.Add(1); return nil }

func newButtonLine(l gpio.Level) *buttonLine {
	return &buttonLine{Pin: &gpiotest.Pin{N: "GPIO5", L: l, EdgesChan: make(chan gpio.Level, 16)}}
}

func (w *buttonLine) set(l gpio.Level) {
	w.Out(l)
	select {
	case w.EdgesChan <- l:
	default:
	}
}

// withButton is a station with a button, and with all that it keeps.
func withButton(t *testing.T, name string) (*station, string) {
	t.Helper()
	dir := livedIn(t)
	s := testStation(t, &platform{settings: dir, build: oldestDate}, stopped{})
	if name != "" {
		if err := s.settings.Put("a button", func(c *config.Config) error { c.ResetButton = name; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return s, dir
}

// lineOf says where some names are.
func lineOf(name string) (string, error) {
	if at, ok := map[string]string{"GPIO5": "5 of 0", "gpiochip0:5": "5 of 0", "GPIO18": "18 of 0", "GPIO4": "4 of 0"}[name]; ok {
		return at, nil
	}
	return "", errors.New("no GPIO line is called " + name)
}

// TestButton: who holds it is shown that it counts, and the station is reset when it is
// let go; a chip that is there late is waited for.
func TestButton(t *testing.T) {
	s, dir := withButton(t, "GPIO5")
	synctest.Test(t, func(t *testing.T) {
		w := newButtonLine(gpio.High)
		s.anew = make(chan struct{}, 1)
		begun := time.Now()
		done := make(chan error, 1)
		go func() {
			done <- s.watchButton(t.Context(), []string{"GPIO18", "GPIO27"}, func(string) (pin, error) {
				if time.Since(begun) < time.Minute {
					return nil, errors.New("there is no gpiochip0")
				}
				return w, nil
			}, lineOf)
		}()
		time.Sleep(30 * time.Second)
		if n := s.notes.list(); !slices.ContainsFunc(n, func(n string) bool { return strings.Contains(n, "there is no gpiochip0") }) {
			t.Errorf("notices %q", n)
		}
		time.Sleep(time.Minute)
		if n := s.notes.list(); len(n) != 1 {
			t.Errorf("notices %q", n)
		}
		if p := s.pattern(); p == led.Held {
			t.Error("held already")
		}
		w.set(gpio.Low)
		time.Sleep(5 * time.Second)
		if p := s.pattern(); p != led.Held {
			t.Errorf("while it counts: %s", p)
		}
		time.Sleep(7 * time.Second)
		if p := s.pattern(); p != led.LetGo {
			t.Errorf("when it is to be let go: %s", p)
		}
		if r, err := readResetFile(dir); err != nil || r.Pending {
			t.Errorf("reset before it was let go: %+v, %v", r, err)
		}
		w.set(gpio.High)
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-s.anew
		if r, err := readResetFile(dir); err != nil || !r.Pending || w.closed.Load() != 1 {
			t.Errorf("%+v, %v, closed %d times", r, err, w.closed.Load())
		}
	})
}

// TestButtonStuck: a short circuit is told of, and has the station forget nothing.
func TestButtonStuck(t *testing.T) {
	s, dir := withButton(t, "GPIO5")
	synctest.Test(t, func(t *testing.T) {
		w := newButtonLine(gpio.Low)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.watchButton(ctx, nil, func(string) (pin, error) { return w, nil }, lineOf) }()
		time.Sleep(time.Hour)
		if n := s.notes.list(); !slices.ContainsFunc(n, func(n string) bool { return strings.Contains(n, "short circuit") }) {
			t.Errorf("notices %q", n)
		}
		if p := s.pattern(); p == led.Held || p == led.LetGo {
			t.Errorf("it shows %s", p)
		}
		w.set(gpio.High)
		time.Sleep(time.Minute)
		if n := s.notes.list(); len(n) != 1 {
			t.Errorf("when it is over: %q", n)
		}
		cancel()
		if err := <-done; err != nil || w.closed.Load() != 1 {
			t.Errorf("%v, closed %d times", err, w.closed.Load())
		}
	})
	if r, err := readResetFile(dir); err != nil || r.Pending {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestButtonOnThePulse: the pulse's line, under whatever name, is never read as a button.
func TestButtonOnThePulse(t *testing.T) {
	for _, c := range []struct{ button, taken, want string }{
		{"GPIO5", "gpiochip0:5", "a pulse is looked for on GPIO5, which is gpiochip0:5"},
		{"gpiochip0:5", "GPIO5", "a pulse is looked for on gpiochip0:5, which is GPIO5"},
		{"GPIO18", "GPIO18", "a pulse is looked for on GPIO18"},
		{"GPIO99", "GPIO18", "no GPIO line is called GPIO99"},
	} {
		s, _ := withButton(t, c.button)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := s.watchButton(ctx, []string{"GPIO77", c.taken}, func(string) (pin, error) {
				t.Errorf("%s was opened", c.button)
				return nil, errors.New("opened")
			}, lineOf)
			if n := strings.Join(s.notes.list(), "|"); err != nil || !strings.Contains(n, c.want) {
				t.Errorf("%s: %v, notices %q", c.button, err, n)
			}
		})
	}
	s, _ := withButton(t, "")
	if err := s.watchButton(t.Context(), nil, nil, nil); err != nil {
		t.Error(err)
	}
}

// TestPulseLines: a board's lines for a pulse are not for buttons, but where there is no
// pulse, or another line was named for it alone.
func TestPulseLines(t *testing.T) {
	for pps, want := range map[string]string{"auto": "GPIO18 GPIO4", "off": "", "GPIO27": "GPIO27 GPIO18 GPIO4", "/dev/pps0": "GPIO18 GPIO4", "dcd": "GPIO18 GPIO4"} {
		conf := config.Default()
		conf.Receiver.Pulse = pps
		if got := strings.Join(newHardware(conf, boards.RaspberryPi).pulseLines(), " "); got != want {
			t.Errorf("%s: %q, want %q", pps, got, want)
		}
	}
}
