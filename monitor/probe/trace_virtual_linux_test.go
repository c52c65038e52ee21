package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// router is a hop of a road.
type router struct {
	silent  bool // says nothing of what has gone its hops
	brief   bool // quotes the ports alone
	drops   bool // passes nothing on, and says nothing
	refuses bool // passes nothing on, and says so
	slow    time.Duration
}

// road is routers and a server behind them, each 5 ms farther away.
type road struct {
	routers []router
	server  func(s *antenna, f *flight) // nil: dead
	from    func(i int) string

	sent    []int // the hops that each packet was to go, 0 for all
	arrived int
}

func (r *road) take(s *antenna, f *flight) {
	s.stampNow(f)
	r.sent = append(r.sent, int(f.hops))
	var after time.Duration
	tell := func(i int, unreachable bool) {
		typ, code, no := uint8(11), uint8(0), syscall.EHOSTUNREACH
		if unreachable {
			typ, code = 3, 13
		}
		if f.to.is6() {
			if typ = 3; unreachable {
				typ, code = 1, 1
			}
		}
		from := netip.MustParseAddr(r.from(i))
		q := queued{to: f.to, err: &icmpError{errno: no, from: from, typ: typ, code: code}, heard: time.Now().Add(after).UnixNano()}
		if !r.routers[i].brief {
			q.quoted = append([]byte(nil), f.request[:]...)
		}
		s.report(after, q)
	}
	for i, hop := range r.routers {
		after = time.Duration(10*(i+1))*ms + hop.slow
		switch {
		case hop.drops:
			return
		case hop.refuses:
			tell(i, true)
			return
		case int(f.hops) == i+1:
			if !hop.silent {
				tell(i, false)
			}
			return
		}
	}
	r.arrived++
	if r.server != nil {
		r.server(s, f)
	}
}

// paths are the two families' ends.
var roads = []struct {
	to   monitor.Target
	from func(int) string
}{
	{one, func(i int) string { return fmt.Sprintf("198.51.100.%d", i+1) }},
	{six, func(i int) string { return fmt.Sprintf("2001:db8:1::%d", i+1) }},
}

func (r *road) trace(t *testing.T, check func(p monitor.Path, to monitor.Target, from func(int) string)) {
	t.Helper()
	for _, way := range roads {
		r.from, r.sent, r.arrived = way.from, nil, 0
		inTheAir(t, r.take, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
			p.beside = noBeside
			begun := time.Now()
			got := p.Trace(context.Background(), way.to)
			if d := time.Since(begun); d > monitor.TraceTimeout-500*ms || got.Took != d {
				t.Errorf("%s took %v, and says %v", way.to.ID, d, got.Took)
			}
			if got.Packets != len(r.sent) || got.Packets > 40 || got.To != way.to.Addr {
				t.Errorf("%s: %d packets, and says %d", way.to.ID, len(r.sent), got.Packets)
			}
			if got.Passed < r.arrived {
				t.Errorf("%s: %d packets came to the server, and it says %d may have", way.to.ID, r.arrived, got.Passed)
			}
			check(got, way.to, way.from)
		})
	}
}

var errNoBeside = errors.New("no other port")

func noBeside(context.Context, monitor.Target, Clock, time.Duration) (wire, error) {
	return nil, errNoBeside
}

func hops(n int, change func(i int, r *router)) []router {
	list := make([]router, n)
	for i := range list {
		if change != nil {
			change(i, &list[i])
		}
	}
	return list
}

