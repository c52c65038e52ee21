package probe

import (
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// leaver is a server of interleaved mode: its process writes its time 1 ms
// before the packet leaves, which is 3 ms after the request came.
type leaver struct {
	left   map[uint64]uint64 // by receive time stamp
	ahead  time.Duration
	change func(n int, request, reply []byte)
	n      int
	asked  int // requests for interleaved mode
}

func newLeaver() *leaver { return &leaver{left: map[uint64]uint64{}} }

func (l *leaver) sent(s *antenna, f *flight) {
	s.stampNow(f)
	there := time.Now().Add(10*ms + l.ahead).UnixNano()
	b := answer(f.request[:], there, there+int64(2*ms))
	req := f.request[:]
	if binary.BigEndian.Uint64(req[offReceive:]) != 0 {
		l.asked++
		if t3, ok := l.left[binary.BigEndian.Uint64(req[offOrigin:])]; ok {
			copy(b[offOrigin:], req[offReceive:offReceive+8])
			binary.BigEndian.PutUint64(b[offTransmit:], t3)
		}
	}
	l.left[binary.BigEndian.Uint64(b[offReceive:])] = ntpTime(there + int64(3*ms))
	if l.n++; l.change != nil {
		l.change(l.n, req, b)
	}
	s.deliver(23*ms, datagram{from: f.to, data: b})
}

func TestInterleaved(t *testing.T) {
	l := newLeaver()
	inTheAir(t, l.sent, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		l.ahead = 80 * ms
		var last monitor.Exchange
		for i := range 10 {
			x := ask(p, one)
			wantOutcome(t, x, monitor.OutcomeOK)
			if x.Interleaved != (i > 0) || (x.Before != nil) != (i > 0) {
				t.Fatalf("exchange %d: %+v", i, x)
			}
			// What is said of the exchange itself holds the truth, always.
			if wrong := offset(x) - 0.08; wrong > x.Delay()/2 || wrong < -x.Delay()/2 {
				t.Errorf("exchange %d: offset wrong by %g, delay %g", i, wrong, x.Delay())
			}
			if x.Interleaved && x.T3 != x.T2 {
				t.Errorf("T3 %d, T2 %d: it cannot be known", x.T3, x.T2)
			}
			if b := x.Before; b != nil {
				if b.T1 != last.T1 || b.T2 != last.T2 || b.T4 != last.T4 || b.Mono != last.Mono || b.Diff != last.Diff {
					t.Errorf("%+v is not of the exchange before, %+v", b, last)
				}
				if b.Delay() != 0.02 || offset(*b) != 0.08 || b.T3-b.T2 != int64(3*ms) {
					t.Errorf("offset %g, delay %g", offset(*b), b.Delay())
				}
			}
			last = x
			time.Sleep(64 * time.Second)
		}
	})
}

