package probe

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// bubbleClock is the clock of a synctest bubble, which can be stepped.
type bubbleClock struct {
	start time.Time
	ahead atomic.Int64 // ns
}

func (c *bubbleClock) Realtime() int64  { return time.Now().UnixNano() + c.ahead.Load() }
func (c *bubbleClock) Monotonic() int64 { return int64(time.Since(c.start)) + 5e9 }

// air is a kernel and the network behind it, in virtual time.
type air struct {
	mu      sync.Mutex
	news    chan struct{}
	sockets []*antenna
	openErr error
	counts  bool // stamps are numbered by the packets sent
	waits   int
	stall   time.Duration // how long the process is stopped, once

	// refuse is asked before a packet is sent, sent is told after.
	refuse func(s *antenna, f *flight) error
	sent   func(s *antenna, f *flight)
}

// antenna is a socket in the air.
type antenna struct {
	air      *air
	v6       bool
	inbox    []datagram
	reports  []queued
	number   uint32
	recounts int
	broken   error
	closed   bool
}

func (a *air) open(v6 bool) (socket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.openErr != nil {
		return nil, a.openErr
	}
	s := &antenna{air: a, v6: v6}
	a.sockets = append(a.sockets, s)
	return s, nil
}

func (a *air) wait(list []*port, d time.Duration) {
	var limit <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		limit = t.C
	}
	a.mu.Lock()
	a.waits++
	a.mu.Unlock()
	for woken := false; ; {
		a.mu.Lock()
		ready := woken || d == 0
		for _, p := range list {
			if s := p.sock.(*antenna); len(s.inbox)+len(s.reports) > 0 || s.broken != nil {
				p.ready, ready = true, true
			}
		}
		stall := a.stall
		if ready {
			a.stall = 0
		}
		a.mu.Unlock()
		if ready {
			time.Sleep(stall)
			return
		}
		select {
		case <-a.news:
			woken = true
		case <-limit:
			return
		}
	}
}

func (a *air) wake() {
	select {
	case a.news <- struct{}{}:
	default:
	}
}

func (a *air) warm()  {}
func (a *air) close() {}

func (s *antenna) counts() bool { return s.air.counts }
func (s *antenna) recount()     { s.number, s.recounts = 0, s.recounts+1 }

func (s *antenna) close() {
	s.air.mu.Lock()
	s.closed = true
	s.air.mu.Unlock()
}

func (s *antenna) open() bool {
	s.air.mu.Lock()
	defer s.air.mu.Unlock()
	return !s.closed
}

func (s *antenna) send(list []*flight) (int, error) {
	for i, f := range list {
		if s.air.refuse != nil {
			if err := s.air.refuse(s, f); err != nil {
				if i > 0 {
					return i, nil
				}
				return 0, err
			}
		}
		if s.air.sent != nil {
			s.air.sent(s, f)
		}
		s.number++
	}
	return len(list), nil
}

func (s *antenna) receive(take func(*datagram)) (int, error) {
	s.air.mu.Lock()
	if err := s.broken; err != nil {
		s.air.mu.Unlock()
		return 0, err
	}
	n := min(len(s.inbox), batch)
	list := s.inbox[:n]
	s.inbox = s.inbox[n:]
	s.air.mu.Unlock()
	for i := range list {
		take(&list[i])
	}
	return n, nil
}

func (s *antenna) errors(take func(*queued)) (int, error) {
	s.air.mu.Lock()
	n := min(len(s.reports), batch)
	list := s.reports[:n]
	s.reports = s.reports[n:]
	s.air.mu.Unlock()
	for i := range list {
		take(&list[i])
	}
	return n, nil
}

// deliver and report put something into a socket's queues after d.
func (s *antenna) deliver(d time.Duration, g datagram) {
	time.AfterFunc(d, func() {
		s.air.mu.Lock()
		if g.stamp == 0 {
			g.stamp = time.Now().UnixNano()
		}
		s.inbox = append(s.inbox, g)
		s.air.mu.Unlock()
		s.air.wake()
	})
}

func (s *antenna) report(d time.Duration, q queued) {
	time.AfterFunc(d, func() {
		s.air.mu.Lock()
		s.reports = append(s.reports, q)
		s.air.mu.Unlock()
		s.air.wake()
	})
}

// stampNow puts the transmit stamp of a packet that leaves now into the queue.
func (s *antenna) stampNow(f *flight) {
	q := queued{stamp: time.Now().UnixNano(), id: f.id}
	if s.air.counts {
		q.id = s.number
	}
	s.air.mu.Lock()
	s.reports = append(s.reports, q)
	s.air.mu.Unlock()
}

