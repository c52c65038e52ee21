package assign

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update/fetch"
	"github.com/truechimer/truechimer/monitor"
)

// When a list is asked for.
const (
	retryFirst = time.Minute // after a failure; it doubles with each
	retryMost  = time.Hour   // unless the interval is longer
	waitMost   = 24 * time.Hour
	startMost  = 20 * time.Second // the first time, at random, so that stations do not all ask at once after a power cut
	spread     = 0.1              // share of each wait by which it may be longer
	// clockWait is how long the first time is put off until the station knows the
	// date, by which certificates are judged; it is asked again as soon as it does.
	clockWait = 2 * time.Minute
	clockLook = 5 * time.Second
)

// Document is where a list lies; *fetch.Document is one.
type Document interface {
	Get(ctx context.Context, tag string, limit int64) (fetch.Answer, error)
}

// Options are what a Poller works with. URL, Document and Take are required.
type Options struct {
	URL      string // as people know it
	Document Document
	Interval time.Duration // between two times that the list is asked for
	Store    Store         // nil: nothing is kept
	// Clock is true time, and whether that is known.
	Clock func() (now time.Time, known bool)
	// Take is called with every new list, as a whole.
	Take func([]monitor.Server)
	// Notice tells people what is wrong with the list; empty: nothing is.
	Notice func(text string)
	Rand   func() float64 // 0 to 1, for jitter; nil: math/rand's
	Log    *slog.Logger   // nil: none
}

// Poller asks for a list again and again, and keeps the last good one in force
// whatever comes.
type Poller struct {
	o       Options
	tag     string // of the last answer, good or not
	bad     error  // why the document with that tag is not in force; nil: it is
	fails   int    // in a row
	unset   bool   // the date was not known when the list was last asked for
	kept    kept   // as it is on the card, or should be
	unsaved bool   // the last attempt to keep it failed

	mu        sync.Mutex
	list      List
	known     bool      // there is a list in force
	current   bool      // the last time, the list was confirmed
	failure   string    // why not; empty: it was, or was not asked for yet
	confirmed time.Time // when it last was, with this process's monotonic reading; zero: not since the start
	before    time.Time // when it last was before the start; zero: not known
	next      time.Time // zero: now
}

// NewPoller puts the list that was kept in force. Nobody is asked before Run.
func NewPoller(o Options) *Poller {
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Poller{o: o}
	p.load()
	p.tag, p.before = p.kept.Tag, p.kept.At
	return p
}

// put takes a list.
func (p *Poller) put(l List) {
	p.mu.Lock()
	p.list, p.known = l, true
	p.mu.Unlock()
	p.o.Take(l.Servers)
}

// Run asks until ctx ends.
func (p *Poller) Run(ctx context.Context) error {
	if !p.waitForClock(ctx) || !sleep(ctx, time.Duration(p.o.Rand()*float64(startMost))) {
		return nil
	}
	for {
		wait := p.poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.mu.Lock()
		p.next = time.Now().Add(wait)
		p.mu.Unlock()
		if !p.pause(ctx, wait) {
			return nil
		}
	}
}

// waitForClock waits for a date, though not for ever: where it is the list that
// has the servers that know it, there will be none.
func (p *Poller) waitForClock(ctx context.Context) bool {
	for waited := time.Duration(0); waited < clockWait; waited += clockLook {
		if _, known := p.o.Clock(); known {
			return true
		}
		if !sleep(ctx, clockLook) {
			return false
		}
	}
	return true
}

