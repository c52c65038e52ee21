package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// initsPatience is how long init waits for a sign of life before it leaves the
// board to the hardware watchdog: patience in image/earlyboot/patience.go, which
// TestInitsPatience compares.
const initsPatience = 2 * time.Minute

func TestInitsPatience(t *testing.T) {
	source, err := os.ReadFile("../image/earlyboot/patience.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "\tpatience = 2 * time.Minute\n") {
		t.Error("init waits for another time than this test of the appliance believes")
	}
}

// world is what a station's parts meet, in virtual time: a clock that is right,
// a receiver, servers, names, its page's network and init.
type world struct {
	lack
	begun time.Time

	mu    sync.Mutex
	diff  int64
	conns chan net.Conn
	ended chan struct{}
	signs int
	last  time.Time
	pause time.Duration // the longest between two signs

	opened atomic.Int32  // ports and lines
	what   string        // is stuck after an hour: the clock, the page's network, or nothing
	freed  chan struct{} // ends it
}

// lack is what a world goes without.
type lack struct {
	mute     bool // the receiver says nothing, and gives no pulse
	unlinked bool // no server can be reached
	nameless bool // no name can be resolved
}

func newWorld(l lack) *world {
	w := &world{lack: l, begun: time.Now(), conns: make(chan net.Conn), ended: make(chan struct{}), freed: make(chan struct{})}
	w.last = w.begun
	return w
}

func (w *world) mono() int64     { return 1e12 + int64(time.Since(w.begun)) }
func (w *world) true() time.Time { return epoch.Add(time.Since(w.begun)) }

// stick holds up whoever comes by, once its time has come.
func (w *world) stick(what string) {
	if w.what == what && time.Since(w.begun) > time.Hour {
		<-w.freed
	}
}

// Now, SetFrequency, Step and Report implement discipline.Kernel.
func (w *world) Now() (mono, diff int64, err error) {
	w.stick("clock")
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mono(), w.diff, nil
}
func (w *world) SetFrequency(float64) error { return nil }
func (w *world) Step(by int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.diff += by
	return nil
}
func (w *world) Report(float64, float64, bool) error { return nil }

// Probe and Counters implement prober.
func (w *world) Probe(ctx context.Context, t monitor.Target) monitor.Exchange {
	if w.unlinked {
		return monitor.Exchange{Outcome: monitor.OutcomeSendError, Detail: "network is unreachable"}
	}
	_, diff, _ := w.Now()
	x := monitor.Exchange{Outcome: monitor.OutcomeOK, T1: w.mono() + diff, Diff: diff, Stratum: 1, Kernel: true, StampError: 1e-5}
	wait(ctx, 10*time.Millisecond)
	x.Mono, x.T2 = w.mono(), w.true().UnixNano()
	x.T3 = x.T2
	wait(ctx, 10*time.Millisecond)
	x.T4 = w.mono() + diff
	return x
}
func (w *world) Counters() probe.Counters { return probe.Counters{} }

// LookupNetIP implements monitor.Resolver.
func (w *world) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if w.nameless || w.unlinked {
		<-ctx.Done() // as a resolver does that nobody answers
		return nil, &net.DNSError{Err: "no answer", Name: host, IsTimeout: true}
	}
	return []netip.Addr{netip.MustParseAddr("198.18.0.53")}, nil
}

// listen and dial are the page's network and init's socket.
func (w *world) listen(string, string) (net.Listener, error) { return w, nil }
func (w *world) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		w.stick("page")
		return c, nil
	case <-w.ended:
		return nil, net.ErrClosed
	}
}
func (w *world) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (w *world) Close() error   { close(w.ended); return nil }

