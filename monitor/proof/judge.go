package proof

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// Finding is what a statement proves, derived from its packets, stamps and
// readings alone.
type Finding struct {
	Verdict monitor.Verdict // after the last exchange
	Reason  string          // for people
	// Proven says that the server was off, if the station told the truth about
	// its own clock; Doubt why not.
	Proven bool
	Doubt  string
	// Exchanges are those of the statement, as far as they could be read.
	Exchanges []Judged
}

// Judged is one exchange judged again.
type Judged struct {
	monitor.Judged
	At        int64   // true time of its middle, ns since the Unix epoch
	Delay     float64 // seconds
	Lasted    float64 // from T1 to T4, seconds
	Reference Reference
	Stamps    string
}

// Judge judges again what a statement rests on.
func Judge(s *Statement) Finding {
	var f Finding
	list, err := s.evidence()
	if err != nil {
		f.Verdict, f.Doubt = monitor.NotJudged, err.Error()
		return f
	}
	for i, j := range monitor.Rejudge(s.Server.Limit, list) {
		x := &s.Exchanges[i]
		f.Exchanges = append(f.Exchanges, Judged{
			Judged: j, At: x.Reference.True, Delay: list[i].Exchange.Delay(), Lasted: float64(x.T4-x.T1) / 1e9,
			Reference: x.Reference, Stamps: x.Stamps,
		})
		f.Verdict, f.Reason = j.Verdict, j.Reason
	}
	switch {
	case f.Verdict != monitor.Off:
		f.Doubt = fmt.Sprintf("what it holds makes the server %s, not off: %s", f.Verdict, f.Reason)
	case s.Verdict != string(monitor.Off):
		f.Doubt = fmt.Sprintf("what it holds makes the server off, and the station says %q", s.Verdict)
	default:
		f.Proven = true
	}
	return f
}

// monoRate is how far a second of CLOCK_MONOTONIC may be from a second: 500 ppm
// that it may be steered by and what a crystal may be wrong by.
const monoRate = 1e-3

// evidence is what the statement says as the monitor had it, once the packets
// bear it out.
func (s *Statement) evidence() ([]monitor.Evidence, error) {
	list := make([]monitor.Evidence, len(s.Exchanges))
	cookies := map[Packet]bool{}
	for i := range s.Exchanges {
		x, r := &s.Exchanges[i], &s.Exchanges[i].Reference
		fail := func(format string, args ...any) ([]monitor.Evidence, error) {
			return nil, fmt.Errorf("exchange %d: "+format, append([]any{i + 1}, args...)...)
		}
		out := monitor.Exchange{
			Target: s.Server.ID, Addr: s.Server.Address, T1: x.T1, T4: x.T4, Mono: x.Mono, Diff: x.Diff,
			StampError: x.StampError, Kernel: x.Stamps == StampsKernel, TTL: x.TTL,
		}
		if err := probe.Reread(&out, monitor.Wire{Request: x.Request, Reply: x.Reply}); err != nil {
			return fail("%w", err)
		}
		if out.T2 != x.T2 || out.T3 != x.T3 {
			return fail("the reply says other times of arrival and departure than t2_ns and t3_ns")
		}
		if cookies[x.Request] {
			return fail("it is in the file twice")
		}
		cookies[x.Request] = true
		switch {
		case r.State != stateLocked && r.State != stateHoldover:
			return fail("the reference was %q, which nobody is judged by", r.State)
		case !r.Final:
			return fail("the reading of the reference was not final")
		}
		if i > 0 {
			before := &s.Exchanges[i-1]
			passed := float64(x.Mono-before.Mono) / 1e9
			if passed <= 0 {
				return fail("it was had before the one ahead of it")
			}
			// Both readings are within their bounds, so their distance is too.
			truly := float64(r.True-before.Reference.True) / 1e9
			if math.Abs(truly-passed) > r.Bound+before.Reference.Bound+monoRate*passed {
				return fail("%.9g s passed since the one ahead of it, and the reference says %.9g s", passed, truly)
			}
		}
		list[i] = monitor.Evidence{Exchange: out, Reading: monitor.Reading{
			True: r.True, Known: true, Uncertainty: r.Uncertainty, Bound: r.Bound, Usable: true, Final: r.Final,
		}}
	}
	return list, nil
}

// Span is when the exchanges were had, true time.
func (f *Finding) Span() (first, last time.Time) {
	if len(f.Exchanges) == 0 {
		return first, last
	}
	by := func(a, b Judged) int { return cmp.Compare(a.At, b.At) }
	return time.Unix(0, slices.MinFunc(f.Exchanges, by).At).UTC(), time.Unix(0, slices.MaxFunc(f.Exchanges, by).At).UTC()
}
