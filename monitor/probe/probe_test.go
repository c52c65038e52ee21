package probe

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

func serve(tb testing.TB, addr string, o ...ntptest.Behaviour) *ntptest.Server {
	tb.Helper()
	s, err := ntptest.Start(addr, o...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func prober(tb testing.TB, o ...Option) *Prober {
	tb.Helper()
	p := New(o...)
	tb.Cleanup(func() { p.Close() })
	return p
}

func target(s *ntptest.Server) monitor.Target {
	return monitor.Target{ID: "t", Addr: s.Addr()}
}

// offset is server minus station clock, as RFC 5905 section 8 has it, seconds.
func offset(x monitor.Exchange) float64 {
	return (float64(x.T2-x.T1) + float64(x.T3-x.T4)) / 2e9
}

// brief is the timeout where nothing is expected to come.
const brief = 150 * time.Millisecond

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name      string
		behaviour []ntptest.Behaviour
		timeout   time.Duration
		want      monitor.Outcome
		detail    string // part of it; none wanted if empty
		kiss      string
	}{
		{name: "right", want: monitor.OutcomeOK},
		{name: "dead", behaviour: []ntptest.Behaviour{ntptest.Dead()}, timeout: brief, want: monitor.OutcomeTimeout, detail: "no reply within 150ms"},
		{name: "stratum 2", behaviour: []ntptest.Behaviour{ntptest.Stratum(2)}, want: monitor.OutcomeOK},
		{name: "stratum 15", behaviour: []ntptest.Behaviour{ntptest.Stratum(15)}, want: monitor.OutcomeOK},
		{name: "stratum 16", behaviour: []ntptest.Behaviour{ntptest.Stratum(16)}, want: monitor.OutcomeUnsynchronized, detail: "stratum 16"},
		{name: "stratum 17", behaviour: []ntptest.Behaviour{ntptest.Stratum(17)}, want: monitor.OutcomeInvalid, detail: "stratum 17"},
		{name: "leap 1", behaviour: []ntptest.Behaviour{ntptest.Leap(1)}, want: monitor.OutcomeOK},
		{name: "leap 3", behaviour: []ntptest.Behaviour{ntptest.Leap(3)}, want: monitor.OutcomeUnsynchronized, detail: "leap indicator 3"},
		{name: "chronyd without time", behaviour: []ntptest.Behaviour{ntptest.Unsynchronized()}, want: monitor.OutcomeUnsynchronized, detail: "stratum 0"},
		{name: "ntpd without time", behaviour: []ntptest.Behaviour{ntptest.Kiss("INIT")}, want: monitor.OutcomeUnsynchronized, detail: "INIT", kiss: "INIT"},
		{name: "ntpd stepping", behaviour: []ntptest.Behaviour{ntptest.Kiss("STEP")}, want: monitor.OutcomeUnsynchronized, detail: "STEP", kiss: "STEP"},
		{name: "kiss RATE", behaviour: []ntptest.Behaviour{ntptest.Kiss("RATE")}, want: monitor.OutcomeRateLimited, detail: "RATE", kiss: "RATE"},
		{name: "kiss DENY", behaviour: []ntptest.Behaviour{ntptest.Kiss("DENY")}, want: monitor.OutcomeDenied, detail: "DENY", kiss: "DENY"},
		{name: "kiss RSTR", behaviour: []ntptest.Behaviour{ntptest.Kiss("RSTR")}, want: monitor.OutcomeDenied, detail: "RSTR", kiss: "RSTR"},
		{name: "kiss other", behaviour: []ntptest.Behaviour{ntptest.Kiss("XYZ")}, want: monitor.OutcomeInvalid, detail: "kiss code XYZ", kiss: "XYZ"},
		{name: "kiss without transmit time", behaviour: []ntptest.Behaviour{ntptest.Kiss("DENY"), ntptest.ZeroTransmit()}, want: monitor.OutcomeDenied, detail: "DENY", kiss: "DENY"},
		{name: "kiss with a bad exponent", behaviour: []ntptest.Behaviour{ntptest.Kiss("DENY"), ntptest.Poll(-128)}, want: monitor.OutcomeDenied, detail: "DENY", kiss: "DENY"},
		{name: "precision 0x80", behaviour: []ntptest.Behaviour{ntptest.Precision(-128)}, want: monitor.OutcomeInvalid, detail: "precision exponent"},
		{name: "poll 0x80", behaviour: []ntptest.Behaviour{ntptest.Poll(-128)}, want: monitor.OutcomeInvalid, detail: "poll exponent"},
		{name: "precision 127", behaviour: []ntptest.Behaviour{ntptest.Precision(127)}, want: monitor.OutcomeOK},
		{name: "no reference time", behaviour: []ntptest.Behaviour{ntptest.NoReferenceTime()}, want: monitor.OutcomeOK},
		{name: "reference time ahead", behaviour: []ntptest.Behaviour{ntptest.ReferenceTime(time.Second)}, want: monitor.OutcomeOK},
		{name: "no receive time", behaviour: []ntptest.Behaviour{ntptest.ZeroReceive()}, want: monitor.OutcomeInvalid, detail: "receive time stamp is zero"},
		{name: "no transmit time", behaviour: []ntptest.Behaviour{ntptest.ZeroTransmit()}, want: monitor.OutcomeInvalid, detail: "transmit time stamp is zero"},
		{name: "backwards", behaviour: []ntptest.Behaviour{ntptest.Backwards(time.Minute)}, want: monitor.OutcomeInvalid, detail: "before it was received"},
		{name: "negative delay", behaviour: []ntptest.Behaviour{ntptest.Backwards(-10 * time.Second)}, want: monitor.OutcomeOK}, // the judge's to say
		{name: "version 1", behaviour: []ntptest.Behaviour{ntptest.Version(1)}, want: monitor.OutcomeOK},
		{name: "version 3", behaviour: []ntptest.Behaviour{ntptest.Version(3)}, want: monitor.OutcomeOK},
		{name: "version 0", behaviour: []ntptest.Behaviour{ntptest.Version(0)}, want: monitor.OutcomeInvalid, detail: "version 0"},
		{name: "version 7", behaviour: []ntptest.Behaviour{ntptest.Version(7)}, want: monitor.OutcomeInvalid, detail: "version 7"},
		{name: "mode 3", behaviour: []ntptest.Behaviour{ntptest.Mode(3)}, want: monitor.OutcomeInvalid, detail: "mode 3"},
		{name: "mode 5", behaviour: []ntptest.Behaviour{ntptest.Mode(5)}, want: monitor.OutcomeInvalid, detail: "mode 5"},
		{name: "short", behaviour: []ntptest.Behaviour{ntptest.Length(47)}, timeout: brief, want: monitor.OutcomeInvalid, detail: "47 bytes"},
		{name: "very short", behaviour: []ntptest.Behaviour{ntptest.Length(12)}, timeout: brief, want: monitor.OutcomeStray, detail: "12 bytes"},
		{name: "empty", behaviour: []ntptest.Behaviour{ntptest.Length(0)}, timeout: brief, want: monitor.OutcomeStray, detail: "0 bytes"},
		{name: "crypto-NAK", behaviour: []ntptest.Behaviour{ntptest.Length(52)}, want: monitor.OutcomeOK},
		{name: "odd length", behaviour: []ntptest.Behaviour{ntptest.Length(71)}, want: monitor.OutcomeOK},
		{name: "longer than is read", behaviour: []ntptest.Behaviour{ntptest.Length(1024)}, want: monitor.OutcomeOK},
		{name: "wrong origin", behaviour: []ntptest.Behaviour{ntptest.WrongOrigin()}, timeout: brief, want: monitor.OutcomeStray, detail: "wrong origin"},
		{name: "strays first", behaviour: []ntptest.Behaviour{ntptest.Strays(3)}, want: monitor.OutcomeOK},
		{name: "slow", behaviour: []ntptest.Behaviour{ntptest.Slow(30 * time.Millisecond)}, want: monitor.OutcomeOK},
		{name: "later than the timeout", behaviour: []ntptest.Behaviour{ntptest.Slow(5 * time.Second)}, timeout: brief, want: monitor.OutcomeTimeout, detail: "no reply"},
	}
	for _, path := range []struct {
		name string
		opt  []Option
	}{{"best", nil}, {"plain", []Option{Plain()}}} {
		for _, tt := range tests {
			t.Run(path.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				s := serve(t, "", tt.behaviour...)
				p := prober(t, append(path.opt, Timeout(tt.timeout))...)
				x := p.Probe(context.Background(), target(s))
				if x.Outcome != tt.want || !strings.Contains(x.Detail, tt.detail) || (tt.detail == "") != (x.Detail == "") {
					t.Errorf("got %s %q, want %s with %q", x.Outcome, x.Detail, tt.want, tt.detail)
				}
				agree(t, x)
				if x.Kiss != tt.kiss {
					t.Errorf("kiss %q, want %q", x.Kiss, tt.kiss)
				}
				if x.Outcome == monitor.OutcomeOK && (x.Delay() < 0 && tt.name != "negative delay" || x.StampError <= 0) {
					t.Errorf("delay %g, stamp error %g", x.Delay(), x.StampError)
				}
				if x.Target != "t" || x.Addr != s.Addr() || x.Mono <= 0 {
					t.Errorf("target %q, address %v, mono %d", x.Target, x.Addr, x.Mono)
				}
				if n := p.Counters().Panics; n != 0 {
					t.Errorf("%d panics: sanitising failed", n)
				}
			})
		}
	}
}

