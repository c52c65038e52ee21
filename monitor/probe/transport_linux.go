package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// transport carries the requests of a Prober over one socket a family, which
// one goroutine sends from and reads. It alone does: a second one that sleeps
// on the socket would be woken by the transmit stamp, inside the driver, between
// that stamp and the wire (T2-T1 p99 14 us instead of 0.7 us). It sleeps for as
// long as there is nothing to do.
type transport struct {
	kernel  kernel
	clock   Clock
	timeout time.Duration
	count   *counters
	cards   *cards // whose stamps are wanted; nil: nobody's
	ended   chan struct{}

	mu        sync.Mutex
	asleep    bool // the loop is to be woken
	closed    bool
	submitted []*flight
	cancelled []*flight

	// The loop's own.
	sky    sky
	memory memory
	ports  [2]family // IPv4, IPv6
	begun  []*flight // being sent
	sorted [2][]*flight
	full   []*flight // found the socket's buffer full
	pace   pace
}

// kernel is what a transport needs of the system.
type kernel interface {
	// open opens a socket of a family on a port of the system's choice.
	open(v6 bool) (socket, error)
	// wait returns when one of the ports has something to read, which it marks
	// as ready, when wake was called since it last returned, or after d; a
	// negative d is for ever.
	wait(list []*port, d time.Duration)
	wake()
	// warm is called just before packets are sent, see warmer.
	warm()
	close()
}

// socket is one UDP socket that stamps what it sends and receives. No call
// blocks. Errors are a syscall.Errno, or wrap one.
type socket interface {
	// send sends the first packets of a list, as many as one call can: n of
	// them, or none and the error of the first.
	send(list []*flight) (n int, err error)
	// receive hands on what arrived, a batch at the most, and says how much.
	receive(take func(*datagram)) (n int, err error)
	// errors hands on what is in the error queue, a batch at the most.
	errors(take func(*queued)) (n int, err error)
	// counts says that transmit stamps are numbered by the packets sent so far,
	// from 0, and not by flight.id; recount begins again with 0.
	counts() bool
	recount()
	close()
}

// datagram is a packet that arrived.
type datagram struct {
	from    endpoint
	data    []byte // the first readSize bytes of it
	stamp   int64  // the kernel's receive stamp, ns since the Unix epoch; 0 if none
	raw     int64  // the network card's, ns by its own clock; 0 if none
	on      int32  // interface that made raw; 0 if not known
	length  uint16 // of the frame that it stamped, bytes
	ttl     uint8  // 0 if not known
	dropped uint32 // packets that the socket has lost so far for lack of room
}

// share has the Prober's exchanges carried by one transport.
func (p *Prober) share() {
	k, err := openSystem(len(p.hardware) > 0)
	if err != nil {
		p.dial = func(context.Context, monitor.Target, Clock, time.Duration) (wire, error) { return nil, err }
		return
	}
	var c *cards
	if len(p.hardware) > 0 {
		c = newCards(p.hardware, openSystemCard, p.clock, &p.count)
		p.problems = c.problems
	}
	p.carry(newTransport(k, c, p.clock, p.timeout, &p.count))
}

// carry has a transport carry the exchanges.
func (p *Prober) carry(t *transport) {
	p.dial, p.shared = t.dial, t
	if !p.basic {
		p.partners = newPartners()
	}
}

func newTransport(k kernel, c *cards, clock Clock, timeout time.Duration, count *counters) *transport {
	t := &transport{kernel: k, cards: c, clock: clock, timeout: timeout, count: count, ended: make(chan struct{}), sky: newSky()}
	go t.run()
	return t
}

// panicPause keeps a panic that comes again and again from taking all the time.
const panicPause = 100 * time.Millisecond

var errClosed = errors.New("the prober was closed")

// dial prepares a request; nothing is sent yet.
func (t *transport) dial(ctx context.Context, to monitor.Target, _ Clock, _ time.Duration) (wire, error) {
	addr := unmap(to.Addr)
	var scope uint32
	if zone := addr.Addr().Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			scope = uint32(n)
		} else if ifi, err := net.InterfaceByName(zone); err == nil {
			scope = uint32(ifi.Index)
		} else {
			return nil, fmt.Errorf("interface %q: %w", zone, err)
		}
	}
	s := &seat{t: t, ctx: ctx, flight: flight{to: endpointOf(addr, scope), done: make(chan struct{})}}
	s.f = &s.flight
	if t.cards != nil {
		s.f.card = t.cards.begin()
	}
	return s, nil
}

// seat is the wire of one exchange.
type seat struct {
	t   *transport
	ctx context.Context
	f   *flight

	flight flight // where f is
}

func (s *seat) send(b []byte, told func(*sieve)) error {
	s.f.told = told
	copy(s.f.request[:], b)
	s.f.cookie = binary.BigEndian.Uint64(b[offTransmit:])
	s.f.second = binary.BigEndian.Uint64(b[offReceive:])
	return s.t.submit(s.f)
}

// receive waits for the loop to be done with the flight.
func (s *seat) receive(v *sieve) error {
	select {
	case <-s.f.done:
	case <-s.ctx.Done():
		s.t.cancel(s.f)
		<-s.f.done
	}
	*v = s.f.sieve
	if s.f.card != nil && s.f.got {
		s.t.cards.settle(s.f)
	}
	return s.f.err
}