func TestTraces(t *testing.T) {
	serves := func(s *antenna, f *flight) { s.serve(f) }
	for _, tt := range []struct {
		name    string
		road    road
		end     monitor.PathEnd
		says    string // with the address of router N as rN
		hops    int
		silent  []int
		packets int // at the most
		arrive  int // at the server, at the most
	}{
		{"the server answers", road{routers: hops(4, nil), server: serves}, monitor.PathAnswered,
			"the server answers again, as the 5th hop", 5, nil, 7, 3},
		{"next door", road{server: serves}, monitor.PathAnswered, "the server answers again, as the 1st hop", 1, nil, 3, 3},
		{"a dead server", road{routers: hops(4, nil)}, monitor.PathSilent, "answers up to r4, the 4th hop; silent after it", 9, []int{5, 6, 7, 8, 9}, 10, 6},
		{"cut behind the second", road{routers: hops(6, func(i int, r *router) { r.drops = i == 2 })}, monitor.PathSilent,
			"answers up to r2, the 2nd hop; silent after it", 7, []int{3, 4, 5, 6, 7}, 8, 0},
		{"a silent router", road{routers: hops(6, func(i int, r *router) { r.silent = i == 2 }), server: serves}, monitor.PathAnswered,
			"the server answers again, as the 7th hop", 7, []int{3}, 10, 3},
		{"four silent routers", road{routers: hops(7, func(i int, r *router) { r.silent = i >= 2 && i < 6 }), server: serves}, monitor.PathAnswered,
			"the server answers again, as the 8th hop", 8, []int{3, 4, 5, 6}, 12, 3},
		{"all routers silent, the server alive", road{routers: hops(9, func(i int, r *router) { r.silent = true }), server: serves}, monitor.PathAnswered,
			"the server answers again", 5, []int{1, 2, 3, 4, 5}, 6, 1},
		{"a router refuses", road{routers: hops(6, func(i int, r *router) { r.refuses = i == 3 })}, monitor.PathBlocked,
			"gets to r4, the 4th hop, which says that it goes no further: it is forbidden", 4, nil, 6, 0},
		{"nothing answers", road{routers: hops(1, func(i int, r *router) { r.drops = true })}, monitor.PathSilent,
			"nothing answers, not even the first hop; that is within this station's own network, as far as can be seen", 5, []int{1, 2, 3, 4, 5}, 6, 0},
		{"routers that quote the ports alone", road{routers: hops(9, func(i int, r *router) { r.brief = i > 1 })}, monitor.PathSilent,
			"answers up to r9, the 9th hop; silent after it", 14, []int{10, 11, 12, 13, 14}, 20, 7},
		{"such and a silent one", road{routers: hops(9, func(i int, r *router) { r.brief, r.silent = true, i == 4 }), server: serves}, monitor.PathAnswered,
			"the server answers again, as the 10th hop", 10, []int{5}, 16, 1},
		{"such of different speed", road{routers: hops(5, func(i int, r *router) { r.brief, r.slow = true, time.Duration(5-i)*20*ms }), server: serves}, monitor.PathAnswered,
			"the server answers again, as the 6th hop", 6, nil, 12, 1},
		{"thirty silent hops in threes", road{routers: hops(40, func(i int, r *router) { r.silent = i%4 != 3 })}, monitor.PathSilent,
			"", 0, nil, 38, 2},
		{"more than thirty hops", road{routers: hops(40, nil)}, monitor.PathSilent,
			"answers up to r30, the 30th hop; silent after it", 30, nil, 31, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.road.trace(t, func(p monitor.Path, to monitor.Target, from func(int) string) {
				says := tt.says
				for i := 30; i > 0; i-- {
					says = strings.ReplaceAll(says, fmt.Sprintf("r%d,", i), from(i-1)+",")
				}
				if p.End != tt.end || says != "" && p.String() != says {
					t.Errorf("%s: %s, %q (%s), want %s, %q", to.ID, p.End, p, p.Detail, tt.end, says)
				}
				if tt.hops != 0 && len(p.Hops) != tt.hops {
					t.Errorf("%s: %d hops, want %d: %v", to.ID, len(p.Hops), tt.hops, p.Hops)
				}
				quiet := map[int]bool{}
				for _, n := range tt.silent {
					quiet[n] = true
				}
				for i, h := range p.Hops {
					want := ""
					switch {
					case tt.hops == 0 && !h.Addr.IsValid(), quiet[i+1]:
					case i < len(tt.road.routers):
						want = from(i)
					default:
						want = to.Addr.Addr().String()
					}
					if want == "" && h != (monitor.Hop{}) || want != "" && h.Addr.String() != want {
						t.Errorf("%s: hop %d is %+v, want %q", to.ID, i+1, h, want)
					}
					rtt := 21 * ms
					if i < len(tt.road.routers) {
						rtt = time.Duration(10*(i+1))*ms + tt.road.routers[i].slow
					}
					if want != "" && h.RTT != rtt {
						t.Errorf("%s: hop %d took %v, want %v", to.ID, i+1, h.RTT, rtt)
					}
				}
				if p.Packets > tt.packets || tt.road.arrived > tt.arrive {
					t.Errorf("%s: %d packets, %d came to the server, want %d and %d at the most", to.ID, p.Packets, tt.road.arrived, tt.packets, tt.arrive)
				}
			})
		})
	}
}