// Rejected is what beevik/ntp makes of a reply, which the NTP Pool's agent goes
// by: not a matter of what this station makes of it.
func TestRejected(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    []ntptest.Behaviour
		want bool
	}{
		{"right", nil, false},
		{"mode", []ntptest.Behaviour{ntptest.Mode(3)}, true},
		{"no transmit time", []ntptest.Behaviour{ntptest.ZeroTransmit()}, true},
		{"backwards", []ntptest.Behaviour{ntptest.Backwards(time.Minute)}, true},
		{"short", []ntptest.Behaviour{ntptest.Length(47)}, true},
		{"kiss without transmit time", []ntptest.Behaviour{ntptest.Kiss("RATE"), ntptest.ZeroTransmit()}, true},
		{"kiss", []ntptest.Behaviour{ntptest.Kiss("RATE")}, false},
		{"other kiss", []ntptest.Behaviour{ntptest.Kiss("XYZ")}, false},
		{"stratum 17", []ntptest.Behaviour{ntptest.Stratum(17)}, false},
		{"version", []ntptest.Behaviour{ntptest.Version(7)}, false},
		{"no receive time", []ntptest.Behaviour{ntptest.ZeroReceive()}, false},
		{"chronyd without time", []ntptest.Behaviour{ntptest.Unsynchronized()}, false},
	} {
		if x := prober(t, Timeout(brief)).Probe(context.Background(), target(serve(t, "", tt.o...))); x.Rejected != tt.want {
			t.Errorf("%s: rejected %v, outcome %s %q", tt.name, x.Rejected, x.Outcome, x.Detail)
		}
	}
}

