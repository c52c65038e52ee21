// Package gpspps is the station's own source of time.
//
// A receiver says once a second which second it is (a Fix, tens to hundreds of
// milliseconds late) and marks the start of the second with an edge (a Pulse,
// microseconds late). Reference numbers the pulses by the fixes and estimates
// from them where true time lies on the station's monotonic clock, with a 95 %
// uncertainty and a bound that truth leaves at most once in a million.
//
// Everything here is driven by the instants that come in with the events:
// nothing reads a clock, so tests run in virtual time.
//
// # The way of an event, and the words on it
//
// A pulse joins the train (train.go): edges that come once a second, counted
// before it is known which seconds they mark. Fixes number the train by how
// long after an edge they come (numbering.go). A numbered train is followed
// (follow.go) once the second it names is proven to be UTC's (proof.go), by
// the receiver, by servers, or by time. Where people say that the pulse comes
// without a receiver, a named reference, servers or the station's own clock
// number it (alone.go).
//
// The estimator (estimator.go) works on the paper timescale (paper.go): that
// of the oscillator left alone, with what steering has added to the clock
// taken out. What it knows after each pulse is a knot. Knots between two locks
// make up a run. A reading (reading.go) is the knot before its instant carried
// on to it; after 32 s the smoother (smoother.go) has gone over the knot with
// all that came after it, and the reading is final. How good the pulses are is
// measured from themselves: their spread (spread.go), those that an interrupt
// held up (tails.go), and whether what the receiver says of its clock's
// granularity makes them any better (sawtooth.go).
//
// When fixes or pulses fail, holdover (holdover.go) carries on a knot from
// before the failure, with a bound that grows: by what the station has found,
// as long as it was locked, that holdovers are off (backtest.go). Labels note which of all this
// held from which instant on, so that the past stays what it was.
//
// Servers vote on the time (quorum.go). Before the first lock a majority is a
// source of its own; from then on it can only speak against the receiver
// (veto.go), where the receiver's contradictions with itself are found, too.
//
// What else speaks against a lock is gathered in distrust.go: what the receiver
// says of its signals, a fixed antenna that is not where it was surveyed
// (antenna.go), and pulses that do what no oscillator can (astray.go), of
// which servers may know better by the pace that they kept (pacers.go). It
// ends in a holdover from before it began.
//
// # What is promised
//
// A reading in StateLocked or StateHoldover holds the truth in its bound, as
// long as one of these does not lie: the receiver with its pulse, steadily and
// for a quarter of an hour; or most of the networks and upstreams that vote,
// which are three at the least. Two of three that lie alike are believed. Of a
// pulse alone it is the pulse that must not lie, and who numbers it. A
// receiver whose messages always come more than a second after their pulse is
// numbered wrongly unless servers say so.
package gpspps

import "time"

// Fix is what the receiver says about one second: one burst of sentences or
// one navigation message.
type Fix struct {
	Mono     int64     // CLOCK_MONOTONIC when the burst's first byte arrived, ns
	Time     time.Time // UTC as the receiver says, of the burst; zero if it said none
	Valid    bool      // the receiver vouches for Time
	NoFix    bool      // the receiver says that it has none; without it and Valid it said neither
	Mode     int       // 0 unknown, 1 none, 2 2D, 3 3D, as gpsd numbers them
	Used     int       // satellites used; -1 unknown
	Seen     int       // satellites in view; -1 unknown
	LeapUTC  bool      // the receiver says that its UTC correction comes from satellites
	Checksum int       // sentences of this burst dropped for a bad checksum

	Accuracy float64  // of Time, as the receiver says, one standard deviation, seconds; 0 unknown
	Leap     int      // GPS time less UTC, as the receiver has it, seconds; 0 unknown
	NextLeap NextLeap // what the receiver says of a leap second to come
	// Sawtooth is how much later than the second that it marks the next pulse
	// comes because the receiver can only put it on a tick of its own clock,
	// seconds; 0 unknown.
	Sawtooth float64
	Position Position
	Jammed   bool // the receiver says that it is being jammed
	Spoofed  bool // the receiver says that its signals are not the satellites'
}

// NextLeap is a leap second that is announced.
type NextLeap struct {
	Change int       // 1 inserted, -1 deleted; 0 none is announced
	At     time.Time // the UTC midnight that it is before
}