// The server's port may be closed, and its host may be said to be dead by the
// station itself, which got no answer from the next hop.
func TestTraceErrors(t *testing.T) {
	host := func(no syscall.Errno, from string, typ, code uint8) func(*antenna, *flight) {
		return func(s *antenna, f *flight) {
			s.report(5*ms, queued{to: f.to, quoted: f.request[:], err: &icmpError{errno: no, from: netip.MustParseAddr(from), typ: typ, code: code}})
		}
	}
	for _, tt := range []struct {
		name string
		sent func(*antenna, *flight)
		err  error
		end  monitor.PathEnd
		says string
	}{
		{"closed", host(syscall.ECONNREFUSED, "192.0.2.1", 3, 3), nil, monitor.PathRefused, "gets to 192.0.2.1, the 1st hop, where nothing listens on the port"},
		{"the host's firewall", host(syscall.EHOSTUNREACH, "192.0.2.1", 3, 10), nil, monitor.PathBlocked, "gets to 192.0.2.1, the 1st hop, which says that it goes no further: it is forbidden"},
		{"no neighbour", host(syscall.EHOSTUNREACH, "127.0.0.1", 3, 1), nil, monitor.PathUnsent, "this station could not send: the next hop does not answer: no route to host: icmp type 3 code 1 from 127.0.0.1"},
		{"too large", host(syscall.EMSGSIZE, "192.0.2.9", 3, 4), nil, monitor.PathBlocked, "gets to 192.0.2.9, the 1st hop, which says that it goes no further: ICMP type 3 code 4; that is within this station's own network, as far as can be seen"},
		{"no network", nil, syscall.ENETUNREACH, monitor.PathUnsent, "this station could not send: send: network is unreachable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inTheAir(t, tt.sent, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
				p.beside = noBeside
				if tt.err != nil {
					a.refuse = func(*antenna, *flight) error { return tt.err }
				}
				got := p.Trace(context.Background(), one)
				if got.End != tt.end || got.String() != tt.says {
					t.Errorf("%s %q, want %s %q", got.End, got, tt.end, tt.says)
				}
			})
		})
	}
}

// Where parallel ways are chosen by the ports, another port of this station's
// may be answered while its own is not.
func TestTracePorts(t *testing.T) {
	for _, tt := range []struct {
		answers int // of the other port's requests
		alive   int // the first of the station's own requests all the way that is answered; 0 for none
		port    bool
		end     monitor.PathEnd
		packets int
	}{
		{0, 0, false, monitor.PathSilent, 10}, {1, 0, false, monitor.PathSilent, 12}, {2, 0, true, monitor.PathSilent, 12},
		{2, 2, false, monitor.PathAnswered, 12}, {0, 1, false, monitor.PathAnswered, 10},
	} {
		whole := 0
		r := &road{routers: hops(3, nil), from: roads[0].from}
		r.server = func(s *antenna, f *flight) {
			if f.hops == 0 {
				if whole++; whole == tt.alive {
					s.serve(f)
				}
			}
		}
		inTheAir(t, r.take, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
			p.beside = func(context.Context, monitor.Target, Clock, time.Duration) (wire, error) {
				w := &script{clock: &virtual{real: 1e18}}
				for range tt.answers {
					w.replies = append(w.replies, func(request []byte) ([]byte, error) {
						time.Sleep(20 * ms)
						return answer(request, 1e18, 1e18), nil
					})
				}
				return w, nil
			}
			got := p.Trace(context.Background(), one)
			if got.PortPath != tt.port || got.End != tt.end || got.Packets != tt.packets || got.Inside() {
				t.Errorf("%+v: %s, port path %v, %d packets", tt, got.End, got.PortPath, got.Packets)
			}
			if strings.Contains(got.String(), "another port") != tt.port {
				t.Errorf("%q", got)
			}
		})
	}
}

