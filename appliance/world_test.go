package main

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio/gpiotest"

	"github.com/truechimer/truechimer/appliance/network"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/gpspps/discipline"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/pulse"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/probe"
)

// world is what a station's parts meet, in virtual time: a clock that is right,
// a receiver, servers, names, its page's network and init.
type world struct {
	lack
	begun time.Time

	page, host pipes        // where the page listens, and the update host
	releases   http.Handler // what the host serves; nil: it takes no connection

	mu    sync.Mutex
	diff  int64
	signs int
	last  time.Time
	pause time.Duration // the longest between two signs

	version  string
	made     func(*station)                    // is called before the station lives; nil: nothing is
	atEnd    func(*station)                    // is called before the station ends; nil: nothing is
	each     func(status.Status)               // sees every second; nil: nobody does
	wrong    func(server string) time.Duration // how far a server is ahead; nil: none is
	ahead    atomic.Int64                      // ns that all of them are, beside that
	cut      atomic.Bool                       // the wire of the pulse
	pulled   atomic.Bool                       // the cable of the network
	opened   atomic.Int32                      // ports and lines
	restarts atomic.Int32
	replug   func(time.Duration) []stick // what is at USB after a time; nil: nothing
	rig      rig
	quiet    time.Duration // for so long the receiver is silent
	pageless atomic.Bool   // the page does not answer any more
	what     string        // is stuck after an hour: the clock, the page's network, or nothing
	freed    chan struct{} // ends it
}

// lack is what a world goes without.
type lack struct {
	mute      bool // the receiver says nothing, and gives no pulse
	pulseless bool // it gives no pulse
	unlinked  bool // no server can be reached
	nameless  bool // no name can be resolved
	hostless  bool // the update host does not answer
}

func newWorld(l lack) *world {
	w := &world{lack: l, begun: time.Now(), version: "1.2.0", page: newPipes(), host: newPipes(), freed: make(chan struct{})}
	w.last = w.begun
	return w
}

// silent says that the receiver says nothing, and gives no pulse, now.
func (w *world) silent() bool { return w.mute || time.Since(w.begun) < w.quiet }

// down says that nothing can be reached now.
func (w *world) down() bool { return w.unlinked || w.pulled.Load() }

func (w *world) mono() int64     { return 1e12 + int64(time.Since(w.begun)) }
func (w *world) true() time.Time { return epoch.Add(time.Since(w.begun)) }

// plugged are the USB sticks that are there now.
func (w *world) plugged() []stick {
	if w.replug == nil {
		return nil
	}
	return w.replug(time.Since(w.begun))
}

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
func (w *world) Report(discipline.Condition) error { return nil }

// Probe and Counters implement prober.
func (w *world) Probe(ctx context.Context, t monitor.Target) monitor.Exchange {
	if w.down() {
		return monitor.Exchange{Outcome: monitor.OutcomeSendError, Detail: "network is unreachable"}
	}
	_, diff, _ := w.Now()
	x := monitor.Exchange{Outcome: monitor.OutcomeOK, T1: w.mono() + diff, Diff: diff, Stratum: 1, Kernel: true, StampError: 1e-5}
	wait(ctx, 10*time.Millisecond)
	x.Mono, x.T2 = w.mono(), w.true().UnixNano()
	if w.wrong != nil {
		x.T2 += int64(w.wrong(t.Server.Name)) + w.ahead.Load()
	}
	x.T3 = x.T2
	wait(ctx, 10*time.Millisecond)
	x.T4 = w.mono() + diff
	packets(&x)
	if w.rig.answer != nil {
		w.rig.answer(t.Server.Name, &x)
	}
	return x
}
func (w *world) Counters() probe.Counters { return probe.Counters{} }

// LookupNetIP implements monitor.Resolver.
func (w *world) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if w.rig.unknown {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if w.nameless || w.down() {
		<-ctx.Done() // as a resolver does that nobody answers
		return nil, &net.DNSError{Err: "no answer", Name: host, IsTimeout: true}
	}
	return []netip.Addr{netip.MustParseAddr("198.18.0.53")}, nil
}

// listen and dial are the page's network, the update host's and init's socket.
func (w *world) listen(string, string) (net.Listener, error) {
	return stuckPipes{w.page, func() { w.stick("page") }}, nil
}

