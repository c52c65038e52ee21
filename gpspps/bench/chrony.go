// What chrony makes of the same noise is measured with real chronyds.
//
// # A chronyd without a clock
//
// Each chronyd runs with -x: it steers nothing but a correction of its own,
// kept as offset and frequency against this machine's clock, which stands for
// an ideal one. A sample of the SOCK reference clock says how far the
// simulated clock, running freely, seems to be off at an instant: minus
// (Clock[n] + Late[n]). For every sample chronyd logs what it makes of it at
// once, before it learns from it: the offset that is left after its
// correction. The pulse's error is known, so
//
//	error = Clock[n] + correction = -(logged offset) - Late[n]
//
// is the true error of the clock that chronyd believes to steer, to 1e-13 s
// for errors near a microsecond. Served NTP time would tell the same, to some
// microseconds only. See [slew] for the one thing that -x leaves out.
//
// # Sixteen times as fast
//
// One second of a trace takes 1/16 s, so that poll p of the trace is
// poll p-4 of chronyd. Offsets keep their size. Frequencies, in seconds of
// offset a second of time, are 16 times as large for chronyd, and so is their
// random walk; both arise by themselves. chronyd's filters compare samples
// with each other: the median and line over a poll, the regression and its
// test of runs, the weight of a new frequency against the last are the same
// in either unit of time. What is absolute in it (chrony.conf(5)):
//
//   - maxclockerror (1e-6) and maxupdateskew (1000e-6) are frequencies and
//     are set 16 times as large; maxdrift, 0.5 s/s, is far away either way.
//   - clockprecision is an offset and stays; it is set, because chronyd would
//     measure this machine's.
//   - the floors of its standard deviation, 1 ns, and of samples, 1 ns, are
//     offsets and stay.
//   - filter is how many samples a poll may combine, at least 4 or all of
//     them. A driver that polls a pulse each second is given as many as there
//     are in a poll; SOCK is not, so it is set.
//   - the rate and shortest duration of slewing belong to the clock's driver,
//     which -x leaves out and [slew] has in the trace's seconds.
package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Compression is how many seconds of a trace pass in one second.
	Compression = 16
	compression = 4 // its logarithm to the base 2
	slot        = time.Second / Compression

	// chronyPrecision is a Pi's: steps of its clock are 19 to 56 ns, and
	// chronyd takes the shortest it sees between two readings. Seconds.
	chronyPrecision = 100e-9
	// chronyFilter is the most samples it combines, as it comes.
	chronyFilter = 64

	// lastWords is how long the last lines of the logs may take.
	lastWords = 30 * time.Second
	// lostLimit is the share of samples that a busy machine may lose, or be late
	// with; chronyd refuses those older than two polls.
	lostLimit = 0.05
)

// Trace is what a clock and its pulses did, second by second: the same noise
// for everybody who is measured with it.
type Trace struct {
	Name string

	// Clock is the error of the clock when nobody steers it, clock minus true
	// time, seconds. Late is how late the pulse was stamped, seconds, or NaN
	// where none came. A clock that runs freely reads Clock[n]+Late[n] at the
	// pulse of second n. Both have one value a second. Clock goes on after the
	// last pulse, for errors in holdover.
	Clock, Late []float64
}

// Stamp is how far the clock that runs freely is ahead when it stamps the pulse
// of second n, whole nanoseconds. False without a pulse.
func (t Trace) Stamp(n int) (nanos int64, ok bool) {
	if n >= len(t.Late) || math.IsNaN(t.Late[n]) {
		return 0, false
	}
	return int64(math.Round((t.Clock[n] + t.Late[n]) * 1e9)), true
}

// Horizons are the times after the last pulse at which the clock's error in
// holdover is measured, seconds.
var Horizons = [...]int{60, 600, 3600, 86400}

const (
	// asked is for how many of Horizons a chronyd is waited for and asked,
	// after the last pulse. It changes nothing then, so that the clock alone
	// tells what comes later.
	asked = 3
	// holdoverSeconds is how long that takes.
	holdoverSeconds = 3600
)

// ChronyOptions say how chronyds are measured.
type ChronyOptions struct {
	// Start runs a chronyd with -x, its files in dir, with these lines in its
	// configuration, and returns what ends it.
	Start func(ctx context.Context, dir string, lines []string) (stop func() error, err error)
	// Dir is for sockets and logs: about 70 characters at most, as the
	// addresses of sockets are short.
	Dir string
	// Skip is how many seconds at the start count for Settle only.
	Skip int
	// Holdover is reckoned from the first update at or after CutFrom, and again
	// each CutEvery, seconds.
	CutFrom, CutEvery int
	// Progress, unless nil, is called every five minutes: how many seconds of
	// how many have been fed, and how punctually.
	Progress func(second, of int, f Feeding)
}

// Feeding is how punctually samples were sent. They carry the instant that they
// are about, so that a late one tells the same. One that comes after the next
// was due may be learned with that one, and older than two polls none is taken.
type Feeding struct {
	Worst   time.Duration
	Late    int // of Seconds: sent after the next were due
	Seconds int
}

// ChronyResult is what one chronyd made of one trace. Errors are of the
// clock, against the truth, in seconds.
type ChronyResult struct {
	Trace string
	Poll  int // of the trace: log2 of seconds between updates

	Clock      float64 // RMS of the clock that it steers, as with a real clock's driver
	ClockSigma float64 // standard error of Clock, from 20 parts of the run
	Estimate   float64 // RMS of what it believes: the clock if it were corrected at once

	// Settle is the first second of ten in a row with the clock within 1 us,
	// seconds after the first sample; negative if never.
	Settle float64

	// Holdover is the RMS of the error at each of Horizons had the pulses ended
	// after an update, over Cuts updates. chronyd then changes nothing: its
	// last offset and frequency tell. NaN without Cuts: the trace was too short.
	Holdover [len(Horizons)]float64
	Cuts     [len(Horizons)]int

	Lost int // samples that chronyd did not take
	Late int // samples that it took after the next was due
}

