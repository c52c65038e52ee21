package gpstest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

// station reads what a receiver run by a virtual clock sends.
type station struct {
	clock  *gpstest.VirtualClock
	parser *receiver.Decoder
	fixes  []gpspps.Fix
	pulses []time.Time // by the clock
	edges  []time.Time // as the receiver says
	bytes  int
	busy   time.Time // until when the bytes so far take
	fast   bool      // bytes came faster than 9600 baud
}

func (s *station) Write(b []byte) (int, error) {
	const byteTime = time.Second * 10 / 9600
	now := s.clock.Now()
	first := now.Add(-time.Duration(len(b)) * byteTime)
	if first.Before(s.busy.Add(-time.Microsecond)) {
		s.fast = true
	}
	s.busy = now
	s.bytes += len(b)
	s.parser.Feed(b, first.UnixNano())
	return len(b), nil
}

func (s *station) pulse(edge time.Time) {
	s.parser.Idle(s.clock.Now().UnixNano())
	s.pulses = append(s.pulses, s.clock.Now())
	s.edges = append(s.edges, edge)
}

// live runs r for so many seconds from start.
func live(t *testing.T, r *gpstest.Receiver, seconds int) *station {
	t.Helper()
	s := &station{clock: gpstest.NewVirtualClock(start.Add(-500*time.Millisecond), start.Add(time.Duration(seconds)*time.Second-1))}
	s.parser = receiver.NewDecoder(receiver.DecoderConfig{Pivot: start, ByteTime: time.Second * 10 / 9600, Emit: func(f gpspps.Fix) { s.fixes = append(s.fixes, f) }})
	if err := r.Run(context.Background(), s, s.pulse, s.clock); !errors.Is(err, gpstest.ErrEnd) {
		t.Fatalf("run: %v", err)
	}
	s.parser.Idle(s.clock.Now().UnixNano())
	return s
}

func TestReceiverSaysTheTime(t *testing.T) {
	s := live(t, gpstest.New(1), 60)
	if len(s.fixes) != 60 || len(s.pulses) != 60 {
		t.Fatalf("%d fixes and %d pulses in 60 s", len(s.fixes), len(s.pulses))
	}
	lo, hi := time.Second, time.Duration(0)
	for n, f := range s.fixes {
		at := start.Add(time.Duration(n) * time.Second)
		if !f.Time.Equal(at) || !f.Valid || f.Mode != 3 || f.Used != 9 || f.Seen != 14 || f.Checksum != 0 {
			t.Errorf("second %d: %+v", n, f)
		}
		if !s.pulses[n].Equal(at) || !s.edges[n].Equal(at) {
			t.Errorf("second %d: pulse at %v, said %v", n, s.pulses[n], s.edges[n])
		}
		delay := time.Duration(f.Mono - at.UnixNano())
		lo, hi = min(lo, delay), max(hi, delay)
	}
	if lo < 59*time.Millisecond || hi > 121*time.Millisecond || hi-lo < 40*time.Millisecond {
		t.Errorf("bursts begin %v to %v after the second, want 60 to 120 ms with jitter", lo, hi)
	}
	if s.fast {
		t.Error("bytes came faster than 9600 baud carries them")
	}
	if st := s.parser.Stats(); st.Checksum+st.Broken+st.Noise != 0 {
		t.Errorf("not all of it was sentences: %+v", st)
	}
}

// TestBurstFitsIntoASecond over a day of satellites, with a share of the second
// left for the next burst to be told from this one.
func TestBurstFitsIntoASecond(t *testing.T) {
	r := gpstest.New(1)
	if err := r.Set("gps", "sats", "16"); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	for m := 0; m < 24*60; m += 5 {
		b := r.Burst(start.Add(time.Duration(m) * time.Minute))
		if n := len(b); n < 500 || n > 750 {
			t.Fatalf("minute %d: %d bytes, want 500 to 750:\n%s", m, n, b)
		}
		for _, l := range strings.Split(string(b), "\r\n") {
			if len(l) > 80 {
				t.Fatalf("minute %d: %d characters, NMEA allows 80 before the line end: %s", m, len(l), l)
			}
			if strings.HasPrefix(l, "$GPGSV") {
				numbers[strings.Split(l, ",")[4]] = true
			}
		}
	}
	if len(numbers) < 20 {
		t.Errorf("%d GPS satellites came into view in a day, want most of 24", len(numbers))
	}
}

func TestSatellitesMove(t *testing.T) {
	r := gpstest.New(1)
	a, b := r.Burst(start), r.Burst(start.Add(10*time.Minute))
	gsv := func(b []byte) string { return string(b[bytes.Index(b, []byte("$GPGSV")):][:60]) }
	if gsv(a) == gsv(b) {
		t.Errorf("the same satellites in the same places ten minutes later: %s", gsv(a))
	}
	if !bytes.Equal(a, gpstest.New(1).Burst(start)) {
		t.Error("the same seed and second give other bytes")
	}
}

