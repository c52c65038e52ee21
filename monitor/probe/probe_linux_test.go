package probe

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// warm has exchanges until the kernel has switched its stamps on, which it
// does a moment after the first socket wants them.
func warm(t *testing.T, p *Prober, to monitor.Target) {
	t.Helper()
	for range 10_000 {
		if x := p.Probe(context.Background(), to); x.Kernel {
			return
		}
	}
	t.Fatal("never a kernel stamp in 10000 exchanges")
}

func TestKernelStamps(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := serve(t, addr)
		p := prober(t)
		warm(t, p, target(s))
		before := p.Counters().NoStamp
		for range 100 {
			x := p.Probe(context.Background(), target(s))
			if x.Outcome != monitor.OutcomeOK || !x.Kernel {
				t.Fatalf("%s: %s %q, kernel stamps %v", addr, x.Outcome, x.Detail, x.Kernel)
			}
			// Kernel stamps are the server's as well, so causes precede effects.
			if x.T1 > x.T2 || x.T2 > x.T3 || x.T3 > x.T4 {
				t.Errorf("%s: T1 to T4 out of order: %d %d %d %d", addr, x.T1, x.T2, x.T3, x.T4)
			}
			if x.TTL != 64 || x.Version != 4 || x.Precision != -20 || x.ReferenceTime < x.T2-2e9 || x.ReferenceTime > x.T2 {
				t.Errorf("%s: ttl %d, version %d, precision %d, reference time %d ns before T2", addr, x.TTL, x.Version, x.Precision, x.T2-x.ReferenceTime)
			}
			if x.StampError < kernelStampError || x.StampError > kernelStampError+stepTolerance/1e9 {
				t.Errorf("%s: stamp error %g", addr, x.StampError)
			}
		}
		if n := p.Counters().NoStamp - before; n != 0 {
			t.Errorf("%s: %d exchanges of 100 without stamps, the socket kept for them is no use", addr, n)
		}
	}
}

func TestSocketOptions(t *testing.T) {
	k, err := openSystem(false)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	for _, v6 := range []bool{false, true} {
		s, err := k.open(v6)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		want := [][3]int{{unix.SOL_SOCKET, unix.SO_TIMESTAMPING_NEW, stampFlags}, {unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1}}
		if v6 {
			want = append(want, [3]int{unix.SOL_IPV6, unix.IPV6_RECVERR, 1}, [3]int{unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1}, [3]int{unix.SOL_IPV6, unix.IPV6_V6ONLY, 1})
		} else {
			want = append(want, [3]int{unix.SOL_IP, unix.IP_RECVERR, 1}, [3]int{unix.SOL_IP, unix.IP_RECVTTL, 1})
		}
		for _, o := range want {
			if got, err := unix.GetsockoptInt(s.(*udp).fd, o[0], o[1]); err != nil || got != o[2] {
				t.Errorf("ipv6 %v, option %d of level %d: %#x, %v; want %#x", v6, o[1], o[0], got, err, o[2])
			}
		}
		if sa, err := unix.Getsockname(s.(*udp).fd); err != nil {
			t.Error(err)
		} else if a, ok := sa.(*unix.SockaddrInet4); ok && a.Port == 0 {
			t.Error("no port")
		}
	}
}

// The error queue names the ICMP message behind a refusal, and its sender.
func TestRefusedBy(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:0": "connection refused: icmp type 3 code 3 from 127.0.0.1",
		"[::1]:0":     "connection refused: icmp type 1 code 4 from ::1",
	} {
		s := serve(t, addr)
		s.Close()
		if x := prober(t).Probe(context.Background(), target(s)); x.Detail != want {
			t.Errorf("got %q, want %q", x.Detail, want)
		}
	}
}

// Where the kernel numbers the stamps, what it refuses to send shifts none.
func TestCountedStamps(t *testing.T) {
	k, err := openSystem(false)
	if err != nil {
		t.Fatal(err)
	}
	k.number = false
	p := &Prober{timeout: DefaultTimeout, clock: SystemClock()}
	tr := newTransport(k, nil, p.clock, p.timeout, &p.count)
	p.dial, p.shared = tr.dial, tr
	defer p.Close()
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := serve(t, addr)
		warm(t, p, target(s))
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if i%3 == 0 {
					w, err := tr.dial(context.Background(), monitor.Target{Addr: netip.AddrPortFrom(s.Addr().Addr(), 0)}, nil, 0)
					if err == nil {
						err = w.send(make([]byte, packetSize), nil)
					}
					if err == nil {
						err = w.receive(&sieve{})
					}
					if se := (*sendError)(nil); !errors.As(err, &se) {
						t.Errorf("sent to port 0: %v", err)
					}
					return
				}
				x := p.Probe(context.Background(), target(s))
				// A stamp that is not its own would be one of a packet sent before or after.
				if x.Outcome != monitor.OutcomeOK || x.T1 > x.T2 {
					t.Errorf("%s %s, T2-T1 %d ns", x.Outcome, x.Detail, x.T2-x.T1)
				}
			})
		}
		wg.Wait()
		if x := p.Probe(context.Background(), target(s)); !x.Kernel {
			t.Errorf("%s: no kernel stamps any more", addr)
		}
	}
}

