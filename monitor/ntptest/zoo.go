package ntptest

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Kind is one way in which a server may behave, and what an exchange with it has
// to come to, in package monitor's words.
type Kind struct {
	Name      string
	Behaviour []Behaviour     // of a Server
	Answer    func(*Question) // or of a Wild
	Closed    bool            // or of a port that nobody has opened
	Host      string          // of loopback, "127.0.0.1" if empty

	Outcome, Finding string
	Warnings         []string
	Limit            time.Duration // that the warnings are for; 0 for so long that none is about it
	Strays           int           // that the exchange skips at least
	Silent           bool          // the exchange ends with its timeout
	Queue            bool          // it takes the socket's error queue to see it, which Linux alone has
	Root             bool          // it takes a right to send ICMP messages
}

// Started is a server of some kind that runs.
type Started interface {
	Addr() netip.AddrPort
	io.Closer
}

// Start starts one.
func (k Kind) Start() (Started, error) {
	if k.Answer != nil {
		return StartWild(k.Host, k.Answer)
	}
	host := k.Host
	if host == "" {
		host = "127.0.0.1"
	}
	s, err := Start(netip.AddrPortFrom(netip.MustParseAddr(host), 0).String(), k.Behaviour...)
	if err == nil && k.Closed {
		s.Close()
	}
	return s, err
}

// Kinds is the zoo: every answer that a client of NTP was seen to stumble over,
// every fault that there is a word for, and what looks like one and is none.
func Kinds() []Kind {
	all := [][]Kind{properKinds(), oddKinds(), faultyKinds(), kissKinds(), strayKinds(), trailingKinds(), unreachableKinds()}
	var list []Kind
	for _, l := range all {
		list = append(list, l...)
	}
	return list
}

func properKinds() []Kind {
	ok := func(name string, b ...Behaviour) Kind {
		return Kind{Name: name, Behaviour: b, Outcome: "ok", Finding: "ok"}
	}
	six := ok("right over ipv6")
	six.Host = "::1"
	return []Kind{
		ok("right"), six,
		ok("stratum 1"), ok("stratum 2", Stratum(2)), ok("stratum 15", Stratum(15)),
		ok("precision 127", Precision(127)), ok("precision -127", Precision(-127)),
		ok("an hour ahead", Offset(time.Hour)), ok("years behind", Offset(-20*365*24*time.Hour)),
		ok("after the era's end", Time(func(int64) int64 { return eraEnd + int64(time.Hour) })),
		{Name: "the era ends between receipt and reply", Outcome: "ok", Finding: "ok",
			Behaviour: []Behaviour{Raw(func(_, reply []byte) [][]byte {
				binary.BigEndian.PutUint64(reply[16:], 0xfffffff0_00000000)
				binary.BigEndian.PutUint64(reply[32:], 0xffffffff_ffffff00)
				binary.BigEndian.PutUint64(reply[40:], 0x00000000_00000100)
				return [][]byte{reply}
			})}},
		ok("slow", Slow(30*time.Millisecond)),
	}
}

// eraEnd is 2036-02-07 06:28:16 UTC, when NTP's seconds begin anew at 0; ns
// since the Unix epoch.
const eraEnd = int64(1<<32-ntpToUnix) * 1e9

func oddKinds() []Kind {
	odd := func(name, warning string, b ...Behaviour) Kind {
		return Kind{Name: name, Behaviour: b, Outcome: "ok", Finding: "ok", Warnings: []string{warning}}
	}
	wide := odd("a way longer than the limit", "too_wide", Path(30*time.Millisecond, 30*time.Millisecond))
	wide.Limit = 25 * time.Millisecond
	return []Kind{
		odd("reference time zero", "reftime_zero", NoReferenceTime()),
		odd("reference time 1 s ahead", "reftime_future", ReferenceTime(time.Second)),
		odd("reference time of last year", "stale_ref", ReferenceTime(-365*24*time.Hour)),
		odd("version 1", "version_low", Version(1)),
		odd("version 2", "version_low", Version(2)),
		odd("version 3", "version_low", Version(3)),
		odd("a leap second more announced", "leap_pending", Leap(1)),
		odd("a leap second less announced", "leap_pending", Leap(2)),
		odd("root delay of 4 s", "root_distance", Root(4<<16, 0)),
		odd("root dispersion of 16 s", "root_distance", Root(0, 16<<16)),
		odd("root fields at their most", "root_distance", Root(1<<32-1, 1<<32-1)),
		wide,
		{Name: "several oddities at once", Behaviour: []Behaviour{Version(1), Leap(1), NoReferenceTime(), Root(1<<31, 0)},
			Outcome: "ok", Finding: "ok", Warnings: []string{"reftime_zero", "version_low", "leap_pending", "root_distance"}},
	}
}

