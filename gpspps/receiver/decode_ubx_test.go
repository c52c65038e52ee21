package receiver

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
)

// frame lays a frame out: numbers of any size make up its payload.
func frame(class, id byte, payload ...any) string {
	var b bytes.Buffer
	for _, x := range payload {
		if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
			panic(err)
		}
	}
	head := []byte{0xb5, 0x62, class, id, byte(b.Len()), byte(b.Len() >> 8)}
	out := append(head, b.Bytes()...)
	var x, y byte
	for _, c := range out[2:] {
		x += c
		y += x
	}
	return string(append(out, x, y))
}

// towOf is t's time of the GPS week, ms, with 18 leap seconds.
func towOf(t time.Time) uint32 {
	gps := t.Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)) + 18*time.Second
	return uint32(gps % (7 * 24 * time.Hour) / time.Millisecond)
}

func weekOf(t time.Time) uint16 {
	return uint16((t.Sub(time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC)) + 18*time.Second) / (7 * 24 * time.Hour))
}

const (
	resolved   = byte(7)
	unresolved = byte(3)
)

func pvt(t time.Time, valid, fix, ok byte, nano int32) string {
	return frame(1, 0x07, towOf(t), uint16(t.Year()), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()),
		valid, uint32(25), nano, fix, ok, byte(0), byte(14), int32(-15000), int32(514779000), int32(91500), int32(46000), uint32(1500), [48]byte{})
}

func timeLS(t time.Time, source, leap, valid byte, change int8, in int32) string {
	return frame(1, 0x26, towOf(t), [4]byte{}, source, leap, byte(2), change, in, [4]byte{}, [3]byte{}, valid)
}

func timeGPS(t time.Time, leap, valid byte) string {
	return frame(1, 0x20, towOf(t), int32(-120), weekOf(t), leap, valid, uint32(25))
}

func sat(t time.Time, seen int) string {
	b := []any{towOf(t), byte(1), byte(seen), uint16(0)}
	for range seen {
		b = append(b, byte(0), byte(1), byte(40), byte(30), uint32(0), uint32(8))
	}
	return frame(1, 0x35, b...)
}

// tp is about the second after t, by UTC.
func tp(t time.Time, qErr int32, flags byte) string {
	return frame(0x0d, 1, towOf(t.Add(time.Second))-18000, uint32(0), qErr, weekOf(t), flags, byte(0))
}

// put sends what is no sentence.
func (l *line) put(raw ...string) {
	for _, r := range raw {
		for i := range len(r) {
			l.Feed([]byte{r[i]}, l.mono)
			l.mono += int64(byteTime)
		}
	}
}

// burst is all that a receiver set to UBX says of a second.
func burst(t time.Time) []string {
	return []string{tp(t, 4300, 3), pvt(t, resolved, 3, 1, -250), sat(t, 12), timeLS(t, 2, 18, 1, 0, 0), frame(1, 0x61, towOf(t))}
}

func TestUBXAlone(t *testing.T) {
	l := newLine()
	for n := range 5 {
		at := noon.Add(time.Duration(n) * time.Second)
		l.wait(int64(n)*1e9 + 80*ms)
		l.put(burst(at)...)
		end := l.mono
		l.wait(int64(n)*1e9 + 999*ms)
		want := gpspps.Fix{Mono: int64(n)*1e9 + 80*ms, Time: at, Valid: true, Mode: 3, Used: 14, Seen: 12, LeapUTC: true, Leap: 18,
			Accuracy: 25e-9, Sawtooth: -4.3e-9, Position: gpspps.Position{Known: true, Lat: 51.4779, Lon: -0.0015, Height: 46, Accuracy: 1.5}}
		if len(l.fixes) != n+1 {
			t.Fatalf("second %d: %d fixes", n, len(l.fixes))
		}
		f := l.fixes[n]
		if math.Abs(f.Accuracy-want.Accuracy) > 1e-15 || math.Abs(f.Sawtooth-want.Sawtooth) > 1e-15 {
			t.Errorf("accuracy %v, sawtooth %v", f.Accuracy, f.Sawtooth)
		}
		f.Accuracy, f.Sawtooth = want.Accuracy, want.Sawtooth
		if f != want {
			t.Errorf("second %d: got  %+v\nwant %+v", n, f, want)
		}
		if l.when[n] > end { // NAV-EOE says that it was all
			t.Errorf("second %d: out %v late", n, time.Duration(l.when[n]-end))
		}
	}
	if s := l.Stats(); s.Frames != 25 || s.Noise != 0 || s.Damaged != 0 || s.Checksum != 0 || s.Broken != 0 || l.Protocol() != UBX {
		t.Errorf("%+v, protocol %s", s, l.Protocol())
	}
}

