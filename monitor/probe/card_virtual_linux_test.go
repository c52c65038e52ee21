package probe

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

const us = time.Microsecond

// crystal is a card's clock, by how much it is ahead at an instant of CLOCK_REALTIME.
type crystal func(at int64) (ahead int64)

// steady is one that was right, but for ahead, when a test began, and runs so many ppm
// too fast since.
func steady(ahead time.Duration, ppm float64) crystal {
	begun := time.Now().UnixNano()
	return func(at int64) int64 { return int64(ahead) + int64(ppm*1e-6*float64(at-begun)) }
}

// then is c until d has passed, and later another one.
func (c crystal) then(d time.Duration, later crystal) crystal {
	when := time.Now().Add(d).UnixNano()
	return func(at int64) int64 {
		if at < when {
			return c(at)
		}
		return later(at)
	}
}

func (c crystal) at(t time.Time) int64 { return t.UnixNano() + c(t.UnixNano()) }

// simCard is a network card.
type simCard struct {
	mu       sync.Mutex
	clock    crystal
	half     func() int64 // of a reading
	fails    error        // of a reading
	absent   error        // why it cannot be had
	mbits    int64
	readings int
	opened   int
	closed   int
}

func (s *simCard) read() (relation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings++
	if s.fails != nil {
		return relation{}, s.fails
	}
	r := relation{half: 300}
	if s.half != nil {
		r.half = s.half()
	}
	r.at = time.Now().UnixNano() + r.half // as if it took time
	r.ahead = s.clock(r.at)
	if s.half != nil {
		r.ahead += rand.Int64N(2*r.half+1) - r.half
	}
	return r, nil
}

func (s *simCard) speed() int64 { return s.mbits }

func (s *simCard) close() {
	s.mu.Lock()
	s.closed++
	s.mu.Unlock()
}

// cardIndex is the interface of the card in the air.
const cardIndex = 7

func (s *simCard) open(string) (int32, cardClock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.absent != nil {
		return 0, nil, s.absent
	}
	s.opened++
	return cardIndex, s, nil
}

// stamped has a packet leave 5 us after the call, by the kernel's stamp 3 us after it,
// and a good server answer, as serve does. The reply takes 752 ns to arrive at
// 1 Gbit/s, and the kernel stamps it another 10 us later. change may change the card's
// stamp of the request and when it is told, and the reply.
func (s *simCard) stamped(change func(tx *queued, late *time.Duration, rx *datagram)) func(*antenna, *flight) {
	return func(a *antenna, f *flight) {
		now := time.Now()
		late := time.Millisecond
		tx := queued{raw: s.clock.at(now.Add(5 * us)), on: cardIndex, id: f.id}
		there := now.Add(10 * ms).UnixNano()
		rx := datagram{from: f.to, ttl: 57, data: answer(f.request[:], there, there+int64(ms)), on: cardIndex, length: usualFrame}
		came := now.Add(21 * ms)
		rx.raw, rx.stamp = s.clock.at(came), came.UnixNano()+752+10_000
		if change != nil {
			change(&tx, &late, &rx)
		}
		a.report(0, queued{stamp: now.Add(3 * us).UnixNano(), on: cardIndex, id: f.id})
		if tx.raw != 0 {
			a.report(late, tx)
		}
		a.deliver(21*ms+752*time.Nanosecond+20*us, rx)
	}
}

// withCardInTheAir runs f with a Prober that has a card stamp packets.
func withCardInTheAir(t *testing.T, f func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &air{news: make(chan struct{}, 1)}
		c := &bubbleClock{start: time.Now()}
		s := &simCard{clock: steady(37*time.Second, 20), mbits: 1000}
		a.sent = s.stamped(nil)
		p := &Prober{timeout: DefaultTimeout, clock: c, hardware: []string{"eth0"}}
		k := newCards(p.hardware, s.open, c, &p.count)
		p.problems = k.problems
		p.carry(newTransport(a, k, c, p.timeout, &p.count))
		f(t, s, p, a, c)
		p.Close()
		if s.opened != s.closed {
			t.Errorf("the card's clock was opened %d times and closed %d times", s.opened, s.closed)
		}
		readings := s.readings
		if x := ask(p, one); x.Outcome != monitor.OutcomeSendError || s.readings != readings || s.opened != s.closed {
			t.Errorf("after the end: %s, %d readings", x.Outcome, s.readings-readings)
		}
	})
}