func (w *world) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	if network == "unixgram" {
		there.Close()
		return sign{here, w}, nil
	}
	select {
	case w.conns <- there:
		return here, nil
	case <-w.ended:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sign is a connection with init.
type sign struct {
	net.Conn
	w *world
}

func (s sign) Write(b []byte) (int, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	now := time.Now()
	s.w.pause = max(s.w.pause, now.Sub(s.w.last))
	s.w.last = now
	s.w.signs++
	return len(b), nil
}

// antenna is a receiver's port. It gives a second's sentences in one piece and
// the silence behind them in another.
type antenna struct {
	w      *world
	spoke  bool
	closed atomic.Bool
}

func (a *antenna) ReadStamped(b []byte) (int, int64, error) {
	if a.closed.Load() {
		return 0, a.w.mono(), os.ErrClosed
	}
	if a.w.mute {
		time.Sleep(time.Second)
		return 0, a.w.mono(), os.ErrDeadlineExceeded
	}
	if a.spoke = !a.spoke; !a.spoke {
		time.Sleep(150 * time.Millisecond)
		return 0, a.w.mono(), os.ErrDeadlineExceeded
	}
	second := time.Since(a.w.begun).Truncate(time.Second)
	now := epoch.Add(second + time.Second)
	clock := now.Format("150405.00")
	text := nmea.AppendSentence(nil, "GNRMC,"+clock+",A,4807.038,N,01131.000,E,0.0,,"+now.Format("020106")+",,,A,V")
	text = nmea.AppendSentence(text, "GNGGA,"+clock+",4807.038,N,01131.000,E,1,09,0.9,500.0,M,46.0,M,,")
	n := copy(b, text)
	took := time.Duration(n) * byteTime
	time.Sleep(time.Until(a.w.begun.Add(second + time.Second + 100*time.Millisecond + took)))
	return n, a.w.mono() - int64(took), nil
}
func (*antenna) SetReadDeadline(time.Time) error { return nil }
func (*antenna) ByteTime() time.Duration         { return byteTime }
func (a *antenna) Close() error                  { a.closed.Store(true); return nil }

// seconds is a line with an edge at the top of each.
type seconds struct {
	gpiotest.Pin
	w *world
	n uint32
}

func (s *seconds) WaitForEdgeAt(timeout time.Duration) (pulse.Event, bool) {
	if s.w.mute || s.N != "GPIO18" {
		time.Sleep(timeout)
		return pulse.Event{}, false
	}
	since := time.Since(s.w.begun)
	next := since.Truncate(time.Second) + time.Second
	time.Sleep(next - since)
	s.n++
	return pulse.Event{Mono: s.w.mono(), Seq: s.n}, true
}
func (*seconds) Err() error   { return nil }
func (*seconds) Close() error { return nil }
func (*seconds) Halt() error  { return nil }

const dayFile = `[[server]]
address = "192.0.2.1"
interval = "64s"
[[server]]
address = "198.51.100.1"
[[server]]
address = "203.0.113.1"
[[server]]
name = "named"
address = "ntp.example.net"
`

// live lives some time of a station and says how it was at the end.
func live(t *testing.T, w *world, p *platform, d time.Duration) (status.Status, *journal) {
	t.Helper()
	var j journal
	conf, notices, err := p.loadConfig("")
	if err != nil {
		t.Fatal(err)
	}
	p.station, p.alive, p.build = true, "init", oldestDate
	p.board = boards.Board{Name: "rpi", Serial: []string{"/dev/gps"}, Pulse: []string{"GPIO18", "GPIO4"}}
	s := newStation(p, conf, w, w, notices, j.log())
	s.listen, s.dial, s.resolver = w.listen, w.dial, w
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	h := hardware{
		conf: conf, board: p.board,
		openPort: func(string, int) (port, error) { w.opened.Add(1); return &antenna{w: w}, nil },
		openLine: func(name string) (pulse.Pin, error) {
			w.opened.Add(1)
			return &seconds{Pin: gpiotest.Pin{N: name}, w: w}, nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.run(ctx, server, h, part{"network", func(ctx context.Context) error {
			if w.unlinked {
				s.notes.set("network", wanting(network.State{Reason: "eth0 has no carrier"}))
			}
			<-ctx.Done()
			return nil
		}})
	}()
	time.Sleep(d)
	out := s.Status()
	w.mu.Lock()
	w.pause = max(w.pause, time.Since(w.last))
	w.mu.Unlock()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return out, &j
}

// TestADayOfNothing: whatever a station lacks is a state to show and no reason
// to fall silent, by which init would have it reset.
func TestADayOfNothing(t *testing.T) {
	readOnly := func(t *testing.T) string {
		// Nothing can be made here, by root neither.
		return "/proc/truechimer"
	}
	full := func(t *testing.T) string {
		dir := t.TempDir()
		// What is written through this link finds no space left on the device.
		if err := os.Symlink("/dev/full", filepath.Join(dir, "config.toml.new")); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		lack   lack
		perm   func(*testing.T) string
		state  string
		notice string
		right  int // servers
	}{
		"no GPS":           {lack: lack{mute: true}, perm: (*testing.T).TempDir, state: "locked quorum", notice: "No receiver is heard", right: 4},
		"no network":       {lack: lack{unlinked: true}, perm: (*testing.T).TempDir, state: "locked gps+pps", notice: "The network is not ready: eth0 has no carrier"},
		"no DNS":           {lack: lack{nameless: true}, perm: (*testing.T).TempDir, state: "locked gps+pps", right: 3},
		"a read-only card": {perm: readOnly, state: "locked gps+pps", notice: "could not be kept", right: 4},
		"a full /perm":     {perm: full, state: "locked gps+pps", notice: "no space left on device", right: 4},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{station: true, perm: c.perm(t), bootDevice: card(t, []byte(dayFile))}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				s, j := live(t, w, p, 24*time.Hour)
				if again := len(j.lines("begun anew")); w.pause >= initsPatience || w.pause > 2*lifeEvery || w.signs < 17_000 || again != 0 {
					t.Errorf("%d signs of life, %v without one, %d parts begun anew", w.signs, w.pause, again)
				}
				right := 0
				for _, v := range s.Servers {
					if v.Verdict == "ok" {
						right++
					}
				}
				state := s.Reference.State + " " + s.Reference.Source
				notices := strings.Join(s.Notices, "|")
				if state != c.state || right != c.right || len(s.Servers) != 4 || !strings.Contains(notices, c.notice) || c.notice == "" && notices != "" {
					t.Errorf("after a day: %s (%s), %d of %d servers are right, notices %q", state, s.Reference.Reason, right, len(s.Servers), notices)
				}
				t.Logf("%d signs of life, at most %v without one; %s; %s", w.signs, w.pause, state, notices)
			})
		})
	}
}

