// Package probe has one NTP exchange with a server and reports what became of
// it: the four time stamps, or which of the ways it can fail it failed in.
//
// On Linux all exchanges of a Prober share one socket a family, whose packets
// the kernel stamps (transport_linux.go); elsewhere each has a socket of its own
// (plain.go). What does not come from the server with the request's random
// cookie is skipped and the raw reply kept. Then the protocol is spoken with
// github.com/beevik/ntp, over a connection of ours: its request has to be the one
// that was sent, and it is given a copy of the reply in which nothing can harm it
// (version 1.6.0 panics on a poll or precision exponent of -128, and on some
// extension fields). The outcome is drawn from the raw reply and from the
// kernel's own time stamps, never from beevik's verdict.
//
// Where the server offers interleaved mode (RFC 9769), the exchange before is
// measured anew with the server's own kernel or hardware stamp: interleave.go.
//
// A reply is judged leniently where the law of RFC 5905 leaves room and
// strictly where it contradicts itself: nothing here convicts a server of what
// the exchange does not prove. Whether time stamps of both sides go together is
// for the judge to say, who knows what they may be wrong by.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/beevik/ntp"

	"github.com/truechimer/truechimer/monitor"
)

// DefaultTimeout is how long a reply is waited for: the NTP Pool monitor's.
const DefaultTimeout = 3 * time.Second

// Prober has exchanges. It is safe for use by many goroutines at once.
type Prober struct {
	timeout time.Duration
	clock   Clock
	dial    dialer
	shared  io.Closer // what the exchanges share, nil if nothing
	beside  dialer    // for a trace's other port; nil: dialPlain

	hardware []string        // interfaces whose stamps are wanted
	problems func() []string // with them; nil: there are none
	count    counters

	basic    bool
	partners *partners // servers that interleaved mode may be had with, nil for none
}

// dialer prepares the connection for one exchange, without sending anything.
type dialer func(ctx context.Context, t monitor.Target, c Clock, timeout time.Duration) (wire, error)

// Counters is what a Prober has seen since it was made.
type Counters struct {
	Exchanges uint64 // exchanges begun
	Strays    uint64 // packets from a server that was asked, skipped for lack of the request's cookie
	NoStamp   uint64 // exchanges that asked for kernel stamps and had at most one of the two
	Stepped   uint64 // exchanges void because the station's clock was stepped
	Panics    uint64 // panics in the protocol code, caught
	Doubted   uint64 // stamps of network cards that were wanted and did not come or were not believed

	// Seen by the shared sockets only, on Linux.
	Late       uint64 // replies within a minute of the end of an exchange that had none
	Duplicates uint64 // replies to an exchange that had its reply
	Foreign    uint64 // packets from where nothing was expected
	Dropped    uint64 // packets lost because a socket's buffer was full
}

type counters struct {
	exchanges, strays, noStamp, stepped, panics, doubted atomic.Uint64
	late, duplicates, foreign, dropped                   atomic.Uint64
}

// Option changes how a Prober works.
type Option func(*Prober)

// Timeout sets how long a reply is waited for; DefaultTimeout if d is not
// positive.
func Timeout(d time.Duration) Option {
	return func(p *Prober) {
		if d > 0 {
			p.timeout = d
		}
	}
}

// WithClock replaces the system's clocks.
func WithClock(c Clock) Option { return func(p *Prober) { p.clock = c } }

// Plain takes the stamps of beevik/ntp, made in user space, even where the
// kernel could do better.
func Plain() Option { return func(p *Prober) { p.dial = dialPlain } }

// Basic keeps to basic mode: interleaved mode is never asked for.
func Basic() Option { return func(p *Prober) { p.basic = true } }

// HardwareStamps has the network cards of some interfaces stamp packets, on Linux,
// where that can be had and the stamps can be true. What cannot, HardwareProblems
// tells, and the kernel's stamps serve.
func HardwareStamps(interfaces ...string) Option {
	return func(p *Prober) { p.hardware = interfaces }
}

// New returns a Prober: with kernel time stamps on Linux, with user-space
// stamps elsewhere.
func New(opts ...Option) *Prober {
	p := &Prober{timeout: DefaultTimeout, clock: SystemClock()}
	for _, o := range opts {
		o(p)
	}
	if p.dial == nil {
		p.share()
	}
	return p
}