// updateHost is where releases come from in this world.
const updateHost = "updates.example.net"

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	here, there := net.Pipe()
	to := w.page
	switch {
	case network == "unixgram":
		there.Close()
		return sign{here, w}, nil
	case address != updateHost+":80" && w.pageless.Load():
		return nil, syscall.ECONNREFUSED
	case address == updateHost+":80" && w.down():
		return nil, syscall.ENETUNREACH
	case address == updateHost+":80":
		to = w.host
	}
	select {
	case to.conns <- there:
		return here, nil
	case <-to.ended:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// visitor is a browser on the page's network.
func (w *world) visitor() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.dial(ctx, network, "station:80")
		},
		DisableKeepAlives: true, // what waits for the next request would outlive the bubble
	}}
}

// pipes are a listener that has no network.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}
func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (p pipes) Close() error { close(p.ended); return nil }

// stuckPipes hold up who has taken a connection.
type stuckPipes struct {
	pipes
	stick func()
}

func (p stuckPipes) Accept() (net.Conn, error) {
	c, err := p.pipes.Accept()
	if err == nil {
		p.stick()
	}
	return c, err
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
	if a.w.silent() {
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
func (*antenna) SetReadDeadline(time.Time) error  { return nil }
func (*antenna) Write(b []byte) (int, error)      { return len(b), nil }
func (*antenna) SetWriteDeadline(time.Time) error { return nil }
func (*antenna) ByteTime() time.Duration          { return byteTime }
func (a *antenna) Close() error                   { a.closed.Store(true); return nil }

// seconds is a line with an edge at the top of each.
type seconds struct {
	gpiotest.Pin
	w *world
	n uint32
}

func (s *seconds) WaitForEdgeAt(timeout time.Duration) (pulse.Event, bool) {
	if s.w.silent() || s.w.pulseless || s.w.cut.Load() || s.N != cmp.Or(s.w.rig.pin, "GPIO18") {
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

// live lives some time of a station and says how it was at the end.
func live(t *testing.T, w *world, p *platform, d time.Duration) (status.Status, *journal) {
	t.Helper()
	var j journal
	conf, notices, err := p.loadConfig("")
	if err != nil {
		t.Fatal(err)
	}
	p.station, p.alive, p.build = true, "init", oldestDate
	if p.root == "" {
		p.root = t.TempDir() // this machine is not the station's
	}
	p.board = boards.Board{Name: "rpi", GOARCH: "arm64", Loader: boards.LoaderUBoot, Serial: []string{"/dev/gps"}, Pulse: []string{"GPIO18", "GPIO4"}, Compatible: boards.RaspberryPi.Compatible}
	w.rig.board(&p.board)
	s := newStation(p, conf, w, w, notices, j.log())
	s.listen, s.dial, s.resolver, s.version = w.listen, w.dial, w, w.version
	s.interfaces = func() ([]net.Addr, error) { return nil, nil }
	s.updater = newUpdater(s, machine{open: openFile, sticks: func(string) []stick { return w.plugged() }, restart: func(string) error { w.restarts.Add(1); return nil }})
	if w.made != nil {
		w.made(s)
	}
	if w.releases != nil {
		served := &http.Server{Handler: w.releases}
		go served.Serve(w.host)
		defer served.Close()
	}
	server, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	h := hardware{
		conf: conf, board: p.board,
		openPort: func(name string, baud int) (port, error) {
			w.opened.Add(1)
			if w.rig.port != nil {
				return w.rig.port(w, name, baud)
			}
			return &antenna{w: w}, nil
		},
		openLine: func(name string) (pulse.Edges, error) {
			w.opened.Add(1)
			return &seconds{Pin: gpiotest.Pin{N: name}, w: w}, nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.run(ctx, server, h, part{partNetwork, func(ctx context.Context) error {
			for was := false; ctx.Err() == nil; wait(ctx, time.Second) {
				if down := w.down(); down != was {
					was = down
					st := network.State{}
					if down {
						st.Reason = "eth0 has no carrier"
					}
					s.notes.set("network", wanting(st))
				}
			}
			return nil
		}}, part{partUpdater, s.updater.run})
	}()
	if w.each == nil {
		time.Sleep(d)
	} else {
		for range d / time.Second {
			time.Sleep(time.Second)
			w.each(s.Status())
		}
	}
	out := s.Status()
	if w.atEnd != nil {
		w.atEnd(s)
	}
	w.mu.Lock()
	w.pause = max(w.pause, time.Since(w.last))
	w.mu.Unlock()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Some end by themselves: net/http's dialling, and the look at what is shown live.
	time.Sleep(time.Minute)
	return out, &j
}