// TestBothOfOneEpoch: in any order and with any noise between them there is one
// fix a second, and it is UBX's.
func TestBothOfOneEpoch(t *testing.T) {
	for name, order := range map[string]func(s, u []string) []string{
		"NMEA first": func(s, u []string) []string { return append(s, u...) },
		"UBX first":  func(s, u []string) []string { return append(u, s...) },
		"mixed": func(s, u []string) []string {
			return slices.Concat(s[:1], u[:2], []string{"\xd3\x00\x13\x3e\xd0RTCM3$\xb5b"}, s[1:4], u[2:3], s[4:], u[3:])
		},
	} {
		l := newLine()
		l.byteT = int64(time.Second / 11520)
		for n := range 6 {
			at := noon.Add(time.Duration(n) * time.Second)
			l.wait(int64(n)*1e9 + 80*ms)
			var s []string
			for _, body := range second(at) {
				s = append(s, string(nmea.AppendSentence(nil, body)))
			}
			for _, raw := range order(s, burst(at)) {
				l.Feed([]byte(raw), l.mono)
				l.mono += int64(len(raw)) * l.byteT
			}
			l.wait(int64(n)*1e9 + 999*ms)
		}
		if len(l.fixes) != 6 {
			t.Errorf("%s: %d fixes in 6 s: %+v", name, len(l.fixes), l.fixes)
		}
		for n, f := range l.fixes {
			if !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) || !f.Valid || f.Mono != int64(n)*1e9+80*ms {
				t.Errorf("%s: second %d: %+v", name, n, f)
			}
			if n > alike && (f.Leap != 18 || !f.LeapUTC || f.Used != 14 || f.Seen != 12 || f.Accuracy == 0) {
				t.Errorf("%s: second %d is not UBX's: %+v", name, n, f)
			}
		}
	}
}

// TestUBXOnASlowLine: a frame that takes longer than a silence between bursts,
// and one that is torn by a busy computer.
func TestUBXOnASlowLine(t *testing.T) {
	for _, stall := range []int64{0, 350 * ms} {
		l := newLine()
		for n := range 5 {
			at := noon.Add(time.Duration(n) * time.Second)
			l.wait(int64(n)*1e9 + 20*ms)
			l.put(pvt(at, resolved, 3, 1, 0))
			s := sat(at, 32) // 408 ms
			l.put(s[:100])
			l.wait(l.mono + stall)
			l.put(s[100:])
		}
		l.wait(l.mono + 500*ms)
		if len(l.fixes) != 5 {
			t.Fatalf("stalled for %d ms: %d fixes in 5 s", stall/ms, len(l.fixes))
		}
		for n, f := range l.fixes {
			if !f.Valid || f.Mono != int64(n)*1e9+20*ms || !f.Time.Equal(noon.Add(time.Duration(n)*time.Second)) {
				t.Errorf("stalled for %d ms, second %d: %+v", stall/ms, n, f)
			}
		}
	}
}

