package discipline

import (
	"errors"
	"io/fs"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTimex(t *testing.T) {
	for _, c := range []struct {
		ns, sec, nsec int64
	}{
		{0, 0, 0}, {1, 0, 1}, {-1, -1, 999999999}, {-250000000, -1, 750000000},
		{1500000000, 1, 500000000}, {-1500000000, -2, 500000000}, {-2000000000, -2, 0},
		{825000000250000000, 825000000, 250000000},
	} {
		tx := step(c.ns)
		if int64(tx.Time.Sec) != c.sec || int64(tx.Time.Usec) != c.nsec || tx.Modes != 0x2100 {
			t.Errorf("step %d: %d s %d ns, modes %#x", c.ns, tx.Time.Sec, tx.Time.Usec, tx.Modes)
		}
	}
	for ppm, want := range map[float64]int64{0: 0, 1: 65536, -1.5: -98304, 500: 32768000, -500: -32768000} {
		tx, err := frequency(ppm)
		if err != nil || int64(tx.Freq) != want || tx.Modes != 0x4002 || tx.Tick != 10000 {
			t.Errorf("%g ppm: %d, modes %#x, %v", ppm, tx.Freq, tx.Modes, err)
		}
	}
	for _, ppm := range []float64{500.1, -501, math.NaN(), math.Inf(1)} {
		if _, err := frequency(ppm); err == nil {
			t.Errorf("%g ppm is taken", ppm)
		}
	}
	tx := report(Condition{EstError: 1.2e-6, MaxError: 5e-3, Synced: true})
	if tx.Esterror != 2 || tx.Maxerror != 5000 || tx.Status != 0 || tx.Modes != 0x1c {
		t.Errorf("report %+v", tx)
	}
	if tx := report(Condition{EstError: math.NaN(), MaxError: 1e9, Synced: true}); tx.Maxerror != 15900000 || tx.Esterror != 15900000 {
		t.Errorf("report %+v", tx)
	}
	if tx := report(Condition{Leap: 1}); tx.Status != 0x40 || tx.Modes != 0x10 {
		t.Errorf("report %+v", tx)
	}
}

// TestNow reads the machine's clock and does not set it.
func TestNow(t *testing.T) {
	k, err := System()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	mono, diff, err := k.Now()
	after := time.Now()
	if err != nil || mono <= 0 {
		t.Fatalf("%d %d %v", mono, diff, err)
	}
	// A machine's clock may be slewed, not stepped, while tests run on it.
	const slack = int64(time.Millisecond)
	if now := mono + diff; now < before.UnixNano()-slack || now > after.UnixNano()+slack {
		t.Errorf("it is %d, between %d and %d", now, before.UnixNano(), after.UnixNano())
	}
	for range 1000 {
		later, d, err := k.Now()
		if err != nil || later < mono {
			t.Fatalf("%d after %d, %v", later, mono, err)
		}
		if moved := d - diff; moved < -slack || moved > slack {
			t.Fatalf("the clocks moved by %d ns against each other", moved)
		}
		mono = later
	}
}

// TestRead reads what the kernel's clock is set to and does not set it. A
// sandbox may forbid even that, and must be told from a failure.
func TestRead(t *testing.T) {
	s, err := system{}.Read()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	if !(math.Abs(s.PPM) <= maxPPM+1e5) { // a tick may be 10 % off
		t.Errorf("%g ppm", s.PPM)
	}
}

func TestSettings(t *testing.T) {
	for _, want := range []Settings{
		{PPM: 42.125, Synced: true, Leap: 1, TAI: 37},
		{PPM: -100.5, Synced: true, Leap: -1},
		{TAI: 37, Other: true},
	} {
		tx, _ := frequency(want.PPM)
		tx.Status = report(Condition{Synced: want.Synced, Leap: want.Leap}).Status
		tx.Tai = int32(tai(want.TAI).Constant)
		if want.Other {
			tx.Status |= staPLL
		}
		if got := settings(tx); got != want {
			t.Errorf("%+v becomes %+v", want, got)
		}
	}
	// What another program may have left: 3 ticks of 100 ppm.
	if got := settings(unix.Timex{Tick: 10003, Freq: -65536}); got.PPM != 299 || !got.Synced {
		t.Errorf("%+v", got)
	}
	if got := settings(unix.Timex{}); got.PPM != 0 {
		t.Errorf("%+v", got)
	}
	if tx := tai(37); tx.Modes != 0x80 || tx.Constant != 37 {
		t.Errorf("TAI: %+v", tx)
	}
}

// TestWasSet: nobody sets this machine's clock, or not often.
func TestWasSet(t *testing.T) {
	k, _ := System()
	s := k.(system)
	if s.alarm < 0 {
		t.Skip("this kernel has no timer that is cancelled when the clock is set")
	}
	defer unix.Close(s.alarm)
	n := 0
	for range 100 {
		if s.WasSet() {
			n++
		}
	}
	if n > 1 {
		t.Errorf("set %d times in no time", n)
	}
	if (system{-1}).WasSet() {
		t.Error("set, without a timer")
	}
}

// TestRoundTrip: what is set is what will be read back.
func TestRoundTrip(t *testing.T) {
	for _, ppm := range []float64{0, stepPPM, -stepPPM, 42.125, -499.5, maxPPM} {
		tx, err := frequency(ppm)
		if back := float64(tx.Freq) / scaledPPM; err != nil || back != ppm {
			t.Errorf("%g ppm becomes %g, %v", ppm, back, err)
		}
	}
	for _, ns := range []int64{1, -1, -999999999, -1000000001, 825e15 + 7, math.MinInt64 / 2} {
		tx := step(ns)
		nsec := int64(tx.Time.Usec)
		if nsec < 0 || nsec > 999999999 || int64(tx.Time.Sec)*1e9+nsec != ns {
			t.Errorf("a step of %d ns becomes %d s and %d ns", ns, tx.Time.Sec, nsec)
		}
	}
}
