package monitor

import (
	"fmt"
	"math"
	"time"
)

const (
	// replyTimeout is longer than any Prober waits for a reply: if T1 and T4 are
	// further apart, something is wrong with the station's stamps.
	replyTimeout = 5 * time.Second

	// rateTolerance is how far a second of the station's clock may be from a
	// second while an exchange lasts: 500 ppm, the most the kernel's frequency
	// steering does, 100 ppm for the worst crystal, and 1 ppm for taking their
	// sum instead of their product and its inverse. Not covered is a clock that
	// somebody else slews faster (the kernel's tick allows 10 %): no reference
	// stays locked to such a one.
	rateTolerance = 601e-6

	// serverRate is how fast a server's clock may run at the most, as the
	// kernel's tick allows it to be slewed by 10 %, and its crystal.
	serverRate = 0.101

	// stampResolution covers the rounding of four stamps and two midpoints to
	// whole nanoseconds, seconds.
	stampResolution = 4e-9

	// asymmetryShare is the part of the delay that goes into Uncertainty. The
	// best estimate assumes that both ways take equally long, which queues
	// never quite grant: with one way queueing in a fifth of the exchanges, or
	// all the time, the error of single exchanges over a simulated 40 ms path
	// stayed within 0.15 of the measured delay in 95 % of them. A route that
	// is longer one way all the time is invisible from here and only in Bound.
	asymmetryShare = 0.15

	// stampGap is how far the middle of T1 and T4 may be from Mono+Diff, ns.
	// They are the same instant but for rounding; more means that the stamps are
	// not of one clock.
	stampGap = int64(time.Microsecond)
)

// offsetInterval is what one exchange proves: the server's offset lies within
// offset +- bound whatever the path did. See pathWidth.
type offsetInterval struct {
	offset, bound, uncertainty float64 // seconds
}

// outside is +1 when the whole interval is above the limit, -1 when it is
// below minus the limit, else 0.
func (i offsetInterval) outside(limit float64) int8 {
	switch {
	case i.offset-i.bound > limit:
		return 1
	case i.offset+i.bound < -limit:
		return -1
	}
	return 0
}

// pathWidth is half the width that the path and the stamps leave open, seconds.
//
// The proof. In true time the request left at s, reached the server at a, the
// reply left it at d and came at r: s <= a <= d <= r. M is true time when the
// station's clock read (T1+T4)/2, W is T4-T1, E StampError, q rateTolerance.
// T1 and T4 are the clock's readings at s and r, each wrong by E at the most,
// and the clock's seconds by q, so
//
//	s >= M - (W/2 + E)(1+q)        r <= M + (W/2 + E)(1+q)
//
// The server's offset is its clock's reading less true time, so
//
//	at a:  T2 - a <= T2 - s <= T2 - M + (W/2 + E)(1+q) = high
//	at d:  T3 - d >= T3 - r >= T3 - M - (W/2 + E)(1+q) = low
//
// whatever the path did. Their middle is (T2+T3)/2 - M, which is ServerTime
// less M: the estimate. Their half distance is
//
//	(W - (T3-T2))/2 + E + q(W/2 + E) = Delay/2 + E + q(W/2 + E)
//
// The reference knows M to within Reading.Bound, which is added. If the whole
// interval lies above the limit, low does, and the server was ahead by more
// than it when the reply left; if it lies below, high does, and the server was
// behind when the request came. Nothing is assumed about the server's clock,
// neither its rate nor that it is not set between T2 and T3: a long T3-T2 takes
// from the delay what it adds to the wait, and one told wrong moves low and
// high against each other, not past what they prove. Negative, high lies below
// low: then the server's clock ran fast or was set while it worked.
func pathWidth(x Exchange) float64 {
	return x.Delay()/2 + x.StampError + rateTolerance*(float64(x.T4-x.T1)/2e9+x.StampError) + stampResolution
}

// tooLong says that the server claims to have worked on the request for longer
// than the reply took, beyond what stamps and clocks that are being slewed
// explain.
func tooLong(x Exchange) bool {
	worked := float64(x.T3-x.T2) / 1e9
	return pathWidth(x)+serverRate*worked/2 < 0
}

// measure gives the interval of an exchange that checkStamps has passed, with
// a reading that is Known.
func measure(x Exchange, r Reading) offsetInterval {
	delay := max(x.Delay(), 0)
	return offsetInterval{
		offset: between(x.ServerTime(), r.True),
		bound:  math.Abs(pathWidth(x)) + r.Bound,
		// Independent causes, each a 95 % half-width or wider.
		uncertainty: math.Sqrt(r.Uncertainty*r.Uncertainty + x.StampError*x.StampError +
			asymmetryShare*asymmetryShare*delay*delay),
	}
}

// between is a minus b in seconds; it cannot overflow.
func between(a, b int64) float64 {
	d := a - b
	if (a >= b) != (d >= 0) {
		return float64(a)/1e9 - float64(b)/1e9
	}
	return float64(d) / 1e9
}

// checkStamps says what is wrong with the stamps of a reply: own for what can
// only be the station's fault, theirs for what no right server sends. Both are
// empty when the stamps make sense.
func checkStamps(x Exchange) (own, theirs string) {
	sent, processed := x.T4-x.T1, x.T3-x.T2
	switch {
	case !finite(x.StampError):
		return "the error of the station's own time stamps is not known", ""
	case x.T1 <= 0 || x.T4 <= 0 || between(x.T4, x.T1) < -2*x.StampError:
		return "the station's own time stamps run backwards", ""
	case math.Abs(between(x.midpoint(), x.T1+sent/2)) > float64(stampGap)/1e9:
		return "the station's own time stamps are not of one clock", ""
	case sent > int64(replyTimeout):
		return fmt.Sprintf("the station's own time stamps are %s apart, longer than any reply is waited for", people(float64(sent)/1e9)), ""
	case x.T2 == 0 || x.T3 == 0:
		return "", "a reply without the time of arrival or departure"
	case x.T3 < x.T2 || processed < 0:
		return "", fmt.Sprintf("the reply left %s before the request came", people(between(x.T2, x.T3)))
	case tooLong(x):
		return "", fmt.Sprintf("a negative round trip: the server claims to have worked on the request for %s, the reply took %s",
			people(float64(processed)/1e9), people(float64(sent)/1e9))
	}
	return "", ""
}

// checkReading says why a reading cannot be judged with; empty when it can.
func checkReading(r Reading) string {
	switch {
	case !r.Usable || !r.Known:
		if r.Reason == "" {
			return "no reference"
		}
		return r.Reason
	case !finite(r.Bound) || !finite(r.Uncertainty):
		return "the reference does not say how good it is"
	}
	return ""
}

// finite is false for NaN, infinity and negative widths.
func finite(width float64) bool { return width >= 0 && !math.IsInf(width, 1) }

// people writes a duration in seconds the way a person says it.
func people(seconds float64) string {
	switch away := math.Abs(seconds); {
	case away >= 1:
		return fmt.Sprintf("%.3g s", seconds)
	case away >= 1e-3:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g µs", seconds*1e6)
}