func TestUBXValid(t *testing.T) {
	sol := func(flags byte) string {
		return frame(1, 0x06, towOf(noon), int32(0), weekOf(noon), byte(3), flags, int32(398054950), int32(-10421), int32(496679180), uint32(250), [19]byte{}, byte(7), uint32(0))
	}
	status := func(fix, flags byte) string {
		return frame(1, 0x03, towOf(noon), fix, flags, byte(0), byte(0), uint32(0), uint32(0))
	}
	utc := func(valid byte) string {
		return frame(1, 0x21, towOf(noon), uint32(30), int32(400), uint16(2026), byte(11), byte(23), byte(12), byte(35), byte(19), valid)
	}
	for _, c := range []struct {
		name               string
		send               []string
		valid, timed, none bool
		leap               int
		proven             bool
	}{
		{"PVT", []string{pvt(noon, resolved, 3, 1, 0)}, true, true, false, 18, false},
		{"PVT of the time only", []string{pvt(noon, resolved, 5, 1, 0)}, true, true, false, 18, false},
		{"dead reckoning", []string{pvt(noon, resolved, 1, 1, 0)}, false, true, true, 18, false},
		{"no fix", []string{pvt(noon, resolved, 0, 0, 0)}, false, true, true, 18, false},
		{"a fix beyond its limits", []string{pvt(noon, resolved, 3, 0, 0)}, false, true, true, 18, false},
		{"the second not resolved", []string{pvt(noon, unresolved, 3, 1, 0), timeLS(noon, 2, 18, 1, 0, 0)}, false, true, false, 18, false},
		{"no date", []string{pvt(noon, 2, 3, 1, 0)}, false, false, false, 0, false},
		{"leap seconds from GPS", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 2, 18, 1, 0, 0)}, true, true, false, 18, true},
		{"leap seconds of the firmware", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 0, 18, 1, 0, 0)}, true, true, false, 18, false},
		{"leap seconds by a person", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 7, 18, 1, 0, 0)}, true, true, false, 18, false},
		{"leap seconds not valid", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 2, 18, 0, 0, 0)}, true, true, false, 0, false},
		{"TIMEGPS proves nothing", []string{pvt(noon, resolved, 3, 1, 0), timeGPS(noon, 18, 7)}, true, true, false, 18, false},
		{"nor does it take a proof back", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 2, 18, 1, 0, 0), timeGPS(noon, 18, 7)}, true, true, false, 18, true},
		{"unless it names another count", []string{pvt(noon, resolved, 3, 1, 0), timeLS(noon, 2, 18, 1, 0, 0), timeGPS(noon, 19, 7)}, true, true, false, 19, false},
		{"TIMEUTC of the USNO", []string{pvt(noon, resolved, 3, 1, 0), timeGPS(noon, 18, 7), utc(0x37)}, true, true, false, 18, true},
		{"TIMEUTC of the USNO alone", []string{status(3, 0x0d), utc(0x37)}, true, true, false, 18, true},
		{"TIMEUTC of nobody known", []string{pvt(noon, resolved, 3, 1, 0), timeGPS(noon, 18, 7), utc(0xf7)}, true, true, false, 18, false},
		{"u-blox 6", []string{sol(0x0d), timeGPS(noon, 18, 7)}, true, true, false, 18, false},
		{"u-blox 6 without leap seconds", []string{sol(0x0d)}, false, false, false, 0, false},
		{"u-blox 6 without a week", []string{sol(0x01), timeGPS(noon, 18, 4)}, false, false, false, 18, false},
		{"u-blox 6 without a fix", []string{sol(0x0c), timeGPS(noon, 18, 7)}, false, true, true, 18, false},
		{"TIMEUTC and STATUS", []string{status(3, 0x0d), utc(7)}, true, true, false, 18, false},
		{"TIMEUTC alone vouches for no fix", []string{utc(7)}, false, true, false, 18, false},
		{"TIMEUTC not valid", []string{status(3, 0x0d), utc(3)}, false, false, false, 0, false},
	} {
		l := newLine()
		l.put(c.send...)
		f := l.one(t)
		if f.Valid != c.valid || f.Time.IsZero() == c.timed || f.NoFix != c.none || f.Leap != c.leap || f.LeapUTC != c.proven {
			t.Errorf("%s: %+v", c.name, f)
		}
		if c.timed && !f.Time.Equal(noon) {
			t.Errorf("%s: %v", c.name, f.Time)
		}
	}
}

func TestUBXRollover(t *testing.T) {
	lost := noon.Add(-1024 * 7 * 24 * time.Hour)
	l := newLine()
	l.put(pvt(lost, resolved, 3, 1, 0))
	if f := l.one(t); !f.Valid || !f.Time.Equal(noon) || l.Stats().Rollover != 1 {
		t.Errorf("%+v, %+v", f, l.Stats())
	}
}

// TestUBXLocksAReference: leap seconds from satellites prove UTC, and the lock
// comes as soon as the pulses are numbered; those of the firmware do not.
func TestUBXLocksAReference(t *testing.T) {
	for source, want := range map[byte]gpspps.State{2: gpspps.StateLocked, 0: gpspps.StateNumbering} {
		ref := gpspps.New(gpspps.Config{})
		d := NewDecoder(DecoderConfig{Pivot: pivot, ByteTime: byteTime, Emit: ref.AddFix})
		const seconds = 15
		for n := range int64(seconds) {
			at, mono := noon.Add(time.Duration(n)*time.Second), (n+1)*1e9
			ref.AddPulse(gpspps.Pulse{Mono: mono})
			d.Feed([]byte(tp(at, 4300, 3)+pvt(at, resolved, 3, 1, -250)+timeLS(at, source, 18, 1, 0, 0)), mono+80*ms)
			d.Idle(mono + 600*ms)
		}
		r := ref.At(seconds*1e9+700*ms, "")
		if r.State != want || want == gpspps.StateLocked && (r.Source != gpspps.SourceGPSPPS || r.True/1e9 != noon.Unix()+seconds-1) {
			t.Errorf("leap seconds from source %d: %+v", source, r)
		}
	}
}