// Of many exchanges on one socket, a refusal ends its own and no other.
func TestRefusalsAreTheirOwn(t *testing.T) {
	p := prober(t)
	var wg sync.WaitGroup
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		good, closed, gone := serve(t, addr), serve(t, addr), serve(t, addr)
		closed.Close()
		gone.Close()
		for _, s := range []*ntptest.Server{good, closed, gone} {
			want := monitor.OutcomeRefused
			if s == good {
				want = monitor.OutcomeOK
			}
			for range 40 {
				wg.Go(func() {
					if x := p.Probe(context.Background(), target(s)); x.Outcome != want {
						t.Errorf("%s: %s %s, want %s", s.Addr(), x.Outcome, x.Detail, want)
					}
				})
			}
		}
	}
	wg.Wait()
}

// A stamp that cannot be true is not believed, and user-space stamps serve.
func TestImplausibleStamps(t *testing.T) {
	const now = int64(2e18)
	for _, tt := range []struct {
		name           string
		tx, rx         int64
		kernel         bool
		wantT1, wantT4 int64
		wantErr        float64
	}{
		{"both", now + 5e3, now + 90e3, true, now + 5e3, now + 90e3, kernelStampError},
		{"no transmit stamp", 0, now + 90e3, false, now, now + 90e3, kernelStampError + 20e-6},
		{"no receive stamp", now + 5e3, 0, false, now + 5e3, now + 100e3, userReceiveError},
		{"none", 0, 0, false, now, now + 100e3, userReceiveError},
		{"sent before the call", now - 1e6, now + 90e3, false, now, now + 90e3, kernelStampError + 20e-6},
		{"sent after the reply", now + 1e6, now + 90e3, false, now, now + 90e3, kernelStampError + 20e-6},
		{"received after it was read", now + 5e3, now + 1e6, false, now + 5e3, now + 100e3, userReceiveError},
		{"received before it was sent", now + 5e3, now - 1e6, false, now + 5e3, now + 100e3, userReceiveError},
	} {
		s := kernelStamps(now, now+20e3, tt.tx, tt.rx, now+100e3)
		if s.kernel != tt.kernel || s.t1 != tt.wantT1 || s.t4 != tt.wantT4 || math.Abs(s.err-tt.wantErr) > 1e-12 {
			t.Errorf("%s: got %+v, want T1 +%d, T4 +%d, error %g", tt.name, s, tt.wantT1-now, tt.wantT4-now, tt.wantErr)
		}
	}
}

// The driver runs within the send call or soon after.
func TestQueuedBeforeTheDriver(t *testing.T) {
	const now = int64(2e18)
	for late, want := range map[int64]bool{0: true, txLate: true, txLate + 1: false} {
		s := kernelStamps(now, now+20e3, now+20e3+late, now+9e6, now+9.1e6)
		if s.kernel != want || want && s.t1 != now+20e3+late || !want && s.t1 != now {
			t.Errorf("%d ns late: %+v", late, s)
		}
	}
}

// Three ways to one answer: kernel stamps, beevik's stamps through our
// connection, and beevik/ntp left alone.
func TestAgreesWithBeevik(t *testing.T) {
	const ahead = 80 * time.Millisecond
	s := serve(t, "", ntptest.Offset(ahead))
	best, plain := prober(t), prober(t, Plain())
	warm(t, best, target(s))
	for range 5 {
		x := best.Probe(context.Background(), target(s))
		y := plain.Probe(context.Background(), target(s))
		r, err := ntp.QueryWithOptions(s.Addr().String(), ntp.QueryOptions{Version: 4})
		if err != nil {
			t.Fatal(err)
		}
		if x.Outcome != monitor.OutcomeOK || y.Outcome != monitor.OutcomeOK || !x.Kernel || y.Kernel {
			t.Fatalf("best %s %s, kernel %v; plain %s %s, kernel %v", x.Outcome, x.Detail, x.Kernel, y.Outcome, y.Detail, y.Kernel)
		}
		// Each is within half its delay of the truth; on an idle machine
		// that is some ten microseconds.
		for _, o := range []struct {
			name          string
			offset, delay float64
		}{{"plain", offset(y), y.Delay()}, {"beevik", r.ClockOffset.Seconds(), r.RTT.Seconds()}} {
			d, room := offset(x)-o.offset, 0.001+(x.Delay()+o.delay)/2
			if d > room || d < -room {
				t.Errorf("kernel stamps say %g s, %s %g s", offset(x), o.name, o.offset)
			}
		}
	}
}