func TestHeaderFields(t *testing.T) {
	s := serve(t, "", ntptest.Stratum(2), ntptest.Leap(1), ntptest.RefID("ABCD"), ntptest.Root(0x18000, 0x4000))
	x := prober(t).Probe(context.Background(), target(s))
	if x.Outcome != monitor.OutcomeOK || x.Stratum != 2 || x.Leap != 1 || x.RefID != 0x41424344 ||
		x.RootDelay != 1.5 || x.RootDispersion != 0.25 {
		t.Errorf("got %+v", x)
	}
}

// Server and station read the same clock, so the truth is known: the offset
// set. It must lie within half the delay and the stamps' error, always.
func TestIntervalHoldsTheTruth(t *testing.T) {
	for _, tt := range []struct {
		name        string
		addr        string
		offset      time.Duration
		there, back time.Duration
	}{
		{name: "right", addr: "127.0.0.1:0"},
		{name: "right ipv6", addr: "[::1]:0"},
		{name: "ahead", addr: "127.0.0.1:0", offset: 80 * time.Millisecond},
		{name: "behind by hours", addr: "127.0.0.1:0", offset: -3 * time.Hour},
		{name: "slow way there", addr: "127.0.0.1:0", there: 20 * time.Millisecond},
		{name: "slow way back", addr: "[::1]:0", back: 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.addr, ntptest.Offset(tt.offset), ntptest.Path(tt.there, tt.back))
			p := prober(t)
			for range 5 {
				x := p.Probe(context.Background(), target(s))
				if x.Outcome != monitor.OutcomeOK {
					t.Fatalf("%s %s", x.Outcome, x.Detail)
				}
				// T2 is a 32.32 fixed-point number: good to a fraction of a ns.
				wrong := offset(x) - tt.offset.Seconds()
				if room := x.Delay()/2 + x.StampError; wrong > room || wrong < -room {
					t.Errorf("offset wrong by %g s, interval is +-%g s", wrong, room)
				}
				if least := (tt.there + tt.back).Seconds(); x.Delay() < least {
					t.Errorf("delay %g s, at least %g s were waited", x.Delay(), least)
				}
				// Either way takes at least what was waited there.
				low, high := tt.there.Seconds()-x.Delay()/2, x.Delay()/2-tt.back.Seconds()
				if wrong < low-x.StampError || wrong > high+x.StampError {
					t.Errorf("offset wrong by %g s, the waits make it %g to %g s", wrong, low, high)
				}
				mid := x.Mono + x.Diff
				if want := x.T1 + (x.T4-x.T1)/2; mid != want {
					t.Errorf("middle of the exchange %d, want %d", mid, want)
				}
				if got := x.ServerTime() - mid; float64(got)/1e9-offset(x) > 1e-6 || float64(got)/1e9-offset(x) < -1e-6 {
					t.Errorf("server time differs by %d ns from the middle, offset is %g s", got, offset(x))
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := serve(t, addr)
		to := target(s)
		s.Close()
		for _, o := range [][]Option{nil, {Plain()}} {
			x := prober(t, o...).Probe(context.Background(), to)
			agree(t, x)
			if x.Outcome != monitor.OutcomeRefused || !strings.Contains(x.Detail, "refused") {
				t.Errorf("%s: got %s %q", addr, x.Outcome, x.Detail)
			}
		}
	}
}

func TestSendError(t *testing.T) {
	for _, a := range []netip.AddrPort{
		{},
		netip.MustParseAddrPort("127.0.0.1:0"),
		netip.MustParseAddrPort("0.0.0.0:123"),
		netip.MustParseAddrPort("[fe80::1%no-such-link]:123"),
	} {
		for _, o := range [][]Option{nil, {Plain()}} {
			x := prober(t, o...).Probe(context.Background(), monitor.Target{Addr: a})
			agree(t, x)
			if x.Outcome != monitor.OutcomeSendError || x.Detail == "" {
				t.Errorf("%v: got %s %q, want %s", a, x.Outcome, x.Detail, monitor.OutcomeSendError)
			}
		}
	}
}

func TestUnicast(t *testing.T) {
	for a, want := range map[string]bool{
		"192.0.2.1:123": true, "[2001:db8::1]:123": true, "[::ffff:192.0.2.1]:123": true, "[fe80::1%eth0]:123": true,
		"192.0.2.1:0": false, "255.255.255.255:123": false, "[::ffff:255.255.255.255]:123": false,
		"224.0.1.1:123": false, "[ff02::101]:123": false, "[::]:123": false,
	} {
		if got := unicast(netip.MustParseAddrPort(a)); got != want {
			t.Errorf("%s: %v, want %v", a, got, want)
		}
	}
}

func TestStraysAreCounted(t *testing.T) {
	p := prober(t)
	x := p.Probe(context.Background(), target(serve(t, "", ntptest.Strays(3))))
	if x.Outcome != monitor.OutcomeOK {
		t.Errorf("%s %s", x.Outcome, x.Detail)
	}
	if c := p.Counters(); c.Strays != 3 || c.Exchanges != 1 {
		t.Errorf("got %+v, want 3 strays in 1 exchange", c)
	}
	p = prober(t, Timeout(10*time.Second))
	s := serve(t, "", ntptest.Raw(func(_, reply []byte) (flood [][]byte) {
		reply[24] ^= 0xff
		for range 2 * maxStrays { // some may find the socket's buffer full
			flood = append(flood, reply)
		}
		return flood
	}))
	x = p.Probe(context.Background(), target(s))
	if x.Outcome != monitor.OutcomeStray || !strings.Contains(x.Detail, "100 packets") {
		t.Errorf("flooded: got %s %q", x.Outcome, x.Detail)
	}
}

func TestCancel(t *testing.T) {
	for _, o := range [][]Option{nil, {Plain()}} {
		asked := make(chan struct{}, 1)
		s := serve(t, "", ntptest.Raw(func([]byte, []byte) [][]byte {
			asked <- struct{}{}
			return nil
		}))
		p := prober(t, append(o, Timeout(time.Minute))...)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan monitor.Exchange)
		go func() { done <- p.Probe(ctx, target(s)) }()
		<-asked
		cancel()
		if x := <-done; x.Outcome != monitor.OutcomeInternal || !strings.Contains(x.Detail, "given up: context canceled") {
			t.Errorf("got %s %q", x.Outcome, x.Detail)
		}
		if x := p.Probe(ctx, target(s)); x.Outcome != monitor.OutcomeInternal {
			t.Errorf("cancelled before: got %s %q", x.Outcome, x.Detail)
		}
		if n := s.Counters().Requests; n != 1 {
			t.Errorf("%d requests, want 1: none after the context's end", n)
		}
	}
}

// A fresh socket, and so a fresh port, for every exchange of the plain path.
// The shared sockets change theirs now and then: TestPortChanges.
func TestSourcePortChanges(t *testing.T) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := prober(t, Plain(), Timeout(brief))
	ports := map[uint16]bool{}
	for range 8 {
		x := p.Probe(context.Background(), monitor.Target{Addr: c.LocalAddr().(*net.UDPAddr).AddrPort()})
		if x.Outcome != monitor.OutcomeTimeout {
			t.Fatalf("%s %s", x.Outcome, x.Detail) // and nothing to read
		}
		_, from, err := c.ReadFromUDPAddrPort(make([]byte, 100))
		if err != nil {
			t.Fatal(err)
		}
		ports[from.Port()] = true
	}
	if len(ports) < 7 { // two alike may happen
		t.Errorf("%d ports in 8 exchanges", len(ports))
	}
}

