// Package monitor probes the NTP servers assigned to a station and judges them.
//
// One exchange is one NTP request and its reply. A round trip of delay d can
// neither hide nor invent more than d/2 of offset, so every exchange yields an
// interval that holds the truth whatever the path did; verdicts are drawn from
// intervals, and none is given without a reference that is good enough.
//
// Offset is server minus true time, in seconds, positive when the server is
// ahead. Instants are nanoseconds: UTC since the Unix epoch where the name says
// a clock's reading, CLOCK_MONOTONIC where it is called mono.
//
// Where to look: interval.go says what one exchange proves, verdict.go what
// becomes of a server's exchanges in a row and failures.go of those without a
// reply, judge.go how a verdict is refined once the clock's reading is, score.go
// the NTP Pool's score. history.go is the memory of a target, claims.go what a
// server says of itself, suspect.go, families.go and nearby.go what is told beside
// the verdict. station.go decides whether silence is the servers' fault or the
// station's own, host.go what the station knows of its own side, vouch.go whether
// the others speak for the reference. run.go is the loop, schedule.go when an
// address is asked, denial.go when it no longer is, manners.go how that outlasts a
// restart, servers.go names and addresses, caution.go those that are not convicted,
// path.go how far requests get and trace.go when that is looked at. taxonomy.go has
// the words for what became of an exchange, and for what is odd about a reply.
// evidence.go is what others may judge again.
package monitor

import (
	"context"
	"net/netip"
	"time"
)

// DefaultLimit is how far from true time a server may be before it is judged
// off, in seconds: the NTP Pool's bound for a full score.
const DefaultLimit = 0.025

// Server is one assignment: what a person or a fleet asked to be watched.
type Server struct {
	Name     string        // what people call it; unique among the assigned
	Host     string        // host name or address literal
	Port     uint16        // UDP port, 123 unless said otherwise
	Limit    float64       // seconds; DefaultLimit unless said otherwise
	Interval time.Duration // between two exchanges on average
	// Remote says that a list from elsewhere named it, which must not lead the
	// station to addresses that only its owner may name, see package address.
	Remote bool
}

// Target is one address of a server: what exchanges are had with. IPv4 and
// IPv6 of one name are two targets.
type Target struct {
	ID     string // unique and stable: the name, and the family where a name has both
	Server Server
	Addr   netip.AddrPort
	// Caution says, for people, why others may meet another server under this
	// name, or why what stands between is this station's own: such a target is
	// never convicted. Empty: nothing is known of that kind. See caution.go.
	Caution string
}

// Outcome says what became of one exchange, before any verdict.
type Outcome string

// The outcomes of an exchange.
const (
	OutcomeOK             Outcome = "ok"
	OutcomeTimeout        Outcome = "timeout"
	OutcomeRefused        Outcome = "refused"        // ICMP port unreachable, from the server itself where the sender is known
	OutcomeUnreachable    Outcome = "unreachable"    // ICMP host or net unreachable, from the path
	OutcomeSendError      Outcome = "send_error"     // this station could not send: its own fault
	OutcomeResolveError   Outcome = "resolve_error"  // this station could not resolve the name: its own fault
	OutcomeUnsynchronized Outcome = "unsynchronized" // leap 3, stratum 0 without a kiss code, stratum 16
	OutcomeDenied         Outcome = "denied"         // kiss code DENY or RSTR
	OutcomeRateLimited    Outcome = "rate_limited"   // kiss code RATE
	OutcomeInvalid        Outcome = "invalid"        // a reply that no NTP server should give; Detail says why
	OutcomeStray          Outcome = "stray"          // packets came, but none that carries the request's cookie
	OutcomeClockStepped   Outcome = "clock_stepped"  // the station's clock was stepped meanwhile: void
	OutcomeInternal       Outcome = "internal"       // a panic in the protocol code, caught: the station's fault
)

// StampSource says in a word who made T1 and T4, by the fields Kernel and Card of an
// exchange: "hw", the network card both; "mixed", the card one and the kernel the
// other; "kernel", that both; or "user", this program one of them at the least.
func StampSource(kernel bool, card uint8) string {
	switch {
	case !kernel:
		return "user"
	case card == 0:
		return "kernel"
	case card == 1:
		return "mixed"
	}
	return "hw"
}

// Exchange is one request and what came back.
type Exchange struct {
	Target  string // Target.ID
	Addr    netip.AddrPort
	Outcome Outcome
	Finding Finding // the same more finely, see taxonomy.go; empty where a Prober does not tell
	Detail  string  // for people; empty when ok

	// The four time stamps, ns since the Unix epoch. T1 and T4 are the
	// station's CLOCK_REALTIME (kernel stamps), T2 and T3 the server's clock.
	T1, T2, T3, T4 int64
	// Mono is CLOCK_MONOTONIC at the middle between T1 and T4, ns. For an
	// exchange that failed it is the instant at which that was known.
	Mono int64
	// Diff is CLOCK_REALTIME minus CLOCK_MONOTONIC during the exchange, ns.
	Diff int64
	// StampError is the half-width of what T1 and T4 may be wrong by, seconds.
	StampError float64
	Kernel     bool // T1 and T4 are both kernel stamps, or Card's
	// Card is how many of T1 and T4 the network card stamped, in the kernel's place;
	// then Kernel.
	Card uint8

	Leap    uint8
	Stratum uint8
	Kiss    string
	// Rejected says that the NTP Pool's agent would count this reply as none,
	// as the protocol library that it shares with this station refuses it.
	Rejected bool
	// Validated says that the protocol library's own check passed the reply.
	Validated      bool
	RefID          uint32
	RootDelay      float64 // seconds
	RootDispersion float64 // seconds

	// What else the reply says, as it says it: zero where there was none.
	Version         uint8
	Poll, Precision int8  // powers of two, seconds
	ReferenceTime   int64 // when the server's clock was last set, ns since the Unix epoch; 0 if it does not say
	TTL             uint8 // or hop limit, as the reply arrived; 0 if not known

	// Strays is how many packets without the request's cookie were skipped, 100 at
	// the most.
	Strays uint8
	// ICMP is the message that ended the exchange.
	ICMP ICMP

	// Interleaved says that the reply came in interleaved mode (RFC 9769). It
	// then tells when the reply before it left, and not when it left itself: T3
	// is T2, which is as true a bound, and the server's work counts as delay.
	Interleaved bool
	// Before is the exchange before this one, measured anew with what an
	// interleaved reply tells: its T3 is when the reply left by the server's
	// kernel or hardware, not by its process. Only stamps, Mono, Diff,
	// StampError, Kernel, Card and Interleaved are set in it. Nil where there is none
	// or where it is in doubt.
	Before *Exchange
	// Wire is what was sent and what came, where that is a proper reply. The
	// monitor keeps it of those alone that may convict, see evidence.go.
	Wire *Wire
}