func faultyKinds() []Kind {
	bad := func(name, finding string, b ...Behaviour) Kind {
		return Kind{Name: name, Behaviour: b, Outcome: "invalid", Finding: finding}
	}
	list := []Kind{
		bad("precision 0x80", "bad_exponent", Precision(-128)),
		bad("poll 0x80", "bad_exponent", Poll(-128)),
		bad("receive time zero", "bad_timestamps", ZeroReceive()),
		bad("transmit time zero", "bad_timestamps", ZeroTransmit()),
		bad("both times zero", "bad_timestamps", ZeroReceive(), ZeroTransmit()),
		bad("replied before it received", "bad_timestamps", Backwards(time.Minute)),
		bad("replied 40 years before it received", "bad_timestamps", Backwards(40*365*24*time.Hour)),
		bad("stratum 17", "stratum_range", Stratum(17)),
		bad("stratum 255", "stratum_range", Stratum(255)),
		// Their stamps are the judge's to weigh: the outcome is ok, the verdict invalid.
		{Name: "worked for longer than the reply took", Behaviour: []Behaviour{worked(3900 * time.Millisecond)}, Outcome: "ok", Finding: "negative_delay"},
		{Name: "worked for a minute", Behaviour: []Behaviour{worked(time.Minute)}, Outcome: "ok", Finding: "proc"},
	}
	for _, m := range []uint8{0, 1, 2, 3, 5, 6, 7} {
		list = append(list, bad("mode "+digit(m), "bad_mode", Mode(m)))
	}
	for _, v := range []uint8{0, 5, 6, 7} {
		list = append(list, bad("version "+digit(v), "bad_version", Version(v)))
	}
	without := func(name string, b ...Behaviour) Kind {
		return Kind{Name: name, Behaviour: b, Outcome: "unsynchronized", Finding: "unsynchronized"}
	}
	return append(list,
		without("chronyd without time", Unsynchronized()),
		without("ntpd without time", Kiss("INIT")),
		without("ntpd about to step", Kiss("STEP")),
		without("stratum 16", Stratum(16)),
		without("leap indicator 3", Leap(3)),
		without("stratum 0 without a code", Stratum(0), RefID("")),
		without("stratum 0 with an address for a code", Stratum(0), RefID("\x7f\x7f\x01\x00")),
	)
}

// worked says that the request was worked on for so long, whatever it took.
func worked(d time.Duration) Behaviour {
	return Raw(func(_, reply []byte) [][]byte {
		t2 := binary.BigEndian.Uint64(reply[32:])
		binary.BigEndian.PutUint64(reply[40:], t2+uint64(d.Milliseconds())<<32/1000)
		return [][]byte{reply}
	})
}

func digit(n uint8) string { return string('0' + rune(n)) }

func kissKinds() []Kind {
	kiss := func(name, outcome, finding string, b ...Behaviour) Kind {
		return Kind{Name: name, Behaviour: b, Outcome: outcome, Finding: finding}
	}
	return []Kind{
		kiss("kiss DENY", "denied", "kod_DENY", Kiss("DENY")),
		kiss("kiss DENY without transmit time", "denied", "kod_DENY", Kiss("DENY"), ZeroTransmit()),
		kiss("kiss DENY without any time", "denied", "kod_DENY", Kiss("DENY"), ZeroTransmit(), ZeroReceive(), NoReferenceTime()),
		kiss("kiss DENY with poll 0x80", "denied", "kod_DENY", Kiss("DENY"), Poll(-128)),
		kiss("kiss RSTR", "denied", "kod_RSTR", Kiss("RSTR")),
		kiss("kiss RATE", "rate_limited", "kod_RATE", Kiss("RATE")),
		kiss("kiss RATE without transmit time", "rate_limited", "kod_RATE", Kiss("RATE"), ZeroTransmit()),
		kiss("kiss RATE with leap indicator 0", "rate_limited", "kod_RATE", Kiss("RATE"), Leap(0)),
		kiss("kiss XYZ", "invalid", "kod_other", Kiss("XYZ")),
		kiss("kiss NTSN", "invalid", "kod_other", Kiss("NTSN")),
		{Name: "a kiss that somebody forges", Outcome: "ok", Finding: "ok", Strays: 1, Answer: func(q *Question) {
			forged := append([]byte(nil), q.Right...)
			forged[0], forged[1] = 0xe4, 0
			copy(forged[12:], "DENY")
			clear(forged[24:32]) // who does not see the request does not know its cookie
			q.Send(forged)
			q.Send(q.Right)
		}},
	}
}