// Whatever a server does with interleaved mode, no exchange says what is not so.
func TestInterleavedDoubts(t *testing.T) {
	transmit := func(b []byte, v uint64) { binary.BigEndian.PutUint64(b[offTransmit:], v) }
	receive := func(b []byte) uint64 { return binary.BigEndian.Uint64(b[offReceive:]) }
	isLeaved := func(req, b []byte) bool {
		return string(b[offOrigin:offOrigin+8]) == string(req[offReceive:offReceive+8])
	}
	for _, tt := range []struct {
		name   string
		change func(l *leaver) func(n int, req, b []byte)
		before func(n int) bool // wanted: the exchange before the nth measured anew
	}{
		{"never", func(l *leaver) func(int, []byte, []byte) {
			return func(int, []byte, []byte) { clear(l.left) }
		}, func(n int) bool { return false }},
		{"restarts", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, _, _ []byte) {
				if n == 5 {
					clear(l.left)
				}
			}
		}, func(n int) bool { return n > 1 && n != 6 }},
		{"every other", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, _, _ []byte) {
				if n%2 == 0 {
					clear(l.left)
				}
			}
		}, func(n int) bool { return n%2 == 0 }},
		{"tells when this one leaves", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, req, b []byte) {
				if isLeaved(req, b) {
					transmit(b, receive(b)+1<<22)
				}
			}
		}, func(n int) bool { return false }},
		{"tells of the one before the last", func(l *leaver) func(int, []byte, []byte) {
			var old uint64
			return func(n int, req, b []byte) {
				if isLeaved(req, b) {
					now := binary.BigEndian.Uint64(b[offTransmit:])
					if old != 0 {
						transmit(b, old)
					}
					old = now
				}
			}
		}, func(n int) bool { return n == 2 }},
		{"a second late", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, req, b []byte) {
				if isLeaved(req, b) {
					transmit(b, binary.BigEndian.Uint64(b[offTransmit:])+1<<32)
				}
			}
		}, func(n int) bool { return false }},
		{"10 ms early", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, req, b []byte) {
				if isLeaved(req, b) {
					transmit(b, binary.BigEndian.Uint64(b[offTransmit:])-1<<32/100)
				}
			}
		}, func(n int) bool { return false }},
		{"its clock is set", func(l *leaver) func(int, []byte, []byte) {
			return func(n int, req, b []byte) {
				if n%3 == 0 {
					l.ahead += time.Second
				}
			}
		}, func(n int) bool { return n > 1 && n%3 != 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLeaver()
			l.change = tt.change(l)
			inTheAir(t, l.sent, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				for n := 1; n <= 20; n++ {
					synctest.Wait()
					ahead := l.ahead.Seconds()
					x := ask(p, one)
					wantOutcome(t, x, monitor.OutcomeOK)
					if room := x.Delay()/2 + x.StampError; offset(x)-ahead > room || offset(x)-ahead < -room {
						t.Errorf("exchange %d: offset %g +-%g, want %g", n, offset(x), room, ahead)
					}
					if (x.Before != nil) != (tt.before(n) && n <= 20) {
						t.Errorf("exchange %d: before %+v", n, x.Before)
					}
					if b := x.Before; b != nil && (b.Delay() > 0.024 || b.Delay() < 0) {
						t.Errorf("exchange %d: delay %g", n, b.Delay())
					}
					time.Sleep(16 * time.Second)
				}
			})
		})
	}
}

// Interleaved mode is asked for with a fresh exchange of the best kind only, and
// not of those who do not offer it, for an hour.
func TestInterleavedAsked(t *testing.T) {
	l := newLeaver()
	inTheAir(t, l.sent, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		asked := func(want bool, why string) {
			t.Helper()
			synctest.Wait()
			before := l.asked
			ask(p, one)
			if (l.asked > before) != want {
				t.Errorf("%s: asked %v", why, !want)
			}
			time.Sleep(2 * time.Second)
		}
		asked(false, "the first")
		asked(true, "the second")
		time.Sleep(freshFor)
		asked(false, "after a long time")
		asked(true, "after it")
		synctest.Wait()
		l.change = func(_ int, _, b []byte) { b[0] |= 3 << 6 }
		asked(true, "unsynchronized")
		l.change = func(int, []byte, []byte) { clear(l.left) }
		asked(false, "after an unsynchronized one")
		for range refusals {
			asked(true, "not offered")
		}
		for range 20 {
			asked(false, "known not to be offered")
		}
		time.Sleep(refusedFor)
		asked(false, "forgotten")
		asked(true, "an hour later")
	})
}

func TestPartnersAreBounded(t *testing.T) {
	p := newPartners()
	c := &conn{}
	learn := func(i int, mono int64) {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 123)
		p.learn(&monitor.Exchange{Addr: a, Outcome: monitor.OutcomeOK, Kernel: true, Mono: mono}, c)
	}
	for i := range 2 * partnersMost {
		learn(i, 1e9)
	}
	if len(p.known) != partnersMost {
		t.Errorf("%d kept", len(p.known))
	}
	learn(0, 2e9+int64(freshFor))
	if len(p.known) != 1 {
		t.Errorf("%d kept after they were of no use any more", len(p.known))
	}
}

