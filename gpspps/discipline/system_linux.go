package discipline

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// clock_adjtime(2) modes and status bits, linux/timex.h.
const (
	adjFrequency = 0x0002
	adjMaxError  = 0x0004
	adjEstError  = 0x0008
	adjStatus    = 0x0010
	adjTAI       = 0x0080
	adjSetOffset = 0x0100
	adjNano      = 0x2000
	adjTick      = 0x4000

	staPLL    = 0x0001
	staInsert = 0x0010
	staDelete = 0x0020
	staUnsync = 0x0040

	// The clock is ticked on by this many microseconds a USER_HZ, which is
	// 100 on every machine that a station runs on.
	nominalTick = 10000

	scaledPPM = 1 << 16 // the kernel's frequency is in 2^-16 ppm
	// The kernel takes an error of 16 s (NTP_PHASE_LIMIT) for unsynchronised.
	mostError = 15.9 // seconds
)

// System is the machine's own clock. Reading it needs no rights; setting it
// needs CAP_SYS_TIME, else the methods fail with an error that is fs.ErrPermission.
func System() (Kernel, error) { return system{watchClock()}, nil }

type system struct{ alarm int }

func (system) Now() (mono, diff int64, err error) { return readClocks() }

func (system) SetFrequency(ppm float64) error {
	tx, err := frequency(ppm)
	if err != nil {
		return err
	}
	return adjust("set the frequency of", tx)
}

// Read implements Settable. It needs no rights.
func (system) Read() (Settings, error) {
	var tx unix.Timex // no mode: nothing is set
	if _, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &tx); err != nil {
		return Settings{}, fmt.Errorf("cannot read what the clock is set to: %w", err)
	}
	return settings(tx), nil
}

// SetTAI implements Settable.
func (system) SetTAI(seconds int) error { return adjust("set TAI less UTC of", tai(seconds)) }

func (system) Step(ns int64) error { return adjust("step", step(ns)) }

func (system) Report(c Condition) error { return adjust("report on", report(c)) }

// watchClock makes a timer that is cancelled whenever CLOCK_REALTIME is set
// (timerfd_create(2)), -1 where there is none.
func watchClock() int {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return -1
	}
	var never unix.ItimerSpec
	put(&never.Value.Sec, math.MaxInt32) // 2038 or later: what it is due at does not matter
	if unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil) != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// WasSet implements Watched.
func (s system) WasSet() bool {
	if s.alarm < 0 {
		return false
	}
	var expired [8]byte
	_, err := unix.Read(s.alarm, expired[:])
	return errors.Is(err, unix.ECANCELED)
}

func adjust(doing string, tx unix.Timex) error {
	if _, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &tx); err != nil {
		return fmt.Errorf("cannot %s the clock: %w; it takes CAP_SYS_TIME", doing, err)
	}
	return nil
}

func frequency(ppm float64) (tx unix.Timex, err error) {
	if !(math.Abs(ppm) <= maxPPM) {
		return tx, fmt.Errorf("frequency %g ppm is outside -%d..%d", ppm, maxPPM, maxPPM)
	}
	tx.Modes = adjFrequency | adjTick
	put(&tx.Tick, nominalTick)
	put(&tx.Freq, int64(math.Round(ppm*scaledPPM)))
	return tx, nil
}

// step: with ADJ_NANO the field named Usec counts nanoseconds and must be
// 0..999999999, so -0.25 s is -1 s and 750000000 ns.
func step(ns int64) (tx unix.Timex) {
	tx.Modes = adjSetOffset | adjNano
	sec, rest := ns/1e9, ns%1e9
	if rest < 0 {
		sec, rest = sec-1, rest+1e9
	}
	put(&tx.Time.Sec, sec)
	put(&tx.Time.Usec, rest)
	return tx
}

// report: errors are in microseconds, whatever ADJ_NANO says.
// Every bit of the status is set, so that the kernel's own loop is off. While
// STA_UNSYNC is clear the kernel sets the battery-backed clock every eleven
// minutes (CONFIG_RTC_SYSTOHC).
func report(c Condition) (tx unix.Timex) {
	tx.Modes = adjStatus
	if !c.Synced {
		tx.Status = staUnsync
		return tx
	}
	switch c.Leap {
	case 1:
		tx.Status = staInsert
	case -1:
		tx.Status = staDelete
	}
	tx.Modes |= adjMaxError | adjEstError
	put(&tx.Esterror, micros(c.EstError))
	put(&tx.Maxerror, micros(c.MaxError))
	return tx
}

// tai: the kernel takes it from the field that is otherwise the loop's.
func tai(seconds int) (tx unix.Timex) {
	tx.Modes = adjTAI
	put(&tx.Constant, int64(seconds))
	return tx
}

func settings(tx unix.Timex) Settings {
	if tx.Tick == 0 { // a kernel that is none
		tx.Tick = nominalTick
	}
	s := Settings{
		PPM:    float64(tx.Freq)/scaledPPM + float64(int64(tx.Tick)-nominalTick)/nominalTick*1e6,
		Synced: tx.Status&staUnsync == 0,
		TAI:    int(tx.Tai),
		Other:  tx.Status&staPLL != 0,
	}
	switch {
	case tx.Status&staInsert != 0:
		s.Leap = 1
	case tx.Status&staDelete != 0:
		s.Leap = -1
	}
	return s
}

func micros(s float64) int64 {
	if !(s < mostError) {
		s = mostError
	}
	return int64(math.Ceil(max(s, 0) * 1e6))
}

// put stores v in a field whose width depends on the machine.
func put[T int32 | int64](field *T, v int64) { *field = T(v) }