func strayKinds() []Kind {
	stray := func(q *Question) []byte {
		b := append([]byte(nil), q.Right...)
		b[24] ^= 0xff
		return b
	}
	return []Kind{
		{Name: "dead", Behaviour: []Behaviour{Dead()}, Outcome: "timeout", Finding: "timeout", Silent: true},
		{Name: "later than anybody waits", Behaviour: []Behaviour{Slow(maxWait)}, Outcome: "timeout", Finding: "timeout", Silent: true},
		{Name: "empty", Behaviour: []Behaviour{Length(0)}, Outcome: "stray", Finding: "short", Silent: true},
		{Name: "12 bytes", Behaviour: []Behaviour{Length(12)}, Outcome: "stray", Finding: "short", Silent: true},
		{Name: "32 bytes", Behaviour: []Behaviour{Length(32)}, Outcome: "invalid", Finding: "short", Silent: true},
		{Name: "47 bytes", Behaviour: []Behaviour{Length(47)}, Outcome: "invalid", Finding: "short", Silent: true},
		{Name: "wrong cookie", Behaviour: []Behaviour{WrongOrigin()}, Outcome: "stray", Finding: "bad_origin", Silent: true},
		{Name: "wrong cookie before the reply", Behaviour: []Behaviour{Strays(1)}, Outcome: "ok", Finding: "ok", Strays: 1},
		{Name: "99 wrong cookies before the reply", Behaviour: []Behaviour{Strays(99)}, Outcome: "ok", Finding: "ok", Strays: 99},
		{Name: "2000 wrong cookies", Outcome: "stray", Finding: "bad_origin", Answer: func(q *Question) {
			b := stray(q)
			for range 2000 {
				q.Send(b)
			}
			q.Send(q.Right)
		}},
		{Name: "the client's own packet sent back", Outcome: "stray", Finding: "bad_origin", Silent: true, Answer: func(q *Question) { q.Send(q.Request[:]) }},
		{Name: "cut short before the reply", Outcome: "ok", Finding: "ok", Strays: 2, Answer: func(q *Question) {
			q.Send(q.Right[:20])
			q.Send(q.Right[:47])
			q.Send(q.Right)
		}},
		{Name: "twice", Outcome: "ok", Finding: "ok", Answer: func(q *Question) {
			q.Send(q.Right)
			q.Send(q.Right)
		}},
		{Name: "from another port", Outcome: "timeout", Finding: "timeout", Silent: true, Answer: func(q *Question) { q.SendElsewhere(q.Right) }},
		{Name: "from another address", Outcome: "timeout", Finding: "timeout", Silent: true, Answer: func(q *Question) { q.SendAsNeighbour(q.Right) }},
		{Name: "200 from another port before the reply", Outcome: "ok", Finding: "ok", Answer: func(q *Question) {
			b := append([]byte(nil), q.Right...)
			b[1] = 16
			for range 200 {
				q.SendElsewhere(b)
			}
			q.Send(q.Right)
		}},
	}
}

// trailingKinds have something behind the header, which nobody asked for.
func trailingKinds() []Kind {
	with := func(name string, tail ...byte) Kind {
		return Kind{Name: name, Outcome: "ok", Finding: "ok", Answer: func(q *Question) {
			q.Send(append(append([]byte(nil), q.Right...), tail...))
		}}
	}
	oversized := make([]byte, 9000)
	rand.NewChaCha8([32]byte{1}).Read(oversized)
	return []Kind{
		with("crypto-NAK", 0, 0, 0, 0),
		with("one byte too many", 0),
		with("an extension field of length 0", 1, 4, 0, 0, 1, 4, 0, 0),
		with("an extension field of length 3", 1, 4, 0, 3, 0, 0, 0, 0),
		with("an extension field of length 17", append([]byte{1, 4, 0, 17}, make([]byte, 16)...)...),
		with("an extension field longer than the packet", 1, 4, 0xff, 0xff, 0, 0, 0, 0),
		with("an extension field with a MAC of nothing", 0xf5, 2, 0, 4),
		with("a MAC", append([]byte{0, 0, 0, 1}, oversized[:16]...)...),
		with("1024 bytes", oversized[:1024-packetSize]...),
		with("9048 bytes", oversized...),
	}
}