// A real chronyd, whose own kernel stamps have to come after what its process
// wrote, and before what arrived here.
func TestInterleavedChronyd(t *testing.T) {
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	path, err := ntptest.FetchChronyd(t.Context(), filepath.Join(dir, "truechimer"))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	free := serve(t, "")
	free.Close()
	c, err := ntptest.StartChronyd(t.Context(), ntptest.ChronydOptions{Path: path, Dir: t.TempDir(), Port: free.Addr().Port()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := prober(t)
	to := monitor.Target{ID: "chronyd", Addr: c.Addr()}
	warm(t, p, to)
	anew := 0
	var last monitor.Exchange
	for range 50 {
		x := p.Probe(context.Background(), to)
		if x.Outcome != monitor.OutcomeOK {
			t.Fatalf("%s %s", x.Outcome, x.Detail)
		}
		if b := x.Before; b != nil {
			anew++
			if b.T1 != last.T1 || b.T2 != last.T2 || b.T4 != last.T4 {
				t.Errorf("%+v is not of the exchange before", b)
			}
			// One clock on both sides: the truth is 0.
			if room := b.Delay()/2 + b.StampError; offset(*b) > room || offset(*b) < -room || b.T1 > b.T2 || b.T3 > b.T4 {
				t.Errorf("offset %g +-%g: %+v", offset(*b), room, b)
			}
		}
		last = x
	}
	if anew < 40 {
		t.Errorf("%d exchanges of 50 measured anew", anew)
	}
}

// FuzzInterleaved feeds a reply to a request for interleaved mode.
func FuzzInterleaved(f *testing.F) {
	right := answer(make([]byte, packetSize), 1e18+5e6, 1e18+6e6)
	f.Add(right, uint8(1), int64(1e18), int64(5e6), int64(20e6), int64(1e18+64e9))
	f.Add(right, uint8(2), int64(1e18), int64(5e6), int64(20e6), int64(1e18+64e9))
	f.Add(right[:47], uint8(1), int64(0), int64(-1), int64(0), int64(1<<62))
	f.Fuzz(func(t *testing.T, data []byte, origin uint8, t1, there, rtt, clock int64) {
		v := &virtual{real: clock, mono: 1e9 + 64e9}
		w := &script{clock: v}
		w.replies = []func([]byte) ([]byte, error){func(request []byte) ([]byte, error) {
			v.pass(20 * time.Millisecond)
			b := append([]byte(nil), data...)
			if len(b) >= packetSize {
				switch origin {
				case 1:
					copy(b[offOrigin:], request[offReceive:offReceive+8])
				case 2:
					copy(b[offOrigin:], request[offTransmit:])
				}
			}
			return b, nil
		}}
		p := over(w)
		p.partners = newPartners()
		rtt = max(min(rtt, 3e9), 0)
		if abs(t1) > 1<<61 || abs(there) > 1<<60 {
			return
		}
		p.partners.known[anyAddr] = &partner{fresh: true, used: 1e9, past: past{
			t1: t1, t2: t1 + there, t4: t1 + rtt, receive: 7, mono: 1e9, diff: t1 - 1e9, stampError: 1e-6,
		}}
		x := p.Probe(context.Background(), monitor.Target{Addr: anyAddr})
		if n := p.Counters().Panics; n != 0 {
			t.Fatalf("%d panics: %s", n, x.Detail)
		}
		if x.Outcome == monitor.OutcomeInternal {
			t.Errorf("internal: %s", x.Detail)
		}
		if x.Interleaved != (origin == 1 && len(data) >= packetSize) {
			t.Errorf("interleaved %v with %x", x.Interleaved, data)
		}
		if x.Interleaved && x.Outcome == monitor.OutcomeOK && x.T3 != x.T2 {
			t.Errorf("T3 %d is not known", x.T3)
		}
		if b := x.Before; b != nil && (!x.Interleaved || x.Outcome != monitor.OutcomeOK || b.T3 < b.T2 || b.Delay() < 0 || b.T1 != t1 || b.T4 != t1+rtt) {
			t.Errorf("before: %+v", b)
		}
	})
}