// The card's stamps are taken where they can be true, and else the kernel's.
func TestCardStamps(t *testing.T) {
	const took = 21*ms + 752*time.Nanosecond + 20*us
	type told = func(tx *queued, late *time.Duration, rx *datagram)
	for _, tt := range []struct {
		name    string
		change  told
		set     func(s *simCard)
		card    uint8
		t1      bool // the card's
		t4      bool
		took    time.Duration
		doubted uint64
		problem string
	}{
		{name: "good", card: 2, t1: true, t4: true, took: took},
		{name: "before the kernel's", change: func(tx *queued, late *time.Duration, rx *datagram) { *late = -1 }, card: 2, t1: true, t4: true, took: took},
		{name: "after the reply", change: func(tx *queued, late *time.Duration, rx *datagram) { *late = 25 * ms }, card: 2, t1: true, t4: true, took: 25 * ms},
		{name: "too late", change: func(tx *queued, late *time.Duration, rx *datagram) { *late = 40 * ms }, card: 1, t4: true, took: took + cardWait, doubted: 1},
		{name: "never", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.raw = 0 }, card: 1, t4: true, took: took + cardWait, doubted: 1},
		{name: "no receive stamp", change: func(tx *queued, late *time.Duration, rx *datagram) { rx.raw, rx.on = 0, 0 }, card: 1, t1: true, took: took, doubted: 1},
		{name: "a second ahead", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.raw += 1e9; rx.raw += 1e9 }, took: took, doubted: 2},
		{name: "a second behind", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.raw -= 1e9; rx.raw -= 1e9 }, took: took, doubted: 2},
		{name: "before the call", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.raw -= int64(20 * us) }, card: 1, t4: true, took: took, doubted: 1},
		{name: "long after the driver", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.raw += int64(110 * us) }, card: 1, t4: true, took: took, doubted: 1},
		{name: "received after the kernel", change: func(tx *queued, late *time.Duration, rx *datagram) { rx.raw += int64(20 * us) }, card: 1, t1: true, took: took, doubted: 1},
		{name: "received long before", change: func(tx *queued, late *time.Duration, rx *datagram) { rx.raw -= int64(110 * us) }, card: 1, t1: true, took: took, doubted: 1},
		{name: "received before it was sent", change: func(tx *queued, late *time.Duration, rx *datagram) { rx.raw = tx.raw - 1e6 }, card: 1, t1: true, took: took, doubted: 1},
		{name: "another card's", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.on, rx.on = 8, 8 }, took: took, doubted: 2},
		{name: "nobody's", change: func(tx *queued, late *time.Duration, rx *datagram) { tx.on, rx.on = 0, 0 }, took: took, doubted: 2},
		{name: "the kernel's is missing", change: func(tx *queued, late *time.Duration, rx *datagram) { rx.stamp = 1 }, took: took},
		{name: "a clock of 600 ppm", set: func(s *simCard) { s.clock = steady(0, 600) }, took: took, doubted: 2},
		{name: "a clock that stands still", set: func(s *simCard) { s.clock = steady(0, -1e6) }, took: took, doubted: 2},
		{name: "a clock that is set", set: func(s *simCard) { s.clock = steady(0, 0).then(5*ms, steady(ms, 0)) }, took: took, doubted: 2},
		{name: "a clock that is set by a little", set: func(s *simCard) { s.clock = steady(0, 0).then(5*ms, steady(us, 0)) }, card: 2, t1: true, t4: true, took: took},
		{name: "a clock that is set by some more", set: func(s *simCard) { s.clock = steady(0, 0).then(5*ms, steady(6*us, 0)) }, took: took},
		{name: "a clock that reads slowly", set: func(s *simCard) { s.half = func() int64 { return 60_000 } }, took: took, problem: "no time stamps of eth0: reading its clock takes too long, ± 60µs"},
		{name: "a clock that fails", set: func(s *simCard) { s.fails = errors.New("no such device") }, took: took, problem: "no time stamps of eth0: its clock cannot be read: no such device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
				time.Sleep(time.Second) // the first reading is old
				if tt.set != nil {
					tt.set(s)
				}
				a.sent = s.stamped(tt.change)
				begun := time.Now()
				x := ask(p, one)
				wantOutcome(t, x, monitor.OutcomeOK)
				if x.Card != tt.card || time.Since(begun) != tt.took || p.Counters().Doubted != tt.doubted {
					t.Errorf("%d stamps of the card after %v, %d doubted; want %d after %v, %d", x.Card, time.Since(begun), p.Counters().Doubted, tt.card, tt.took, tt.doubted)
				}
				near := func(got int64, card bool, of, kernel time.Duration) bool {
					if !card {
						return got == begun.Add(kernel).UnixNano()
					}
					return math.Abs(float64(got-begun.Add(of).UnixNano())) <= x.StampError*1e9
				}
				if tt.name == "the kernel's is missing" {
					if x.Kernel {
						t.Error("said to be the kernel's")
					}
				} else if !x.Kernel || !near(x.T1, tt.t1, 5*us, 3*us) || !near(x.T4, tt.t4, 21*ms+752, 21*ms+752+10*us) {
					t.Errorf("kernel %v, T1 +%d, T4 +%d", x.Kernel, x.T1-begun.UnixNano(), x.T4-begun.UnixNano())
				}
				if want := map[uint8]float64{0: kernelStampError, 1: kernelStampError, 2: cardStampError}[tt.card]; x.Kernel && (x.StampError < want || x.StampError > want+cardErrorMost*1e-9) {
					t.Errorf("stamp error %g", x.StampError)
				}
				var want []string
				if tt.problem != "" {
					want = append(want, tt.problem)
				}
				if got := p.HardwareProblems(); len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
					t.Errorf("problems %q", got)
				}
			})
		})
	}
}

