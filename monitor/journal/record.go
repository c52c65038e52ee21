package journal

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Target is whom an exchange was had with, as far as a journal keeps it.
type Target struct {
	ID    string // monitor.Target.ID
	Name  string // of the server
	Addr  netip.AddrPort
	Limit float64 // that it was judged by, seconds
}

// Reference is what the station knew of true time at an instant.
type Reference struct {
	UTC         int64 // ns since the Unix epoch; meaningless unless Known
	Known       bool
	Uncertainty float64 // half-width of a 95 % interval, seconds
	Usable      bool    // good enough to judge with
	Source      string  // see Knows
	State       string
}

// Record is one exchange and what the station made of it.
type Record struct {
	Target Target

	// Segment and Slot say where the record lies; together they name it for good.
	Segment Segment
	Slot    int

	// Time is the middle of the exchange, UTC. It is zero while nobody has known
	// the true time since the station started; Mono and Session then say when
	// within which run of the station that was. DatedLater: true time was not
	// known at the exchange, and is counted back from when it was, at the pace of
	// the station's oscillator.
	Time       time.Time
	DatedLater bool
	Mono       int64  // CLOCK_MONOTONIC ns; of undated records alone
	Session    uint64 // the run of the station

	Outcome     monitor.Outcome
	Verdict     monitor.Verdict // on the target, this exchange and those before it considered
	Assured     bool
	Provisional bool  // the final verdict had not come when the record was written
	Measured    bool  // Offset, Bound and Uncertainty are known
	Timed       bool  // Delay is known
	Kernel      bool  // both stamps are the kernel's, or Card's
	Card        uint8 // how many of them the network card made; see monitor.Exchange
	Rejected    bool  // see monitor.Exchange

	Offset      int64 // server minus true time, ns
	Delay       int64 // round trip without the server's own processing, ns; MaxDelay: that or more
	Bound       float64
	Uncertainty float64 // of Offset; seconds, as Bound is
	StampError  float64 // half-width of what the stamps may be wrong by, seconds

	// Of the reply, where Outcome says that there was one.
	Leap           uint8
	Stratum        uint8
	Kiss           bool // RefID is a kiss code
	RefID          uint32
	RootDelay      float64 // seconds
	RootDispersion float64 // seconds

	Reference Reference // UTC is in Time
}

// MaxDelay is the longest round trip that a record holds, ns.
const MaxDelay = math.MaxUint32

// What a record's flags mean.
const (
	flagDated = 1 << iota
	flagProvisional
	flagAssured
	flagMeasured
	flagTimed
	flagKernel
	flagKiss
	flagRejected
	flagKnown
	flagUsable
	flagCard  // the network card made one of the stamps
	flagCards // or both
)

// record makes a record of what a sink is given.
func record(x *monitor.Exchange, r *monitor.Result, ref Reference) Record {
	rec := Record{
		Target:  Target{ID: x.Target, Name: r.Target.Server.Name, Addr: x.Addr, Limit: r.Target.Server.Limit},
		Outcome: x.Outcome, Verdict: r.Verdict, Assured: r.Assured, Provisional: r.Provisional,
		Mono: x.Mono, Reference: ref,
	}
	if ref.Known {
		rec.Time = time.Unix(0, ref.UTC).UTC()
	}
	if isReply(x.Outcome) {
		rec.Leap, rec.Stratum, rec.Kiss, rec.RefID = x.Leap, x.Stratum, x.Kiss != "", x.RefID
		rec.RootDelay, rec.RootDispersion = x.RootDelay, x.RootDispersion
		rec.Kernel, rec.Card, rec.Rejected, rec.StampError = x.Kernel, x.Card, x.Rejected, x.StampError
	}
	// What else a result tells may be of an earlier exchange: a request without a
	// reply leaves the measurement before it in force.
	// And r.Offset may be that of a better one, which has a record of its own.
	if m := r.Latest; m != nil && x.Outcome == monitor.OutcomeOK {
		rec.Measured, rec.Offset, rec.Bound, rec.Uncertainty = true, nanoseconds(m.Offset), m.Bound, m.Uncertainty
	}
	if (x.Outcome == monitor.OutcomeOK || x.Outcome == monitor.OutcomeUnsynchronized) && r.RTT != nil {
		rec.Timed, rec.Delay = true, min(max(nanoseconds(*r.RTT), 0), MaxDelay)
	}
	return rec
}