// Close frees what the exchanges share; where that is something, those under
// way end as internal, and later ones as send errors.
func (p *Prober) Close() error {
	if p.shared == nil {
		return nil
	}
	return p.shared.Close()
}

// HardwareProblems is why the stamps of interfaces that were asked for cannot be had
// at present, a sentence for each, without a full stop.
func (p *Prober) HardwareProblems() []string {
	switch {
	case len(p.hardware) == 0:
		return nil
	case p.problems == nil:
		return []string{"no time stamps of network cards: they are taken on Linux, with kernel stamps"}
	}
	return p.problems()
}

// Counters returns what has been seen so far.
func (p *Prober) Counters() Counters {
	return Counters{
		Exchanges: p.count.exchanges.Load(),
		Strays:    p.count.strays.Load(),
		NoStamp:   p.count.noStamp.Load(),
		Stepped:   p.count.stepped.Load(),
		Panics:    p.count.panics.Load(),
		Doubted:   p.count.doubted.Load(),

		Late:       p.count.late.Load(),
		Duplicates: p.count.duplicates.Load(),
		Foreign:    p.count.foreign.Load(),
		Dropped:    p.count.dropped.Load(),
	}
}

// Probe has one exchange with t. It returns within the timeout and some 30
// milliseconds, or as soon as ctx ends: then the outcome is internal, since
// silence that was not waited out says nothing about the server.
func (p *Prober) Probe(ctx context.Context, t monitor.Target) monitor.Exchange {
	p.count.exchanges.Add(1)
	c := &conn{was: p.partners.ask(t.Addr, p.clock.Monotonic())}
	x := &c.x
	x.Target, x.Addr = t.ID, t.Addr
	before := readDiff(p.clock)

	err := p.query(ctx, t, c)
	if c.w != nil {
		c.w.close()
	}
	after := readDiff(p.clock)

	x.Mono = p.clock.Monotonic()
	diff, diffErr := combine(before, after)
	x.Diff = diff
	p.count.strays.Add(uint64(c.strays))

	p.judge(ctx, x, c, err)
	if x.T1 != 0 && x.T4 != 0 {
		x.StampError += float64(diffErr) / 1e9
	}
	x.Strays = uint8(c.strays)
	if x.Outcome == monitor.OutcomeOK {
		x.Finding = x.StampFinding()
	}
	if moved := stepped(before, after); moved != 0 && voids(x.Outcome, moved) {
		p.count.stepped.Add(1)
		x.Outcome, x.Finding = monitor.OutcomeClockStepped, monitor.FindingClockStepped
		x.Detail = fmt.Sprintf("the station's clock was set by %v during the exchange", time.Duration(moved))
		x.Diff, x.Mono = after.diff, p.clock.Monotonic()
	}
	p.partners.learn(x, c)
	return *x
}

// voids says whether an outcome is worth nothing after the clock was stepped by
// so many ns. A good exchange bears a small step, as part of its StampError; a
// fault found in time stamps might be the step's; a kiss code, or a server that
// says it has no time, is neither.
func voids(o monitor.Outcome, moved int64) bool {
	switch o {
	case monitor.OutcomeOK:
		return abs(moved) > stepTolerance
	case monitor.OutcomeInvalid, monitor.OutcomeInternal:
		return abs(moved) > stampSlack
	}
	return false
}

// query has the exchange over c, and lets beevik/ntp have it again with the
// reply that came.
func (p *Prober) query(ctx context.Context, t monitor.Target, c *conn) (err error) {
	defer p.catch(&err)
	if !unicast(t.Addr) {
		return &dialError{fmt.Errorf("%s is no address of a server", t.Addr)}
	}
	if err := ctx.Err(); err != nil {
		return &dialError{err}
	}
	if c.w, err = p.dial(ctx, t, p.clock, p.timeout); err != nil {
		c.w = nil
		return &dialError{err}
	}
	// By whoever reads the reply: where that is one goroutine for many exchanges,
	// its stack is large enough, which a new goroutine's is not by far.
	err = c.exchange(func(s *sieve) {
		c.sieve = *s
		c.refusal = p.again(c)
	})
	if err != nil {
		c.st = c.w.stamps(c.got)
		return err
	}
	if len(p.hardware) > 0 {
		c.st = c.w.stamps(true) // the card's, which take longer than the one who reads has
	}
	return c.refusal
}

