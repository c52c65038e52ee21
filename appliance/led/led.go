// Package led shows on one of a board's LEDs how a station is, for people who stand
// before it:
//
//	locked     on
//	acquiring  blinks slowly: one second on, one off
//	holdover   two short blinks, and a pause
//	fault      blinks fast, twice a second
//	updating   long and short, by turns
//
// and, while somebody holds the button for a factory reset,
//
//	held       a short blink a second
//	let go     three short blinks, and a pause
//
// The LED is one of Linux's LED class (Documentation/leds/leds-class.rst): a
// directory with the files trigger and brightness.
package led

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Pattern is what the LED shows.
type Pattern string

// The patterns.
const (
	Locked    Pattern = "locked"
	Acquiring Pattern = "acquiring"
	Holdover  Pattern = "holdover"
	Fault     Pattern = "fault"
	Updating  Pattern = "updating"
	Held      Pattern = "held"
	LetGo     Pattern = "let go"
)

// step is how long the LED is on or off.
type step struct {
	on    bool
	lasts time.Duration
}

const (
	// blink is the shortest that people count, pause what ends a group, and steady
	// how often what is steady asks whether it still is.
	blink  = 250 * time.Millisecond
	pause  = 1250 * time.Millisecond
	steady = time.Second
)

var patterns = map[Pattern][]step{
	Locked:    {{true, steady}},
	Acquiring: {{true, time.Second}, {false, time.Second}},
	Holdover:  {{true, blink}, {false, blink}, {true, blink}, {false, pause}},
	Fault:     {{true, blink}, {false, blink}},
	Updating:  {{true, time.Second}, {false, blink}, {true, blink}, {false, blink}},
	Held:      {{true, blink}, {false, time.Second - blink}},
	LetGo:     {{true, blink}, {false, blink}, {true, blink}, {false, blink}, {true, blink}, {false, pause}},
}

// Dir is where Linux has its LEDs.
const Dir = "/sys/class/leds"

// Options are what Run needs.
type Options struct {
	Dir, Name string // the LED's directory is Dir/Name
	// Pattern is asked at the end of each step, four times a second at the most.
	Pattern func() Pattern
	// Write writes a file; nil: os.WriteFile does.
	Write func(path string, text []byte) error
}

// Run shows the pattern until ctx ends, and then gives the LED back to whom the kernel
// had it for. That there is no such LED is no error: fs.ErrNotExist says so at once.
func Run(ctx context.Context, o Options) error {
	l := light{write: o.Write, trigger: filepath.Join(o.Dir, o.Name, "trigger"), brightness: filepath.Join(o.Dir, o.Name, "brightness")}
	if l.write == nil {
		l.write = func(path string, text []byte) error { return os.WriteFile(path, text, 0) }
	}
	before, err := l.take()
	if err != nil {
		return fmt.Errorf("led %s: %w", o.Name, err)
	}
	t := time.NewTimer(0)
	defer t.Stop()
	<-t.C
	var now Pattern
	for i := 0; ; i++ {
		if want := o.Pattern(); want != now {
			now, i = want, 0
		}
		steps := patterns[now]
		if len(steps) == 0 {
			steps = patterns[Fault]
		}
		s := steps[i%len(steps)]
		err := l.set(s.on)
		t.Reset(s.lasts)
		select {
		case <-ctx.Done():
			return l.giveBack(before)
		case <-t.C:
		}
		if err != nil {
			return fmt.Errorf("led %s: %w", o.Name, err)
		}
	}
}

// light is an LED that is ours.
type light struct {
	write               func(string, []byte) error
	trigger, brightness string
	known, on           bool
}

// take has the kernel leave the LED alone, and returns what it did with it.
func (l *light) take() (before string, err error) {
	list, err := os.ReadFile(l.trigger)
	if err != nil {
		return "", err
	}
	// The one in force stands in brackets.
	if _, rest, ok := bytes.Cut(list, []byte{'['}); ok {
		name, _, _ := bytes.Cut(rest, []byte{']'})
		before = string(name)
	}
	return before, l.write(l.trigger, []byte("none"))
}

// set writes only what is news. The kernel takes less than 255 where an LED has no
// such brightness.
func (l *light) set(on bool) error {
	if l.known && l.on == on {
		return nil
	}
	level := "0"
	if on {
		level = "255"
	}
	if err := l.write(l.brightness, []byte(level)); err != nil {
		return err
	}
	l.known, l.on = true, on
	return nil
}

// giveBack leaves an LED that nobody feeds dark, and not as if all were well.
func (l *light) giveBack(before string) error {
	err := l.set(false)
	if before != "" && before != "none" {
		err = errors.Join(err, l.write(l.trigger, []byte(before)))
	}
	return err
}