// With two cards alike, one does not stamp for the other.
func TestTwoCards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, c := &air{news: make(chan struct{}, 1)}, &bubbleClock{start: time.Now()}
		s := &simCard{clock: steady(0, 0), mbits: 1000}
		p := &Prober{timeout: DefaultTimeout, clock: c, hardware: []string{"eth0", "eth1"}}
		k := newCards(p.hardware, func(name string) (int32, cardClock, error) {
			index, clock, err := s.open(name)
			return index + int32(name[3]-'0'), clock, err
		}, c, &p.count)
		p.carry(newTransport(a, k, c, p.timeout, &p.count))
		defer p.Close()
		a.sent = s.stamped(func(tx *queued, _ *time.Duration, rx *datagram) { rx.on++ })
		if x := ask(p, one); x.Card != 2 {
			t.Errorf("by the one and back by the other: %+v", x)
		}
		a.sent = s.stamped(func(tx *queued, _ *time.Duration, rx *datagram) { tx.on++ })
		if x := ask(p, one); x.Card != 1 || p.Counters().Doubted != 1 {
			t.Errorf("said to be stamped where it did not pass: %+v", x)
		}
	})
}

// Packets of other interfaces are stamped by the kernel, and nothing is waited for.
func TestOtherInterfaces(t *testing.T) {
	withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
		a.sent = good
		begun := time.Now()
		x := ask(p, one)
		wantOutcome(t, x, monitor.OutcomeOK)
		if x.Card != 0 || !x.Kernel || x.StampError != kernelStampError || time.Since(begun) != 21*ms || p.Counters().Doubted != 0 {
			t.Errorf("%+v after %v", x, time.Since(begun))
		}
	})
}

// A card that is not there is looked for again, one that stops stamping is not waited
// for any more, one whose clock fails is opened again.
func TestCardComesAndGoes(t *testing.T) {
	withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
		want := func(card uint8, problem string) {
			t.Helper()
			x := ask(p, one)
			wantOutcome(t, x, monitor.OutcomeOK)
			got := ""
			if list := p.HardwareProblems(); len(list) > 0 {
				got = list[0]
			}
			if x.Card != card || got != problem {
				t.Errorf("%d stamps, %q; want %d, %q", x.Card, got, card, problem)
			}
		}
		want(2, "")
		s.fails = errors.New("gone")
		time.Sleep(cardAgain)
		want(0, "no time stamps of eth0: its clock cannot be read: gone")
		s.fails, s.absent = nil, errors.New("there is no such interface")
		time.Sleep(cardAgain)
		want(0, "no time stamps of eth0: there is no such interface")
		s.absent = nil
		time.Sleep(cardAgain / 2)
		want(0, "no time stamps of eth0: there is no such interface")
		time.Sleep(cardAgain)
		want(2, "")
		a.sent = s.stamped(func(tx *queued, _ *time.Duration, rx *datagram) { tx.raw, rx.raw, rx.on = 0, 0, 0 })
		for range missingMost - 1 {
			want(0, "")
		}
		want(0, "no time stamps of eth0: it has stopped stamping packets")
		begun := time.Now()
		want(0, "no time stamps of eth0: it has stopped stamping packets")
		if d := time.Since(begun); d > 22*ms {
			t.Errorf("waited for what does not come: %v", d)
		}
		a.sent = s.stamped(nil)
		time.Sleep(cardAgain)
		want(2, "")
		if n := s.opened; n != 3 {
			t.Errorf("opened %d times", n)
		}
	})
}