// TestAStationThatHangs falls silent: the test above would notice.
func TestAStationThatHangs(t *testing.T) {
	for _, what := range []string{"clock", "page"} {
		p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.what = what
			time.AfterFunc(time.Hour+10*time.Minute, func() { close(w.freed) })
			live(t, w, p, time.Hour+11*time.Minute)
			if w.pause < initsPatience {
				t.Errorf("the %s is stuck, and the longest silence is %v", what, w.pause)
			}
		})
	}
}

// TestSafeMode serves the page and does nothing else: no receiver, no clock, no
// server, and not what the file on the card says.
func TestSafeMode(t *testing.T) {
	p := &platform{station: true, safe: true, perm: "/proc/truechimer", bootDevice: card(t, []byte(dayFile))}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		s, j := live(t, w, p, 6*time.Hour)
		if w.signs < 4300 || w.pause > 2*lifeEvery || len(j.lines("begun anew")) != 0 {
			t.Errorf("%d signs of life, %v without one", w.signs, w.pause)
		}
		if !s.Station.SafeMode || s.Summary != safeSummary || len(s.Servers) != 0 || len(s.Notices) != 1 || s.Notices[0] != safeNotice {
			t.Errorf("it says %q, %q, safe mode %v, %d servers", s.Summary, s.Notices, s.Station.SafeMode, len(s.Servers))
		}
		if w.opened.Load() != 0 || w.diff != 0 || s.Reference.State != "cold" {
			t.Errorf("opened %d ports and lines, stepped the clock by %d, reference %s", w.opened.Load(), w.diff, s.Reference.State)
		}
	})
}