// answer is a good server's reply to a request.
func answer(request []byte, t2, t3 int64) []byte {
	b := make([]byte, packetSize)
	b[0], b[1], b[2], b[3] = 4<<3|modeServer, 1, 6, 0xec
	copy(b[offOrigin:], request[offTransmit:])
	binary.BigEndian.PutUint64(b[32:], ntpTime(t2))
	binary.BigEndian.PutUint64(b[40:], ntpTime(t3))
	return b
}

const ms = time.Millisecond

// serve has a good server answer: 10 ms there, 1 ms work, 10 ms back.
func (s *antenna) serve(f *flight) {
	now := time.Now()
	s.deliver(21*ms, datagram{from: f.to, ttl: 57, data: answer(f.request[:], now.Add(10*ms).UnixNano(), now.Add(11*ms).UnixNano())})
}

// good stamps and answers everything.
func good(s *antenna, f *flight) {
	s.stampNow(f)
	s.serve(f)
}

// inTheAir runs f in a bubble, with a Prober over a network that does as sent says.
func inTheAir(t *testing.T, sent func(*antenna, *flight), f func(t *testing.T, p *Prober, a *air, c *bubbleClock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &air{news: make(chan struct{}, 1), sent: sent}
		c := &bubbleClock{start: time.Now()}
		p := overAir(a, c)
		f(t, p, a, c)
		p.Close()
		for _, s := range a.sockets {
			if s.open() {
				t.Error("a socket was left open")
			}
		}
	})
}

func overAir(a *air, c *bubbleClock) *Prober {
	p := &Prober{timeout: DefaultTimeout, clock: c}
	tr := newTransport(a, nil, c, p.timeout, &p.count)
	p.dial, p.shared, p.partners = tr.dial, tr, newPartners()
	return p
}

func to(addr string) monitor.Target {
	return monitor.Target{ID: addr, Addr: netip.MustParseAddrPort(addr)}
}

var (
	one = to("192.0.2.1:123")
	two = to("192.0.2.2:123")
	six = to("[2001:db8::1]:123")
)

func ask(p *Prober, t monitor.Target) monitor.Exchange { return p.Probe(context.Background(), t) }

func wantOutcome(t *testing.T, x monitor.Exchange, want monitor.Outcome) {
	t.Helper()
	if x.Outcome != want {
		t.Errorf("got %s %q, want %s", x.Outcome, x.Detail, want)
	}
	agree(t, x)
}

func TestShared(t *testing.T) {
	inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		for _, to := range []monitor.Target{one, two, six, one} {
			begun := time.Now()
			x := ask(p, to)
			wantOutcome(t, x, monitor.OutcomeOK)
			if !x.Kernel || x.T1 != begun.UnixNano() || x.T4 != begun.Add(21*ms).UnixNano() || x.Delay() != 0.02 || time.Since(begun) != 21*ms {
				t.Errorf("%s: %+v after %v", to.ID, x, time.Since(begun))
			}
		}
		if len(a.sockets) != 2 || a.sockets[0].v6 || !a.sockets[1].v6 {
			t.Errorf("%d sockets, want one a family", len(a.sockets))
		}
	})
}

// A transmit stamp may come after the reply, never, for another packet, or
// from another time; a receive stamp may be missing.
func TestSharedStamps(t *testing.T) {
	stampAt := func(after, of time.Duration, id uint32) func(*antenna, *flight) {
		return func(s *antenna, f *flight) {
			s.report(after, queued{stamp: time.Now().Add(of).UnixNano(), id: f.id + id})
			s.serve(f)
		}
	}
	for _, tt := range []struct {
		name   string
		sent   func(*antenna, *flight)
		kernel bool
		took   time.Duration
	}{
		{"at once", good, true, 21 * ms},
		{"just before the reply", stampAt(20*ms, 0, 0), true, 21 * ms},
		{"after the reply", stampAt(23*ms, 0, 0), true, 23 * ms},
		{"long after it", stampAt(time.Second, 0, 0), false, 26 * ms},
		{"never", (*antenna).serve, false, 26 * ms},
		{"another packet's", stampAt(0, 0, 1), false, 26 * ms},
		{"within a millisecond", stampAt(0, ms, 0), true, 21 * ms},
		{"too late", stampAt(0, ms+1, 0), false, 21 * ms},
		{"too early", stampAt(0, -20*time.Microsecond, 0), false, 21 * ms},
		{"another year's", stampAt(0, -24*365*time.Hour, 0), false, 21 * ms},
		{"twice, the first counts", func(s *antenna, f *flight) { s.stampNow(f); stampAt(0, 500*time.Microsecond, 0)(s, f) }, true, 21 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inTheAir(t, tt.sent, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				begun := time.Now()
				x := ask(p, one)
				wantOutcome(t, x, monitor.OutcomeOK)
				if x.Kernel != tt.kernel || time.Since(begun) != tt.took {
					t.Errorf("kernel stamps %v after %v, want %v after %v", x.Kernel, time.Since(begun), tt.kernel, tt.took)
				}
				if tt.kernel == (p.Counters().NoStamp == 1) {
					t.Errorf("%d without stamps", p.Counters().NoStamp)
				}
				if x.T1 < begun.UnixNano() || x.T1 > begun.Add(ms).UnixNano() {
					t.Errorf("T1 %d ns after the request", x.T1-begun.UnixNano())
				}
			})
		})
	}
}

