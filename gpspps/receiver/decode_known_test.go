package receiver

import (
	"math"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// TestProofOfLeapSecondsGrowsOld, and is void when the receiver starts anew.
func TestProofOfLeapSecondsGrowsOld(t *testing.T) {
	l := newLine()
	at := func(n int, send ...string) gpspps.Fix {
		l.wait(int64(n) * 1e9)
		l.put(send...)
		l.wait(l.mono + 500*ms)
		return l.fixes[len(l.fixes)-1]
	}
	now := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	at(0, pvt(now(0), resolved, 3, 1, 0), timeLS(now(0), 2, 18, 1, 0, 0))
	if f := at(290, pvt(now(290), resolved, 3, 1, 0)); !f.LeapUTC || f.Leap != 18 {
		t.Errorf("after 290 s: %+v", f)
	}
	if f := at(301, pvt(now(301), resolved, 3, 1, 0)); f.LeapUTC || f.Leap != 18 {
		t.Errorf("after 301 s: %+v", f)
	}
	at(310, pvt(now(310), resolved, 3, 1, 0), timeLS(now(310), 2, 18, 1, 0, 0))
	at(311, pvt(now(311), unresolved, 3, 1, 0))
	if f := at(312, pvt(now(312), resolved, 3, 1, 0)); f.LeapUTC || !f.Valid {
		t.Errorf("of a receiver that started anew: %+v", f)
	}
}

func TestAnnouncedLeapSecond(t *testing.T) {
	eve := time.Date(2028, 6, 30, 20, 0, 0, 0, time.UTC)
	midnight := time.Date(2028, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		change int8
		in     int32
		valid  byte
		want   gpspps.NextLeap
	}{
		{1, 4 * 3600, 3, gpspps.NextLeap{Change: 1, At: midnight}},
		{-1, 4*3600 + 1, 3, gpspps.NextLeap{Change: -1, At: midnight}},
		{1, 4 * 3600, 1, gpspps.NextLeap{}},
		{0, 4 * 3600, 3, gpspps.NextLeap{}},
		{1, -1000, 3, gpspps.NextLeap{}},
		{2, 4 * 3600, 3, gpspps.NextLeap{}},
	} {
		l := newLine()
		l.put(pvt(eve, resolved, 3, 1, 0), timeLS(eve, 2, 18, c.valid, c.change, c.in))
		if f := l.one(t); f.NextLeap != c.want {
			t.Errorf("%+v: %+v", c, f.NextLeap)
		}
	}
}

// TestSawtoothIsThatOfTheNextPulse or none.
func TestSawtoothIsThatOfTheNextPulse(t *testing.T) {
	gpsBase := frame(0x0d, 1, towOf(noon.Add(time.Second)), uint32(0), int32(-9862), weekOf(noon), byte(0), byte(0))
	for _, c := range []struct {
		name string
		send []string
		want float64
	}{
		{"before PVT", []string{tp(noon, -4331, 3), pvt(noon, resolved, 3, 1, 0)}, 4.331e-9},
		{"after PVT", []string{pvt(noon, resolved, 3, 1, 0), tp(noon, 9862, 3)}, -9.862e-9},
		{"GPS time", []string{timeGPS(noon, 18, 7), pvt(noon, resolved, 3, 1, 0), gpsBase}, 9.862e-9},
		{"GPS time of unknown leap seconds", []string{pvt(noon, unresolved, 3, 1, 0), gpsBase}, 0},
		{"not valid", []string{tp(noon, 9862, 0x13), pvt(noon, resolved, 3, 1, 0)}, 0},
		{"of this pulse", []string{tp(noon.Add(-time.Second), 9862, 3), pvt(noon, resolved, 3, 1, 0)}, 0},
		{"of a later one", []string{tp(noon.Add(time.Second), 9862, 3), pvt(noon, resolved, 3, 1, 0)}, 0},
		{"more than any tick", []string{tp(noon, 2_000_000, 3), pvt(noon, resolved, 3, 1, 0)}, 0},
	} {
		l := newLine()
		l.put(c.send...)
		if f := l.one(t); math.Abs(f.Sawtooth-c.want) > 1e-15 {
			t.Errorf("%s: %v, want %v", c.name, f.Sawtooth, c.want)
		}
	}
}

func TestJammedAndSpoofed(t *testing.T) {
	hw := func(state byte) string {
		return frame(0x0a, 0x09, [20]byte{}, byte(2), byte(1), state<<2, byte(0), [36]byte{})
	}
	rf := func(state byte) string {
		return frame(0x0a, 0x38, byte(0), byte(1), uint16(0), byte(0), state, [22]byte{})
	}
	status := func(spoof byte) string {
		return frame(1, 0x03, towOf(noon), byte(3), byte(0x0d), byte(0), spoof<<3, uint32(0), uint32(0))
	}
	sig := func(jam, spoof byte) string {
		return frame(0x27, 0x09, byte(2), 1|jam<<1|8|spoof<<4, uint16(0))
	}
	for name, c := range map[string]struct {
		send            string
		jammed, spoofed bool
	}{
		"nothing":             {"", false, false},
		"MON-HW warns":        {hw(2), false, false},
		"MON-HW":              {hw(3), true, false},
		"MON-RF":              {rf(3), true, false},
		"STATUS finds none":   {status(1), false, false},
		"STATUS":              {status(2), false, true},
		"SEC-SIG finds none":  {sig(1, 1), false, false},
		"SEC-SIG, both":       {sig(2, 3), true, true},
		"MON-RF, mended":      {rf(3) + rf(1), false, false},
		"another still warns": {rf(3) + hw(1), true, false},
	} {
		l := newLine()
		l.put(pvt(noon, resolved, 3, 1, 0), c.send)
		if f := l.one(t); f.Jammed != c.jammed || f.Spoofed != c.spoofed {
			t.Errorf("%s: %+v", name, f)
		}
	}
	// A receiver that says no more of it is not jammed for ever.
	l := newLine()
	l.put(rf(3))
	l.wait(20e9)
	l.put(pvt(noon, resolved, 3, 1, 0))
	if f := l.one(t); f.Jammed {
		t.Errorf("jammed 20 s later: %+v", f)
	}
}

// TestWhatFollowsTheEndOfAnEpoch comes with its fix once it is known to follow.
func TestWhatFollowsTheEndOfAnEpoch(t *testing.T) {
	l := newLine()
	for n := range 6 {
		at := noon.Add(time.Duration(n) * time.Second)
		l.wait(int64(n)*1e9 + 80*ms)
		l.put(pvt(at, resolved, 3, 1, 0), frame(1, 0x61, towOf(at)), tp(at, 4300, 3))
		l.wait(int64(n)*1e9 + 999*ms)
	}
	if len(l.fixes) != 6 {
		t.Fatalf("%d fixes in 6 s", len(l.fixes))
	}
	for n, f := range l.fixes {
		if known := f.Sawtooth != 0; known != (n > alike) {
			t.Errorf("second %d: %+v", n, f)
		}
	}
}
