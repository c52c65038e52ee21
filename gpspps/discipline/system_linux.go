package discipline

import (
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
	adjSetOffset = 0x0100
	adjNano      = 0x2000

	staUnsync = 0x0040

	scaledPPM = 1 << 16 // the kernel's frequency is in 2^-16 ppm
	// The kernel takes an error of 16 s (NTP_PHASE_LIMIT) for unsynchronised.
	mostError = 15.9 // seconds
)

// System is the machine's own clock. Reading it needs no rights; setting it
// needs CAP_SYS_TIME, else the methods fail with an error that is fs.ErrPermission.
func System() (Kernel, error) { return system{}, nil }

type system struct{}

func (system) Now() (mono, diff int64, err error) { return readClocks() }

func (system) SetFrequency(ppm float64) error {
	tx, err := frequency(ppm)
	if err != nil {
		return err
	}
	return adjust("set the frequency of", tx)
}

// Frequency implements what Kernel says of it. It needs no rights.
func (system) Frequency() (ppm float64, err error) {
	var tx unix.Timex // no mode: nothing is set
	if _, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &tx); err != nil {
		return 0, fmt.Errorf("cannot read the clock's frequency: %w", err)
	}
	return float64(tx.Freq) / scaledPPM, nil
}

func (system) Step(ns int64) error { return adjust("step", step(ns)) }

func (system) Report(estError, maxError float64, synced bool) error {
	return adjust("report on", report(estError, maxError, synced))
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
	tx.Modes = adjFrequency
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
func report(estError, maxError float64, synced bool) (tx unix.Timex) {
	tx.Modes = adjStatus
	if !synced {
		tx.Status = staUnsync
		return tx
	}
	tx.Modes |= adjMaxError | adjEstError
	put(&tx.Esterror, micros(estError))
	put(&tx.Maxerror, micros(maxError))
	return tx
}

func micros(s float64) int64 {
	if !(s < mostError) {
		s = mostError
	}
	return int64(math.Ceil(max(s, 0) * 1e6))
}

// put stores v in a field whose width depends on the machine.
func put[T int32 | int64](field *T, v int64) { *field = T(v) }