// ICMP is one such message about a request; From is not valid where there was
// none, or where it is not known.
type ICMP struct {
	Type, Code uint8
	From       netip.Addr
}

// Delay is the round trip less the server's own processing, seconds.
func (x Exchange) Delay() float64 {
	return float64((x.T4-x.T1)-(x.T3-x.T2)) / 1e9
}

// ServerTime is the server's clock at the instant Mono, assuming a symmetric
// path, ns since the Unix epoch; wrong by Delay/2 at the most.
func (x Exchange) ServerTime() int64 {
	// Halved before summing: the sum of two such times exceeds int64 after 2116.
	return x.T2 + (x.T3-x.T2)/2 + (x.midpoint() - (x.T1 + (x.T4-x.T1)/2))
}

func (x Exchange) midpoint() int64 { return x.Mono + x.Diff }

// Prober has one exchange with a target. It never panics, returns within its
// own timeout, and reports every failure as an Outcome.
type Prober interface {
	Probe(ctx context.Context, t Target) Exchange
}

// Reading is what the station knows of true time at one instant.
type Reading struct {
	True        int64   // UTC, ns since the Unix epoch; meaningless unless Known
	Known       bool    // False: no source says what time it is
	Uncertainty float64 // half-width of a 95 % interval, seconds
	Bound       float64 // half-width that truth leaves once in a million, seconds
	Usable      bool    // locked, or in bounded holdover: good enough to judge with
	Reason      string  // why it is not usable, for people
	Final       bool    // smoothed with what came later; will not change any more
}

// Clock tells true time at instants of the station's monotonic clock. judged
// is the Target.ID the reading is for, so that a source built from servers can
// leave it out; empty for none.
type Clock interface {
	At(mono int64, judged string) Reading
}

// Assignments says which servers to probe. The channel is closed when the list
// that came with it is no longer current.
type Assignments interface {
	Servers() (list []Server, changed <-chan struct{})
}

// Sink takes every exchange and the verdict drawn from it, provisional and
// again when final. It must not block.
type Sink interface {
	Put(x Exchange, r Result)
}

// Result is what is known of one target after an exchange. Pointers are nil
// where a value is not known.
type Result struct {
	Target      Target
	Verdict     Verdict
	Assured     bool // with ok: the whole interval is inside the limit
	Provisional bool
	Reason      string   // for people
	Offset      *float64 // server minus true time, seconds
	Uncertainty *float64 // of Offset, 95 %, assuming a symmetric path, seconds
	Bound       *float64 // half-width of the offset interval, seconds
	RTT         *float64 // seconds
	Stratum     *int
	Score       *float64  // NTP Pool formula
	Loss        *float64  // share of the last 100 exchanges that brought no reply, a refusal, or an invalid one; the station's own faults are not among them
	Last        time.Time // true time of the exchange; the station's clock until true time is known
	// Path is where requests stopped the last time that the target fell silent,
	// for a day. Nil: not looked at; and always in what a Sink is given.
	Path *Path

	// Offset, Uncertainty and Bound are those of the best of the last exchanges,
	// aged; Latest is what the last one that was measured says alone. They are
	// the same unless a queue delayed it, see history.go.
	Latest *Measurement
	Jitter *float64 // RMS of the last 8 exchanges' offsets around Offset, seconds
	// What was exchanged since the station began to ask, exactly.
	Sent, Received uint64 // requests; replies that carry their cookie, whatever they were worth
	Reach          uint16 // of the last 16 requests, the last in the lowest bit: 1 was replied to
	Claims         *Claims
	// FamilyGap is this target's offset less that of the server's address of the
	// other family, seconds; nil where there is none or it is not known.
	FamilyGap *float64
	Warnings  []Warning

	// Evidence is given to a Sink, with the final verdict on an exchange that lies
	// wholly outside of the limit; else it is nil.
	Evidence *Evidence
}

// Measurement is what one exchange says of a server's offset.
type Measurement struct {
	Offset, Uncertainty, Bound float64 // as in Result, seconds
	RTT                        float64 // seconds
}

// Verdict is the judgement on a server.
type Verdict string

// The verdicts. See verdict.go for the rules.
const (
	OK             Verdict = "ok"
	Doubtful       Verdict = "doubtful"
	Off            Verdict = "off"
	Unsynchronized Verdict = "unsynchronized"
	Unreachable    Verdict = "unreachable"
	Refused        Verdict = "refused"
	Denied         Verdict = "denied"
	RateLimited    Verdict = "rate_limited"
	Invalid        Verdict = "invalid"
	NotJudged      Verdict = "not_judged"
)