// nanoseconds rounds seconds; beyond what fits it is the nearest that does.
func nanoseconds(seconds float64) int64 {
	switch ns := math.Round(seconds * 1e9); {
	case ns != ns:
		return 0
	case ns >= math.MaxInt64:
		return math.MaxInt64
	case ns <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(ns)
	}
}

// put writes a record into a slot, for the target of an index. See journal.go.
func (r *Record) put(b []byte, target uint16) {
	var flags uint16
	for _, f := range [...]struct {
		is  bool
		bit uint16
	}{
		{!r.Time.IsZero(), flagDated}, {r.Provisional, flagProvisional}, {r.Assured, flagAssured},
		{r.Measured, flagMeasured}, {r.Timed, flagTimed}, {r.Kernel, flagKernel}, {r.Kiss, flagKiss},
		{r.Rejected, flagRejected}, {r.Reference.Known, flagKnown}, {r.Reference.Usable, flagUsable},
		{r.Card == 1, flagCard}, {r.Card >= 2, flagCards},
	} {
		if f.is {
			flags |= f.bit
		}
	}
	le, at := binary.LittleEndian, r.Mono
	if !r.Time.IsZero() {
		at = r.Time.UnixNano()
	}
	le.PutUint16(b[6:], target)
	le.PutUint64(b[8:], uint64(at))
	le.PutUint64(b[16:], uint64(r.Offset))
	le.PutUint32(b[24:], uint32(r.Delay))
	putFloat(b[28:], r.Bound)
	putFloat(b[32:], r.Uncertainty)
	putShort(b[36:], r.RootDelay)
	putShort(b[40:], r.RootDispersion)
	le.PutUint32(b[44:], r.RefID)
	b[48], b[49] = r.Stratum, r.Leap
	b[50], b[51] = code(verdicts, r.Verdict), code(outcomes, r.Outcome)
	b[52], b[53] = code(sources, r.Reference.Source), code(states, r.Reference.State)
	le.PutUint16(b[54:], flags)
	putFloat(b[56:], r.Reference.Uncertainty)
	putFloat(b[60:], r.StampError)
}

// get reads a slot, whatever it holds; the target is left to the caller.
func (r *Record) get(b []byte) (target uint16) {
	le := binary.LittleEndian
	flags := le.Uint16(b[54:])
	has := func(bit uint16) bool { return flags&bit != 0 }
	*r = Record{
		Offset: int64(le.Uint64(b[16:])), Delay: int64(le.Uint32(b[24:])),
		Bound: getFloat(b[28:]), Uncertainty: getFloat(b[32:]), StampError: getFloat(b[60:]),
		RootDelay: getShort(b[36:]), RootDispersion: getShort(b[40:]), RefID: le.Uint32(b[44:]),
		Stratum: b[48], Leap: b[49] & 3,
		Verdict: word(verdicts, b[50]), Outcome: word(outcomes, b[51]),
		Provisional: has(flagProvisional), Assured: has(flagAssured), Measured: has(flagMeasured),
		Timed: has(flagTimed), Kernel: has(flagKernel), Kiss: has(flagKiss), Rejected: has(flagRejected),
		Reference: Reference{
			Known: has(flagKnown), Usable: has(flagUsable), Uncertainty: getFloat(b[56:]),
			Source: word(sources, b[52]), State: word(states, b[53]),
		},
	}
	switch {
	case has(flagCards):
		r.Card = 2
	case has(flagCard):
		r.Card = 1
	}
	at := int64(le.Uint64(b[8:]))
	if has(flagDated) {
		r.Time = time.Unix(0, at).UTC()
	} else {
		r.Mono = at
	}
	return le.Uint16(b[6:])
}

func putFloat(b []byte, f float64) {
	binary.LittleEndian.PutUint32(b, math.Float32bits(float32(f)))
}

// getFloat is never infinite nor no number.
func getFloat(b []byte) float64 {
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// putShort keeps a time in the format in which it came, RFC 5905's short one.
func putShort(b []byte, seconds float64) {
	binary.LittleEndian.PutUint32(b, uint32(min(max(math.Round(seconds*65536), 0), math.MaxUint32)))
}

func getShort(b []byte) float64 { return float64(binary.LittleEndian.Uint32(b)) / 65536 }
