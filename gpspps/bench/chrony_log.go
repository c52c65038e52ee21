package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	pulseID = "GPS"
	probeID = "ASK"

	// Settled is how near the truth a clock must stay to count as settled,
	// seconds, and settledFor for how many seconds in a row.
	Settled    = 1e-6
	settledFor = 10

	// parts of a run that say how far its RMS is by chance.
	parts = 20
	// holdoverLimit is how far the error in holdover may be from what the
	// frequency in the log says: it is logged to 1e-9, seconds.
	holdoverLimit = 1e-6
)

// watch follows one chronyd through its log.
type watch struct {
	trace      Trace
	poll, skip int
	pulses     int           // seconds until the pulses end
	start      time.Time     // when sample 0 was taken
	done       chan struct{} // closed after the last probe; nothing below changes then

	frequency float64 // that chronyd takes off, seconds a second of the trace
	updated   float64 // when, about; seconds of the trace
	fresh     bool    // no sample since
	next      int     // the next sample expected
	seen      int
	cut       int // the second from which on holdover is reckoned next
	cutEvery  int
	late      int // samples logged after the next was due
	slew      slew

	clock, estimate [parts]square
	holdover        [len(Horizons)]square
	quiet           int // seconds in a row within Settled
	settle          float64
	probes          int
	correction      [asked]float64 // at the probes, seconds
}

// square sums squares.
type square struct {
	sum float64
	n   int
}

func (s *square) add(v float64) { s.sum += v * v; s.n++ }

func (s square) rms() float64 { return math.Sqrt(s.sum / float64(s.n)) }

func newWatch(t Trace, poll int, o ChronyOptions) *watch {
	return &watch{
		trace: t, poll: poll, skip: o.Skip, pulses: len(t.Late),
		settle: -1, cut: o.CutFrom, cutEvery: o.CutEvery, done: make(chan struct{}),
	}
}

// sample is what is said of second n: minus the clock's error, nanoseconds.
// False without a pulse.
func (w *watch) sample(n int) (nanos int64, ok bool) {
	ahead, ok := w.trace.Stamp(n)
	return -ahead, ok
}

// probe is the same without the pulse's error at one of Horizons after the
// last pulse, false elsewhere.
func (w *watch) probe(n int) (nanos int64, ok bool) {
	for _, h := range Horizons[:asked] {
		if n == w.pulses-1+h && n < len(w.trace.Clock) {
			return -int64(math.Round(w.trace.Clock[n] * 1e9)), true
		}
	}
	return 0, false
}

// read follows the log until the last probe; what is wrong with it ends the run.
func (c *chrony) read(cancel context.CancelCauseFunc) {
	w, lines := c.watch, bufio.NewScanner(c.log)
	for lines.Scan() {
		seen := w.seen
		err := w.line(lines.Text())
		if w.seen > seen {
			w.took(time.Now().Round(0))
		}
		if err != nil {
			cancel(fmt.Errorf("trace %s, poll %d: %w", w.trace.Name, w.poll, err))
			return
		}
		if w.probes == asked {
			close(w.done)
			return
		}
	}
	if err := lines.Err(); err != nil { // among them that the run is over
		cancel(fmt.Errorf("trace %s, poll %d: chronyd's log: %w", w.trace.Name, w.poll, err))
	}
}

// took accounts for when the last sample was logged.
func (w *watch) took(now time.Time) {
	if now.Sub(w.start) > time.Duration(w.next)*slot {
		w.late++
	}
}

// line takes one line of refclocks.log or tracking.log (chrony.conf(5), log).
func (w *watch) line(text string) error {
	f := strings.Fields(text)
	switch {
	case len(f) == 9 && f[3] == "-": // a poll's samples combined
		return nil
	case len(f) == 9:
		return w.offset(f)
	case len(f) == 14 && f[7] == "?": // not synchronized yet, or no more
		return nil
	case len(f) == 14:
		return w.update(f)
	}
	return fmt.Errorf("chronyd logs something else than its manual says: %q", text)
}

// update takes a change of chronyd's correction.
func (w *watch) update(f []string) error {
	var v [3]float64
	for i, column := range []int{4, 6, 9} { // frequency, offset, its standard deviation
		var err error
		if v[i], err = number(f[column]); err != nil {
			return err
		}
	}
	w.frequency = v[0] * 1e-6 / Compression
	// Polls fall anywhere between two samples: in the middle, on average.
	at := float64(w.next) - 0.5
	interval := 0.0
	if w.updated > 0 {
		interval = at - w.updated
	}
	w.slew.accrue(at, v[1], v[2], interval)
	w.updated, w.fresh = at, true
	return nil
}