// pause waits; if the last failure came to pass without a date, only until
// there is one.
func (p *Poller) pause(ctx context.Context, d time.Duration) bool {
	for end := time.Now().Add(d); p.unset && p.fails > 0; {
		left := time.Until(end)
		if left <= clockLook {
			return sleep(ctx, left)
		}
		if !sleep(ctx, clockLook) {
			return false
		}
		if _, known := p.o.Clock(); known {
			return true
		}
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// poll asks once and says how long to wait before the next time.
func (p *Poller) poll(ctx context.Context) time.Duration {
	_, dated := p.o.Clock()
	p.unset = !dated
	a, err := p.o.Document.Get(ctx, p.tag, MaxSize)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		p.fails++
		p.tell(p.explain(err))
		retry := min(retryFirst<<min(p.fails-1, 10), max(retryMost, p.o.Interval))
		if s, ok := errors.AsType[*fetch.StatusError](err); ok {
			retry = max(retry, min(s.RetryAfter, waitMost))
		}
		return p.late(retry)
	}
	p.fails = 0
	p.take(a)
	return p.late(max(p.o.Interval, min(a.Fresh, waitMost)))
}

// late is d and a little more, so that those who were asked to wait so long do
// not come all at once, nor too soon.
func (p *Poller) late(d time.Duration) time.Duration {
	return d + time.Duration(p.o.Rand()*spread*float64(d))
}

// take takes an answer.
func (p *Poller) take(a fetch.Answer) {
	doc := p.kept.doc
	if !a.Unchanged {
		p.tag, p.bad = a.Tag, nil
		if !p.known || !bytes.Equal(a.Body, doc) {
			l, err := Parse(a.Body)
			if err != nil {
				p.bad = err
			} else {
				doc = a.Body
				p.put(l)
				p.o.Log.Info("a new list of servers", "url", p.o.URL, "servers", len(l.Servers))
			}
		}
	}
	if p.bad != nil {
		p.tell(fmt.Sprintf("it is not taken: %v", p.bad))
		return
	}
	k := kept{URL: p.o.URL, Tag: p.tag, doc: doc}
	if now, known := p.o.Clock(); known {
		k.At = now.UTC().Truncate(time.Second)
	} else if bytes.Equal(doc, p.kept.doc) {
		k.At = p.kept.At
	}
	p.mu.Lock()
	p.current, p.confirmed = true, time.Now()
	p.mu.Unlock()
	p.save(k)
	p.tell("")
}

// explain is why there is no answer, and what to do.
func (p *Poller) explain(err error) string {
	if s, ok := errors.AsType[*fetch.StatusError](err); ok {
		switch s.Code {
		case http.StatusNotFound, http.StatusGone:
			return fmt.Sprintf("the server says that there is none (status %d): look whether url in [assignments] is right", s.Code)
		case http.StatusUnauthorized, http.StatusForbidden:
			return fmt.Sprintf("the server does not give it to this station (status %d): look whether token in [assignments] is right", s.Code)
		case http.StatusTooManyRequests:
			return "the server is asked too often (status 429)"
		}
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](err); ok && c.Reason == x509.Expired && p.unset {
		return "the server's certificate does not hold at the date that this station believes in, and it does not know the date yet: it needs a receiver, or three servers in truechimer.toml"
	}
	if errors.Is(err, fetch.ErrTooLarge) {
		return fmt.Sprintf("it has more than %d bytes", MaxSize)
	}
	return health.Clean(err.Error(), 300)
}

// tell takes note of a failure, an empty one of there being none, and tells
// people of it and of what is strange in the list itself.
func (p *Poller) tell(failure string) {
	p.mu.Lock()
	p.failure = failure
	p.current = p.current && failure == ""
	l, known := p.list, p.known
	p.mu.Unlock()
	text := ""
	switch {
	case failure != "" && known:
		text = fmt.Sprintf("The list of servers at %s: %s. The last good list stays in force, with %s.", p.o.URL, failure, servers(len(l.Servers)))
	case failure != "":
		text = fmt.Sprintf("The list of servers at %s: %s. There is no earlier list to go on with.", p.o.URL, failure)
	case l.Refused > 0:
		text = fmt.Sprintf("In the list at %s, %s named that no list may name; the first: %s.", p.o.URL, are(servers(l.Refused), l.Refused), l.First)
	}
	p.o.Notice(text)
}

func servers(n int) string {
	if n == 1 {
		return "1 server"
	}
	return fmt.Sprintf("%d servers", n)
}

func are(who string, n int) string {
	if n == 1 {
		return who + " is"
	}
	return who + " are"
}

// Status is how the list is. Any goroutine may ask.
func (p *Poller) Status() status.Assignments {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := status.Assignments{
		Source: status.AssignmentsURL, State: status.AssignmentsNone, URL: &p.o.URL,
		Servers: len(p.list.Servers), Refused: p.list.Refused, Failure: p.failure,
	}
	switch {
	case p.current:
		out.State = status.AssignmentsCurrent
	case p.known:
		out.State = status.AssignmentsKept
	}
	age := -1.0
	if !p.confirmed.IsZero() {
		age = time.Since(p.confirmed).Seconds()
	} else if now, known := p.o.Clock(); known && !p.before.IsZero() {
		age = now.Sub(p.before).Seconds()
	}
	if age >= 0 {
		out.Age = &age
	}
	if !p.next.IsZero() {
		in := max(time.Until(p.next).Seconds(), 0)
		out.Next = &in
	}
	return out
}