// A reading of the card's clock serves several exchanges at once, and one of a time
// that was not to be does not.
func TestReadingsAreShared(t *testing.T) {
	withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
		time.Sleep(time.Second)
		was := s.readings
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if x := ask(p, one); x.Card != 2 {
					t.Errorf("%+v", x)
				}
			})
		}
		all.Wait()
		if n := s.readings - was; n != 2 {
			t.Errorf("%d readings for 20 exchanges at once", n)
		}
		c.ahead.Store(-int64(time.Hour))
		time.Sleep(time.Second)
		a.sent = func(n *antenna, f *flight) { // a kernel that knows of it
			now := time.Now().UnixNano() + c.ahead.Load()
			n.report(0, queued{stamp: now, on: cardIndex, id: f.id})
			n.deliver(ms, datagram{from: f.to, data: answer(f.request[:], now, now), stamp: now + int64(ms)})
		}
		was = s.readings
		ask(p, one)
		if s.readings == was {
			t.Error("a reading of the time before the clock was set back was used")
		}
	})
}

func TestCardInterleaved(t *testing.T) {
	withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
		l := newLeaver()
		l.ahead = 80 * ms
		var inner antenna
		a.sent = func(n *antenna, f *flight) {
			now := time.Now()
			inner = antenna{air: &air{news: make(chan struct{}, 1)}}
			l.sent(&inner, f) // the server, whose reply goes by the card
			time.AfterFunc(23*ms+us, func() {
				inner.air.mu.Lock()
				rx := inner.inbox[0]
				inner.air.mu.Unlock()
				rx.stamp, rx.raw, rx.on = now.Add(23*ms+10*us).UnixNano(), s.clock.at(now.Add(23*ms)), cardIndex
				n.deliver(20*us, rx)
			})
			n.report(0, queued{stamp: now.UnixNano(), on: cardIndex, id: f.id})
			n.report(ms, queued{raw: s.clock.at(now), on: cardIndex, id: f.id})
		}
		var last monitor.Exchange
		for i := range 5 {
			x := ask(p, one)
			wantOutcome(t, x, monitor.OutcomeOK)
			if x.Card != 2 || x.Interleaved != (i > 0) || (x.Before != nil) != (i > 0) {
				t.Fatalf("exchange %d: %+v", i, x)
			}
			if b := x.Before; b != nil {
				if b.T1 != last.T1 || b.T4 != last.T4 || b.Card != 2 || !b.Kernel || b.StampError != last.StampError {
					t.Errorf("%+v is not of the exchange before, %+v", b, last)
				}
				if wrong := math.Abs(offset(*b) - 0.08); wrong > b.StampError || math.Abs(b.Delay()-0.02) > 2*b.StampError+752e-9 {
					t.Errorf("offset wrong by %g, delay %g, stamp error %g", wrong, b.Delay(), b.StampError)
				}
			}
			last = x
			time.Sleep(64 * time.Second)
		}
	})
}