// Position is where the antenna is, by one fix.
type Position struct {
	Known    bool
	Lat, Lon float64 // degrees, north and east positive (WGS 84)
	Height   float64 // above mean sea level, metres; 0 unknown
	Accuracy float64 // horizontal, one standard deviation, metres; 0 unknown
}

// Pulse is one edge that marks the start of a second.
type Pulse struct {
	Mono int64  // CLOCK_MONOTONIC, kernel stamp where there is one, ns
	Seq  uint32 // counts edges at the source; a gap means edges were lost; 0 where the source does not count
}

// Vote is what one network server says the time is: offset intervals of
// servers make up the quorum and the veto.
type Vote struct {
	Server    string  // Target.ID
	Host      string  // the server's name: all its addresses have one vote, and none where one is judged; empty: Server
	Group     string  // votes of one group count once: a public /24 or /48
	Mono      int64   // CLOCK_MONOTONIC at the middle of the exchange, ns
	Time      int64   // the server's clock at Mono, UTC ns since the Unix epoch
	HalfWidth float64 // half the delay + root distance + stamp error, seconds
	Upstream  string  // the source a server at stratum 2 and above follows; votes with the same upstream count once too; empty: none
	Leap      int     // it announces that the month ends with a second more (1) or less (-1); 0: with neither
}

// Source names where true time is taken from.
type Source string

// The sources.
const (
	SourceGPSPPS Source = "gps+pps"
	SourcePPS    Source = "pps" // a pulse without a receiver
	SourceGPS    Source = "gps"
	SourcePTP    Source = "ptp"
	SourceChrony Source = "chrony"
	SourceNTP    Source = "ntp"
	SourceQuorum Source = "quorum"
	SourceNone   Source = "none"
)

// State says how far the reference can be relied on.
type State string

// The states. Verdicts are given in StateLocked and in StateHoldover while its
// bound is finite.
const (
	StateCold      State = "cold"      // no fix, no pulse: nothing to go by
	StateNumbering State = "numbering" // pulses or fixes come, which second they mark is not proven yet
	StateLocked    State = "locked"
	StateHoldover  State = "holdover" // was locked; living on the oscillator
	StateSuspect   State = "suspect"  // the source contradicts itself or the network
)

// Reading is what the reference knows at one instant.
type Reading struct {
	Mono        int64   // the instant asked for, CLOCK_MONOTONIC, ns
	True        int64   // UTC, ns since the Unix epoch
	Known       bool    // False: True means nothing
	Uncertainty float64 // half-width of a 95 % interval, seconds
	// Random is the part of it that noise makes: the half-width of a 95 %
	// interval around what pulses say in the long run. The rest is what they may
	// be late by every time. 0 where the two cannot be told apart.
	Random float64
	Bound  float64 // half-width that truth leaves once in a million, seconds
	Source Source
	State  State
	Reason string // for people: why not locked, what it waits for
	Final  bool   // smoothed; will not change any more
}

// Info is what is shown about the reference beside a Reading.
type Info struct {
	FrequencyPPM float64 // of the oscillator left alone, 1e-6; positive: it runs fast; NaN unknown
	// FrequencyUncertaintyPPM is the half-width of its 95 % interval, 1e-6.
	FrequencyUncertaintyPPM float64
	Holdover                time.Duration // age of the holdover, 0 when not in holdover
	SatellitesUsed          int           // -1 unknown
	SatellitesSeen          int           // -1 unknown
	LastPulse               int64         // CLOCK_MONOTONIC ns; 0 none yet
	Counters                Counters
}

// Counters count what came in and what was wrong with it, since the start.
type Counters struct {
	Fixes, FixesInvalid, FixesImplausible, Checksum                    uint64
	Pulses, PulsesUsed, PulsesDoubled, PulsesMissing, PulsesUnnumbered uint64
	Votes, Vetoes                                                      uint64
}

// Sample is one pulse as the estimator saw it, for plots: pulse minus the
// estimate made without it.
type Sample struct {
	Mono        int64
	Offset      float64 // the station's clock minus true time by this pulse alone, seconds; NaN none
	Residual    float64 // pulse minus prediction, seconds
	Uncertainty float64 // seconds
	State       State
}