// What is lost is a timeout, and what comes late or twice is counted as that:
// never as the next exchange's stray.
func TestLateAndTwice(t *testing.T) {
	n := 0
	inTheAir(t, func(s *antenna, f *flight) {
		now := time.Now()
		reply := datagram{from: f.to, data: answer(f.request[:], now.UnixNano(), now.UnixNano())}
		switch n++; n {
		case 1: // late
			s.deliver(DefaultTimeout+ms, reply)
			s.deliver(DefaultTimeout+2*ms, reply)
		case 2: // twice
			good(s, f)
			s.deliver(30*ms, reply)
		case 3: // before its stamp, twice
			s.serve(f)
			s.deliver(22*ms, reply)
			s.report(23*ms, queued{stamp: now.UnixNano(), id: f.id})
		case 4: // far too late
			good(s, f)
			s.deliver(lateFor+time.Second, reply)
		default:
			good(s, f)
		}
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		begun := time.Now()
		wantOutcome(t, ask(p, one), monitor.OutcomeTimeout)
		if d := time.Since(begun); d != DefaultTimeout {
			t.Errorf("took %v", d)
		}
		for range 3 {
			wantOutcome(t, ask(p, one), monitor.OutcomeOK)
			time.Sleep(time.Second)
		}
		time.Sleep(lateFor)
		if got, want := p.Counters(), (Counters{Exchanges: 4, Late: 1, Duplicates: 3, Foreign: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// A reply is taken with the cookie, from the address and port, at full length.
func TestTakenReplies(t *testing.T) {
	at := func(addr string) endpoint { return endpointOf(netip.MustParseAddrPort(addr), 0) }
	for _, tt := range []struct {
		name    string
		change  func(d *datagram)
		strays  uint64
		foreign uint64
	}{
		{"other address", func(d *datagram) { d.from = at("192.0.2.9:123") }, 0, 1},
		{"other port", func(d *datagram) { d.from = at("192.0.2.1:124") }, 0, 1},
		{"other scope", func(d *datagram) { d.from.scope = 1 }, 0, 1},
		{"no address", func(d *datagram) { d.from = endpoint{} }, 0, 1},
		{"server of another request", func(d *datagram) { d.from = at("192.0.2.2:123") }, 0, 1},
		{"other cookie", func(d *datagram) { d.data[offOrigin] ^= 1 }, 1, 0},
		{"empty", func(d *datagram) { d.data = nil }, 1, 0},
		{"31 bytes", func(d *datagram) { d.data = d.data[:31] }, 1, 0},
		{"47 bytes", func(d *datagram) { d.data = d.data[:47] }, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inTheAir(t, func(s *antenna, f *flight) {
				bad := datagram{from: f.to, data: answer(f.request[:], 1e18, 1e18)}
				tt.change(&bad)
				if f.to == at("192.0.2.1:123") {
					s.deliver(5*ms, bad)
					good(s, f)
				}
			}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				go ask(p, two) // never answered
				synctest.Wait()
				x := ask(p, one)
				wantOutcome(t, x, monitor.OutcomeOK)
				if x.Delay() != 0.02 {
					t.Errorf("%+v: the bad one was taken", x)
				}
				if got := p.Counters(); got.Strays != tt.strays || got.Foreign != tt.foreign {
					t.Errorf("got %+v, want %d strays, %d foreign", got, tt.strays, tt.foreign)
				}
			})
		})
	}
}

// A station's failure to send is its own, and leaves every other packet's
// stamp alone, whoever numbers them.
func TestSendErrors(t *testing.T) {
	bad := endpointOf(two.Addr, 0)
	for _, counts := range []bool{false, true} {
		for _, no := range []syscall.Errno{syscall.EPERM, syscall.ENETUNREACH, syscall.ENOBUFS, syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.EAGAIN} {
			var left []endpoint
			inTheAir(t, func(s *antenna, f *flight) {
				left = append(left, f.to)
				good(s, f)
			}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				a.counts = counts
				a.refuse = func(s *antenna, f *flight) error {
					if f.to == bad {
						return no
					}
					return nil
				}
				got := make(chan monitor.Exchange)
				list := []monitor.Target{one, two, to("192.0.2.3:123"), two, to("192.0.2.4:123")}
				for _, w := range list {
					go func() { got <- ask(p, w) }()
				}
				for range list {
					x := <-got
					if x.Addr == two.Addr {
						wantOutcome(t, x, monitor.OutcomeSendError)
						continue
					}
					wantOutcome(t, x, monitor.OutcomeOK)
					if !x.Kernel || x.Delay() != 0.02 {
						t.Errorf("%v, counted %v: %s lost its stamp: %+v", no, counts, x.Addr, x)
					}
				}
				if len(left) != 3 {
					t.Errorf("%d packets left", len(left))
				}
			})
		}
	}
}

// A send call may fail for an ICMP message about another packet, or because
// there is no room for the moment.
func TestPassingSendErrors(t *testing.T) {
	for _, no := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.EAGAIN} {
		inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
			n := 0
			a.refuse = func(*antenna, *flight) error {
				if n++; n < 3 {
					return no
				}
				return nil
			}
			x := ask(p, one)
			wantOutcome(t, x, monitor.OutcomeOK)
			if !x.Kernel || len(a.sockets) != 2 {
				t.Errorf("%v: kernel stamps %v, %d sockets", no, x.Kernel, len(a.sockets))
			}
		})
	}
}