// unreachableKinds have ICMP messages for an answer.
func unreachableKinds() []Kind {
	const host6 = "::1"
	quoting := func(name, host, outcome, finding string, typ, code uint8, quote int) Kind {
		return Kind{Name: name, Host: host, Outcome: outcome, Finding: finding, Queue: true, Root: true,
			Answer: func(q *Question) { q.ICMP(typ, code, 0, quote) }}
	}
	message := func(name, outcome, finding string, typ, code uint8) Kind {
		return quoting(name, "", outcome, finding, typ, code, packetSize)
	}
	message6 := func(name, outcome, finding string, typ, code uint8) Kind {
		return quoting(name+" over ipv6", host6, outcome, finding, typ, code, packetSize)
	}
	another := func(name, host string, typ, code uint8) Kind {
		return Kind{Name: name, Host: host, Outcome: "ok", Finding: "ok", Root: true,
			Answer: func(q *Question) {
				q.ICMP(typ, code, 1, packetSize)
				q.Send(q.Right)
			}}
	}
	return []Kind{
		{Name: "port closed", Closed: true, Outcome: "refused", Finding: "icmp_port"},
		message("net unreachable", "unreachable", "icmp_net", 3, 0),
		message("host unreachable", "unreachable", "icmp_host", 3, 1),
		message("host isolated", "unreachable", "icmp_host", 3, 8),
		message("protocol unreachable", "unreachable", "icmp_other", 3, 2),
		message("port unreachable", "refused", "icmp_port", 3, 3),
		message("forbidden on the way", "unreachable", "icmp_admin", 3, 13),
		message("too far", "unreachable", "ttl_exceeded", 11, 0),
		quoting("host unreachable, with no more quoted than has to be", "", "unreachable", "icmp_host", 3, 1, 0),
		another("an icmp message about another port before the reply", "", 3, 3),

		{Name: "port closed over ipv6", Host: host6, Closed: true, Outcome: "refused", Finding: "icmp_port"},
		message6("no route", "unreachable", "icmp_net", 1, 0),
		message6("forbidden on the way", "unreachable", "icmp_admin", 1, 1),
		message6("host unreachable", "unreachable", "icmp_host", 1, 3),
		message6("port unreachable", "refused", "icmp_port", 1, 4),
		message6("too far", "unreachable", "ttl_exceeded", 3, 0),
		quoting("host unreachable over ipv6, with no NTP quoted", host6, "unreachable", "icmp_host", 1, 3, 0),
		another("an icmp message about another port before the reply, over ipv6", host6, 1, 4),
	}
}

// RateLimited answers as chronyd does with `ratelimit interval 3 burst 4 leak 2`.
// With kod it says RATE to one in four of those that it would leave unanswered;
// chronyd does so where it is told to.
func RateLimited(kod bool) func(*Question) {
	l := newLimit()
	return func(q *Question) {
		switch {
		case l.answers(q.Received):
			q.Send(q.Right)
		case kod && l.byChance():
			b := append([]byte(nil), q.Right...)
			b[0], b[1] = b[0]|3<<6, 0
			copy(b[12:], "RATE")
			q.Send(b)
		}
	}
}

// limit answers a burst of requests at once, one in 8 s on average beyond that,
// and of those that exceed it one in four all the same, as chance has it.
type limit struct {
	tokens float64
	last   int64 // when the last request came, ns since the Unix epoch
	random *rand.Rand
}

const (
	limitInterval = 8 * time.Second
	limitBurst    = 4
	limitLeak     = 4
)

func newLimit() *limit {
	return &limit{tokens: limitBurst, random: rand.New(rand.NewPCG(3, 4))}
}

func (l *limit) answers(received int64) bool {
	if l.last != 0 {
		l.tokens = min(l.tokens+float64(received-l.last)/float64(limitInterval), limitBurst)
	}
	l.last = received
	if l.tokens >= 1 {
		l.tokens--
		return true
	}
	return l.byChance()
}

func (l *limit) byChance() bool { return l.random.IntN(limitLeak) == 0 }
