package probe

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// The port changes about every hour; a reply to the old one is still taken, and
// the old socket is closed once nothing can come any more.
func TestPortChanges(t *testing.T) {
	slow := false
	var from []*antenna
	inTheAir(t, func(s *antenna, f *flight) {
		from = append(from, s)
		s.stampNow(f)
		if slow {
			now := time.Now()
			s.deliver(time.Second, datagram{from: f.to, data: answer(f.request[:], now.UnixNano(), now.Add(time.Second).UnixNano())})
			return
		}
		s.serve(f)
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		var changes []time.Duration
		last := time.Now()
		for begun := time.Now(); time.Since(begun) < 10*portLife; time.Sleep(10 * time.Second) {
			n := len(from)
			wantOutcome(t, ask(p, one), monitor.OutcomeOK)
			if n > 0 && from[n] != from[n-1] {
				changes = append(changes, time.Since(last))
				last = time.Now()
			}
		}
		if len(changes) < 7 || len(changes) > 14 {
			t.Errorf("changed %d times in ten hours", len(changes))
		}
		for i, d := range changes {
			if d < portLife*3/4-time.Second || d > portLife*5/4+20*time.Second || i > 0 && d == changes[0] {
				t.Errorf("changed after %v", changes)
				break
			}
		}
		open := 0
		for _, s := range a.sockets {
			if s.open() {
				open++
			}
		}
		if open > 3 {
			t.Errorf("%d sockets open", open)
		}
		// One reply under way while the port changes.
		time.Sleep(time.Minute)
		synctest.Wait()
		p.shared.(*transport).ports[0].live.until = time.Now().Add(portLife)
		slow = true
		got := make(chan monitor.Exchange)
		go func() { got <- ask(p, one) }()
		time.Sleep(ms)
		synctest.Wait()
		slow = false
		p.shared.(*transport).ports[0].live.suspect = true
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if n := len(from); from[n-1] == from[n-2] {
			t.Error("a suspect port was kept")
		}
		wantOutcome(t, <-got, monitor.OutcomeOK)
		old := from[len(from)-2]
		time.Sleep(DefaultTimeout + lateFor)
		if old.open() {
			t.Error("the old socket is still open")
		}
	})
}

// Who floods a port with guesses makes it change.
func TestFloodChangesPort(t *testing.T) {
	strays := 0
	inTheAir(t, func(s *antenna, f *flight) {
		for i := range strays {
			b := answer(f.request[:], 1e18, 1e18)
			b[offOrigin] ^= byte(i + 1)
			s.deliver(ms, datagram{from: f.to, data: b})
		}
		good(s, f)
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		strays = maxStrays - 1
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if len(a.sockets) != 2 {
			t.Errorf("%d sockets", len(a.sockets))
		}
		strays = maxStrays + 50
		wantOutcome(t, ask(p, one), monitor.OutcomeStray)
		strays = 0
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if len(a.sockets) != 3 {
			t.Errorf("%d sockets, want a new one", len(a.sockets))
		}
		// No more than one change until the one before is drained.
		for range 3 {
			strays = maxStrays
			wantOutcome(t, ask(p, one), monitor.OutcomeStray)
		}
		if len(a.sockets) != 3 {
			t.Errorf("%d sockets at once", len(a.sockets))
		}
		if n := p.Counters().Strays; n != 2*(maxStrays-1)+4*maxStrays {
			t.Errorf("%d strays", n)
		}
		// From anywhere else.
		strays = 0
		time.Sleep(time.Minute)
		a.mu.Lock()
		live := p.shared.(*transport).ports[0].live.sock.(*antenna)
		a.mu.Unlock()
		for range foreignMost {
			live.deliver(0, datagram{from: endpointOf(two.Addr, 0), data: make([]byte, packetSize)})
		}
		time.Sleep(ms)
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if n := len(a.sockets); a.sockets[n-1] == live || !live.open() {
			t.Error("the port was kept, or not drained")
		}
	})
}

// A socket that breaks costs the exchanges on it, which are the station's own
// fault, and is replaced.
func TestSocketBreaks(t *testing.T) {
	broken := false
	inTheAir(t, func(s *antenna, f *flight) {
		if broken {
			broken = false
			time.AfterFunc(ms, func() {
				s.air.mu.Lock()
				s.broken = syscall.EBADF
				s.air.mu.Unlock()
				s.air.wake()
			})
			return
		}
		good(s, f)
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		broken = true
		wantOutcome(t, ask(p, one), monitor.OutcomeInternal)
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if len(a.sockets) != 3 {
			t.Errorf("%d sockets, want a new one", len(a.sockets))
		}
	})
}

// Without sockets nothing can be sent; with them again, it can.
func TestNoSockets(t *testing.T) {
	inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		synctest.Wait()
		a.openErr = errors.New("no sockets today")
		wantOutcome(t, ask(p, one), monitor.OutcomeOK) // had been opened before
		synctest.Wait()
		tr := p.shared.(*transport)
		tr.lose(&tr.ports[0], tr.ports[0].live)
		x := ask(p, one)
		wantOutcome(t, x, monitor.OutcomeSendError)
		a.openErr = nil
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
	})
}