func (s *seat) stamps(replied bool) stamps {
	f := s.f
	if !replied {
		return stamps{t1: f.before, t4: f.read, wanted: true}
	}
	if f.card != nil && f.card.settled {
		return f.card.st
	}
	return f.kernelStamps()
}

func (s *seat) close() {}

func (t *transport) submit(f *flight) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return errClosed
	}
	t.submitted = append(t.submitted, f)
	t.rouse()
	return nil
}

func (t *transport) cancel(f *flight) {
	t.mu.Lock()
	t.cancelled = append(t.cancelled, f)
	t.rouse()
}

// rouse wakes the loop if it sleeps and unlocks t.mu, in this order: the kernel
// is there for as long as the loop may be asleep.
func (t *transport) rouse() {
	if t.asleep {
		t.asleep = false
		t.kernel.wake()
	}
	t.mu.Unlock()
}

// Close ends the loop and every exchange under way, and waits for that.
func (t *transport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.rouse()
	<-t.ended
	if t.cards != nil {
		t.cards.close()
	}
	return nil
}

// run is the loop. A panic in it costs the exchanges under way, and sockets.
func (t *transport) run() {
	defer close(t.ended)
	defer t.kernel.close()
	// Opened at once: the kernel stamps what arrives only while some socket
	// wants that, and begins a moment late. A failure shows when it is needed.
	for i := range t.ports {
		t.port(i, time.Now())
	}
	for !t.live() {
		time.Sleep(panicPause)
	}
}

// live lives until the transport is closed, which it then says, or until a panic.
func (t *transport) live() (over bool) {
	reason := errClosed
	defer func() {
		if r := recover(); r != nil {
			t.count.panics.Add(1)
			reason = &panicError{r}
		}
		t.abandon(reason)
	}()
	for t.turn() {
	}
	return true
}

// turn does what there is to do, then waits for more. It is false at the end.
func (t *transport) turn() bool {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return false
	}
	t.begun = append(append(t.begun, t.full...), t.submitted...)
	given := len(t.submitted)
	ended := t.cancelled
	t.full, t.submitted, t.cancelled = emptied(t.full), emptied(t.submitted), nil
	t.mu.Unlock()

	now := time.Now()
	for _, f := range ended {
		if f.before == 0 {
			t.end(f, context.Canceled)
		}
	}
	t.launch(now)
	more := t.read(now)
	for _, f := range ended { // that were sent: not before what has come by now was looked at
		t.end(f, context.Canceled)
	}
	now = time.Now()
	if f := t.sky.waiting.first; f != nil && !f.deadline.After(now) {
		// Whoever was stopped for a while finds the reply waiting.
		t.poll(0)
		more = t.read(now) || more
	}
	t.expire(now)
	t.retire(now)

	if d := t.pace.gap(given, t.sky.n, now); d > 0 && !more {
		time.Sleep(d) // whatever comes meanwhile is dealt with together
	}
	t.mu.Lock()
	t.asleep = !more && !t.closed && len(t.submitted) == 0 && len(t.cancelled) == 0
	asleep := t.asleep
	t.mu.Unlock()
	if !asleep {
		t.poll(0)
		return true
	}
	t.poll(t.nextDue(now))
	t.mu.Lock()
	t.asleep = false
	t.mu.Unlock()
	return true
}

func (t *transport) poll(d time.Duration) {
	var list [4]*port
	n := 0
	for i := range t.ports {
		for _, p := range [...]*port{t.ports[i].live, t.ports[i].draining} {
			if p != nil {
				list[n] = p
				n++
			}
		}
	}
	t.kernel.wait(list[:n], d)
}

// nextDue is how long the loop may sleep; negative is for ever.
func (t *transport) nextDue(now time.Time) time.Duration {
	d := time.Duration(-1)
	sooner := func(at time.Time) {
		if left := max(at.Sub(now), 0); d < 0 || left < d {
			d = left
		}
	}
	if len(t.full) > 0 {
		sooner(now.Add(fullWait))
	}
	for _, f := range [...]*flight{t.sky.waiting.first, t.sky.stamping.first} {
		if f != nil {
			sooner(f.deadline)
		}
	}
	for i := range t.ports {
		if p := t.ports[i].draining; p != nil {
			sooner(p.until)
		}
	}
	return d
}

// end is the end of a flight, wherever it is; one that has ended stays as it is.
func (t *transport) end(f *flight, err error) {
	if f.finished {
		return
	}
	t.sky.remove(f)
	if f.before != 0 {
		t.memory.add(f, time.Now())
	}
	f.on, f.finished = nil, true
	if !f.got {
		f.err = err
	} else if f.told != nil {
		f.told(&f.sieve)
	}
	close(f.done)
}

// abandon ends every flight and closes every socket.
func (t *transport) abandon(reason error) {
	t.mu.Lock()
	list := append(append(t.submitted, t.full...), t.begun...)
	t.submitted, t.cancelled, t.full, t.begun, t.sorted = nil, nil, nil, nil, [2][]*flight{}
	t.mu.Unlock()
	for _, l := range [...]*line{&t.sky.waiting, &t.sky.stamping} {
		for f := l.first; f != nil; f = f.next {
			list = append(list, f)
		}
	}
	// Whatever state a panic left it in, it is not looked at again.
	t.sky = newSky()
	for i := range t.ports {
		t.ports[i].close()
	}
	for _, f := range list {
		f.in, f.prev, f.next, f.newer, f.older, f.on = nil, nil, nil, nil, nil, nil
		t.end(f, reason)
	}
}
