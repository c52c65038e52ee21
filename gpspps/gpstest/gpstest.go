// Package gpstest is a GPS receiver, its pulse and an oscillator that are not
// there.
//
// Receiver writes the sentences a receiver would write, byte by byte at 9600
// baud, and calls back at the top of every second: it feeds an emulated
// machine's UART and GPIO line, or the station run on a developer's machine.
// Sim gives the same events directly as gpspps.Fix and gpspps.Pulse with
// monotonic stamps of an imperfect oscillator, in virtual time, for tests of
// the estimator. Both take the same fault commands and are the same for the
// same seed.
package gpstest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Satellite counts of the emulated receiver.
const (
	satsHealthy = 9  // used with a good view of the sky
	satsMax     = 16 // more would not fit into one second at 9600 baud
	satsFix2D   = 3  // fewer give no fix, more a 3D fix
)

// awayMax bounds how far the antenna is carried, metres.
const awayMax = 1_000_000

// leapMax bounds the leap second fault: a receiver is wrong by a few seconds
// at most, 18 when it knows of none (GPS minus UTC since 2017).
const leapMax = 18

type pulseMode uint8

const (
	pulseOn pulseMode = iota
	pulseOff
	pulseDouble
)

// faults is what is wrong with the receiver now. The zero value but for sats is
// a healthy one.
type faults struct {
	off     bool
	garbage bool
	late    bool
	leap    int // the receiver's count of leap seconds minus the right one
	sats    int
	pulse   pulseMode
	antenna string // what it says of it; empty: nothing
	away    int    // metres that the antenna is north of its place
}

func healthy() faults { return faults{sats: satsHealthy} }

// set takes one command of the form Receiver.Set documents.
func (f *faults) set(args ...string) error {
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	if len(args) < 2 {
		return errors.New("a fault command has two words or more: gps on|off|garbage|late|leap N|sats N|antenna WORD|away N, pulse on|off|double")
	}
	switch args[0] {
	case "gps":
		return f.setGPS(args[1], args[2:])
	case "pulse", "pps":
		return f.setPulse(args[0], args[1], args[2:])
	}
	return fmt.Errorf("%q is nothing to set: write gps or pulse", args[0])
}

func (f *faults) setGPS(word string, rest []string) error {
	want := 0
	if word == "leap" || word == "sats" || word == "antenna" || word == "away" {
		want = 1
	}
	if len(rest) != want {
		if want == 1 {
			kind := "number"
			if word == "antenna" {
				kind = "word"
			}
			return fmt.Errorf("gps %s needs one %s, as in: gps %s %s", word, kind, word, map[string]string{"leap": "-1", "sats": "2", "antenna": "open", "away": "500"}[word])
		}
		return fmt.Errorf("gps %s takes nothing after it, got %q", word, strings.Join(rest, " "))
	}
	switch word {
	case "on":
		pulse := f.pulse
		*f = healthy()
		f.pulse = pulse
	case "off":
		f.off = true
	case "garbage":
		f.garbage = true
	case "late":
		f.late = true
	case "leap":
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < -leapMax || n > leapMax {
			return fmt.Errorf("gps leap %q: write a whole number from -%d to %d; 0 is right", rest[0], leapMax, leapMax)
		}
		f.leap = n
	case "sats":
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < 0 || n > satsMax {
			return fmt.Errorf("gps sats %q: write a whole number from 0 to %d; %d is a good sky, fewer than %d give no fix", rest[0], satsMax, satsHealthy, satsFix2D)
		}
		f.sats = n
	case "antenna":
		switch rest[0] {
		case "ok", "open", "short":
			f.antenna = strings.ToUpper(rest[0])
		default:
			return fmt.Errorf("gps antenna %q: write ok, open or short", rest[0])
		}
	case "away":
		n, err := strconv.Atoi(rest[0])
		if err != nil || n < -awayMax || n > awayMax {
			return fmt.Errorf("gps away %q: write a whole number of metres from -%d to %d; 0 is its place", rest[0], awayMax, awayMax)
		}
		f.away = n
	default:
		return fmt.Errorf("gps %q is not known: write gps on, off, garbage, late, leap N, sats N, antenna WORD or away N", word)
	}
	return nil
}

func (f *faults) setPulse(noun, word string, rest []string) error {
	if len(rest) != 0 {
		return fmt.Errorf("%s %s takes nothing after it, got %q", noun, word, strings.Join(rest, " "))
	}
	switch word {
	case "on":
		f.pulse = pulseOn
	case "off":
		f.pulse = pulseOff
	case "double":
		f.pulse = pulseDouble
	default:
		return fmt.Errorf("%s %q is not known: write %s on, off or double", noun, word, noun)
	}
	return nil
}

// fix says whether the satellites suffice for a fix, and how gpsd numbers it.
func (f *faults) fix() (valid bool, mode int) {
	switch {
	case f.sats < satsFix2D:
		return false, 1
	case f.sats == satsFix2D:
		return true, 2
	}
	return true, 3
}

// seen is how many satellites are in view: a few more than are used.
func (f *faults) seen() int { return min(f.sats+5, max(satsMax, f.sats)) }

// shift is how far the time named is from the true one, seconds: UTC is GPS
// time less the leap seconds, so one too few is a second ahead.
func (f *faults) shift() int {
	s := -f.leap
	if f.late {
		s--
	}
	return s
}

// edges is how many edges the pulse line shows a second.
func (f *faults) edges() int {
	valid, _ := f.fix()
	switch {
	case f.off || !valid || f.pulse == pulseOff:
		return 0
	case f.pulse == pulseDouble:
		return 2
	}
	return 1
}