func BenchmarkProbe(b *testing.B) {
	for _, path := range []struct {
		name string
		opt  []Option
	}{{"best", nil}, {"plain", []Option{Plain()}}} {
		b.Run(path.name, func(b *testing.B) {
			to := target(serve(b, "", ntptest.Rate(1<<30)))
			p := prober(b, path.opt...)
			b.ReportAllocs()
			for b.Loop() {
				if x := p.Probe(context.Background(), to); x.Outcome != monitor.OutcomeOK {
					b.Fatalf("%s %s", x.Outcome, x.Detail)
				}
			}
		})
	}
}

// What is sent and what beevik/ntp would have sent are one request; should a
// later version of it ask for something else, exchanges say so.
func TestSameRequest(t *testing.T) {
	request := make([]byte, packetSize)
	request[0] = 4<<3 | 3
	copy(request[offTransmit:], "cookie!!")
	for _, tt := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"the same", request, true},
		{"version 3", append([]byte{3<<3 | 3}, request[1:]...), false},
		{"a poll interval", append([]byte{request[0], 0, 6}, request[3:]...), false},
		{"an extension field", append(request[:packetSize:packetSize], make([]byte, 16)...), false},
		{"cut short", request[:packetSize-1], false},
		{"nothing", nil, false},
	} {
		var c conn
		if _, err := c.Write(tt.b); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