func TestFaultsOfReceiver(t *testing.T) {
	tests := []struct {
		set    []string
		pulses int
		fixes  int
		check  func(f gpspps.Fix, truth time.Time) bool
	}{
		{[]string{"gps off"}, 0, 0, nil},
		{[]string{"gps garbage"}, 10, 0, nil},
		{[]string{"gps leap -1"}, 10, 10, func(f gpspps.Fix, truth time.Time) bool {
			return f.Valid && f.Time.Sub(truth) == time.Second
		}},
		{[]string{"gps leap 18"}, 10, 10, func(f gpspps.Fix, truth time.Time) bool {
			return f.Valid && f.Time.Sub(truth) == -18*time.Second
		}},
		{[]string{"gps late"}, 10, 10, func(f gpspps.Fix, truth time.Time) bool {
			return f.Valid && f.Time.Sub(truth) == -time.Second
		}},
		{[]string{"gps sats 2"}, 0, 10, func(f gpspps.Fix, truth time.Time) bool {
			return !f.Valid && f.Mode == 1 && f.Used == 2 && f.Seen == 7 && f.Time.Equal(truth)
		}},
		{[]string{"gps sats 0"}, 0, 10, func(f gpspps.Fix, _ time.Time) bool { return !f.Valid && f.Used == 0 }},
		{[]string{"gps sats 3"}, 10, 10, func(f gpspps.Fix, _ time.Time) bool { return f.Valid && f.Mode == 2 && f.Used == 3 }},
		{[]string{"gps sats 2", "gps sats 9"}, 10, 10, func(f gpspps.Fix, _ time.Time) bool { return f.Valid && f.Used == 9 }},
		{[]string{"pulse off"}, 0, 10, func(f gpspps.Fix, _ time.Time) bool { return f.Valid }},
		{[]string{"pps double"}, 20, 10, func(f gpspps.Fix, _ time.Time) bool { return f.Valid }},
		{[]string{"pulse off", "gps late", "gps on", "pulse on"}, 10, 10, func(f gpspps.Fix, truth time.Time) bool {
			return f.Valid && f.Time.Equal(truth)
		}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.set, ", "), func(t *testing.T) {
			r := gpstest.New(2)
			for _, c := range tt.set {
				if err := r.Set(strings.Fields(c)...); err != nil {
					t.Fatal(err)
				}
			}
			s := live(t, r, 10)
			if len(s.pulses) != tt.pulses || len(s.fixes) != tt.fixes {
				t.Fatalf("%d pulses and %d fixes, want %d and %d", len(s.pulses), len(s.fixes), tt.pulses, tt.fixes)
			}
			for _, f := range s.fixes {
				if truth := time.Unix(0, f.Mono).Truncate(time.Second); !tt.check(f, truth) {
					t.Errorf("at %v: %+v", truth.UTC(), f)
				}
			}
		})
	}
}

func TestGarbageComesAtTheFullRate(t *testing.T) {
	r := gpstest.New(3)
	if err := r.Set("gps", "garbage"); err != nil {
		t.Fatal(err)
	}
	if s := live(t, r, 10); s.bytes < 9400 || s.fast {
		t.Errorf("%d bytes in 10 s, want 9600; faster than the line: %v", s.bytes, s.fast)
	}
}

func TestDoubledPulseIsApart(t *testing.T) {
	r := gpstest.New(3)
	if err := r.Set("pulse double"); err != nil {
		t.Fatal(err)
	}
	s := live(t, r, 10)
	for i := 1; i < len(s.pulses); i += 2 {
		if d := s.pulses[i].Sub(s.pulses[i-1]); d < 100*time.Millisecond || d > 400*time.Millisecond {
			t.Errorf("second edge %v after the first", d)
		}
	}
}

func TestSetSaysWhatToWrite(t *testing.T) {
	tests := map[string]string{
		"":            "two words",
		"gps":         "two words",
		"sun on":      "write gps or pulse",
		"gps of":      "write gps on, off",
		"gps leap":    "gps leap -1",
		"gps leap x":  "whole number from -18 to 18",
		"gps leap 19": "whole number",
		"gps sats":    "gps sats 2",
		"gps sats -1": "0 to 16",
		"gps sats 17": "0 to 16",
		"gps off now": "takes nothing after it",
		"pulse":       "two words",
		"pps slow":    "write pps on, off or double",
		"pulse on 2":  "takes nothing after it",
	}
	for command, want := range tests {
		r := gpstest.New(1)
		if err := r.Set(strings.Fields(command)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", command, err, want)
		}
		if !bytes.Equal(r.Burst(start), gpstest.New(1).Burst(start)) {
			t.Errorf("%q changed the receiver", command)
		}
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	clock := gpstest.NewVirtualClock(start, start.Add(time.Hour))
	n := 0
	err := gpstest.New(1).Run(ctx, io.Discard, func(time.Time) {
		if n++; n == 3 {
			cancel()
		}
	}, clock)
	if !errors.Is(err, context.Canceled) || n != 3 {
		t.Errorf("after cancel: %v, %d pulses", err, n)
	}
	r, w := io.Pipe()
	r.Close()
	clock = gpstest.NewVirtualClock(start, start.Add(time.Hour))
	if err := gpstest.New(1).Run(context.Background(), w, nil, clock); !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "serial line") {
		t.Errorf("nobody reads: %v", err)
	}
}

// TestLineNobodyReadsLosesBytes runs two real seconds: a write deadline knows no
// other time.
func TestLineNobodyReadsLosesBytes(t *testing.T) {
	a, b := net.Pipe() // without a buffer, and never read
	defer a.Close()
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	err := gpstest.New(1).Run(ctx, a, func(time.Time) {
		if n++; n == 2 {
			cancel()
		}
	}, gpstest.RealClock{})
	if !errors.Is(err, context.Canceled) || n != 2 {
		t.Errorf("a line nobody reads stopped the pulse: %v after %d pulses", err, n)
	}
}
