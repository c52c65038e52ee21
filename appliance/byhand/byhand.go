// Package byhand is the station's prober for a person at a terminal: it asks the
// servers that are named, politely, and tells all that it learns of their
// answers, as text or as JSON.
//
// It has no reference of its own. What it measures is the server's clock less
// this machine's, and that is what it says; how far this machine is from true
// time is the kernel's word, where the kernel has one.
package byhand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

const (
	// DefaultCount is how many exchanges there are with each address: as many as
	// ntpdate and chronyd -q have, of which the one of least delay is taken.
	DefaultCount = 4
	// MaxCount is the most that may be asked for.
	MaxCount = 10_000

	// gap is between two packets to one address. After the first few it is
	// publicGap where that is a public one: as often as a station asks at the most.
	gap       = 2 * time.Second
	publicGap = 16 * time.Second
	few       = 8
	// most is the longest gap that a RATE kiss leads to.
	most = 1024 * time.Second

	lookupTimeout = 10 * time.Second
)

// ErrNotOK is what Run returns where an answer was not ok, or there was none.
// All that there is to say of it has been said.
var ErrNotOK = errors.New("not every answer was ok")

// Options say what is asked, and with what.
type Options struct {
	Hosts []Host
	Count int  // exchanges with each address; DefaultCount if 0
	Watch bool // go on until the context ends
	JSON  bool

	Prober   monitor.Prober
	Resolver monitor.Resolver
	Clock    HostClock
	// Own tells this machine's addresses that packets to an address come from;
	// nil: they are not known.
	Own func(netip.AddrPort) []netip.Addr
}

// HostClock says how far this machine's clock may be from true time by the
// kernel's word, seconds; known is false where the kernel says that it is not
// synchronized, or says nothing.
type HostClock func() (maxError float64, known bool)

// subject is one address of a host, or a host without one.
type subject struct {
	host  Host
	addr  netip.AddrPort
	label string
	fail  *monitor.Exchange // why there is none
}

// answer is one exchange and what else was known then.
type answer struct {
	of       *subject
	seq      int
	at       time.Time // when it began, by this machine's clock
	x        monitor.Exchange
	warnings []monitor.Warning
	uref     float64 // see HostClock
	refKnown bool
}

// Run asks and tells. It returns ErrNotOK where an answer was not ok, or what
// writing failed with.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if o.Count == 0 {
		o.Count = DefaultCount
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list := resolveAll(ctx, o)
	var show presenter = newText(out, list)
	if o.JSON {
		show = newJSON(out)
	}
	answers := make(chan answer)
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() { ask(ctx, o, &list[i], answers) })
	}
	go func() { all.Wait(); close(answers) }()

	good, some := true, false
	var failed error
	for a := range answers {
		some = true
		good = good && a.x.Finding == monitor.FindingOK
		if failed == nil {
			if failed = show.answer(a); failed != nil {
				cancel()
			}
		}
	}
	if failed == nil {
		failed = show.end()
	}
	switch {
	case failed != nil:
		return fmt.Errorf("what was found cannot be written: %w", failed)
	case !good || !some:
		return ErrNotOK
	}
	return nil
}

// presenter tells people or programs what was found, as it comes.
type presenter interface {
	answer(answer) error
	end() error
}

// resolveAll looks every host up, all at once: its first address of each family.
func resolveAll(ctx context.Context, o Options) []subject {
	found := make([][]subject, len(o.Hosts))
	var all sync.WaitGroup
	for i, h := range o.Hosts {
		all.Go(func() { found[i] = resolve(ctx, o.Resolver, h) })
	}
	all.Wait()
	var list []subject
	taken := map[netip.AddrPort]bool{}
	for _, l := range found {
		for _, s := range l {
			// Under two names it would be asked twice as often.
			if s.addr.IsValid() && taken[s.addr] {
				continue
			}
			taken[s.addr] = true
			list = append(list, s)
		}
	}
	return list
}

func resolve(ctx context.Context, r monitor.Resolver, h Host) []subject {
	if h.Addr.IsValid() {
		a := netip.AddrPortFrom(h.Addr, h.Port)
		return []subject{{host: h, addr: a, label: shown(a)}}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := r.LookupNetIP(ctx, "ip", h.Name)
	var list []subject
	var have [2]bool
	for _, a := range addrs {
		a = a.Unmap()
		family := 0
		if a.Is6() {
			family = 1
		}
		if err == nil && !have[family] {
			have[family] = true
			at := netip.AddrPortFrom(a, h.Port)
			list = append(list, subject{host: h, addr: at, label: h.Name + " " + shown(at)})
		}
	}
	if len(list) > 0 {
		return list
	}
	x := monitor.Exchange{Outcome: monitor.OutcomeResolveError, Finding: monitor.LookupFinding(err, false), Detail: "the name has no address"}
	if err != nil {
		x.Detail = "the name could not be resolved: " + err.Error()
	}
	return []subject{{host: h, label: h.Name, fail: &x}}
}

// shown is an address as people write it: the port only where it is not NTP's.
func shown(a netip.AddrPort) string {
	if a.Port() == monitor.DefaultPort {
		return a.Addr().String()
	}
	return a.String()
}

// ask has the exchanges with one address, one after another.
func ask(ctx context.Context, o Options, s *subject, answers chan<- answer) {
	if s.fail != nil {
		if ctx.Err() == nil {
			answers <- answer{of: s, seq: 1, at: time.Now(), x: *s.fail}
		}
		return
	}
	var own []netip.Addr
	if o.Own != nil {
		own = o.Own(s.addr)
	}
	factor := time.Duration(1)
	for seq := 1; o.Watch || seq <= o.Count; seq++ {
		a := answer{of: s, seq: seq, at: time.Now()}
		a.x = o.Prober.Probe(ctx, monitor.Target{ID: s.label, Addr: s.addr})
		if ctx.Err() != nil && a.x.Finding != monitor.FindingOK {
			return // not waited out
		}
		a.warnings = a.x.Warnings(monitor.DefaultLimit, own)
		if o.Clock != nil {
			a.uref, a.refKnown = o.Clock()
		}
		answers <- a
		wait := min(spacing(s.addr.Addr(), seq)*factor, most)
		switch a.x.Outcome {
		case monitor.OutcomeDenied:
			return // it has been told
		case monitor.OutcomeRateLimited:
			if !o.Watch {
				return
			}
			factor = min(2*factor, most/gap)
			wait = min(spacing(s.addr.Addr(), seq)*factor*rateSkip, most)
		}
		if !o.Watch && seq == o.Count {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// rateSkip is how many turns are left out after a RATE kiss.
const rateSkip = 4

func spacing(a netip.Addr, seq int) time.Duration {
	if seq < few || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return gap
	}
	return publicGap
}