// offset takes what chronyd made of a sample before it learned from it.
func (w *watch) offset(f []string) error {
	at, err := time.Parse("2006-01-02 15:04:05.999999", f[0]+" "+f[1])
	if err != nil {
		return fmt.Errorf("chronyd logs a time %q", f[0]+" "+f[1])
	}
	raw, err := number(f[6])
	if err != nil {
		return err
	}
	cooked, err := number(f[7])
	if err != nil {
		return err
	}
	// The log has corrected time.
	n := int(math.Round((at.Sub(w.start).Seconds() - (raw - cooked)) * Compression))
	said, ok := int64(0), n >= w.next
	switch {
	case !ok: // never negative from here on
	case f[2] == pulseID:
		said, ok = w.sample(n)
	default:
		said, ok = w.probe(n)
	}
	if !ok || math.Abs(raw-float64(said)*1e-9) > 1e-9+1e-6*math.Abs(raw) {
		return fmt.Errorf("chronyd read an offset of %g s in second %d that nobody sent", raw, n)
	}
	correction := float64(said)*1e-9 - cooked
	if f[2] == probeID {
		w.probed(n, correction)
		return nil
	}
	w.next = n + 1
	w.seen++
	w.sampled(n, correction)
	return nil
}

// sampled accounts for a second with a pulse.
func (w *watch) sampled(n int, correction float64) {
	fresh := w.fresh
	w.fresh = false
	estimate := w.trace.Clock[n] + correction
	clock := estimate + w.slew.at(float64(n))
	if math.Abs(clock) >= Settled {
		w.quiet = 0
	} else if w.quiet++; w.quiet == settledFor && w.settle < 0 {
		w.settle = float64(n - settledFor + 1)
	}
	if n < w.skip {
		return
	}
	part := (n - w.skip) * parts / (w.pulses - w.skip)
	w.clock[part].add(clock)
	w.estimate[part].add(estimate)
	if fresh && n >= w.cut {
		for w.cut <= n {
			w.cut += w.cutEvery
		}
		for i, h := range Horizons {
			if n+h < len(w.trace.Clock) {
				w.holdover[i].add(w.trace.Clock[n+h] + correction - w.frequency*float64(h))
			}
		}
	}
}

// probed accounts for a look at the clock in holdover.
func (w *watch) probed(n int, correction float64) {
	for i, h := range Horizons[:asked] {
		if n == w.pulses-1+h {
			w.correction[i] = correction
			w.probes++
		}
	}
}

// result is what came out, once done is closed; with an error it is not to be
// trusted.
func (w *watch) result() (ChronyResult, error) {
	r := ChronyResult{Trace: w.trace.Name, Poll: w.poll, Settle: w.settle, Lost: -w.seen, Late: w.late}
	for n := range w.pulses {
		if _, ok := w.sample(n); ok {
			r.Lost++
		}
	}
	r.Clock, r.ClockSigma = total(w.clock)
	r.Estimate, _ = total(w.estimate)
	for i, h := range w.holdover {
		r.Holdover[i], r.Cuts[i] = h.rms(), h.n
	}
	if float64(r.Lost) > lostLimit*float64(w.pulses) {
		return r, fmt.Errorf("chronyd lost %d of %d samples: this machine is too busy", r.Lost, w.pulses)
	}
	last := asked - 1
	drift := w.correction[last] - w.correction[0] + w.frequency*float64(Horizons[last]-Horizons[0])
	if math.Abs(drift) > holdoverLimit {
		return r, fmt.Errorf("chronyd's correction in holdover is %g s off what its last frequency says", drift)
	}
	if math.IsNaN(r.ClockSigma) || r.Cuts[last] == 0 {
		return r, errors.New("chronyd never followed the pulses")
	}
	return r, nil
}

// total is the RMS over all parts and its standard error, from how much the
// parts differ.
func total(p [parts]square) (rms, sigma float64) {
	var all square
	for _, s := range p {
		all.sum += s.sum
		all.n += s.n
	}
	mean := all.sum / float64(all.n)
	var spread float64
	for _, s := range p {
		d := s.sum/float64(s.n) - mean
		spread += d * d
	}
	rms = math.Sqrt(mean)
	return rms, math.Sqrt(spread/(parts*(parts-1))) / (2 * rms)
}

// number takes a finite one.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("chronyd logs a number %q", s)
	}
	return v, nil
}