func TestReports(t *testing.T) {
	refusal := &icmpError{errno: syscall.ECONNREFUSED, from: one.Addr.Addr(), typ: 3, code: 3}
	for _, tt := range []struct {
		name   string
		change func(q *queued)
		want   monitor.Outcome
	}{
		{"all quoted", func(q *queued) {}, monitor.OutcomeRefused},
		{"more quoted", func(q *queued) { q.quoted = append(q.quoted, 1, 2, 3) }, monitor.OutcomeRefused},
		{"little quoted", func(q *queued) { q.quoted = q.quoted[:8] }, monitor.OutcomeRefused},
		{"nothing quoted", func(q *queued) { q.quoted = nil }, monitor.OutcomeRefused},
		{"another cookie", func(q *queued) { q.quoted[offTransmit] ^= 1 }, monitor.OutcomeOK},
		{"another destination", func(q *queued) { q.to.port++ }, monitor.OutcomeOK},
		{"another destination, little quoted", func(q *queued) { q.to.port++; q.quoted = nil }, monitor.OutcomeOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inTheAir(t, func(s *antenna, f *flight) {
				q := queued{err: refusal, to: f.to, quoted: append([]byte(nil), f.request[:]...)}
				tt.change(&q)
				s.report(ms, q)
				good(s, f)
			}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				wantOutcome(t, ask(p, one), tt.want)
			})
		})
	}
}

// A process that is stopped, as a starved one is, does not take the replies that
// came meanwhile for silence.
func TestStoppedMeanwhile(t *testing.T) {
	inTheAir(t, func(s *antenna, f *flight) {
		s.air.mu.Lock()
		s.air.stall = 10 * time.Second
		s.air.mu.Unlock()
		good(s, f)
		s.air.wake()
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		begun := time.Now()
		x := ask(p, one)
		wantOutcome(t, x, monitor.OutcomeOK)
		if time.Since(begun) < 10*time.Second || !x.Kernel || x.Delay() != 0.02 {
			t.Errorf("after %v: %+v", time.Since(begun), x)
		}
	})
}

func TestCancelShared(t *testing.T) {
	inTheAir(t, func(*antenna, *flight) {}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		ctx, cancel := context.WithCancel(context.Background())
		begun := time.Now()
		time.AfterFunc(time.Second, cancel)
		wantOutcome(t, p.Probe(ctx, one), monitor.OutcomeInternal)
		if d := time.Since(begun); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestCloseEndsExchanges(t *testing.T) {
	inTheAir(t, func(*antenna, *flight) {}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		time.AfterFunc(ms, func() { p.Close() })
		wantOutcome(t, ask(p, one), monitor.OutcomeInternal)
		wantOutcome(t, ask(p, one), monitor.OutcomeSendError)
	})
}

// A clock that is set while a reply is under way makes its exchange void.
func TestStepShared(t *testing.T) {
	inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		time.AfterFunc(5*ms, func() { c.ahead.Store(1e9) })
		wantOutcome(t, ask(p, one), monitor.OutcomeClockStepped)
	})
}

func addrFrom(ip []byte) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a, 123)
}