// MeasureChrony feeds one chronyd for each trace and poll (0 to 10), all at
// once, and returns what they made of it, in that order. It takes a sixteenth
// of the longest trace's pulses and of an hour. What cannot be trusted is an
// error beside the results.
func MeasureChrony(ctx context.Context, o ChronyOptions, traces []Trace, polls []int) ([]ChronyResult, Feeding, error) {
	if o.CutFrom < o.Skip || o.CutEvery < 1 {
		return nil, Feeding{}, fmt.Errorf("holdover from second %d, every %d: it starts at %d or later, every second at most", o.CutFrom, o.CutEvery, o.Skip)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all []*chrony
	defer func() {
		for _, c := range all {
			c.close()
		}
	}()
	for _, t := range traces {
		if least := o.Skip + holdoverSeconds; len(t.Late) < least || len(t.Clock) < len(t.Late)+holdoverSeconds {
			return nil, Feeding{}, fmt.Errorf("trace %s: %d seconds with pulses, %d with a clock; at least %d and %d more are needed",
				t.Name, len(t.Late), len(t.Clock), least, holdoverSeconds)
		}
		for _, poll := range polls {
			if poll < 0 || poll > 10 {
				return nil, Feeding{}, fmt.Errorf("poll %d is not within 0 and 10", poll)
			}
			c, err := openChrony(ctx, o, t, poll, filepath.Join(o.Dir, fmt.Sprint(len(all))))
			if err != nil {
				return nil, Feeding{}, fmt.Errorf("trace %s, poll %d: %w", t.Name, poll, err)
			}
			all = append(all, c)
		}
	}
	// On a whole microsecond, which is all that a sample can say.
	start := time.Now().Add(slot).Truncate(time.Millisecond)
	for _, c := range all {
		c.watch.start = start
		go c.read(cancel)
	}
	fed, err := feedChronyds(ctx, start, all, o.Progress)
	if err != nil {
		return nil, fed, err
	}
	results := make([]ChronyResult, 0, len(all))
	var wrong []error
	deadline := time.After(lastWords)
	for _, c := range all {
		select {
		case <-c.watch.done:
		case <-ctx.Done():
			return nil, fed, context.Cause(ctx)
		case <-deadline:
			return nil, fed, fmt.Errorf("trace %s, poll %d: chronyd's log ends early", c.watch.trace.Name, c.watch.poll)
		}
		r, err := c.watch.result()
		if err != nil {
			wrong = append(wrong, fmt.Errorf("trace %s, poll %d: %w", r.Trace, r.Poll, err))
		}
		results = append(results, r)
	}
	if float64(fed.Late) > lostLimit*float64(fed.Seconds) {
		wrong = append(wrong, fmt.Errorf("%d of %d seconds were fed late, by %v at worst: this machine is too busy", fed.Late, fed.Seconds, fed.Worst))
	}
	return results, fed, errors.Join(wrong...)
}

// chrony is one chronyd, the pipe that it logs into and the sockets of its two
// reference clocks: the pulse, and a probe that it is asked with and never
// learns from.
type chrony struct {
	watch        *watch
	log          *os.File
	pulse, probe *net.UnixConn
	stop         func() error
}

func openChrony(ctx context.Context, o ChronyOptions, t Trace, poll int, dir string) (_ *chrony, err error) {
	c := &chrony{watch: newWatch(t, poll, o)}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := os.MkdirAll(dir, 0o770); err != nil {
		return nil, err
	}
	// Both logs are one pipe, so that their lines come in order and nothing
	// fills a disk.
	pipe := filepath.Join(dir, "refclocks.log")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		return nil, fmt.Errorf("%s: %w", pipe, err)
	}
	if err := os.Link(pipe, filepath.Join(dir, "tracking.log")); err != nil {
		return nil, err
	}
	// For reading and writing, so that neither side waits for the other.
	if c.log, err = os.OpenFile(pipe, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	pulse, probe := filepath.Join(dir, "pulse"), filepath.Join(dir, "probe")
	c.stop, err = o.Start(ctx, dir, []string{
		fmt.Sprintf("refclock SOCK %s refid %s poll %d filter %d", pulse, pulseID, poll-compression, min(1<<poll, chronyFilter)),
		fmt.Sprintf("refclock SOCK %s refid %s poll 0 noselect", probe, probeID),
		fmt.Sprintf("clockprecision %g", chronyPrecision),
		fmt.Sprintf("maxclockerror %d", Compression),
		fmt.Sprintf("maxupdateskew %d", 1000*Compression),
		"logdir " + dir,
		"log refclocks tracking",
		"logbanner 0",
	})
	if err != nil {
		return nil, err
	}
	if c.pulse, err = dialSample(pulse); err != nil {
		return nil, err
	}
	c.probe, err = dialSample(probe)
	return c, err
}

func dialSample(path string) (*net.UnixConn, error) {
	return net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
}

func (c *chrony) close() {
	if c.pulse != nil {
		c.pulse.Close()
	}
	if c.probe != nil {
		c.probe.Close()
	}
	if c.stop != nil {
		c.stop()
	}
	if c.log != nil {
		c.log.Close()
	}
}