// A trace that is given up, or whose prober is closed, ends at once and leaves
// nothing behind; a second one and ordinary exchanges beside it are as ever.
func TestTraceBesideExchanges(t *testing.T) {
	r := &road{routers: hops(6, func(i int, r *router) { r.brief, r.silent = true, i%2 == 1 }), from: roads[0].from}
	inTheAir(t, func(s *antenna, f *flight) {
		if f.to == endpointOf(two.Addr, 0) {
			good(s, f)
		} else {
			r.take(s, f)
		}
	}, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		p.beside = noBeside
		ctx, cancel := context.WithCancel(t.Context())
		paths := make(chan monitor.Path)
		go func() { paths <- p.Trace(ctx, one) }()
		for range 20 {
			x := ask(p, two)
			wantOutcome(t, x, monitor.OutcomeOK)
			if !x.Kernel || x.Delay() != 0.02 {
				t.Errorf("an exchange beside a trace: %+v", x)
			}
		}
		cancel()
		begun := time.Now()
		if got := <-paths; got.End != monitor.PathUnavailable || time.Since(begun) > ms {
			t.Errorf("given up: %s %q after %v", got.End, got, time.Since(begun))
		}
		if got := p.Counters(); got != (Counters{Exchanges: 20}) {
			t.Errorf("%+v", got)
		}
		go func() { paths <- p.Trace(context.Background(), one) }()
		time.Sleep(100 * ms)
		p.Close()
		if got := <-paths; got.End != monitor.PathUnavailable || !strings.Contains(got.Detail, "closed") {
			t.Errorf("closed: %s %q", got.End, got)
		}
		if got := p.Trace(context.Background(), one); got.End != monitor.PathUnavailable || got.Packets != 0 {
			t.Errorf("after that: %+v", got)
		}
	})
}

// A process that is stopped for a second finds the answers waiting, and does not
// take them for silence.
func TestTraceStoppedMeanwhile(t *testing.T) {
	r := &road{routers: hops(4, nil), from: roads[0].from, server: func(s *antenna, f *flight) { s.serve(f) }}
	inTheAir(t, r.take, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		a.mu.Lock()
		a.stall = time.Second
		a.mu.Unlock()
		got := p.Trace(context.Background(), one)
		if got.End != monitor.PathAnswered || len(got.Hops) != 5 {
			t.Errorf("%q after %v: %v", got, got.Took, got.Hops)
		}
		for i, h := range got.Hops {
			if !h.Addr.IsValid() || h.RTT > 50*ms {
				t.Errorf("hop %d: %+v", i+1, h)
			}
		}
	})
}

// A packet that left between an answer to any of several and the news of that
// may have been given the answer to one of them.
func TestTraceDoubts(t *testing.T) {
	r := &ramp{t: &transport{}, stop: hopsMost, path: monitor.Path{To: one.Addr, End: monitor.PathSilent, Hops: make([]monitor.Hop, 3)}}
	from := netip.MustParseAddr("198.51.100.1")
	var steps []*step
	for i, err := range []error{errUnclear, &icmpError{errno: syscall.EHOSTUNREACH, from: from, typ: 11}} {
		steps = append(steps, &step{hop: i + 2, f: &flight{to: endpointOf(one.Addr, 0), before: 1, err: err}, over: time.Now()})
	}
	r.flying = append(r.flying, steps...)
	for _, s := range steps {
		r.take(s)
	}
	if !r.alone || len(r.again) != 2 || r.path.Hops[2] != (monitor.Hop{}) || len(r.t.cancelled) != 1 {
		t.Errorf("to be asked again: %v, hops %v", r.again, r.path.Hops)
	}
}

func TestTraceUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := over(&script{clock: &virtual{}}).Trace(context.Background(), one)
		if got.End != monitor.PathUnavailable || got.String() != "the path could not be looked at: it takes the sockets that exchanges share" {
			t.Errorf("%s %q", got.End, got)
		}
	})
	inTheAir(t, good, func(t *testing.T, p *Prober, a *air, c *bubbleClock) {
		for _, to := range []monitor.Target{to("224.0.1.1:123"), {}} {
			if got := p.Trace(context.Background(), to); got.End != monitor.PathUnavailable || got.Packets != 0 {
				t.Errorf("%s %q", got.End, got)
			}
		}
	})
}