// Whatever a card's clock does, and whatever its driver says, no exchange says what is
// not so: the stamps are within their error of the truth, and so is the offset.
func TestCardAgainstTheTruth(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	var exchanges, both, half int
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 6))
		withCardInTheAir(t, func(t *testing.T, s *simCard, p *Prober, a *air, c *bubbleClock) {
			between := func(most time.Duration) time.Duration { return time.Duration(r.Int64N(int64(most) + 1)) }
			some := func(share float64) bool { return r.Float64() < share }
			type truth struct {
				left, came int64
				ahead      int64
			}
			var mu sync.Mutex
			truths := map[endpoint]truth{}
			var old, fresh int64
			widest := int64(math.Pow(10, 1+3*r.Float64())) // ± 10 ns to 10 us
			s.half = func() int64 { return 1 + rand.Int64N(widest) }
			s.mbits = [...]int64{0, 10, 100, 1000}[r.IntN(4)]
			time.Sleep(cardAgain) // for the link's speed to be read
			honest := some(0.5)
			a.sent = func(n *antenna, f *flight) {
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				// The driver has the packet, the wire has it, and it comes back.
				driver := now.Add(between(20 * us))
				left := driver.Add(between(15 * us))
				there := between(time.Duration(math.Pow(10, 4+3.5*r.Float64()))) // up to 30 ms
				work, back := between(ms), between(time.Duration(math.Pow(10, 4+3.5*r.Float64())))
				begins := left.Add(there + work + back)
				came := begins
				if s.mbits > 0 {
					came = begins.Add(time.Duration((usualFrame + 4) * 8 * 1000 / s.mbits))
				}
				seen := came.Add(between(50 * us))
				t := truth{left.UnixNano(), came.UnixNano(), int64(between(2*time.Second) - time.Second)}
				truths[f.to] = t
				tx := queued{raw: s.clock.at(left), on: cardIndex, id: f.id}
				rx := datagram{from: f.to, data: answer(f.request[:], left.Add(there).UnixNano()+t.ahead, left.Add(there+work).UnixNano()+t.ahead),
					stamp: seen.UnixNano(), raw: s.clock.at(begins), on: cardIndex, length: usualFrame}
				late := between(2 * ms)
				if !honest {
					lie := func(raw *int64, on *int32) {
						switch r.IntN(8) {
						case 0:
							*raw = 0
						case 1:
							*raw += int64(time.Second) * (2*r.Int64N(2) - 1)
						case 2:
							*raw = old // of a packet long ago
						case 3:
							*on = 8
						case 4:
							*raw = r.Int64()
						}
					}
					fresh = tx.raw
					lie(&tx.raw, &tx.on)
					lie(&rx.raw, &rx.on)
					if some(0.1) {
						late = between(60 * ms)
					}
					if some(0.1) {
						n.report(between(ms), tx) // twice
					}
				}
				report := func() { n.report(0, queued{stamp: driver.UnixNano(), on: cardIndex, id: f.id}) }
				if some(0.2) {
					time.AfterFunc(between(ms), report)
				} else {
					report()
				}
				if tx.raw != 0 {
					n.report(late, tx)
				}
				n.deliver(seen.Sub(now)+between(20*us), rx)
			}
			for range 10 {
				// Runs up to 100 ppm wrong, and is set once in a while, at any moment.
				s.mu.Lock()
				s.clock = steady(between(time.Minute), 200*r.Float64()-100)
				if some(0.5) {
					by := time.Duration(math.Pow(10, 9*r.Float64()))
					if some(0.5) {
						by = -by
					}
					before := s.clock
					s.clock = before.then(between(40*ms), func(at int64) int64 { return before(at) + int64(by) })
				}
				s.mu.Unlock()
				var all sync.WaitGroup
				for _, to := range []monitor.Target{one, two, six}[:1+r.IntN(3)] {
					all.Go(func() {
						x := ask(p, to)
						mu.Lock()
						defer mu.Unlock()
						want, room := truths[endpointOf(to.Addr, 0)], x.StampError*1e9
						exchanges++
						switch x.Card {
						case 2:
							both++
							if math.Abs(float64(x.T1-want.left)) > room || math.Abs(float64(x.T4-want.came)) > room {
								t.Errorf("seed %d: T1 wrong by %d, T4 by %d, said ± %g ns", seed, x.T1-want.left, x.T4-want.came, room)
							}
						case 1:
							half++
						}
						if wrong := math.Abs(offset(x) - float64(want.ahead)/1e9); x.Outcome != monitor.OutcomeOK || wrong > x.Delay()/2+x.StampError+1e-9 {
							t.Errorf("seed %d: %s, offset wrong by %g, delay %g, stamp error %g", seed, x.Outcome, wrong, x.Delay(), x.StampError)
						}
						if x.StampError < cardStampError || x.Card == 1 && x.StampError < kernelStampError {
							t.Errorf("seed %d: %d stamps of the card, wrong by no more than %g", seed, x.Card, x.StampError)
						}
					})
				}
				all.Wait()
				time.Sleep(ms + between(time.Second))
				old = fresh
			}
		})
	}
	t.Logf("%d exchanges, of which the card stamped %d, and %d half", exchanges, both, half)
	if both < exchanges/5 || half == 0 {
		t.Error("hardly any by the card")
	}
}