func TestNothingLeaks(t *testing.T) {
	// The collector would close forgotten files.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	good, dead := serve(t, ""), serve(t, "", ntptest.Dead())
	closed := serve(t, "")
	closed.Close()
	count := func() (files, routines int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list), runtime.NumGoroutine()
	}
	p := prober(t, Timeout(20*time.Millisecond))
	p.Probe(context.Background(), target(good))
	files, routines := count()
	var wg sync.WaitGroup
	for range 20 {
		for _, s := range []*ntptest.Server{good, dead, closed} {
			wg.Go(func() { p.Probe(context.Background(), target(s)) })
		}
		ctx, cancel := context.WithCancel(context.Background())
		wg.Go(func() { p.Probe(ctx, target(dead)) })
		wg.Go(cancel)
	}
	wg.Wait()
	// What a cancelled context started ends by itself, a moment later.
	for begun := time.Now(); time.Since(begun) < 5*time.Second; {
		if f, r := count(); f <= files && r <= routines {
			return
		}
		runtime.Gosched()
	}
	f, r := count()
	t.Errorf("%d files and %d goroutines before, %d and %d after", files, routines, f, r)
}

// Control messages as a Linux 6.18 sends them, alike on every 64-bit
// little-endian machine: a transmit stamp, and ICMP port unreachable.
const (
	stamp4 = "4000000000000000010000004100000012b3036b00000000b98833360000000000000000000000000000000000000000000000000000000000000000000000003000000000000000000000000b0000002a00000004000000000000000000000000000000000000000000000000000000"
	stamp6 = "4000000000000000010000004100000012b3036b00000000ef593e360000000000000000000000000000000000000000000000000000000000000000000000003c0000000000000029000000190000002a0000000400000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	icmp4  = "3000000000000000000000000b0000006f000000020303000000000000000000020000007f0000010000000000000000"
	icmp6  = "3c0000000000000029000000190000006f0000000301040000000000000000000a00000000000000000000000000000000000000000000010000000000000000"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseQueued(t *testing.T) {
	with := func(s string, at int, v byte) string {
		b := unhex(t, s)
		b[at] = v
		return hex.EncodeToString(b)
	}
	local := with(icmp4, 20, 1)
	for _, tt := range []struct {
		name, oob string
		stamp     int64
		id        uint32
		detail    string
		outcome   monitor.Outcome
	}{
		{name: "nothing"},
		{name: "stamp ipv4", oob: stamp4, stamp: 0x6b03b312*1e9 + 0x363388b9},
		{name: "stamp ipv6", oob: stamp6, stamp: 0x6b03b312*1e9 + 0x363e59ef},
		{name: "second packet's stamp", oob: with(stamp4, 64+16+12, 1), stamp: 0x6b03b312*1e9 + 0x363388b9, id: 1},
		{name: "stamp of another kind", oob: with(stamp4, 64+16+8, 1)},
		{name: "stamp of no second", oob: with(stamp4, 24+3, 0x7f)},
		{name: "stamp cut off", oob: stamp4[:100]},
		{name: "refused ipv4", oob: icmp4, detail: "connection refused: icmp type 3 code 3 from 127.0.0.1", outcome: monitor.OutcomeRefused},
		{name: "refused ipv6", oob: icmp6, detail: "connection refused: icmp type 1 code 4 from ::1", outcome: monitor.OutcomeRefused},
		{name: "host unreachable", oob: with(with(icmp4, 16, 113), 22, 1), detail: "no route to host: icmp type 3 code 1 from 127.0.0.1", outcome: monitor.OutcomeUnreachable},
		{name: "forbidden on the way, ipv6", oob: with(with(icmp6, 16, 13), 22, 1), detail: "permission denied: icmp type 1 code 1 from ::1", outcome: monitor.OutcomeUnreachable},
		{name: "the station's own", oob: local, detail: "the station could not send: connection refused", outcome: monitor.OutcomeSendError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := parseQueued(unhex(t, tt.oob))
			if q.stamp != tt.stamp || q.id != tt.id {
				t.Errorf("stamp %d of packet %d, want %d of %d", q.stamp, q.id, tt.stamp, tt.id)
			}
			if (q.err != nil) != (tt.detail != "") {
				t.Fatalf("error %v, want %q", q.err, tt.detail)
			}
			if q.err != nil && (q.err.Error() != tt.detail || q.err.outcome(q.err.from) != tt.outcome) {
				t.Errorf("got %s %q, want %s %q", q.err.outcome(q.err.from), q.err, tt.outcome, tt.detail)
			}
		})
	}
}

func FuzzControlMessages(f *testing.F) {
	for _, s := range []string{"", stamp4, stamp6, icmp4, icmp6, stamp4[:100], icmp6[:60], stamp4 + icmp4, icmp4 + stamp4} {
		f.Add(unhex(f, s))
	}
	for _, list := range cardMessages() {
		f.Add(slices.Concat(list...))
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		var d datagram
		parseReceived(oob, &d)
		q := parseQueued(oob)
		for _, ns := range []int64{d.stamp, d.raw, q.stamp, q.raw, q.heard} {
			if ns < 0 || ns > (1<<33+1)*1e9 {
				t.Errorf("stamp %d", ns)
			}
		}
		if q.err != nil && (q.stamp != 0 || q.raw != 0) {
			t.Errorf("%+v, %+v", d, q)
		}
	})
}