// Replies that this station had no room for are not the servers' silence.
func TestDropped(t *testing.T) {
	inTheAir(t, func(s *antenna, f *flight) {
		s.deliver(time.Second, datagram{from: endpointOf(two.Addr, 0), dropped: 3})
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		wantOutcome(t, ask(p, one), monitor.OutcomeInternal)
		if c := p.Counters(); c.Dropped != 3 {
			t.Errorf("%+v", c)
		}
		wantOutcome(t, ask(p, one), monitor.OutcomeTimeout)
	})
}

// A panic in the loop ends what is under way, and nothing more.
func TestLoopPanics(t *testing.T) {
	n := 0
	inTheAir(t, func(s *antenna, f *flight) {
		if n++; n == 2 {
			panic("oops")
		}
		if n != 1 {
			good(s, f)
		}
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		got := make(chan monitor.Exchange)
		go func() { got <- ask(p, one) }()
		time.Sleep(ms)
		x := ask(p, two)
		wantOutcome(t, x, monitor.OutcomeInternal)
		wantOutcome(t, <-got, monitor.OutcomeInternal)
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		if c := p.Counters(); c.Panics != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// With nothing to do, nothing is done.
func TestIdle(t *testing.T) {
	inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		wantOutcome(t, ask(p, one), monitor.OutcomeOK)
		time.Sleep(time.Second)
		a.mu.Lock()
		before := a.waits
		a.mu.Unlock()
		time.Sleep(100 * time.Hour)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.waits != before {
			t.Errorf("woke %d times", a.waits-before)
		}
	})
}

// Thousands at once, some lost: each gets its own reply, and the losses are exact.
func TestMany(t *testing.T) {
	lost := map[endpoint]bool{}
	n := 0
	inTheAir(t, func(s *antenna, f *flight) {
		s.stampNow(f)
		if n++; n%20 == 0 {
			lost[f.to] = true
			return
		}
		s.serve(f)
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		const all = 3000
		got := make(chan monitor.Exchange)
		for i := range all {
			w := one
			if i%2 == 1 {
				w = six
			}
			ip := w.Addr.Addr().AsSlice()
			ip[len(ip)-1], ip[len(ip)-2] = byte(i), byte(i>>8)
			w.Addr = addrFrom(ip)
			go func() { got <- ask(p, w) }()
		}
		count := map[monitor.Outcome]int{}
		for range all {
			x := <-got
			count[x.Outcome]++
			if lost[endpointOf(x.Addr, 0)] != (x.Outcome == monitor.OutcomeTimeout) {
				t.Errorf("%s: %s %s", x.Addr, x.Outcome, x.Detail)
			}
			if x.Outcome == monitor.OutcomeOK && (!x.Kernel || x.Delay() != 0.02) {
				t.Errorf("%s: %+v", x.Addr, x)
			}
		}
		if count[monitor.OutcomeOK] != all*19/20 || count[monitor.OutcomeTimeout] != all/20 {
			t.Errorf("got %v", count)
		}
		tr := p.shared.(*transport)
		if s := &tr.sky; len(s.cookies)+len(s.servers) != 0 || s.waiting.first != nil || s.stamping.first != nil {
			t.Error("flights are left")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory
	now := time.Unix(1e9, 0)
	f := &flight{to: endpointOf(one.Addr, 0)}
	packet := func(cookie uint64) []byte {
		b := make([]byte, packetSize)
		binary.BigEndian.PutUint64(b[offOrigin:], cookie)
		return b
	}
	for i := range 3*memories + 10 {
		f.cookie = uint64(i + 1)
		m.add(f, now)
	}
	if len(m.known) != memories || len(m.order) != memories {
		t.Errorf("%d cookies kept, %d in order", len(m.known), len(m.order))
	}
	for _, tt := range []struct {
		cookie       uint64
		later        time.Duration
		known, twice bool
	}{
		{f.cookie, 0, true, false}, {f.cookie, lateFor, true, true}, {f.cookie, lateFor + 1, false, false},
		{f.cookie - memories + 1, 0, true, false}, {f.cookie - memories, 0, false, false},
	} {
		if known, twice := m.recall(packet(tt.cookie), f.to, now.Add(tt.later)); known != tt.known || twice != tt.twice {
			t.Errorf("%+v: got %v, %v", tt, known, twice)
		}
	}
	if known, _ := m.recall(packet(f.cookie), endpointOf(two.Addr, 0), now); known {
		t.Error("known from another address")
	}
}

func TestPace(t *testing.T) {
	for _, tt := range []struct {
		rate   int // a second
		flying int
		want   time.Duration
	}{
		{0, 5, 0}, {10, 5, 0}, {150, 5, 0}, {300, 5, gatherMost}, {1000, 5, gatherMost}, {1000, 1, 0}, {2000, 5, 16 * ms}, {10000, 5, 3200 * time.Microsecond}, {50000, 5, 640 * time.Microsecond}, {200000, 5, 0},
	} {
		var p pace
		now := time.Unix(1e9, 0)
		got, due := time.Duration(0), 0.0
		for range 2000 {
			now = now.Add(ms)
			due += float64(tt.rate) / 1000
			n := min(int(due), max(tt.flying, tt.rate/1000))
			due -= float64(n)
			got = p.gap(n, tt.flying, now)
		}
		if got < tt.want*9/10 || got > tt.want*11/10 {
			t.Errorf("%d a second, %d at once: %v, want %v", tt.rate, tt.flying, got, tt.want)
		}
	}
}
