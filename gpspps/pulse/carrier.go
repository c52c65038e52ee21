package pulse

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// glance is how often the pin is looked at while nobody knows when the next
	// edge comes: a pulse must be longer than that to be found.
	glance = 5 * time.Millisecond
	// How long before and after the instant at which an edge has to come it is
	// watched for: after a glance, after a watched edge, after some that stayed
	// away.
	wide   = glance
	narrow = time.Millisecond
	widest = 2 * wide
	// given is how many edges in a row may stay away until they are looked for
	// again.
	given = 3
	// A pin that does not change for as long as stirs is left alone for still:
	// most ports have nothing on it, and looking costs something.
	stirs = 5 * time.Second
	still = 20 * time.Second
)

// modem is a serial port's carrier detect pin.
type modem interface {
	Now() int64
	// Level is whether the carrier is there.
	Level() (bool, error)
	// Watch is Watcher's, for the carrier to come or, if to is false, to go.
	Watch(from, until int64, to bool) (Crossing, bool, error)
	// Changes counts how often it came and went; false: nobody counts.
	Changes() (uint32, bool)
}

// carrier finds the pulse on a carrier detect pin.
//
// Linux can wait for the pin to change (TIOCMIWAIT), but nothing ends that wait
// save a change or a signal that has no handler, and a Go program has handlers
// for all of them: a line that falls silent would keep a thread and the port for
// ever. So the pin is read (TIOCMGET). Read in a tight loop, for two
// milliseconds around the instant at which the edge has to come, it also tells
// that better than a wait would that ends whenever the scheduler comes round to
// it, and every driver can do it.
type carrier struct {
	name  string
	modem modem
	slow  float64 // what the port adds to a stamp, seconds
	halt  chan struct{}
	timer *time.Timer
	gap   atomic.Int64 // how long two readings take of late, ns

	phases phases
	rising bool  // the edge that marks the second is the carrier's coming
	expect int64 // when it comes next; 0 not known
	margin time.Duration
	missed int    // edges in a row
	next   int64  // when to glance again
	looked int64  // middle of the last glance
	level  bool   // then
	moved  int64  // when it changed last, or was left alone
	seq    uint32 // of the last edge
	counts uint32 // the modem's at it

	mu  sync.Mutex
	err error
}

var _ Edges = (*carrier)(nil)

var errPortClosed = errors.New("the serial port was closed")

func newCarrier(name string, m modem, slow float64) (*carrier, error) {
	c := &carrier{name: name, modem: m, slow: slow, halt: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	c.moved = m.Now()
	if err := c.glance(); err != nil {
		return nil, fmt.Errorf("pulse: the carrier detect pin of %s cannot be read: %w", name, err)
	}
	return c, nil
}

// WaitForEdgeAt implements Edges. A timeout of 0 finds nothing: nothing keeps an
// edge for later.
func (c *carrier) WaitForEdgeAt(timeout time.Duration) (Event, bool) {
	until := int64(math.MaxInt64)
	if timeout >= 0 {
		until = c.modem.Now() + int64(timeout)
	}
	for c.Err() == nil {
		if c.expect == 0 {
			if !c.sleep(c.next, until) {
				break
			}
			if err := c.glance(); err != nil {
				c.end(err)
			}
			continue
		}
		from := c.expect - int64(c.margin)
		if !c.sleep(from-int64(nap), until) {
			break
		}
		if e, ok := c.watch(from); ok {
			return e, true
		}
	}
	return Event{}, false
}

// sleep waits until the instant t; false: until comes before it, or Halt.
func (c *carrier) sleep(t, until int64) bool {
	d := time.Duration(min(t, until) - c.modem.Now())
	c.timer.Reset(max(d, 0))
	select {
	case <-c.halt:
		return false
	case <-c.timer.C:
		return t <= until
	}
}

// glance looks at the pin, and learns from edges which of them mark seconds and
// when the next one comes.
func (c *carrier) glance() error {
	a := c.modem.Now()
	level, err := c.modem.Level()
	if err != nil {
		return err
	}
	mid := a + (c.modem.Now()-a)/2
	edge, since := c.looked+(mid-c.looked)/2, mid-c.looked
	changed := level != c.level
	c.looked, c.level = mid, level
	c.next = mid + int64(glance)
	switch {
	case since > int64(4*glance):
		c.phases = phases{} // it was not looked at for a while
	case changed:
		c.moved = mid
		rising, known := c.phases.add(edge, level)
		if known && rising == level && since <= int64(2*glance) {
			c.rising = rising
			c.expect, c.margin, c.missed = edge+1e9, wide, 0
		}
	case mid-c.moved > int64(stirs):
		c.next = mid + int64(still)
		c.moved = c.next
	}
	return nil
}

// watch watches for the edge that is expected.
func (c *carrier) watch(from int64) (Event, bool) {
	at, ok, err := c.modem.Watch(from, c.expect+int64(c.margin), c.rising)
	if err != nil {
		c.end(err)
		return Event{}, false
	}
	if !ok {
		c.expect += 1e9
		c.margin = min(2*c.margin, widest)
		if c.missed++; c.missed >= given {
			c.expect, c.phases = 0, phases{}
			c.next, c.moved = 0, c.modem.Now()
		}
		return Event{}, false
	}
	c.expect, c.missed = at.At+1e9, 0
	c.margin = narrow + time.Duration(min(at.Gap/2, int64(wide)))
	c.gap.Store(max(at.Gap, c.gap.Load()-c.gap.Load()/16))
	return Event{Mono: at.At, Seq: c.number()}, true
}

// number counts pulses by the modem's count of edges, of which each has two.
func (c *carrier) number() uint32 {
	n, ok := c.modem.Changes()
	if !ok {
		return 0
	}
	passed := max((n-c.counts)/2, 1)
	if c.seq == 0 || passed > 1<<16 {
		passed = 1 // what went on before nobody wanted to know
	}
	c.counts = n
	c.seq += passed
	return c.seq
}

// Name implements Edges.
func (c *carrier) Name() string { return c.name }

// Late implements late.
func (c *carrier) Late() float64 { return interruptLate + c.slow + float64(c.gap.Load())/2*1e-9 }

// Err implements Edges.
func (c *carrier) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *carrier) end(err error) {
	if errors.Is(err, os.ErrClosed) {
		err = errPortClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Halt implements Edges.
func (c *carrier) Halt() error {
	select {
	case c.halt <- struct{}{}:
	default:
	}
	return nil
}

// Close implements Edges. The port stays open.
func (c *carrier) Close() error {
	c.end(errClosed)
	return c.Halt()
}