// again has the exchange with beevik/ntp, now that the reply is there.
func (p *Prober) again(c *conn) (err error) {
	defer p.catch(&err)
	c.st = c.w.stamps(true)
	o := &c.options
	o.Version, o.Timeout, o.GetSystemTime = 4, p.timeout, c.now
	o.Dialer = func(string, string) (net.Conn, error) { return c, nil }
	c.resp, err = ntp.QueryWithOptions("here:123", *o) // what it dials is c
	return err
}

// catch makes a panic of the protocol code an error.
func (p *Prober) catch(err *error) {
	if r := recover(); r != nil {
		p.count.panics.Add(1)
		*err = &panicError{r}
	}
}

// judge fills in x from what the connection saw.
func (p *Prober) judge(ctx context.Context, x *monitor.Exchange, c *conn, err error) {
	fail := func(o monitor.Outcome, f monitor.Finding, format string, args ...any) { set(x, o, f, format, args...) }
	if err == nil && c.got { // nearly always, and without what errors.As allocates
		p.reply(x, c, nil)
		return
	}
	var (
		pe *panicError
		de *dialError
		ie *icmpError
	)
	switch {
	case errors.As(err, &pe):
		fail(monitor.OutcomeInternal, monitor.FindingInternal, "%v", pe)
	case ctx.Err() != nil && !c.got:
		fail(monitor.OutcomeInternal, monitor.FindingInternal, "given up: %v", context.Cause(ctx))
	case errors.As(err, &de):
		fail(monitor.OutcomeSendError, monitor.FindingSendError, "%v", de)
	case c.sendErr != nil:
		fail(monitor.OutcomeSendError, monitor.FindingSendError, "%v", c.sendErr)
	case c.got:
		p.reply(x, c, err)
	case errors.As(err, &ie):
		fail(ie.outcome(x.Addr.Addr()), ie.finding(), "%v", ie)
		if !ie.local {
			x.ICMP = monitor.ICMP{Type: ie.typ, Code: ie.code, From: ie.from}
		}
	case c.cut:
		classify(x, c.header(), c.st)
		x.Rejected = true
	case c.strays >= maxStrays:
		fail(monitor.OutcomeStray, monitor.FindingBadOrigin, "%d packets without the request's cookie, then given up", c.strays)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.short:
		fail(monitor.OutcomeStray, monitor.FindingShort, "a packet of %d bytes, %d are needed", c.n, packetSize)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.strays > 0:
		fail(monitor.OutcomeStray, monitor.FindingBadOrigin, "wrong origin time stamp in all %d packets within %v", c.strays, p.timeout)
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(monitor.OutcomeTimeout, monitor.FindingTimeout, "no reply within %v", p.timeout)
	default:
		fail(monitor.OutcomeInternal, monitor.FindingInternal, "%v", err)
	}
}

// reply fills in x from the reply and from what beevik/ntp made of it.
func (p *Prober) reply(x *monitor.Exchange, c *conn, err error) {
	if c.st.wanted && !c.st.kernel {
		p.count.noStamp.Add(1)
	}
	raw := c.raw
	if c.inter {
		raw, x.Interleaved = basic(raw), true
	}
	classify(x, raw[:], c.st)
	x.Rejected = err != nil && x.Outcome != monitor.OutcomeOK
	x.Validated = err == nil && c.resp.Validate() == nil
	if x.Outcome == monitor.OutcomeOK && err != nil && !errors.Is(err, ntp.ErrServerTickedBackwards) {
		// beevik compares T2 and T3 as plain numbers, which is wrong
		// across an era's end; every other refusal would be news.
		set(x, monitor.OutcomeInternal, monitor.FindingInternal, "a reply found good was refused by the protocol code: %v", err)
	}
	if x.T1 != 0 && x.T4 != 0 {
		x.Mono = x.T1 + (x.T4-x.T1)/2 - x.Diff
	}
	if x.Outcome == monitor.OutcomeOK {
		x.Wire = &monitor.Wire{Request: c.asked, Reply: c.raw}
	}
}

// unicast says whether a is a port of one host, so that nothing written by
// mistake makes a station call out to a whole network.
func unicast(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return ip.IsValid() && a.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// panicError is what the protocol code panicked with.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic in the protocol code: %v", e.value) }

// dialError is a failure of the station before anything was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }
